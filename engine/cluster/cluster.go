// Package cluster is this process's part in the cluster: it makes the rest of the nodes look, to the gateways, like one
// more place that may hold a key. It decides which nodes a push must reach, sends it there over peer links, adds up what
// they did, and says honestly what it could not find out. Gateways call it from their loops: it never blocks one.
//
// It must never guess: "nobody" needs a certain answer of the directory, or of every node that may hold the key; and what
// may have been delivered is never sent again.
//
// Read cluster.go (what it is made of), picture.go (what is known of the other nodes), send.go (a push from here),
// round.go (whom it is sent to, and what comes of it), serve.go (a request from there).
package cluster

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/engine/gateway"
	"holdfast/registry"
	"holdfast/registry/directory"
	"holdfast/registry/peer"
)

// Config says how a process takes part in a cluster. Zero means the default in each field.
type Config struct {
	Store     directory.Store // what the nodes share; nil: this node is alone
	Listen    string          // where the other nodes' links come in, HOST:PORT
	Advertise string          // the address that they are told: default Listen, which must then name one host
	Secret    []byte          // what makes a process one of the cluster: at least 16 bytes, the same on each node; links, the directory's hashes and generated keys each derive a key of their own
	TLS       *tls.Config     // mutual TLS for the links; nil: none
	Trouble   func(string)    // hears, in words for an operator, why links were refused or ended; nil: nobody. It must not block
	Release   string          // of the software, shown to the other nodes

	Lease         time.Duration // how long a node that is not heard of counts as alive: 5 s
	Refresh       time.Duration // every claim is written anew within this time: 15 min
	Linger        time.Duration // how long a key's claim outlives its last holder, for those who come back: 1 s, below 0 not at all
	ReclaimRate   int           // keys claimed anew per second after the store has lost some: 20,000; spares the store
	LookupTimeout time.Duration // how long a push waits for the directory: 2 s
	MaxCandidates int           // nodes asked for a key because their claims, or the directory, are not to be had: 16; with more, the push is refused (503)
	MaxFlight     int           // requests without an answer on one link: 16,384; beyond, pushes are refused (503)
	MaxQueued     int           // bytes waiting on one link: 64 MiB; beyond, pushes are refused (503)
	MaxLookups    int           // lookups waiting for the directory: 65,536; beyond, pushes are refused (503)
}

// minSecret keeps secrets that a dictionary could hold out of the cluster, bytes.
const minSecret = 16

