package websocket

import (
	"math/rand/v2"
	"testing"
	"time"
)

// bucket is what a meter is to be: tokens that come back at a rate.
type bucket struct {
	tokens, burst float64
	perNano       float64
	last          int64
}

func (b *bucket) take(now int64) (ok, sure bool) {
	b.tokens = min(b.burst, b.tokens+float64(now-b.last)*b.perNano)
	b.last = now
	sure = b.tokens < 0.8 || b.tokens > 1.2
	if b.tokens >= 1 {
		b.tokens--
		return true, sure
	}
	return false, sure
}

// A meter agrees with the bucket wherever the answer does not hang on its coarser time.
func TestMeterIsABucket(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	compared := 0
	for range 200 {
		rate, burst := 1+rng.IntN(200), 1+rng.IntN(50)
		m := newMeter(rate, burst)
		now := int64(rng.Uint64N(1 << 50)) // the count of units comes round in 2^48 ns
		b := bucket{tokens: float64(burst), burst: float64(burst), perNano: 1 / float64(uint64(m.each)<<meterShift), last: now}
		var paid uint32
		for range 300 {
			now += rng.Int64N(2 * int64(time.Second) / int64(rate))
			want, sure := b.take(now)
			if got := m.take(&paid, now); got != want {
				if sure {
					t.Fatalf("%d a second, %d at once: %v, want %v with %.2f tokens", rate, burst, got, want, b.tokens)
				}
				break // they disagree about what was spent
			}
			compared++
			if rng.IntN(20) == 0 {
				paid = m.settled(paid, now)
			}
		}
	}
	if compared < 5000 {
		t.Errorf("only %d answers were compared", compared)
	}
}

// Over any long time no more gets through than was agreed, and no less.
func TestMeterOnAverage(t *testing.T) {
	for _, rate := range []int{1, 7, 50, 1000, 15000} {
		m, paid, passed := newMeter(rate, 10), uint32(0), 0
		const seconds = 20
		for now := int64(0); now < seconds*int64(time.Second); now += int64(time.Second) / int64(3*rate) {
			if m.take(&paid, now) {
				passed++
			}
		}
		if most := rate*seconds + 10; passed > most+most/50 || passed < most-most/50 {
			t.Errorf("%d a second: %d passed in %d s", rate, passed, seconds)
		}
	}
}

// A new client and one that was silent for any time has its whole burst, wherever the count of units stands.
func TestMeterComesRound(t *testing.T) {
	m := newMeter(50, 100)
	const round = int64(1) << (32 + meterShift)
	for step := int64(0); step < round; step += round / 997 {
		for _, silent := range []bool{false, true} {
			var paid uint32
			if silent {
				m.take(&paid, 12345<<meterShift)
				paid = m.settled(paid, 12345<<meterShift+int64(time.Minute))
			}
			now := 12345<<meterShift + int64(time.Minute) + step
			for n := range 100 {
				if !m.take(&paid, now) {
					t.Fatalf("%v after the first: message %d is one too many", time.Duration(step), n)
				}
			}
			if m.take(&paid, now) {
				t.Fatalf("%v after the first: no bound", time.Duration(step))
			}
		}
	}
}

func TestMeterUnbounded(t *testing.T) {
	m, paid := newMeter(0, 0), uint32(0)
	for range 100_000 {
		if !m.take(&paid, 0) {
			t.Fatal("bounded")
		}
	}
	if m := newMeter(1, 1<<40); m.most < 0 {
		t.Errorf("a great burst: %d", m.most)
	}
}
