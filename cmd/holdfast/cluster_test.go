package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write puts a text into a file of the test's own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate makes one that is its own authority, and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

const goodSecret = "sixteen bytes and more\n"

// A node that cannot be one of a cluster does not start, and says what to do.
func TestClusterSettingsThatCannotWork(t *testing.T) {
	secret := write(t, "secret", goodSecret)
	cert, key := certificate(t)
	f := func(want string, args ...string) {
		t.Helper()
		line := append([]string{
			"serve", "--listen", "127.0.0.1:0", "--publish-listen", "127.0.0.1:0", "--admin-listen", "", "--drain-timeout", "1s", "--loops", "1",
		}, args...)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // one that starts all the same ends
		defer cancel()
		err := run(ctx, line, strings.NewReader(""), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
	node := []string{"--directory", "redis://127.0.0.1:1", "--directory-timeout", "10ms", "--node", "a", "--peer-listen", "127.0.0.1:0"}
	with := func(args ...string) []string { return append(node[:len(node):len(node)], args...) }

	f("its own with --node", "--directory", "redis://127.0.0.1:1")
	f("its own with --node", "--directory", "redis://127.0.0.1:1", "--node", "local")
	f("with --peer-listen HOST:PORT", "--directory", "redis://127.0.0.1:1", "--node", "a")
	f("--cluster-secret-file", node...)
	f("--cluster-secret-file: open", with("--cluster-secret-file", secret+".missing")...)
	f("is empty", with("--cluster-secret-file", write(t, "none", "\n"))...)
	f("needs at least 16", with("--cluster-secret-file", write(t, "short", "fifteen bytes..\n"))...)
	f("at most half of --claim-ttl, 20m", with("--cluster-secret-file", secret, "--claim-ttl", "20m")...)
	f("at most half of --claim-ttl, 30m", with("--cluster-secret-file", secret, "--claim-refresh", "16m")...)

	node = append(node, "--cluster-secret-file", secret)
	f("all of --peer-cert, --peer-key and --peer-ca", with("--peer-cert", cert)...)
	f("all of --peer-cert, --peer-key and --peer-ca", with("--peer-ca", cert, "--peer-key", key)...)
	f("--peer-cert, --peer-key: ", with("--peer-cert", cert, "--peer-key", secret, "--peer-ca", cert)...)
	f("holds no certificate in PEM", with("--peer-cert", cert, "--peer-key", key, "--peer-ca", key)...)
	f("--peer-ca: open", with("--peer-cert", cert, "--peer-key", key, "--peer-ca", cert+".missing")...)
	f("--directory-ca: open", with("--directory-ca", cert+".missing")...)
	f("no such file", with("--directory-password-file", secret+".missing")...)
	f("choose a free --peer-listen address", with("--peer-listen", "127.0.0.1:99999")...)
	f("no effect without --directory", "--peer-listen", "127.0.0.1:0")
	f("no effect without --directory", "--cluster-secret-file", secret)
	f("say with --peer-advertise", with("--peer-listen", ":0")...)
	f("say with --peer-advertise", with("--peer-listen", "0.0.0.0:0")...)
	f("at most 16777216 bytes", with("--max-message", "17MiB")...)
	for _, url := range []string{"http://127.0.0.1:1", "redis://", "redis-sentinel://127.0.0.1:1", "redis://127.0.0.1:port", "memry"} {
		f("--directory", with("--directory", url)...)
	}
	f("braces", with("--directory-prefix", "a{b")...)
}

// A node whose directory is away serves those who are here, and tells an operator what is wrong.
func TestNodeWithoutItsDirectory(t *testing.T) {
	cert, key := certificate(t)
	d := start(t, "--directory", "redis://127.0.0.1:1", "--directory-timeout", "100ms", "--node", "a", "--peer-listen", "127.0.0.1:0",
		"--cluster-secret-file", write(t, "secret", goodSecret), "--peer-cert", cert, "--peer-key", key, "--peer-ca", cert)
	next := d.subscribe(t, "alice")
	f := func(want, wantErr string, args ...string) {
		t.Helper()
		out, err := d.ask(t, "", args...)
		if !strings.Contains(out, want) || fmt.Sprint(err) != wantErr {
			t.Errorf("%q: %q, %v; want %q, %s", args, out, err, want, wantErr)
		}
	}
	f(`"delivered":1`, "<nil>", "push", "alice", "hello")
	if got := next(); got != "hello" {
		t.Errorf("the subscriber got %q", got)
	}
	f(`"unreached":1`, "the push was answered 503", "push", "bob", "hello")
	f("NODE  INSTANCE", "<nil>", "nodes")
	f(`"self":true,"lease":"lapsed","lapsed_seconds":-1,"claims":"behind","link":"self"`, "<nil>", "nodes", "--json")
	f("alice has 1 holders\n", "<nil>", "keys", "alice")
	f("Cluster      nodes 0 live of 1   links 0 up of 0", "<nil>", "top", "--frames", "1", "--every", "10ms")
	t.Setenv("HOLDFAST_ADMIN_URL", d.admin)
	var said strings.Builder
	if err := run(t.Context(), []string{"nodes"}, strings.NewReader(""), io.Discard, &said); err != nil ||
		!strings.Contains(said.String(), "holdfast: the directory has not answered yet") {
		t.Errorf("remarks: %q, %v", &said, err)
	}
}

func TestNodesOfANodeThatIsAlone(t *testing.T) {
	d := start(t)
	t.Setenv("HOLDFAST_ADMIN_URL", d.admin)
	var out, said strings.Builder
	err := run(t.Context(), []string{"nodes"}, strings.NewReader(""), &out, &said)
	if err != nil || out.String() != "" || said.String() != "holdfast: this node is alone: it was started without --directory\n" {
		t.Errorf("%q, %q, %v", &out, &said, err)
	}
}
