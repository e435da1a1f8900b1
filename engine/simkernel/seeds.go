package simkernel

import (
	"iter"
	"os"
	"strconv"
)

// shortPart is the part of its seeds that a test plays in a short run: the race detector makes each ten times dearer.
const shortPart = 5

// Seeds are those that a test plays: one to n, or fewer in a short run. SEEDS=n plays so many instead, to hunt; SEED=n
// plays that one alone, to replay what was found.
func Seeds(n int, short bool) iter.Seq[uint64] {
	from, to := uint64(1), uint64(n)
	if short {
		to = max(1, to/shortPart)
	}
	if asked, err := strconv.ParseUint(os.Getenv("SEEDS"), 10, 64); err == nil {
		to = asked
	}
	if one, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		from, to = one, one
	}
	return func(yield func(uint64) bool) {
		for seed := from; seed <= to && yield(seed); seed++ {
		}
	}
}
