package main

import (
	"slices"
	"strings"
	"time"

	"holdfast/cmd/internal/flags"
	"holdfast/codec/h1"
	"holdfast/codec/h2"
	"holdfast/engine"
	"holdfast/engine/cluster"
	"holdfast/engine/gateway"
	"holdfast/engine/http1"
	"holdfast/engine/http2"
	"holdfast/engine/loop"
	"holdfast/engine/route"
	"holdfast/engine/websocket"
	"holdfast/registry"
	"holdfast/registry/directory"
)

// envPrefix begins the environment variables that stand for flags.
const envPrefix = "HOLDFAST"

// serving is every setting of serve. What rooms export is set in place; the rest is the process's own.
type serving struct {
	listen        string
	publishListen string
	adminListen   string
	tokenFile     string
	slowPolicy    string
	inbound       string
	pprof         bool
	echo          bool
	drainTimeout  time.Duration
	drainPace     time.Duration

	engine     engine.Config
	policy     route.Policy
	clustering clustering
}

// defaultNode is the name of a node that is alone.
const defaultNode = "local"

// newServing holds the defaults. The rooms' own are repeated here, because a help that says "0" helps nobody.
func newServing() *serving {
	return &serving{
		listen:        "127.0.0.1:8080",
		publishListen: "127.0.0.1:8081",
		adminListen:   "127.0.0.1:8082",
		slowPolicy:    "close",
		inbound:       "ignore",
		drainTimeout:  30 * time.Second,
		drainPace:     10 * time.Second,
		policy:        route.Policy{}.Filled(),
		clustering: clustering{
			directory: alone, claimTTL: directory.DefaultClaimTTL, timeout: 2 * time.Second, prefix: "hf", cached: 256 << 10,
		},
		engine: engine.Config{
			Node:        defaultNode,
			MaxConns:    1 << 20,
			MaxKeys:     1<<26 - 1,
			SpareConns:  1024,
			UserTimeout: time.Minute,
			KeepAlive:   2 * time.Minute,
			Loop: loop.Config{
				MaxSlots: 4 << 20, AcceptsPerTick: 64, ReadBytes: 16 << 10, QueueBytes: 64 << 10,
				StallTimeout: 10 * time.Second, PostBound: 1024,
			},
			HTTP1: http1.Config{
				Limits: h1.DefaultLimits, HeadTimeout: 10 * time.Second, BodyTimeout: 10 * time.Second,
				KeepAliveTimeout: 75 * time.Second, LingerTimeout: 2 * time.Second,
				PipelineBytes: 4 << 10, OutputBytes: 64 << 10, DiscardBytes: 64 << 10,
			},
			HTTP2: http2.Config{
				Limits: h2.DefaultLimits, MaxStreams: 4096, MaxConns: 1 << 20, Window: 64 << 10, ConnWindow: 1 << 20,
				SettingsTimeout: 10 * time.Second, HeadTimeout: 10 * time.Second, BodyTimeout: 10 * time.Second,
				IdleTimeout: 75 * time.Second, LingerTimeout: 2 * time.Second,
				OutputBytes: 64 << 10, StuffedBytes: 256 << 10, ConnQueueBytes: 1 << 20,
				Controls: 2000, ControlsRate: 200, Resets: 200, ResetsRate: 100,
			},
			WebSocket: websocket.Config{
				CloseTimeout: 5 * time.Second, PieceTimeout: 10 * time.Second, LingerTimeout: 2 * time.Second,
				PongBytes: 4 << 10, DeflateBytes: 256 << 10,
			},
			Gateway: gateway.Config{
				VerdictTimeout: 5 * time.Second, FanoutPerTick: 128, MaxJobs: 4096, MaxOps: 16 << 10,
				MaxBatch: 8 << 20, MaxBodies: 256 << 20, MailBound: 64 << 10, VerdictBacklog: 64 << 10,
				StreamIdle: 75 * time.Second, ItemTimeout: 10 * time.Second,
				ClaimWait: 100 * time.Millisecond, IDWindow: time.Minute, IDs: 256 << 10,
			},
			Cluster: cluster.Config{
				Lease: 5 * time.Second, Refresh: 15 * time.Minute, Linger: time.Second, ReclaimRate: 20_000,
				LookupTimeout: 2 * time.Second, MaxLookups: 64 << 10, MaxCandidates: 16, MaxFlight: 16 << 10, MaxQueued: 64 << 20,
			},
		},
	}
}

// table is every flag of serve.
func (s *serving) table() flags.Table {
	return slices.Concat(s.network(), s.publishing(), s.holding(), s.sockets(), s.multiplexed(), s.cluster(), s.limits(), s.timeouts(), s.work(), s.operation()).Strict()
}

