package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/registry/directory/redistest"
)

// certificate makes one for 127.0.0.1 that is its own authority, and its key, as files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
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
	return written(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		written(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// written is a file of the test's own.
func written(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// freePort is one that nobody has now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Nothing that nodes say to each other or to the directory need be in the clear, and a stranger's certificate does not
// get in, even with the secret.
func TestClusterOverTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	port := freePort(t)
	redistest.Start(t, redistest.Options{Password: "open sesame", Args: []string{
		"--tls-port", strconv.Itoa(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no",
	}})
	secret := written(t, "secret", []byte("known to all nodes, and to nobody else\n"))
	password := written(t, "password", []byte("open sesame\n"))
	join := func(name, cert, key string) *daemon {
		return serve(t, "--node", name, "--peer-listen", "127.0.0.1:0", "--cluster-secret-file", secret, "--lease", "1s", "--claim-wait", "5s",
			"--directory", "rediss://127.0.0.1:"+strconv.Itoa(port), "--directory-ca", cert, "--directory-password-file", password,
			"--peer-cert", cert, "--peer-key", key, "--peer-ca", cert)
	}
	a, b := join("a", cert, key), join("b", cert, key)
	a.knows(t, 2)
	b.knows(t, 2)
	c := curl(t, a.public+"/sub/alice?mode=ndjson")
	b.held(t, "alice", 1)
	if v := verdicts(t, curled(t, b.publish+"/push/alice", "-d", "in secret"))[0]; v.Delivered != 1 || v.Node != "a" {
		t.Errorf("%+v", v)
	}
	c.awaits(t, `"data":"in secret"}`)

	strange, strangeKey := certificate(t)
	d := serve(t, "--node", "d", "--peer-listen", "127.0.0.1:0", "--cluster-secret-file", secret, "--lease", "1s",
		"--directory", "rediss://127.0.0.1:"+strconv.Itoa(port), "--directory-ca", cert, "--directory-password-file", password,
		"--peer-cert", strange, "--peer-key", strangeKey, "--peer-ca", strange)
	if !eventually(func() bool { return strings.Contains(strings.Join(a.cluster(t).Remarks, "\n"), "no link to d") }) {
		t.Errorf("a has nothing to say of d: %+v", a.cluster(t))
	}
	for _, n := range d.cluster(t).Nodes {
		if n.Link == "up" {
			t.Errorf("a link with a stranger: %+v", n)
		}
	}
}

// With the directory standing still, a stream's head comes all the same, and says that its claim is pending; once the
// directory goes on, the stream is found from other nodes.
func TestHeadThatWaitsForItsClaim(t *testing.T) {
	t.Parallel()
	store, nodes := gather(t, "a", "b")
	sure := nodes[0].subscribe(t, "sse", "before")
	if head := sure.hears(t, "\r\n\r\n"); strings.Contains(head, "Push-Claim") {
		t.Errorf("a claim that stands is told as pending: %q", head)
	}
	if v := nodes[1].push(t, "before", []byte("x")); v.Delivered != 1 {
		t.Errorf("who was told that it is subscribed is not found: %+v", v)
	}
	store.Stop()
	began := time.Now()
	w := nodes[0].subscribe(t, "sse", "meanwhile")
	head := w.hears(t, "\r\n\r\n")
	if took := time.Since(began); !strings.Contains(head, "Push-Claim: pending\r\n") || took < 4*time.Second {
		t.Errorf("after %v: %q", took, head)
	}
	store.Cont()
	nodes[1].held(t, "meanwhile", 1)
	if v := nodes[1].push(t, "meanwhile", []byte("found")); v.Delivered != 1 {
		t.Errorf("%+v", v)
	}
	w.hears(t, "data: found\n\n")
}
