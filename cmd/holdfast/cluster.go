package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"holdfast/cmd/internal/flags"
	"holdfast/registry/directory"
	"holdfast/registry/peer"
)

// clustering is how serve finds its cluster: what cannot be set in place in the engine's Config.
type clustering struct {
	directory  string // URL, or memory
	secretFile string
	claimTTL   time.Duration
	timeout    time.Duration // of the directory
	prefix     string
	password   string // file
	cached     int    // answers
	storeCA    string
	cert       string // of the links
	key        string
	ca         string
}

// alone is the --directory of a node that has no others.
const alone = "memory"

func (s *serving) cluster() flags.Table {
	const group = "Cluster"
	c, e := &s.clustering, &s.engine.Cluster
	return flags.Table{
		flags.New("directory", group, "url", &c.directory, "Where nodes tell each other which keys they hold: redis://HOST:PORT, redis-sentinel://HOST:PORT,…/MASTER, redis-cluster://HOST:PORT,…, or with rediss for TLS; memory is a node alone."),
		flags.New("peer-listen", group, "host:port", &e.Listen, "Listener for the other nodes' links. Keep clients and publishers away from it."),
		flags.New("peer-advertise", group, "host:port", &e.Advertise, "Where other nodes reach --peer-listen. Empty when it names one address of this host.").OrEmpty(),
		flags.New("cluster-secret-file", group, "path", &c.secretFile, "File with the cluster's secret, at least 16 bytes and the same on each node: links are authenticated and keys are hashed with it."),
		flags.New("lease", group, "duration", &e.Lease, "A node that is not heard of for this long is no longer taken for alive. Faults are got over within two leases."),
		flags.New("claim-ttl", group, "duration", &c.claimTTL, "The directory forgets a claim that nobody renews after this. The same on each node."),
		flags.New("claim-refresh", group, "duration", &e.Refresh, "Each claim is written anew within this time, spread evenly. At most half of --claim-ttl."),
		flags.New("claim-linger", group, "duration", &e.Linger, "A key's claim outlives its last holder by this, for polls and clients that come back. Below 0 not at all.").OrBelow(),
		flags.New("claim-wait", group, "duration", &s.engine.Gateway.ClaimWait, "A stream's head waits this long for its keys to be found from other nodes; then it says Push-Claim: pending."),
		flags.New("reclaim-rate", group, "keys/s", &e.ReclaimRate, "Keys claimed anew per second after the directory has lost some, which spares it."),
		flags.New("directory-timeout", group, "duration", &c.timeout, "Longest wait for one answer of the directory's server."),
		flags.New("lookup-timeout", group, "duration", &e.LookupTimeout, "Longest wait of a push for the directory. Then every node is asked, or the push is refused with 503."),
		flags.New("max-lookups", group, "lookups", &e.MaxLookups, "Lookups that wait for the directory. Further pushes are refused with 503."),
		flags.New("max-owners-kept", group, "keys", &c.cached, "Keys whose owners are kept in memory, as long as the directory says that they still hold; each some 100 bytes."),
		flags.New("max-candidates", group, "nodes", &e.MaxCandidates, "Nodes that are asked for a key because the directory cannot tell. If there are more, the push is refused with 503."),
		flags.New("max-link-requests", group, "requests", &e.MaxFlight, "Requests to one node that wait for its report. Further pushes to it are refused with 503."),
		flags.New("max-link-queue", group, flags.Bytes, &e.MaxQueued, "Output that waits on one link. Further pushes over it are refused with 503."),
		flags.New("directory-prefix", group, "text", &c.prefix, "What the names of our entries in the directory begin with, so that clusters can share one."),
		flags.New("directory-password-file", group, "path", &c.password, "File with the directory's password, if it is not in the URL.").OrEmpty(),
		flags.New("directory-ca", group, "path", &c.storeCA, "PEM file of the authorities that a rediss:// directory is checked against. Empty for the system's.").OrEmpty(),
		flags.New("peer-cert", group, "path", &c.cert, "PEM file with this node's certificate, for mutual TLS between nodes. Empty for links in the clear, authenticated by the secret alone.").OrEmpty(),
		flags.New("peer-key", group, "path", &c.key, "PEM file with the certificate's key.").OrEmpty(),
		flags.New("peer-ca", group, "path", &c.ca, "PEM file of the authorities that sign the nodes' certificates.").OrEmpty(),
		flags.New("push-id-window", group, "duration", &s.engine.Gateway.IDWindow, "A push with a Push-Id that its key has had within this time is not delivered again. Below 0 it is.").OrBelow(),
		flags.New("max-push-ids", group, "ids", &s.engine.Gateway.IDs, "Push-Ids that are remembered for it; the oldest give way."),
	}
}