func (s *serving) network() flags.Table {
	const group = "Network"
	e := &s.engine
	return flags.Table{
		flags.New("listen", group, "host:port", &s.listen, "Public listener, where clients subscribe. No host means every address."),
		flags.New("publish-listen", group, "host:port", &s.publishListen, "Listener for publishers. Open it beyond loopback only with --publish-token-file."),
		flags.New("admin-listen", group, "host:port", &s.adminListen, "Listener for health, metrics and listings; it changes nothing. Empty for none.").OrEmpty(),
		flags.New("loops", group, "loops", &e.Loops, "Event loops, each on a core of its own. At most 256; 0 is one per processor.").From(0).To(registry.MaxLoops),
		flags.New("max-conns", group, "connections", &e.MaxConns, "Connections of the process, publishers included. Further ones wait unaccepted."),
		flags.New("spare-conns", group, "connections", &e.SpareConns, "Connections that publish listeners take beyond --max-conns, so that publishers get in."),
		flags.New("backlog", group, "connections", &e.Backlog, "Connections waiting to be accepted, per loop and listener. 0 is the system's limit.").From(0),
		flags.New("tcp-user-timeout", group, "duration", &e.UserTimeout, "Output that nobody acknowledges ends its connection after this. Below 0 leaves it to the system.").OrBelow(),
		flags.New("tcp-keepalive", group, "duration", &e.KeepAlive, "Silence after which the system asks whether a peer is still there, three times. Below 0 never.").OrBelow(),
	}
}

func (s *serving) publishing() flags.Table {
	const group = "Publishing"
	e, p := &s.engine, &s.policy
	return flags.Table{
		flags.New("node", group, "name", &e.Node, "What this node is called in verdicts and in its cluster."),
		flags.New("publish-token-file", group, "path", &s.tokenFile, "File of bearer tokens that may publish, one a line. Without it anyone who can connect may."),
		flags.New("publish-host", group, "names", &e.Gateway.Hosts, "Host names under which pages may publish without a token, besides IP addresses and localhost; others get 403. The admin listener answers under these too."),
		flags.New("verdict-timeout", group, "duration", &e.Gateway.VerdictTimeout, "A loop or node that has not reported on a push by then counts as unknown."),
		flags.New("max-message", group, flags.Bytes, &p.MaxPayload, "Longest message. A longer one is refused with 413."),
		flags.New("max-batch", group, flags.Bytes, &e.Gateway.MaxBatch, "Longest JSON batch. A longer one is refused with 413."),
		flags.New("max-items-in-flight", group, "messages", &p.MaxItemsFlying, "Messages of one publish stream that wait for their verdicts before no more are read."),
		flags.New("verdict-backlog", group, flags.Bytes, &e.Gateway.VerdictBacklog, "Verdict lines that a publisher has not read before they collapse into counts."),
	}
}

func (s *serving) holding() flags.Table {
	const group = "Holding"
	e, p := &s.engine, &s.policy
	return flags.Table{
		flags.New("max-keys", group, "keys", &e.MaxKeys, "Distinct keys that may be held at once."),
		flags.New("max-keys-per-hold", group, "keys", &p.MaxKeys, "Keys of one subscription. More are refused with 400."),
		flags.New("poll-timeout", group, "duration", &p.PollTimeout, "A long-poll that gets no message is answered 204 after this."),
		flags.New("heartbeat", group, "duration", &p.Heartbeat, "Silence on a stream is broken after about this. Below 0 never.").OrBelow(),
		flags.New("retry-hint", group, "duration", &p.RetryHint, "What SSE clients are told to wait before they come back. 0 tells nothing.").From(0),
		flags.New("queue", group, flags.Bytes, &e.Loop.QueueBytes, "Output that waits for one slow reader. Beyond, --slow-policy decides."),
		flags.New("slow-policy", group, "close|drop-oldest|latest-only", &s.slowPolicy, "What gives way when a slow reader's queue is full: the connection, its oldest messages, or all but the latest."),
		flags.New("stall-timeout", group, "duration", &e.Loop.StallTimeout, "A reader that takes nothing of what waits for this long is disconnected."),
	}
}

