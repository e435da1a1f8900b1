package directory

import (
	"slices"
	"time"
)

// ages counts what waits by when it began to, so that the oldest is known whatever order things end in.
type ages struct {
	runs  []ageRun // by tick, ascending
	empty int      // runs in which nothing waits any more
}

// ageRun are the things that began to wait in one tick.
type ageRun struct {
	tick tick
	n    int
}

// tick is a moment, to the hundredth of a second.
type tick int64

const tickLength = 10 * time.Millisecond

// add counts one that waits since now and returns the tick under which it is counted.
func (a *ages) add(now time.Duration) tick {
	at := tick(now / tickLength)
	if last := len(a.runs) - 1; last >= 0 && a.runs[last].tick >= at {
		if a.runs[last].n == 0 {
			a.empty--
		}
		a.runs[last].n++ // another goroutine read the clock later and came first
		return a.runs[last].tick
	}
	if len(a.runs) > 64 && 2*a.empty > len(a.runs) {
		a.runs = slices.DeleteFunc(a.runs, func(r ageRun) bool { return r.n == 0 })
		a.empty = 0
	}
	a.runs = append(a.runs, ageRun{tick: at, n: 1})
	return at
}

func (a *ages) remove(at tick) {
	i, _ := slices.BinarySearchFunc(a.runs, at, func(r ageRun, at tick) int { return int(r.tick - at) })
	if a.runs[i].n--; a.runs[i].n == 0 {
		a.empty++
	}
	if a.empty == len(a.runs) {
		a.runs, a.empty = a.runs[:0], 0
	}
}

// oldest is since when something waits, if anything does.
func (a *ages) oldest() (tick, bool) {
	for i := range a.runs {
		if a.runs[i].n > 0 {
			return a.runs[i].tick, true
		}
	}
	return 0, false
}
