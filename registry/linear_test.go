package registry

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
)

// Every history of one key must be explained by some order in which each call
// takes effect at one instant between its start and its end.

type callKind int

const (
	callBind callKind = iota
	callRelease
	callLookup
	callHead
)

type call struct {
	kind callKind
	key  int
	h    Handle // bound or released; for callHead, only its loop
}

type answer struct {
	ok     bool
	next   Handle // of a bind
	head   Handle
	target Target
}

// lineState is what a key is at one instant: the loops' only member, since each
// loop of this test has at most one slot on a key.
type lineState struct {
	holders [3]Handle
	home    int
	plural  bool
}

func (s lineState) count() (n int) {
	for _, h := range s.holders {
		if h != 0 {
			n++
		}
	}
	return n
}

func (s lineState) target() Target {
	target := Target{Home: s.home, Count: s.count()}
	if !s.plural && target.Count == 1 {
		target.One = s.holders[s.home]
	}
	return target
}

func lineStep(state, input, output any) (bool, any) {
	s, in, out := state.(lineState), input.(call), output.(answer)
	switch in.kind {
	case callBind:
		if s.count() == 0 {
			s = lineState{home: in.h.Loop()}
		} else {
			s.plural = true
		}
		s.holders[in.h.Loop()] = in.h
		return out.ok && out.next == 0, s
	case callRelease:
		ok := s.holders[in.h.Loop()] == in.h
		if ok {
			if s.holders[in.h.Loop()] = 0; s.count() == 0 {
				s = lineState{}
			}
		}
		return out.ok == ok, s
	case callHead:
		return out.head == s.holders[in.h.Loop()], s
	default:
		if s.count() == 0 {
			return !out.ok, s
		}
		return out.ok && out.target == s.target(), s
	}
}

var lineModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		for _, op := range history {
			key := op.Input.(call).key
			for len(parts) <= key {
				parts = append(parts, nil)
			}
			parts[key] = append(parts[key], op)
		}
		return parts
	},
	Init: func() any { return lineState{} },
	Step: lineStep,
}

// recorder takes down what one goroutine called and saw.
type recorder struct {
	tab    *Table
	clock  *atomic.Int64
	client int
	ops    []porcupine.Operation
}

func (r *recorder) do(in call, fn func() answer) {
	start := r.clock.Add(1)
	out := fn()
	r.ops = append(r.ops, porcupine.Operation{ClientId: r.client, Input: in, Call: start, Output: out, Return: r.clock.Add(1)})
}

// toggle binds and releases one slot per key, and now and then tries to release
// a handle that has left already.
func (r *recorder) toggle(rng *rand.Rand, keys []string, steps int) {
	held, names, gen := make([]Handle, len(keys)), make([]Name, len(keys)), uint32(0)
	for range steps {
		k := rng.IntN(len(keys))
		if h := held[k]; h != 0 {
			release := func() answer { return answer{ok: r.tab.Release(names[k], h, 0)} }
			r.do(call{callRelease, k, h}, release)
			held[k] = 0
			if rng.IntN(4) == 0 {
				r.do(call{callRelease, k, h}, release)
			}
			continue
		}
		gen++
		h := NewHandle(r.client, uint32(k)+1, gen)
		r.do(call{callBind, k, h}, func() answer {
			n, next, err := r.tab.Bind([]byte(keys[k]), h)
			names[k] = n
			return answer{ok: err == nil, next: next}
		})
		held[k] = h
	}
}

func (r *recorder) look(rng *rand.Rand, keys []string, steps int, kind callKind) {
	for range steps {
		k := rng.IntN(len(keys))
		loop := rng.IntN(len(lineState{}.holders))
		r.do(call{kind, k, NewHandle(loop, 0, 0)}, func() answer {
			if kind == callHead {
				return answer{head: r.tab.Head([]byte(keys[k]), loop)}
			}
			target, ok := r.tab.Lookup([]byte(keys[k]))
			return answer{ok: ok, target: target}
		})
	}
}

func TestHistoriesAreLinearizable(t *testing.T) {
	f := func(seed uint64, hashMask uint64, kind callKind, keys, steps int) {
		t.Helper()
		tab := New(Config{Loops: 3, Shards: 1})
		tab.hashMask = hashMask
		var clock atomic.Int64
		var wg sync.WaitGroup
		var recorders []*recorder
		for client := range 5 { // three loops, two readers
			r := &recorder{tab: tab, clock: &clock, client: client}
			recorders = append(recorders, r)
			rng := rand.New(rand.NewPCG(seed, uint64(client)))
			wg.Go(func() {
				if client < 3 {
					r.toggle(rng, keyNames(keys), steps)
				} else {
					r.look(rng, keyNames(keys), steps, kind)
				}
			})
		}
		wg.Wait()
		var history []porcupine.Operation
		for _, r := range recorders {
			history = slices.Concat(history, r.ops)
		}
		if !porcupine.CheckOperations(lineModel, history) {
			t.Fatalf("seed %d: a history of %d calls has no explanation", seed, len(history))
		}
	}
	const good = ^uint64(0)
	for seed := range seeds(6) {
		for _, kind := range []callKind{callLookup, callHead} {
			f(seed, good, kind, 2, 300)
			f(seed, 0, kind, 8, 1000) // one chain
			f(seed, good, kind, 30, 2000)
		}
	}
}

// The model must be able to say no.
func TestLinearModelRefutes(t *testing.T) {
	h := NewHandle(0, 1, 1)
	op := func(at int64, in call, out answer) porcupine.Operation {
		return porcupine.Operation{Input: in, Output: out, Call: at, Return: at + 1}
	}
	f := func(want bool, ops ...porcupine.Operation) {
		t.Helper()
		if got := porcupine.CheckOperations(lineModel, ops); got != want {
			t.Errorf("linearizable = %v, want %v: %+v", got, want, ops)
		}
	}
	bound := op(1, call{callBind, 0, h}, answer{ok: true})
	seen := answer{ok: true, target: Target{0, 1, h}}
	f(true, bound, op(3, call{callLookup, 0, 0}, seen))
	f(false, bound, op(3, call{callLookup, 0, 0}, answer{}))
	f(false, bound, op(3, call{callRelease, 0, h}, answer{ok: true}), op(5, call{callLookup, 0, 0}, seen))
	f(false, bound, op(3, call{callRelease, 0, h}, answer{}))
}
