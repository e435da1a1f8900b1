package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Defaults of RedisConfig.
const (
	// DefaultClaimTTL is for how long a store keeps a claim that nobody refreshes.
	DefaultClaimTTL = 1800 * time.Second

	defaultRedisTimeout = 2 * time.Second
	defaultCached       = 1 << 18
	defaultPrefix       = "hf"

	pingEvery = time.Second // a connection that is silent for so long is tried
	retryMin  = 50 * time.Millisecond
	retryMax  = time.Second
)

// RedisConfig says where the Redis is and how to use it. Zero takes the default of a field.
type RedisConfig struct {
	// URL names the servers:
	//
	//	redis://[user:password@]host:port[/db]                           one server
	//	redis-sentinel://[user:password@]host:port,host:port/master[/db] the master that these sentinels name
	//	redis-cluster://[user:password@]host:port,host:port              a Redis Cluster, some of its nodes
	//
	// With rediss, rediss-sentinel and rediss-cluster the connections are TLS.
	URL string
	// PasswordFile has the password in its first line; it stands before one in the URL.
	PasswordFile string
	// SentinelPassword is for the sentinels themselves; without it they are asked without one.
	SentinelPassword string
	// TLS is used with the schemes that ask for it; nil trusts what the system trusts.
	TLS *tls.Config
	// Prefix begins each key in the Redis, default "hf": claims are PREFIX:k:…, the rest is {PREFIX}:….
	Prefix string
	// ClaimTTL is for how long an unrefreshed claim stays, default DefaultClaimTTL.
	ClaimTTL time.Duration
	// Timeout bounds each call, and the time in which a silent connection is given up, default two seconds.
	Timeout time.Duration
	// Cached is how many answers are kept at most, default 262,144, about 25 MB.
	Cached int
}

// Redis is a store that nodes share. A user that ACLs restrict needs the keys PREFIX:* and {PREFIX}:*, and the commands
// of @hash, @sortedset, @connection, @scripting, expire, info, role, cluster and time.
//
// Under sentinels a master should have min-replicas-to-write 1: one that was cut off together with a node, while the others
// promoted its replica, then refuses that node's beats, and so nothing is certain there.
//
// It writes no command twice: one that was sent and not answered may have been done, and is reported as an error.
type Redis struct {
	// immutable
	cfg    RedisConfig
	shape  shape
	option rueidis.ClientOption
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	kept   *cache
	ident  *identity
	claimK string // what a claim's key begins with

	client  atomic.Pointer[rueidis.Client] // nil until the first connection
	failure atomic.Pointer[error]          // why there is none
	calls   atomic.Uint64                  // of Claim: their order, which the fence of removals stands on
	beats   atomic.Uint64                  // so far
	claimed sync.Map                       // Instance → nothing: whose claims this process writes
	work    sync.WaitGroup

	mu    sync.Mutex
	conns map[*watchedConn]struct{}
}

