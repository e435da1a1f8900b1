package directory

import (
	"context"
	"errors"
	"time"
)

// Hash stands for a key in the store: 128 bits, keyed, so that names can be neither read there nor chosen to collide.
type Hash [16]byte

// Instance is one process of a node, from its start to its end: a random number, never 0. It is the epoch of the node's
// claims: those of an instance that has ended are void.
type Instance uint64

// Incarnation names the contents of a store: it changes whenever claims that were acknowledged may be missing, because
// a server was restarted, emptied or replaced by its replica, or its clock jumped past their time to live. "" is none.
type Incarnation string

// Owners are the instances that claim a key. Shared: nobody changes one.
type Owners []Instance

// Node is what the cluster knows of one instance: its row in the node table.
type Node struct {
	Instance Instance
	Name     string      // of the node, unique among those that live
	Address  string      // where its peer listener can be reached, HOST:PORT
	Release  string      // of the software
	Check    string      // what its hashes of keys are made with, in a form that does not tell it: who has another cannot be found
	Complete Incarnation // in which every claim of it stands; "" while some are missing
}

// Change is a key's state on the node that writes it.
type Change struct {
	Hash Hash
	Held bool
	Err  error // set by Claim: nil when the store has acknowledged
}

// Found is the answer for one key.
type Found struct {
	Owners Owners
	Err    error // the owners are unknown
}

// Beat renews an instance's lease.
type Beat struct {
	Node  Node
	Lease time.Duration // from now
	Known Version       // of the node table that the caller has; "" is none
	Mark  Incarnation   // mark this incarnation complete; "" leaves the mark as it is
	Leave bool          // end the lease instead, and take the instance out of the node table
	Bury  []Instance    // take these out of the node table: they are known to have ended
}

// Version names the node table in one state. It means something to the store alone, and is another after each change of
// a row; a row that is written as it was is no change.
type Version string

// View is the cluster as the store sees it.
type View struct {
	Version     Version     // of the node table
	Full        bool        // Nodes is all of it: the version that the caller knows is none, too old, or another table's
	Nodes       []Node      // rows that have changed since the caller's version
	Gone        []Instance  // rows that were taken out since then
	Lapsed      []Instance  // rows whose lease has run out by the store's clock alone: at most MaxLapsed, longest ago first
	Incarnation Incarnation // of the store now
	Marked      Incarnation // the incarnation in which every node's claims stand; another than Incarnation: not yet
}

// MaxLapsed bounds what each beat lists of those that fell silent. Those beyond it seem to live, and are asked.
const MaxLapsed = 256

// Store is what nodes share. All methods may be called from any goroutine and may block until their context ends; none
// may be called from a loop. An error says that nothing is known of what was asked, not that nothing happened.
type Store interface {
	// Claim writes the state of keys for an instance and sets Err in each change. Claims of one call reach the store
	// in order; a key's later call begins after its earlier one has returned. It also serves to remove the claims of an
	// instance that has ended: Held is false then.
	Claim(ctx context.Context, owner Instance, changes []Change)
	// Lookup finds the owners of keys[i] into found[i]. With fresh, it asks the primary server itself; else an answer
	// that is kept under the store's own invalidation will do. Nobody's claim is an answer too: nil Owners, nil Err.
	Lookup(ctx context.Context, keys []Hash, fresh bool, found []Found)
	// Beat renews the lease and reads the node table.
	Beat(ctx context.Context, b Beat) (View, error)
	// Incarnation is that of the store at this moment, without asking it: false while it is in doubt, as after a
	// connection was made anew. When it is the same and not in doubt before and after a Lookup, so was the store's.
	Incarnation() (Incarnation, bool)
	// Close ends all work at once.
	Close()
}

// Peeker is a store that keeps answers.
type Peeker interface {
	// Peek is an answer that is kept and still good, if there is one. It never blocks or allocates.
	Peek(h Hash) (Owners, bool)
}

// ErrStore is the store's failure, as opposed to its answer. Its text says what to do.
var ErrStore = errors.New("the directory cannot be asked now")