func (c *Config) fill() error {
	span := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	size := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	span(&c.Lease, 5*time.Second)
	span(&c.Refresh, 15*time.Minute)
	span(&c.Linger, time.Second)
	span(&c.LookupTimeout, 2*time.Second)
	size(&c.ReclaimRate, 20_000)
	size(&c.MaxCandidates, 16)
	size(&c.MaxFlight, 16<<10)
	size(&c.MaxQueued, 64<<20)
	size(&c.MaxLookups, 64<<10)
	if len(c.Secret) < minSecret {
		return fmt.Errorf("the cluster's secret has %d bytes; it needs at least %d, the same on each node", len(c.Secret), minSecret)
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if at, _ := netip.ParseAddr(host); c.Advertise == "" && err == nil && host != "" && !at.IsUnspecified() && port != "0" {
		c.Advertise = c.Listen // else it is what the listener says, if that is one host
	}
	return nil
}

// Cluster is the other nodes. It is the gateways' Abroad.
type Cluster struct {
	cfg    Config
	shared *gateway.Shared
	self   directory.Node
	hash   *directory.Hasher
	dir    *directory.Directory
	mesh   *peer.Mesh

	picture atomic.Pointer[picture]
	redraw  chan struct{} // holds a token when the picture is out of date
	done    sync.WaitGroup
	stop    chan struct{}

	lines     [lineParts]lines
	strangers strangers
	told      told
	stats     counters
}

// Open joins the cluster: this node can be found from then on. Name is the node's; it must be its own.
func Open(name string, cfg Config, shared *gateway.Shared) (*Cluster, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	c := &Cluster{cfg: cfg, shared: shared, redraw: make(chan struct{}, 1), stop: make(chan struct{})}
	for i := range c.lines {
		c.lines[i].byKey = make(map[directory.Hash]*line)
	}
	c.strangers.since = make(map[directory.Instance]time.Time)
	c.hash = directory.NewHasher(cfg.Secret)
	c.self = directory.Node{Instance: newInstance(), Name: name, Address: cfg.Advertise, Release: cfg.Release}
	check := c.hash.Sum([]byte("which secret is it?"))
	c.self.Check = hex.EncodeToString(check[:8])
	shared.Identify(uint64(c.self.Instance), cfg.Secret)
	c.picture.Store(&picture{nodes: &directory.Nodes{Self: c.self.Instance}})

	var err error
	c.mesh, err = peer.Open(peer.Config{
		Self:   peer.Node{Instance: uint64(c.self.Instance), Name: name, Address: cfg.Advertise},
		Listen: cfg.Listen, Secret: cfg.Secret, TLS: cfg.TLS, Release: cfg.Release,
		Ping: cfg.Lease / 5, Dead: cfg.Lease / 2, DialTimeout: min(cfg.Lease/4, time.Second),
		MaxFlight: cfg.MaxFlight, MaxQueued: cfg.MaxQueued, Handler: c, Trouble: c.trouble,
	})
	if err != nil {
		return nil, err
	}
	if c.self.Address == "" {
		if c.self.Address, err = advertised(c.mesh.Addr()); err != nil {
			c.mesh.Close(context.Background())
			return nil, err
		}
	}
	c.dir = directory.Open(directory.Config{
		Store: cfg.Store, Hash: c.hash.Sum, Keys: (*keys)(shared.Table), Self: c.self,
		Lease: cfg.Lease, Refresh: cfg.Refresh, Linger: cfg.Linger, ReclaimRate: cfg.ReclaimRate, MaxAsks: cfg.MaxLookups,
		Ready:   func(t directory.Ticket) { shared.Claimed(gateway.Ticket(t)) },
		Changed: c.outdate,
		Linked: func(i directory.Instance) bool {
			state, _, _ := c.mesh.Peer(uint64(i))
			return state == peer.Up
		},
	})
	shared.Abroad = c
	c.done.Go(c.keepPicture)
	c.outdate()
	return c, nil
}

// newInstance names this process, never 0.
func newInstance() directory.Instance {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return directory.Instance(binary.LittleEndian.Uint64(b[:]) | 1)
}

// advertised is the address that others are told when none was given: where we listen, if that is one host.
func advertised(at net.Addr) (string, error) {
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return "", fmt.Errorf("the peer listener is on every address of this host (%s): say with --peer-advertise where other nodes reach it", at)
	}
	return at.String(), nil
}

// Close takes the node out of the cluster in good order: its claims and its lease are given up, the links are closed.
func (c *Cluster) Close(ctx context.Context) {
	c.dir.Close(ctx)
	c.mesh.Close(ctx)
	close(c.stop)
	c.done.Wait()
	c.cfg.Store.Close()
}

// Changed hears of this node's keys: it is the table's.
func (c *Cluster) Changed(key []byte) {
	if !c.own(key) {
		c.dir.Touch(key)
	}
}

// own reports whether this node generated a key: where it is held is in its name.
func (c *Cluster) own(key []byte) bool {
	by, ok := c.shared.Maker(key)
	return ok && by == uint64(c.self.Instance)
}

// Await reports whether other nodes can find a key that was joined here; else the gateway hears once they can.
func (c *Cluster) Await(key []byte, t gateway.Ticket) bool {
	if c.own(key) {
		return true
	}
	return c.dir.Await(key, c.hash.Sum(key), directory.Ticket(t))
}

// keys is the node's table as the directory sees it.
type keys registry.Table

// Held reports whether somebody here holds a key.
func (k *keys) Held(key []byte) bool {
	_, held := (*registry.Table)(k).Lookup(key)
	return held
}

// Range lists the keys that are held here.
func (k *keys) Range(cursor uint64, limit int, fn func(key []byte)) uint64 {
	next := (*registry.Table)(k).Range(registry.Cursor(cursor), limit, func(key []byte, _ registry.Target) { fn(key) })
	return uint64(next)
}