func (s *serving) sockets() flags.Table {
	const group = "WebSocket"
	p, w := &s.policy.Socket, &s.engine.WebSocket
	return flags.Table{
		flags.New("ws-inbound", group, "ignore|refuse|publish", &s.inbound, "What becomes of messages from clients: read and forgotten; refused with 1003; or pushed to --ws-inbound-key."),
		flags.New("ws-inbound-key", group, "key", &p.Key, "Key that clients' messages are pushed to. Whoever may publish may hear it.").OrEmpty(),
		flags.New("ws-max-message", group, flags.Bytes, &p.MaxInbound, "Longest message from a client. A longer one ends the connection with 1009."),
		flags.New("ws-rate", group, "messages/s", &p.Rate, "Messages and pings of one client a second, on average. More end the connection with 1008."),
		flags.New("ws-burst", group, "messages", &p.Burst, "Messages and pings of one client that may come at once."),
		flags.New("ws-pong-timeout", group, "duration", &p.Pong, "Silence after a ping of ours that ends the connection. Pings follow --heartbeat."),
		flags.New("ws-origin", group, "origins", &p.Origins, "Origins of pages that may open a WebSocket, such as https://app.example; others get 403. Empty for every page."),
		flags.New("ws-subprotocol", group, "names", &p.Subprotocols, "Subprotocols to choose from, best first. Empty for none."),
		flags.New("ws-client-keys", group, "switch", &p.ClientKeys, "Clients may change their keys: {\"subscribe\":[\"a\"],\"unsubscribe\":[\"b\"]}. They name any key: put an application's check in front."),
		flags.New("ws-close-timeout", group, "duration", &w.CloseTimeout, "Time for a client to answer our close; then its connection is ended."),
		flags.New("ws-piece-timeout", group, "duration", &w.PieceTimeout, "Silence allowed within one message of a client; then 1008."),
		flags.New("ws-linger-timeout", group, "duration", &w.LingerTimeout, "Time given to a client to read our last frame before its connection is closed."),
		flags.New("ws-pong-queue", group, flags.Bytes, &w.PongBytes, "Output waiting at which a client that pings is not read any more."),
		flags.New("ws-deflate-max", group, flags.Bytes, &w.DeflateBytes, "Longest message that is compressed: 256 KiB take about 2 ms of a loop."),
		flags.New("ws-deflate", group, "switch", &p.Deflate, "Compress messages, each once, for clients that offer permessage-deflate."),
	}
}

func (s *serving) multiplexed() flags.Table {
	const group = "HTTP/2"
	h := &s.engine.HTTP2
	return flags.Table{
		flags.New("h2-max-streams", group, "streams", &h.MaxStreams, "Streams of one connection at once. Further ones are refused."),
		flags.New("h2-max-conns", group, "connections", &h.MaxConns, "HTTP/2 connections of one loop."),
		flags.New("h2-window", group, flags.Bytes, &h.Window, "Body of one request that may be on its way; at least 64 KiB."),
		flags.New("h2-conn-window", group, flags.Bytes, &h.ConnWindow, "Bodies of one connection that may be on their way."),
		flags.New("h2-settings-timeout", group, "duration", &h.SettingsTimeout, "Time for a client to acknowledge our settings."),
		flags.New("h2-head-timeout", group, "duration", &h.HeadTimeout, "Time for a frame or a header block to come whole."),
		flags.New("h2-body-timeout", group, "duration", &h.BodyTimeout, "Silence allowed within a request's body; then it is answered 408."),
		flags.New("h2-idle-timeout", group, "duration", &h.IdleTimeout, "Time that a connection may live without a stream."),
		flags.New("h2-linger-timeout", group, "duration", &h.LingerTimeout, "Time given to a client to read our last frame before its connection is closed."),
		flags.New("h2-output", group, flags.Bytes, &h.OutputBytes, "Output on its way to one socket before its streams wait for their turn."),
		flags.New("h2-answers", group, flags.Bytes, &h.StuffedBytes, "Answers to frames that a client has not read before no more of it is read."),
		flags.New("h2-queue", group, flags.Bytes, &h.ConnQueueBytes, "Output of one connection's streams that waits for windows. Beyond, streams are reset."),
		flags.New("h2-controls", group, "frames", &h.Controls, "Frames that carry nothing, as pings, empty data or settings, before GOAWAY: which stops floods of them."),
		flags.New("h2-controls-rate", group, "frames/s", &h.ControlsRate, "Such frames that are forgiven each second."),
		flags.New("h2-resets", group, "streams", &h.Resets, "Streams reset as soon as they have begun before GOAWAY: which stops rapid resets."),
		flags.New("h2-resets-rate", group, "streams/s", &h.ResetsRate, "Such streams that are forgiven each second."),
		flags.New("h2-max-fields", group, "fields", &h.Limits.Fields, "Most header fields of a request. More are refused with 431."),
	}
}

