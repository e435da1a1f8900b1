package hist

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestScheduleTimes(t *testing.T) {
	f := func(count int64, per time.Duration, i, want int64) {
		t.Helper()
		if got := Every(7, count, per).At(i); got != 7+want {
			t.Errorf("%d per %v: request %d at %d, want %d", count, per, i, got-7, want)
		}
	}
	f(1, time.Second, 0, 0)
	f(1, time.Second, 3, 3*sec)
	f(3, time.Second, 1, 333_333_333)
	f(3, time.Second, 3, sec)
	f(3, time.Second, 3_000_000_000, 1_000_000_000*sec) // no drift after a thousand million seconds
	f(1, time.Minute, 2, 120*sec)
	f(5_000_000_000, time.Second, 9_999_999_999, 2*sec-1)
	f(1<<40, time.Hour, 1<<39, int64(30*time.Minute)) // the product needs more than 64 bits
	f(0, 0, 5, 5)                                     // at least one per ns: no division by zero
}

// Due(now) is exactly the requests whose time has come: At(Due-1) <= now < At(Due).
func TestDueAgreesWithAt(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 5000 {
		start := rnd.Int64N(1 << 50)
		s := Every(start, 1+rnd.Int64N(1<<rnd.IntN(31)), time.Duration(1+rnd.Int64N(1<<rnd.IntN(42))))
		if s.count > s.per*100 {
			continue // more than a hundred each ns is no schedule
		}
		now := start + rnd.Int64N(int64(time.Hour))
		n := s.Due(now)
		if s.At(n) <= now || n > 0 && s.At(n-1) > now {
			t.Fatalf("%+v: %d due at %d, but times are %d, %d", s, n, now, s.At(n-1), s.At(n))
		}
	}
	if n := Every(10, 5, time.Second).Due(9); n != 0 {
		t.Errorf("%d due before the start", n)
	}
	if n := Every(10, 5, time.Second).Due(10); n != 1 {
		t.Errorf("%d due at the start, want the first", n)
	}
}
