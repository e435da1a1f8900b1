package admin

import (
	"context"

	"holdfast/cmd/internal/metrics"
)

// Source is the process as the admin API sees it. Its methods may be called from any goroutine; those with a context
// may have to wait for every loop's answer.
type Source interface {
	// Ready is nil when the process wants new connections, and otherwise says why it does not.
	Ready() error
	// Metrics writes all families but those of the process itself.
	Metrics(ctx context.Context, w *metrics.Writer) error
	// Conns lists connections that pass the filter, at most limit of them, from a cursor on ("" is the start). The
	// cursor that it returns is "" at the end.
	Conns(ctx context.Context, f ConnFilter, after string, limit int) ([]Conn, string, error)
	// Keys lists keys that begin with prefix in the same way.
	Keys(ctx context.Context, prefix []byte, after string, limit int) ([]Key, string, error)
	// Holders counts a key's holders and lists at most limit of them; a count of 0 is a key that nobody holds.
	Holders(ctx context.Context, key []byte, limit int) (KeyHolders, error)
}

// ConnFilter says which connections to list; zero fields let all pass.
type ConnFilter struct {
	Form      string // wire form of the hold: sse, poll, …; "none" for connections that hold nothing
	Key       []byte // held by the connection
	MinQueued int    // bytes of output that wait for a slow reader
	MinAge    int    // seconds
}

// Conn is one client connection at one moment.
type Conn struct {
	ID          string   `json:"id"`       // loop.slot.generation: never names another connection
	Peer        string   `json:"peer"`     // address and port
	Protocol    string   `json:"protocol"` // http1, …
	Form        string   `json:"form"`     // none when nothing is held
	Keys        []string `json:"keys"`     // percent-encoded, as in paths
	AgeSeconds  int64    `json:"age_seconds"`
	IdleSeconds int64    `json:"idle_seconds"` // since something was last written to it; -1 never
	QueuedBytes int      `json:"queued_bytes"`
}

// Key is one key that somebody holds.
type Key struct {
	Key     string `json:"key"` // percent-encoded, as in paths
	Holders int    `json:"holders"`
}

// KeyHolders is one key and who holds it.
type KeyHolders struct {
	Key
	Conns []Conn `json:"conns"` // some of them, when there are many
}

// ConnPage is a part of the list of connections.
type ConnPage struct {
	Conns []Conn `json:"conns"`
	Next  string `json:"next,omitempty"` // give it as after= to go on
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