func (s *serving) limits() flags.Table {
	const group = "Limits of requests"
	h, l := &s.engine.HTTP1, &s.engine.HTTP1.Limits
	return flags.Table{
		flags.New("max-request-line", group, flags.Bytes, &l.RequestLine, "Longest request line. A longer one is refused with 414."),
		flags.New("max-method", group, flags.Bytes, &l.Method, "Longest method. A longer one is refused with 501."),
		flags.New("max-head", group, flags.Bytes, &l.HeadBytes, "Longest request head. A longer one is refused with 431."),
		flags.New("max-fields", group, "fields", &l.Fields, "Most header fields of a request. More are refused with 431."),
		flags.New("max-empty-lines", group, "lines", &l.EmptyLines, "Empty lines that are skipped before a request. More are refused with 400; 0 allows none.").From(0),
		flags.New("max-chunk-line", group, flags.Bytes, &l.ChunkLine, "Longest line before a chunk of a body, extensions included."),
		flags.New("max-chunk-overhead", group, flags.Bytes, &l.ChunkOverhead, "Chunk framing that a body may spend beyond what its data earns, which stops floods of tiny chunks."),
		flags.New("max-trailer", group, flags.Bytes, &l.TrailerBytes, "Longest trailer section of a body."),
		flags.New("max-trailer-fields", group, "fields", &l.TrailerFields, "Most trailer fields of a body. 0 allows none.").From(0),
		flags.New("max-body", group, flags.Bytes, &l.Body, "Longest body of any request, streams included. 0 leaves it to the routes.").From(0),
		flags.New("pipeline", group, flags.Bytes, &h.PipelineBytes, "Input kept behind a hold. Beyond, the connection ends with that hold."),
		flags.New("pipeline-output", group, flags.Bytes, &h.OutputBytes, "Answers that wait to be read before no further pipelined request is."),
		flags.New("discard", group, flags.Bytes, &h.DiscardBytes, "Unwanted body that is read to keep a connection. A longer one ends it."),
	}
}

func (s *serving) timeouts() flags.Table {
	const group = "Timeouts"
	e := &s.engine
	return flags.Table{
		flags.New("head-timeout", group, "duration", &e.HTTP1.HeadTimeout, "Time for a request's head to come whole; slow ones are answered 408."),
		flags.New("body-timeout", group, "duration", &e.HTTP1.BodyTimeout, "Silence allowed within a request's body; then it is answered 408."),
		flags.New("item-timeout", group, "duration", &e.Gateway.ItemTimeout, "Silence allowed within one published message, and before the first of a stream."),
		flags.New("stream-idle-timeout", group, "duration", &e.Gateway.StreamIdle, "Silence allowed between two messages of a publish stream whose length is not known."),
		flags.New("keepalive-timeout", group, "duration", &e.HTTP1.KeepAliveTimeout, "Silence allowed between two requests of a connection."),
		flags.New("linger-timeout", group, "duration", &e.HTTP1.LingerTimeout, "Time given to a client to read our last answer before its connection is closed."),
	}
}

func (s *serving) work() flags.Table {
	const group = "Work per loop"
	e := &s.engine
	return flags.Table{
		flags.New("max-records", group, "records", &e.Loop.MaxSlots, "Connections and further keys of holds that one loop keeps."),
		flags.New("accepts-per-tick", group, "connections", &e.Loop.AcceptsPerTick, "New connections taken before those already here get their turn."),
		flags.New("read-size", group, flags.Bytes, &e.Loop.ReadBytes, "Most that is read from one connection before others get their turn."),
		flags.New("fanout-per-tick", group, "deliveries", &e.Gateway.FanoutPerTick, "Deliveries of fan-outs before everybody else gets a turn; 128 take about 1 ms."),
		flags.New("max-bodies", group, flags.Bytes, &e.Gateway.MaxBodies, "Publish bodies that are not whole or not dispatched yet. A further one is refused with 503."),
		flags.New("max-fanouts", group, "fan-outs", &e.Gateway.MaxJobs, "Fan-outs under way or waiting, one key's at most an eighth of what is free. Further pushes are refused with 503."),
		flags.New("max-pushes-waiting", group, "pushes", &e.Gateway.MaxOps, "Pushes that wait for other loops. Further ones are refused with 503."),
		flags.New("max-mail", group, "letters", &e.Gateway.MailBound, "Letters that wait for one loop, a quarter of them kept for verdicts and closes."),
		flags.New("max-posts", group, "questions", &e.Loop.PostBound, "Questions about a loop that wait for it, such as those of the admin listener."),
	}
}

