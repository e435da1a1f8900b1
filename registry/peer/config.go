package peer

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// Config is what a mesh is told at its start. Zero means the default, where one is named.
type Config struct {
	Self    Node   // Address is what others dial
	Release string // of the software, for others' tables; at most 256 bytes
	Listen  string // HOST:PORT

	// Secret proves both ends of a connection to each other: at least 16 bytes, the same on every node. It may be left
	// out with TLS. It does not hide what is sent: use TLS where others can listen or interfere.
	Secret []byte
	// TLS makes both ends show certificates: Certificates, RootCAs and ClientCAs must be set. The name that is checked
	// is ServerName, or the host of a node's address without one.
	TLS *tls.Config

	Ping        time.Duration // silence after which a link is asked: default 1 s
	Dead        time.Duration // silence after which it is down: default 3 s; finds hosts that vanished
	DialTimeout time.Duration // to connect, and again for the handshake: default 1 s
	Backoff     time.Duration // the first wait between dials: default 50 ms
	MaxBackoff  time.Duration // the longest: default 2 s

	MaxFrame  int // bytes of one request: default 16 MiB and 64 KiB; stops a peer gone wrong from filling our memory
	MaxFlight int // requests without report on one link: default 16 Ki; stops a slow peer from keeping ours waiting without end
	MaxQueued int // bytes waiting to be written on one link: default 64 MiB; stops a slow network from filling our memory
	MaxServed int // requests of one peer being worked on: default 16 Ki; stops one peer from taking all of this node

	Handler Handler
	// Trouble hears why connections were refused or ended, at most one a second for each fault. It must not block.
	// Default: nobody does.
	Trouble func(peer Node, err error)
}

const minSecret = 16

// MaxPayload is the longest message, bytes, that fits the default MaxFrame whatever its key and names.
const MaxPayload = 16 << 20

func (c *Config) fill() error {
	def := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	def(&c.Ping, time.Second)
	def(&c.Dead, 3*time.Second)
	def(&c.DialTimeout, time.Second)
	def(&c.Backoff, 50*time.Millisecond)
	def(&c.MaxBackoff, 2*time.Second)
	bound := func(n *int, to int) {
		if *n <= 0 {
			*n = to
		}
	}
	bound(&c.MaxFrame, MaxPayload+64<<10)
	bound(&c.MaxFlight, 16<<10)
	bound(&c.MaxQueued, 64<<20)
	bound(&c.MaxServed, 16<<10)
	switch {
	case c.Self.Instance == 0 || c.Handler == nil:
		return fmt.Errorf("%w: an instance and a handler are needed", errConfig)
	case len(c.Self.Name) > maxName || len(c.Self.Address) > maxName || len(c.Release) > maxName:
		return fmt.Errorf("%w: name, address and release have at most %d bytes", errConfig, maxName)
	case c.TLS == nil && len(c.Secret) < minSecret, len(c.Secret) > 0 && len(c.Secret) < minSecret:
		return fmt.Errorf("%w: the cluster secret needs at least %d bytes; make one with: head -c 32 /dev/urandom | base64", errConfig, minSecret)
	case c.TLS != nil && (c.TLS.RootCAs == nil || c.TLS.ClientCAs == nil || len(c.TLS.Certificates) == 0 && c.TLS.GetCertificate == nil):
		return fmt.Errorf("%w: mutual TLS needs this node's certificate and the authority of the others'", errConfig)
	}
	return nil
}

// clientTLS is the dialler's side: TLS 1.3, and the node's certificate must be for the name that was dialled.
func clientTLS(base *tls.Config, address string) *tls.Config {
	c := base.Clone()
	c.MinVersion = tls.VersionTLS13
	c.InsecureSkipVerify = false
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(address)
	}
	return c
}

// serverTLS is the other side: TLS 1.3, and who dials must have a certificate of the authority.
func serverTLS(base *tls.Config) *tls.Config {
	c := base.Clone()
	c.MinVersion = tls.VersionTLS13
	c.ClientAuth = tls.RequireAndVerifyClientCert
	return c
}
