package engine

import (
	"time"

	"holdfast/engine/cluster"
	"holdfast/engine/gateway"
	"holdfast/engine/http1"
	"holdfast/engine/http2"
	"holdfast/engine/loop"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/websocket"
	"holdfast/registry"
)

// Config is everything that one process is told at its start. Zero means the default in each field.
type Config struct {
	Node     string // this node's name in verdicts; default: "local"
	Loops    int    // event loops, at most registry.MaxLoops; default: one per processor
	MaxConns int    // connections on public listeners together; default 1 Mi
	MaxKeys  int    // distinct keys; default: the registry's

	// SpareConns is how many connections publish listeners may take beyond MaxConns: default 1,024. Publishers must
	// get in when clients fill the house.
	SpareConns  int
	Backlog     int           // connections waiting to be accepted, per loop and listener; default: the system's limit
	UserTimeout time.Duration // unacknowledged output ends a connection after this: default 60 s, below 0 never; finds peers that vanished (TCP_USER_TIMEOUT)

	KeepAlive time.Duration // silence after which the system asks whether the peer is there: default 2 min, below 0 never; finds long-polls whose client vanished (SO_KEEPALIVE)

	Loop      loop.Config
	HTTP1     http1.Config
	HTTP2     http2.Config
	WebSocket websocket.Config
	Gateway   gateway.Config
	Cluster   cluster.Config
	Snapshot  *route.Snapshot // default: BuiltIn of the default addresses
}

// tableShards is fewer than the registry's default: at some ten thousand keys a thousand small tables that grow through
// many size classes leave the heap in holes, 25 bytes a connection; at a million keys a step of growth still takes less
// than 0.1 ms, and only writers of that shard wait for it.
const tableShards = 256

func (c *Config) registry() registry.Config {
	return registry.Config{Loops: c.Loops, MaxKeys: c.MaxKeys, Shards: tableShards}
}

// BuiltInConfig says what the snapshot that works without any file looks like.
type BuiltInConfig struct {
	Public  string // address of the public listener: holds only
	Publish string // address of the publish listener: pushes, holds and the try-it page
	Page    []byte // the try-it page
	Echo    bool   // serve /echo, /echo/page and /echo/stream on the public listener, for conformance tools
	Policy  route.Policy
}

// BuiltIn is the snapshot of a process that was given no configuration: holds at /sub/KEY and /sub on both listeners,
// pushes at /push on the publish listener, and a page to try them with.
func BuiltIn(c BuiltInConfig) *route.Snapshot {
	const public, publish = 0, 1
	s := &route.Snapshot{
		Version:   1,
		Listeners: []route.Listener{{Name: "public", Address: c.Public}, {Name: "publish", Address: c.Publish, Publish: true}},
		Policies:  []route.Policy{c.Policy.Filled()},
	}
	for _, at := range []int{public, publish} {
		s.Routes = append(s.Routes,
			route.Route{Listener: at, Prefix: "/sub", Action: route.Hold},
			route.Route{Listener: at, Prefix: "/sub/", Action: route.Hold})
	}
	s.Routes = append(s.Routes,
		route.Route{Listener: publish, Prefix: "/push", Action: route.Push},
		route.Route{Listener: publish, Prefix: "/push/", Action: route.Push})
	if len(c.Page) > 0 {
		s.Routes = append(s.Routes, route.Route{
			Listener: publish, Prefix: "/", Exact: true, Action: route.Respond, Status: 200, Type: "text/html; charset=utf-8", Body: c.Page,
		})
	}
	if c.Echo {
		s.Policies = append(s.Policies, echoPolicy.Filled())
		s.Routes = append(s.Routes,
			route.Route{Listener: public, Prefix: "/echo", Action: route.Echo, Policy: 1},
			route.Route{Listener: public, Prefix: "/echo/", Action: route.Echo, Policy: 1})
	}
	return s
}

// echoPolicy lets conformance tools send what they like: long messages, many at once, compressed or not.
var echoPolicy = route.Policy{
	Slow:   record.SlowPolicy{QueueBytes: 64 << 20},
	Socket: route.Socket{Inbound: route.Echoed, MaxInbound: 16 << 20, Rate: 1 << 20, Burst: 1 << 20, Deflate: true},
}

// socketPolicies are those that WebSockets need.
func socketPolicies(s *route.Snapshot) []route.Socket {
	out := make([]route.Socket, len(s.Policies))
	for i := range s.Policies {
		out[i] = s.Policies[i].Socket
	}
	return out
}

// slowPolicies are the parts of a snapshot's policies that loops need.
func slowPolicies(s *route.Snapshot) []record.SlowPolicy {
	out := make([]record.SlowPolicy, len(s.Policies))
	for i := range s.Policies {
		out[i] = s.Policies[i].Slow
	}
	return out
}
