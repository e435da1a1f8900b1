package engine

import (
	"net/netip"
	"time"

	"holdfast/engine/epoll"
	"holdfast/engine/exchange"
	"holdfast/engine/record"
	"holdfast/registry"
)

// visitsPerPost bounds how many records a listing looks at before the loop goes on with its work.
const visitsPerPost = 1024

// ConnFilter says which connections a listing is about. The zero value means all.
type ConnFilter struct {
	Key        string // held under this key
	Form       string // held in this form, such as "sse"
	MinAge     time.Duration
	MinQueued  int // bytes
	OnlyHeld   bool
	Limit      int // most connections returned; 0 means 100
	NoAddress  bool
	VisitLimit int // most records looked at; 0 means all
}

// ConnInfo describes one connection.
type ConnInfo struct {
	ID       uint64        `json:"id"` // changes with each exchange
	Loop     int           `json:"loop"`
	Listener string        `json:"listener"`
	Peer     string        `json:"peer,omitempty"`
	Form     string        `json:"form"` // "none" when it is not held
	Keys     []string      `json:"keys,omitempty"`
	Age      time.Duration `json:"age_ns"`
	LastSent time.Duration `json:"last_sent_ns"` // since the kernel last took bytes
	Queued   int           `json:"queued_bytes"`
}

// Conns lists connections, loop after loop, without stopping any loop for long.
func (e *Engine) Conns(f ConnFilter) ([]ConnInfo, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	var found []ConnInfo
	for _, u := range e.units {
		after, visited := uint32(0), 0
		for first := true; (first || after != 0) && len(found) < f.Limit; first = false {
			if f.VisitLimit > 0 && visited >= f.VisitLimit {
				break
			}
			visited += visitsPerPost
			err := u.ask(func() {
				after = u.loop.Each(after, visitsPerPost, func(slot uint32, r *record.Record) {
					if info, ok := e.describe(u, slot, r, &f); ok && len(found) < f.Limit {
						found = append(found, info)
					}
				})
			})
			if err != nil {
				return found, err
			}
		}
	}
	return found, nil
}

// describe looks at one record on its loop.
func (e *Engine) describe(u *unit, slot uint32, r *record.Record, f *ConnFilter) (ConnInfo, bool) {
	age := time.Duration(u.loop.Seconds()-r.Born) * time.Second
	form := exchange.Form(r.Form)
	queued := u.loop.Queued(slot)
	conn, last := slot, r.Wrote
	if r.Kind == record.Stream {
		conn, queued = r.Owner, u.streams.Queued(slot)
		last = u.loop.At(conn).Wrote
	}
	if age < f.MinAge || queued < f.MinQueued || f.Form != "" && form.String() != f.Form ||
		f.OnlyHeld && form == exchange.NoForm {
		return ConnInfo{}, false
	}
	if f.Key != "" && !e.holdsKey(u, slot, f.Key) {
		return ConnInfo{}, false
	}
	info := ConnInfo{
		ID: uint64(u.loop.Handle(slot)), Loop: u.loop.ID(), Form: form.String(), Age: age, Queued: queued,
		LastSent: time.Duration(u.loop.Seconds()-last) * time.Second,
		Listener: e.cfg.Snapshot.Listeners[r.Listener].Name,
	}
	for at := slot; at != 0; at = u.loop.At(at).Chain {
		if n := u.loop.Member(at).Name; n != 0 {
			info.Keys = append(info.Keys, string(e.shared.Table.AppendName(nil, n)))
		}
	}
	if !f.NoAddress {
		info.Peer = peerOf(u.loop.FD(conn))
	}
	return info, true
}

// holdsKey compares names in a buffer of its own, so that a search through a full node makes no garbage on the loop.
func (e *Engine) holdsKey(u *unit, slot uint32, key string) bool {
	var buf [registry.MaxKey]byte
	for at := slot; at != 0; at = u.loop.At(at).Chain {
		n := u.loop.Member(at).Name
		if n != 0 && string(e.shared.Table.AppendName(buf[:0], n)) == key {
			return true
		}
	}
	return false
}

func peerOf(fd int) string {
	if addr := epoll.PeerAddr(fd); addr != (netip.AddrPort{}) {
		return addr.String()
	}
	return ""
}

// KeyInfo says who holds a key on this node.
type KeyInfo struct {
	Key         string `json:"key"`
	Connections int    `json:"connections"`
	Loops       []int  `json:"loops,omitempty"`
	Home        int    `json:"home"` // the loop that gives its pushes their order
}

// Key looks one key up. It asks no loop.
func (e *Engine) Key(name string) (KeyInfo, bool) {
	target, ok := e.shared.Table.Lookup([]byte(name))
	if !ok {
		return KeyInfo{Key: name}, false
	}
	return KeyInfo{
		Key: name, Connections: target.Count, Home: target.Home,
		Loops: e.shared.Table.Loops([]byte(name), nil),
	}, true
}

// Keys lists bound keys from a cursor on, 0 at first; the cursor returned is 0 at the end.
func (e *Engine) Keys(cursor uint64, limit int) ([]KeyInfo, uint64) {
	var keys []KeyInfo
	next := e.shared.Table.Range(registry.Cursor(cursor), limit, func(key []byte, t registry.Target) {
		keys = append(keys, KeyInfo{Key: string(key), Connections: t.Count, Home: t.Home})
	})
	return keys, uint64(next)
}