// joinCluster completes the engine's part in a cluster. Without one there is nothing to do.
func (s *serving) joinCluster(ctx context.Context, warn io.Writer) error {
	c, e := &s.clustering, &s.engine.Cluster
	if c.directory == alone {
		if e.Listen != "" || c.secretFile != "" || c.cert != "" {
			return errors.New("--peer-listen, --cluster-secret-file and --peer-cert have no effect without --directory: the node would be alone")
		}
		return nil
	}
	switch {
	case s.engine.Node == defaultNode:
		return errors.New("--directory: the nodes of a cluster are told apart by name; give this one its own with --node")
	case e.Listen == "":
		return errors.New("--directory: the other nodes must reach this one; say where with --peer-listen HOST:PORT")
	case c.secretFile == "":
		return errors.New("--directory: the nodes of a cluster share a secret; make one with `head -c 32 /dev/urandom | base64 > FILE` and give it with --cluster-secret-file")
	case s.policy.MaxPayload > peer.MaxPayload:
		return fmt.Errorf("--max-message %d: between nodes a message has at most %d bytes", s.policy.MaxPayload, peer.MaxPayload)
	case e.Refresh > c.claimTTL/2:
		return fmt.Errorf("--claim-refresh %v: at most half of --claim-ttl, %v; else claims run out before they are renewed", e.Refresh, c.claimTTL)
	}
	secret, err := readSecret("cluster-secret-file", c.secretFile)
	if err != nil {
		return err
	}
	e.Secret, e.Release = secret, version()
	e.Trouble = func(text string) { fmt.Fprintf(warn, "holdfast: warning: %s\n", text) }
	if e.TLS, err = c.linkTLS(); err != nil {
		return err
	}
	e.Store, err = c.open(ctx)
	return err
}

// open reaches for the directory. One that does not answer yet is no error: the node serves those who are here.
func (c *clustering) open(ctx context.Context) (directory.Store, error) {
	cfg := directory.RedisConfig{
		URL: c.directory, PasswordFile: c.password, Prefix: c.prefix, ClaimTTL: c.claimTTL, Timeout: c.timeout, Cached: c.cached,
	}
	if c.storeCA != "" {
		pool, err := readCA("directory-ca", c.storeCA)
		if err != nil {
			return nil, err
		}
		cfg.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	store, err := directory.OpenRedis(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("--directory: %w", err)
	}
	return store, nil
}

// linkTLS is mutual TLS between nodes, nil when none is asked for.
func (c *clustering) linkTLS() (*tls.Config, error) {
	if c.cert == "" && c.key == "" && c.ca == "" {
		return nil, nil
	}
	if c.cert == "" || c.key == "" || c.ca == "" {
		return nil, errors.New("mutual TLS between nodes needs all of --peer-cert, --peer-key and --peer-ca")
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("--peer-cert, --peer-key: %w", err)
	}
	pool, err := readCA("peer-ca", c.ca)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}, nil
}

func readCA(flag, path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--%s %s holds no certificate in PEM", flag, path)
	}
	return pool, nil
}

// readSecret reads a file that others should not be able to read; line breaks at its end do not count.
func readSecret(flag, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	if text = bytes.TrimRight(text, "\r\n"); len(text) == 0 {
		return nil, fmt.Errorf("--%s %s is empty", flag, path)
	}
	return text, nil
}
