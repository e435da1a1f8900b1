package admin

import (
	"context"
	"time"

	"holdfast/cmd/internal/metrics"
)

// Source is the process as the admin API sees it. Its methods may be called from any goroutine; those with a context
// may have to wait for every loop's answer.
type Source interface {
	// Ready is nil when the process wants new connections, and otherwise says why it does not.
	Ready() error
	// Metrics writes all families but those of the process itself.
	Metrics(ctx context.Context, w *metrics.Writer) error
	// Conns lists connections that pass the filter, at most limit of them; more says that there are others.
	Conns(ctx context.Context, f ConnFilter, limit int) (list []Conn, more bool, err error)
	// Keys lists keys that begin with prefix, from a cursor on ("" is the start). The cursor that it returns is "" at the
	// end; a page may be short, or even empty, before it.
	Keys(ctx context.Context, prefix []byte, after string, limit int) ([]Key, string, error)
	// Holders counts a key's holders and lists at most limit of them; a count of 0 is a key that nobody holds here.
	Holders(ctx context.Context, key []byte, limit int) (KeyHolders, error)
	// Nodes lists the cluster. It waits for nobody.
	Nodes() NodeList
}

// ConnFilter says which connections to list; zero fields let all pass.
type ConnFilter struct {
	Form      string // wire form of the hold: sse, poll, …; "none" for connections that hold nothing
	Key       []byte // held by the connection
	MinQueued int    // bytes of output that wait for a slow reader
	MinAge    time.Duration
}

// Conn is one client connection at one moment.
type Conn struct {
	ID          string   `json:"id"` // names this connection's exchange, and never another one
	Loop        int      `json:"loop"`
	Listener    string   `json:"listener"`
	Peer        string   `json:"peer"` // address and port, "" when it has just gone
	Form        string   `json:"form"` // none when nothing is held
	Keys        []string `json:"keys"` // percent-encoded, as in paths
	AgeSeconds  int64    `json:"age_seconds"`
	SentSeconds int64    `json:"sent_seconds"` // since the kernel last took bytes for it; -1 never
	QueuedBytes int      `json:"queued_bytes"`
}

// Key is one key that somebody holds.
type Key struct {
	Key     string `json:"key"` // percent-encoded, as in paths
	Holders int    `json:"holders"`
}

// KeyHolders is one key and who holds it: the counts and connections are the asked node's.
type KeyHolders struct {
	Key
	Conns []Conn   `json:"conns"`           // some of them, when there are many
	Nodes []string `json:"nodes,omitempty"` // of a cluster, that claim the key, the asked one among them
	Doubt string   `json:"doubt,omitempty"` // why other nodes than those may hold it too
}

// ConnPage is connections that passed a filter.
type ConnPage struct {
	Conns []Conn `json:"conns"`
	More  bool   `json:"more"` // the limit left some out: narrow the filter, or raise limit=
}

// KeyPage is a part of the list of keys.
type KeyPage struct {
	Keys []Key  `json:"keys"`
	Next string `json:"next,omitempty"` // give it as after= to go on
}

// Failure is the body of every answer that is not 200.
type Failure struct {
	Error string `json:"error"`
}
