package peer

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"
)

// authority signs certificates in tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = a.sign(t, template, nil)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(t *testing.T, template *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// config is a node's TLS configuration with a certificate for an address.
func (a *authority) config(t *testing.T, ip string) *tls.Config {
	t.Helper()
	cert, key := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(ip)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}, RootCAs: a.pool, ClientCAs: a.pool,
	}
}

func TestMutualTLS(t *testing.T) {
	a := newAuthority(t)
	for _, secret := range [][]byte{nil, testSecret} {
		one, two, _, twoNode := pair(t, func(c *Config) { c.Secret, c.TLS = secret, a.config(t, "127.0.0.1") })
		data := string(bytes.Repeat([]byte("0123456789"), 100_000))
		for _, size := range []int{0, 100, 5000, len(data)} {
			if got := ask(t, one, 2, push("k", data[:size])); got.err != nil || got.report.Delivered != 1 {
				t.Errorf("%d bytes: got %+v", size, got)
			}
		}
		held := make(chan Origin, 1)
		twoNode.on(func(id Origin, _ *Request) { held <- id })
		got := start(t, one, count("k", time.Minute))
		<-held
		two.Close(expired())
		wantAnswer(t, got, answer{err: ErrUnknown})
		waitState(t, one, 2, Refused)
		one.Close(expired())
	}
}

// Both ends check the other's certificate, its authority, and the name that was dialled.
func TestMutualTLSRefuses(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	f := func(name string, dialler, acceptor *tls.Config, secret string) {
		t.Helper()
		b, bn := open(t, 2, func(c *Config) { quick(c); c.TLS = acceptor })
		m, _ := open(t, 1, func(c *Config) { quick(c); c.TLS, c.Secret = dialler, []byte(secret) })
		m.Keep([]Node{nodeOf(b)})
		wait(t, func() string {
			if faultsOf(m, BadCertificate)+faultsOf(b, BadCertificate)+faultsOf(b, BadMagic)+faultsOf(b, BadProof)+faultsOf(m, BadMagic) > 0 {
				return ""
			}
			return name + ": nobody was refused"
		})
		if s, _, _ := m.Peer(2); s != Down || len(bn.saw()) > 0 {
			t.Errorf("%s: the link is %v", name, s)
		}
		m.Close(expired())
		b.Close(expired())
	}
	good := ours.config(t, "127.0.0.1")
	const secret = "a secret of 32 bytes for testing"
	f("another authority's acceptor", good, theirs.config(t, "127.0.0.1"), secret)
	f("another authority's dialler", func() *tls.Config {
		c := theirs.config(t, "127.0.0.1")
		c.RootCAs = ours.pool
		return c
	}(), good, secret)
	f("a certificate for another address", good, ours.config(t, "127.0.0.9"), secret)
	f("careless configuration", func() *tls.Config {
		c := good.Clone()
		c.InsecureSkipVerify, c.MinVersion = true, tls.VersionTLS10
		return c
	}(), theirs.config(t, "127.0.0.1"), secret)
	f("another secret under good certificates", good, good, "another secret, longer than 16")
	f("plain dialler", nil, good, secret)
	f("plain acceptor", good, nil, secret)
}

func TestTLSConfigRefuses(t *testing.T) {
	a := newAuthority(t)
	f := func(change func(*tls.Config)) {
		t.Helper()
		c := a.config(t, "127.0.0.1")
		change(c)
		if m, err := Open(Config{Self: Node{Instance: 1}, Handler: &fakeNode{}, Listen: "127.0.0.1:0", TLS: c}); err == nil {
			m.Close(expired())
			t.Error("it was taken")
		}
	}
	f(func(c *tls.Config) { c.RootCAs = nil })
	f(func(c *tls.Config) { c.ClientCAs = nil })
	f(func(c *tls.Config) { c.Certificates = nil })
}
