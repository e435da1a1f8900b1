package model

import (
	"math"
	"testing"
	"time"
)

// The mean wait in a queue with Poisson arrivals and one server of a fixed service time (M/D/1) is ρ/(2(1-ρ)) of it.
func TestShardWaitsAsMD1Does(t *testing.T) {
	f := func(load float64) {
		t.Helper()
		r, h := newChance(11), shard{}
		const service, jobs = time.Millisecond, 400_000
		now, waited := 0.0, time.Duration(0)
		for range jobs {
			now += r.ExpFloat64() * float64(service) / load
			at := time.Duration(now)
			waited += h.wait(at)
			before := h.wait(at)
			if done, ok := h.serve(at, service); !ok || done-at != before+service {
				t.Fatalf("done after %v, having waited %v", done-at, before)
			}
		}
		got, want := float64(waited)/jobs/float64(service), load/(2*(1-load))
		if math.Abs(got-want) > 0.05*want {
			t.Errorf("load %.2f: mean wait %.3f services, want %.3f", load, got, want)
		}
		if busy := float64(h.spent) / now; math.Abs(busy-load) > 0.01 {
			t.Errorf("load %.2f: worked %.3f of the time", load, busy)
		}
	}
	f(0.1)
	f(0.5)
	f(0.8)
}

func TestShardThatIsAwayServesNobody(t *testing.T) {
	h := shard{up: time.Second}
	if _, ok := h.serve(time.Second-1, time.Millisecond); ok || h.spent != 0 {
		t.Error("it served")
	}
	if done, ok := h.serve(time.Second, time.Millisecond); !ok || done != time.Second+time.Millisecond {
		t.Errorf("done at %v, %v", done, ok)
	}
}

func TestRequests(t *testing.T) {
	f := func(n int64, flushes float64, batch, shards int, want float64) {
		t.Helper()
		if got := requests(n, flushes, batch, shards); math.Abs(got-want) > 0.005*want {
			t.Errorf("%d claims in %g flushes, batches of %d, %d shards: %.3f, want %.3f", n, flushes, batch, shards, got, want)
		}
	}
	f(0, 100, 200, 16, 0)
	f(1, 100, 200, 16, 1)
	f(1, 100, 200, 1, 1)
	f(2, 1, 200, 1, 1)
	f(2, 100, 200, 1, 2-1.0/100)            // they share a flush once in a hundred
	f(2, 1, 200, 16, 2-1.0/16)              // or a shard once in sixteen
	f(400, 1, 200, 1, 2)                    // a batch holds no more
	f(1e6, 100, 200, 1, 5000)               // however many there are
	f(1e6, 100, 200, 16, 5000*16)           // and each has keys of every shard
	f(20_000, 100, 200, 10_000, 100*198.02) // of very many shards nearly each key has its own
}

// What requests computes is what scattering keys into flushes and shards one by one comes to.
func TestRequestsAgainstChance(t *testing.T) {
	r := newChance(2)
	for _, n := range []int64{3, 30, 300} {
		const flushes, shards, rounds = 50, 8, 2000
		seen := 0
		for range rounds {
			var asked [flushes][shards]bool
			for range n {
				at := &asked[r.IntN(flushes)][r.IntN(shards)]
				if !*at {
					*at = true
					seen++
				}
			}
		}
		got, want := requests(n, flushes, 200, shards), float64(seen)/rounds
		if math.Abs(got-want) > 0.05*want {
			t.Errorf("%d claims: %.2f requests, by chance %.2f", n, got, want)
		}
	}
}

func TestWriteWorkByHand(t *testing.T) {
	c := Config{Shards: 1, Batch: 200, ShardClaims: 100_000, RequestCost: 8 * time.Microsecond, Step: time.Millisecond, Flush: time.Millisecond}
	f := func(single, walked int64, want time.Duration) {
		t.Helper()
		if got, _ := c.writeWork(single, walked); got != want {
			t.Errorf("%d and %d: %v, want %v", single, walked, got, want)
		}
	}
	f(0, 0, 0)
	f(1, 0, 18*time.Microsecond)     // 10 for the claim, 8 for its request
	f(2, 0, 28*time.Microsecond)     // one flush
	f(0, 200, 2008*time.Microsecond) // one full batch
	f(1, 200, 2026*time.Microsecond)
	f(0, 100, 1004*time.Microsecond) // half of one that the next step fills
}