// OpenRedis begins to use a Redis. That it cannot be reached yet is no error: calls fail, and it is tried again and again.
// A URL or file that is no good is one.
func OpenRedis(ctx context.Context, cfg RedisConfig) (*Redis, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	if cfg.ClaimTTL <= 0 {
		cfg.ClaimTTL = DefaultClaimTTL
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultRedisTimeout
	}
	if cfg.Cached <= 0 {
		cfg.Cached = defaultCached
	}
	if strings.ContainsAny(cfg.Prefix, "{}") {
		return nil, fmt.Errorf("directory: prefix %q: braces have a meaning in a Redis Cluster", cfg.Prefix)
	}
	target, err := parseRedisURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.PasswordFile != "" {
		text, err := os.ReadFile(cfg.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("directory: password: %w", err)
		}
		target.password, _, _ = strings.Cut(strings.TrimRight(string(text), "\r\n"), "\n")
	}

	r := &Redis{cfg: cfg, shape: target.shape, claimK: cfg.Prefix + ":k:", conns: make(map[*watchedConn]struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.kept = newCache(cfg.Cached, r.claimK)
	r.ident = newIdentity(target.shape)
	r.option = r.options(target)
	r.work.Add(2)
	first := make(chan struct{})
	go r.connect(first)
	go r.watch()

	// Those who ask at once shall find it connected, if it is there.
	wait := time.NewTimer(cfg.Timeout)
	defer wait.Stop()
	select {
	case <-first:
	case <-wait.C:
	case <-ctx.Done():
	}
	return r, nil
}

// sentinelKeepAlive tells the dialer of sentinels from that of servers, which is otherwise the same.
const sentinelKeepAlive = pingEvery + 1

func (r *Redis) options(target redisTarget) rueidis.ClientOption {
	o := rueidis.ClientOption{
		InitAddress: target.addresses, Username: target.user, Password: target.password, SelectDB: target.db,
		ClientName: "holdfast", ClientSetInfo: rueidis.DisableClientSetInfo,
		Dialer:           net.Dialer{Timeout: r.cfg.Timeout, KeepAlive: pingEvery},
		ConnWriteTimeout: r.cfg.Timeout,
		DialCtxFn:        r.dial,
		NewCacheStoreFn:  r.newCacheStore,
		// One connection a server: what is asked after a write was written before, and an event of the connection is an
		// event of all that was asked.
		PipelineMultiplex: -1, BlockingPipeline: -1, AlwaysPipelining: true,
		DisableRetry:       true,
		ReadBufferEachConn: 64 << 10, WriteBufferEachConn: 64 << 10,
	}
	if target.tls {
		o.TLSConfig = r.cfg.TLS
		if o.TLSConfig == nil {
			o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	switch target.shape {
	case single:
		o.ForceSingleClient = true
	case sentinel:
		o.Sentinel = rueidis.SentinelOption{
			MasterSet: target.master, Password: r.cfg.SentinelPassword, TLSConfig: o.TLSConfig, ClientName: "holdfast",
			Dialer:                  net.Dialer{Timeout: r.cfg.Timeout, KeepAlive: sentinelKeepAlive},
			TopologyRefreshInterval: 2 * time.Second, // sentinels' word of a new master may be missed
		}
	case clustered:
		o.ClusterOption.ShardsRefreshInterval = 10 * time.Second
		o.ClusterOption.MaxMovedRedirections = 8
	}
	return o
}

// connect makes the client, which reconnects by itself from then on. It closes first after the first attempt.
func (r *Redis) connect(first chan struct{}) {
	defer r.work.Done()
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		client, err := rueidis.NewClient(r.option)
		if err != nil {
			r.failure.Store(&err)
		}
		if client != nil {
			r.client.Store(&client)
			if r.verify(r.ctx, false) != nil {
				r.doubt() // watch asks from now on
			}
		}
		if first != nil {
			close(first)
			first = nil
		}
		if client != nil {
			return
		}
		select {
		case <-r.ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// call is the client and the context of one call, or why there is none.
func (r *Redis) call(ctx context.Context) (rueidis.Client, context.Context, context.CancelFunc, error) {
	client := r.client.Load()
	switch {
	case r.ctx.Err() != nil:
		return nil, nil, nil, fmt.Errorf("%w: it was closed", ErrStore)
	case client == nil:
		if err := r.failure.Load(); err != nil {
			return nil, nil, nil, explain(*err)
		}
		return nil, nil, nil, explain(errors.New("not connected yet"))
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	stop := context.AfterFunc(r.ctx, cancel)
	return *client, ctx, func() { stop(); cancel() }, nil
}

// Peek is an answer that is kept and still good.
func (r *Redis) Peek(h Hash) (Owners, bool) { return r.kept.get(h) }

// Cached counts the answers that are kept now.
func (r *Redis) Cached() int { return r.kept.len() }

// Close ends all work at once: calls that wait fail.
func (r *Redis) Close() {
	r.cancel()
	r.mu.Lock()
	conns := r.conns
	r.conns = nil
	r.mu.Unlock()
	for c := range conns { // else the client would wait for answers
		c.Conn.Close()
	}
	r.work.Wait()
	if client := r.client.Swap(nil); client != nil {
		(*client).Close()
	}
}
