package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// findings is what a history says about the promises.
type findings struct {
	tried, delivered, refused, nobody, unanswered int // pushes, by answer
	looked                                        int // questions whether anybody is there
	lost, duplicated                              int
	late                                          int // acknowledged holds that a push taken elsewhere did not reach
	violations                                    []string
}

func (f *findings) violate(format string, args ...any) {
	f.violations = append(f.violations, fmt.Sprintf(format, args...))
}

// check judges a history against the promises that hold at every moment, faults or not.
func check(h *history) *findings {
	f := &findings{}
	holds := h.byKey()
	attempts := map[string][]*push{}
	for _, p := range h.pushes {
		attempts[p.id] = append(attempts[p.id], p)
		f.count(p)
	}
	f.receipts(h.holds, attempts)
	for id, all := range attempts {
		slices.SortFunc(all, func(a, b *push) int { return cmp.Compare(a.invoked, b.invoked) })
		f.judge(h, id, all, holds[all[0].key])
	}
	for _, p := range h.looks {
		f.present(p, holds[p.key])
	}
	f.order(h, holds)
	slices.Sort(f.violations)
	return f
}

func (f *findings) count(p *push) {
	f.tried++
	switch {
	case p.status == 0:
		f.unanswered++
	case p.took():
		f.delivered++
	case p.status == 404:
		f.nobody++
	case p.status == 503 || p.status == 504:
		f.refused++
	default:
		f.violate("%s through %s: answered %d %s", p.id, p.node, p.status, p.verdict.Error)
	}
}

// receipts: nothing comes twice, and nothing comes to a connection that did not ask for it.
func (f *findings) receipts(holds []*hold, attempts map[string][]*push) {
	for _, x := range holds {
		seen := map[string]bool{}
		for _, r := range x.got {
			if seen[r.id] {
				f.duplicated++
				f.violate("%s came twice to one connection to %s, the second time at %v (%s)", r.id, x.node, r.at, tell(attempts[r.id]))
			}
			seen[r.id] = true
			if all := attempts[r.id]; len(all) == 0 || all[0].key != x.key {
				f.violate("%s came to a connection that holds %s", r.id, x.key)
			}
		}
	}
}

// judge compares what publishers were told of one message with what became of it.
func (f *findings) judge(h *history, id string, all []*push, holds []*hold) {
	came, perhaps := 0, 0 // holds that have it; that may have it in a socket that was never read
	for _, x := range holds {
		switch {
		case x.received(id):
			came++
		case x.asked <= all[len(all)-1].answered && x.mayHaveMissed(all[len(all)-1].answered) && h.noticed(x) >= all[0].invoked:
			perhaps++
		}
	}
	told := 0
	for _, p := range all {
		told = max(told, p.verdict.Delivered)
		f.nobodyThere(p, holds, came > 0 && len(all) == 1)
	}
	if told > came+perhaps {
		f.lost += told - came - perhaps
		f.violate("%s: delivered to %d, and it came to %d and perhaps %d others (%s)", id, told, came, perhaps, tell(all))
	}
	p := all[0]
	if len(all) > 1 {
		return
	}
	if !p.doubtful() && came > p.verdict.Delivered+p.verdict.Pending && p.took() {
		f.violate("%s came to %d, more than told (%s)", id, came, tell(all))
	}
	if p.status == 503 && p.verdict.Unknown == 0 && came > 0 {
		f.violate("%s was refused, and it came to %d (%s)", id, came, tell(all))
	}
	if p.took() && !p.doubtful() && p.verdict.Pending == 0 {
		f.missed(p, holds)
	}
}

// nobodyThere: 404 is for a key that nobody held all the time whose head had promised that all nodes find it.
func (f *findings) nobodyThere(p *push, holds []*hold, came bool) {
	if p.status != 404 {
		return
	}
	if came {
		f.lost++
		f.violate("%s: nobody there, and it came (%s)", p.id, tell([]*push{p}))
	}
	for _, x := range holds {
		if x.promised(p.invoked, p.answered) {
			f.lost++
			f.violate("%s through %s, %v to %v: nobody there, but %s had a hold from %v to %v", p.id, p.node, p.invoked, p.answered, x.node, x.headed, x.until())
			return
		}
	}
}

// present judges the answer to the question whether anybody is there: a node that says nobody must know.
func (f *findings) present(p *push, holds []*hold) {
	f.looked++
	there := 0
	for _, x := range holds {
		if x.promised(p.invoked, p.answered) {
			there++
		}
	}
	switch p.status {
	case 404:
		f.nobodyThere(p, holds, false)
	case 200:
		if !p.doubtful() && p.verdict.Connections < there {
			f.late++
		}
	case 0, 503, 504:
	default:
		f.violate("%s through %s: answered %d %s", p.id, p.node, p.status, p.verdict.Error)
	}
}

// missed counts holds that were promised to be found and were not, by a push that found others.
func (f *findings) missed(p *push, holds []*hold) {
	for _, x := range holds {
		if x.promised(p.invoked, p.answered) && !x.received(p.id) && !x.mayHaveMissed(p.answered) {
			f.late++
		}
	}
}

func tell(all []*push) (text string) {
	for _, p := range all {
		text += fmt.Sprintf("; through %s from %v to %v: %d %+v %s", p.node, p.invoked, p.answered, p.status, p.verdict, p.err)
	}
	return text[min(2, len(text)):]
}

// recovery is how long a fault was felt.
type recovery struct {
	fault
	took   time.Duration // until pushes to connected keys were delivered for good
	slow   time.Duration // the longest that one was under way which began when all should be well
	failed int           // pushes to connected keys that were not
	tried  int

	excused int    // of those that failed, not counted: the machine had no time for us
	last    string // the push that failed last
}

// recoveries says, for each fault, when the last push to a connected key that was not delivered had been answered.
// Clients and publishers of nodes that are down or stand still are excused while they do, and so is what a machine without
// time for us did to a push.
func recoveries(h *history, faults []fault, span time.Duration, end moment) []recovery {
	holds := h.byKey()
	all := make([]recovery, len(faults))
	for i, f := range faults {
		until := end
		if i+1 < len(faults) {
			until = faults[i+1].at
		}
		all[i].fault = f
		for _, p := range h.pushes {
			if p.invoked < f.at || p.answered > until || slices.Contains(f.without, p.node) {
				continue
			}
			reached, due := reach(p, holds[p.key], f.without)
			if !due {
				continue
			}
			if !reached && h.starved(p) {
				all[i].excused++
				continue
			}
			all[i].tried++
			if reached && p.invoked >= f.at+span {
				all[i].slow = max(all[i].slow, p.answered-p.invoked)
			}
			if !reached {
				all[i].failed++
				if took := p.answered - f.at; took > all[i].took {
					all[i].took, all[i].last = took, tell([]*push{p})
				}
			}
		}
	}
	return all
}

// reach says whether a push had somebody to reach all the time, and whether it did.
func reach(p *push, holds []*hold, without []string) (reached, due bool) {
	reached = p.took()
	for _, x := range holds {
		if slices.Contains(without, x.node) || !x.covers(p.invoked, p.answered) {
			continue
		}
		due = true
		old := x.covers(p.invoked-time.Second, p.answered) // a newer one's claim may still be on its way to the others
		if old && p.took() && p.verdict.Pending == 0 && !x.received(p.id) && !x.mayHaveMissed(p.answered) {
			reached = false
		}
	}
	return reached, due
}
