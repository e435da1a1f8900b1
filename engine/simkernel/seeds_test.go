package simkernel

import (
	"fmt"
	"slices"
	"testing"
)

func TestSeeds(t *testing.T) {
	f := func(n int, short bool, seed, seeds string, want ...uint64) {
		t.Helper()
		t.Setenv("SEED", seed)
		t.Setenv("SEEDS", seeds)
		if got := slices.Collect(Seeds(n, short)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d, short %v, SEED=%s, SEEDS=%s: %v, want %v", n, short, seed, seeds, got, want)
		}
	}
	f(3, false, "", "", 1, 2, 3)
	f(10, true, "", "", 1, 2)
	f(3, true, "", "", 1)
	f(3, false, "", "5", 1, 2, 3, 4, 5)
	f(3, true, "", "2", 1, 2)
	f(3, false, "77", "", 77)
	f(3, true, "77", "2", 77)
	f(2, false, "x", "y", 1, 2)

	t.Setenv("SEED", "")
	t.Setenv("SEEDS", "")
	for range Seeds(2, false) { // a test may stop at its first failure
		break
	}
}