func (s *serving) operation() flags.Table {
	const group = "Operation"
	return flags.Table{
		flags.New("drain-timeout", group, "duration", &s.drainTimeout, "After SIGTERM connections may finish for this long; what is left is cut. 0 waits for nobody.").From(0),
		flags.New("drain-pace", group, "duration", &s.drainPace, "Holds are told to go away spread over this, so that not all come back at once. 0 tells all at once.").From(0),
		flags.New("pprof", group, "switch", &s.pprof, "Serve /debug/pprof/ on the admin listener. Profiles tell keys to whoever may read them."),
		flags.New("echo", group, "switch", &s.echo, "Serve /echo on the public listener, for conformance tools."),
	}
}

// strangers are the variables in environ that look like settings of this program and are none, such as misspelt ones.
// The load tool's have a prefix of their own.
func strangers(environ []string) []string {
	a := newAsking()
	all := slices.Concat(newServing().table(), a.publisher(), a.conns(), a.keys(), a.nodes(), a.top())
	return slices.DeleteFunc(all.Strangers(envPrefix, environ), func(name string) bool {
		return strings.HasPrefix(name, envPrefix+"_PERF_")
	})
}

// asking is every setting of the commands that ask a node.
type asking struct {
	publishURL string
	adminURL   string
	token      string
	timeout    time.Duration

	id, event, kind string // push
	all             bool
	form, key       string // conns
	minAge          time.Duration
	minQueued       int
	prefix          string // keys
	limit           int
	asJSON          bool
	every           time.Duration // top
	frames          int
}

func newAsking() *asking {
	return &asking{
		publishURL: "http://127.0.0.1:8081",
		adminURL:   "http://127.0.0.1:8082",
		timeout:    10 * time.Second,
		limit:      100,
		every:      time.Second,
	}
}

func (a *asking) publisher() flags.Table {
	return flags.Table{
		flags.New("publish-url", "Node", "url", &a.publishURL, "Publish listener of the node to ask."),
		flags.New("token", "Node", "text", &a.token, "Bearer token that may publish. The environment hides it from other users of the machine."),
		flags.New("timeout", "Node", "duration", &a.timeout, "How long to wait for the answer."),
		flags.New("id", "Message", "text", &a.id, "The message's Push-Id, which subscribers see. Empty lets the node make one.").Once(),
		flags.New("event", "Message", "text", &a.event, "The message's name, which EventSource clients listen for.").Once(),
		flags.New("type", "Message", "media type", &a.kind, "What the data is, such as application/json.").Once(),
		flags.New("all", "Message", "switch", &a.all, "Send to every subscriber, on every node of the cluster, instead of a key's.").Once(),
	}.Strict()
}

func (a *asking) admin() flags.Table {
	return flags.Table{
		flags.New("admin-url", "Node", "url", &a.adminURL, "Admin listener of the node to ask."),
		flags.New("timeout", "Node", "duration", &a.timeout, "How long to wait for an answer."),
	}
}

func (a *asking) listing() flags.Table {
	return append(a.admin(),
		flags.New("limit", "Answer", "entries", &a.limit, "Entries to list at most.").Once(),
		flags.New("json", "Answer", "switch", &a.asJSON, "Print JSON lines instead of a table.").Once())
}

func (a *asking) conns() flags.Table {
	return append(a.listing(),
		flags.New("form", "Filter", "form", &a.form, "Only holds in this wire form: poll, sse, ndjson, multipart, replace, raw; or none for what holds nothing.").Once(),
		flags.New("key", "Filter", "key", &a.key, "Only holds of this key, percent-encoded as in paths.").Once(),
		flags.New("min-age", "Filter", "duration", &a.minAge, "Only connections at least this old.").From(0).Once(),
		flags.New("min-queued", "Filter", flags.Bytes, &a.minQueued, "Only connections with at least this much output waiting.").From(0).Once()).Strict()
}

func (a *asking) keys() flags.Table {
	return append(a.listing(),
		flags.New("prefix", "Filter", "text", &a.prefix, "Only keys that begin with this, percent-encoded as in paths.").Once()).Strict()
}

// nodes has no limit: the list has as many entries as the cluster has nodes.
func (a *asking) nodes() flags.Table {
	return append(a.admin(),
		flags.New("json", "Answer", "switch", &a.asJSON, "Print JSON lines instead of a table.").Once()).Strict()
}

func (a *asking) top() flags.Table {
	return append(a.admin(),
		flags.New("every", "View", "duration", &a.every, "Time between two views.").Once(),
		flags.New("frames", "View", "views", &a.frames, "Views to show before it ends. 0 shows them until interrupted.").From(0).Once()).Strict()
}
