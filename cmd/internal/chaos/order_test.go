package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Each connection's history must be explained by some order in which its beginning, its end and every push to its key
// took effect, each at one instant between its start and its end:
//
//   - a push that came to the connection took effect while it was held, and in the order in which messages came;
//   - a push that was answered 404 took effect while it was not held, unless the connection's head had made no promise;
//   - a push whose publisher was told less may have taken effect at any time since, and says nothing.
//
// That is weaker than one order for all connections of a key: a client that moves may be missed by a push that looks for
// it on the old node after it left and on the new one before it came, and nobody promises otherwise.

// step is one event of a connection's history.
type step struct {
	kind    stepKind
	index   int // which of the connection's messages, for came
	promise bool
	what    string
}

type stepKind int

const (
	begins stepKind = iota
	ends
	came
	absent // nobody was there
)

// lineState is a connection at one instant.
type lineState struct {
	phase   int // 0 not yet, 1 held, 2 over
	promise bool
	seen    int
}

var lineModel = porcupine.Model{
	Init: func() any { return lineState{} },
	Step: func(state, input, _ any) (bool, any) {
		s, in := state.(lineState), input.(step)
		switch in.kind {
		case begins:
			ok := s.phase == 0
			s.phase, s.promise = 1, in.promise
			return ok, s
		case ends:
			ok := s.phase == 1
			s.phase = 2
			return ok, s
		case came:
			ok := s.phase == 1 && s.seen == in.index
			s.seen++
			return ok, s
		default:
			return s.phase != 1 || !s.promise, s
		}
	},
	DescribeOperation: func(input, _ any) string { return input.(step).what },
}

// orderPatience bounds the search for an order; a history that takes longer is not judged, and that is said.
const orderPatience = 5 * time.Second

// order judges every connection's history.
func (f *findings) order(h *history, holds map[string][]*hold) {
	pushes := map[string][]*push{}
	for _, p := range slices.Concat(h.pushes, h.looks) {
		pushes[p.key] = append(pushes[p.key], p)
	}
	for key, lines := range holds {
		for _, x := range lines {
			if x.headed == 0 {
				continue
			}
			ops := x.operations(pushes[key])
			switch porcupine.CheckOperationsTimeout(lineModel, ops, orderPatience) {
			case porcupine.Ok:
			case porcupine.Unknown:
				f.violate("%s on %s from %v: no order found within %v for %d steps", x.key, x.node, x.headed, orderPatience, len(ops))
			case porcupine.Illegal:
				f.violate("%s on %s from %v to %v: no order explains its %d messages and the %d steps around them: %s",
					x.key, x.node, x.asked, x.ended, len(x.got), len(ops), describe(ops))
			}
		}
	}
}

// operations are the steps of a connection's history.
func (x *hold) operations(pushes []*push) []porcupine.Operation {
	op := func(s step, from, to moment) porcupine.Operation {
		return porcupine.Operation{Input: s, Call: int64(from), Return: int64(to)}
	}
	over := op(step{kind: ends, what: "ends"}, x.until(), max(x.ended, x.until()))
	if x.closing > 0 {
		over.Return = int64(forever) // its node learns of it some time
	}
	all := []porcupine.Operation{op(step{kind: begins, promise: !x.pending, what: "begins"}, x.asked, x.headed), over}
	firsts := map[string]moment{} // of messages that were tried more than once: any attempt may have brought them
	tries := map[string]int{}
	for _, p := range pushes {
		if tries[p.id]++; tries[p.id] == 1 || p.invoked < firsts[p.id] {
			firsts[p.id] = p.invoked
		}
	}
	places := map[string]int{}
	for i, r := range x.got {
		places[r.id] = i
	}
	done := map[string]bool{}
	for _, p := range pushes {
		place, received := places[p.id]
		switch {
		case received && !done[p.id]:
			done[p.id] = true
			until := min(p.answered, x.got[place].at) // whatever was answered, it had happened when it came
			if !p.took() || p.doubtful() || p.verdict.Pending > 0 || tries[p.id] > 1 {
				until = x.got[place].at
			}
			all = append(all, op(step{kind: came, index: place, what: fmt.Sprintf("%s comes as message %d", p.id, place)}, firsts[p.id], until))
		case !received && p.status == 404 && p.answered >= x.asked && p.invoked <= max(x.ended, x.until()):
			all = append(all, op(step{kind: absent, what: p.id + " finds nobody"}, p.invoked, p.answered))
		}
	}
	return all
}

func describe(ops []porcupine.Operation) (text string) {
	for i, o := range ops {
		if i == 12 {
			return text + " …"
		}
		text += fmt.Sprintf("[%v %v] %s; ", time.Duration(o.Call), time.Duration(o.Return), o.Input.(step).what)
	}
	return text
}
