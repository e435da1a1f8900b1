package peer

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/engine/mem"
)

var testSecret = []byte("a secret of 32 bytes for testing")

// fakeNode is the node behind a mesh in tests: it answers as on says, or at once with Delivered 1.
type fakeNode struct {
	mu      sync.Mutex
	mesh    *Mesh
	serve   func(id Origin, r *Request)
	quiet   bool     // do not note what comes
	seen    []string // what came, in order
	changed chan struct{}
}

// on says what becomes of requests from now on.
func (n *fakeNode) on(serve func(id Origin, r *Request)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.serve = serve
}

// onQuietly is on, for so many requests that noting them would be the greater part.
func (n *fakeNode) onQuietly(serve func(id Origin, r *Request)) {
	n.on(serve)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.quiet = true
}

func (n *fakeNode) Serve(_ uint64, id Origin, r *Request) {
	n.mu.Lock()
	if !n.quiet {
		n.seen = append(n.seen, describe(r))
	}
	mesh, serve := n.mesh, n.serve
	n.mu.Unlock()
	if serve != nil {
		serve(id, r)
		return
	}
	mesh.Reply(id, &Report{Delivered: 1})
}

func (n *fakeNode) LinkChanged(uint64) {
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

func (n *fakeNode) saw() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.seen)
}

func describe(r *Request) string {
	s := fmt.Sprintf("%d %t %t %v %q %d", r.Verb, r.All, r.Dedup, r.Within, r.Key, r.Relay)
	if p := r.Payload; p != nil {
		s += fmt.Sprintf(" %q %q %q %d bytes", p.ID, p.Event, p.Type, len(p.Data))
	}
	return s
}

// open starts a mesh on loopback; change alters its configuration. It closes with the test.
func open(t testing.TB, instance uint64, change func(*Config)) (*Mesh, *fakeNode) {
	t.Helper()
	n := &fakeNode{changed: make(chan struct{}, 1)}
	cfg := Config{
		Self: Node{Instance: instance, Name: fmt.Sprintf("n%d", instance)}, Release: "test", Listen: "127.0.0.1:0",
		Secret: testSecret, Handler: n, Dead: time.Minute, // raw nodes answer no pings
	}
	if change != nil {
		change(&cfg)
	}
	m, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	n.mesh = m
	n.mu.Unlock()
	t.Cleanup(func() { m.Close(expired()) })
	return m, n
}

// expired is a context for a Close that waits for nobody.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func nodeOf(m *Mesh) Node {
	n := m.cfg.Self
	n.Address = m.Addr().String()
	return n
}

// pair is two meshes with links both ways that are up.
func pair(t testing.TB, change func(*Config)) (a, b *Mesh, an, bn *fakeNode) {
	t.Helper()
	a, an = open(t, 1, change)
	b, bn = open(t, 2, change)
	a.Keep([]Node{nodeOf(b)})
	b.Keep([]Node{nodeOf(a)})
	waitState(t, a, 2, Up)
	waitState(t, b, 1, Up)
	return a, b, an, bn
}

func waitState(t testing.TB, m *Mesh, instance uint64, want State) {
	t.Helper()
	wait(t, func() string {
		s, _, _ := m.Peer(instance)
		if s == want {
			return ""
		}
		return fmt.Sprintf("the link to %d is %v, want %v: %+v", instance, s, want, m.Stats())
	})
}

// wait tries until trouble has none to tell.
func wait(t testing.TB, trouble func() string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		what := trouble()
		if what == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

type answer struct {
	report Report
	err    error
}

// ask asks and waits for the answer.
func ask(t testing.TB, m *Mesh, to uint64, r *Request) answer {
	t.Helper()
	got := make(chan answer, 2)
	if err := m.Ask(to, r, func(r Report, err error) { got <- answer{r, err} }); err != nil {
		t.Fatal(err)
	}
	select {
	case a := <-got:
		return a
	case <-time.After(10 * time.Second):
		t.Fatal("no answer")
		return answer{}
	}
}

func push(key, data string) *Request {
	p := mem.NewPayload(len(data))
	p.Append([]byte(data))
	return &Request{Verb: Push, Key: []byte(key), Within: 5 * time.Second, Payload: p}
}

func TestAskIsServedAndReported(t *testing.T) {
	a, b, an, bn := pair(t, nil)
	whole := Report{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	bn.on(func(id Origin, r *Request) { go b.Reply(id, &whole) })
	f := func(m *Mesh, to uint64, n *fakeNode, r *Request, want string, report Report) {
		t.Helper()
		if got := ask(t, m, to, r); got.err != nil || got.report != report {
			t.Errorf("got %+v, %v; want %+v", got.report, got.err, report)
		}
		if seen := n.saw(); seen[len(seen)-1] != want {
			t.Errorf("served %s, want %s", seen[len(seen)-1], want)
		}
	}
	f(a, 2, bn, push("k", "hello"), `1 false false 5s "k" 0 "" "" "" 5 bytes`, whole)
	f(a, 2, bn, push("k", ""), `1 false false 5s "k" 0 "" "" "" 0 bytes`, whole)
	f(b, 1, an, &Request{Verb: Count, Key: []byte("k"), Within: time.Second}, `3 false false 1s "k" 0`, Report{Delivered: 1})
	f(b, 1, an, &Request{Verb: Close, All: true, Relay: 9, Within: time.Second}, `2 true false 1s "" 9`, Report{Delivered: 1})
	named := push("k", "hello")
	named.Payload.SetID([]byte("id"))
	named.Payload.SetEvent([]byte("ev"))
	named.Payload.SetType([]byte("text/plain"))
	named.Dedup = true
	f(a, 2, bn, named, `1 false true 5s "k" 0 "id" "ev" "text/plain" 5 bytes`, whole)
}

// TestPayloadsArriveWhole sends messages of all sizes around those at which the way they are written changes.
func TestPayloadsArriveWhole(t *testing.T) {
	a, b, _, bn := pair(t, nil)
	pattern := bytes.Repeat([]byte("0123456789abcdef~"), 70_000)
	bn.on(func(id Origin, r *Request) {
		ok := uint32(0)
		if bytes.Equal(r.Payload.Data, pattern[:len(r.Payload.Data)]) {
			ok = uint32(len(r.Payload.Data))
		}
		b.Reply(id, &Report{Delivered: ok})
	})
	sizes := []int{0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 65535, 65536, 65537, 1 << 20, len(pattern)}
	var all sync.WaitGroup
	for round := range 8 {
		for i := range sizes {
			size := sizes[(i*7+round)%len(sizes)]
			r := push("k", string(pattern[:size]))
			r.Within = time.Minute
			all.Add(1)
			if err := a.Ask(2, r, func(rep Report, err error) {
				defer all.Done()
				if err != nil || int(rep.Delivered) != size {
					t.Errorf("%d bytes arrived as %d: %v", size, rep.Delivered, err)
				}
			}); err != nil {
				t.Fatal(err)
			}
			r.Payload.Release()
		}
	}
	all.Wait()
}
