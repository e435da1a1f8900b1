package model

import (
	"math"
	"math/rand/v2"
)

// chance draws counts: how many of n, never which.
type chance struct{ *rand.Rand }

func newChance(seed int64) chance {
	return chance{rand.New(rand.NewPCG(uint64(seed), 0x9e3779b97f4a7c15))}
}

// exactMean is the mean up to which binomial counts one success after the other. Beyond it the normal law is as good.
const exactMean = 16

// binomial is how many of n succeed when each does with probability p.
func (r chance) binomial(n int64, p float64) int64 {
	switch {
	case n <= 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - r.binomial(n, 1-p)
	}
	mean := float64(n) * p
	if mean > exactMean {
		k := math.Round(mean + r.NormFloat64()*math.Sqrt(mean*(1-p)))
		return int64(min(max(k, 0), float64(n)))
	}
	// Failures between two successes follow the geometric law, so it takes as many draws as there are successes.
	count, log := int64(0), math.Log1p(-p)
	for at := -1.0; ; count++ {
		at += 1 + math.Floor(math.Log(1-r.Float64())/log)
		if at >= float64(n) {
			return count
		}
	}
}

// scatter puts n into so many places, each as likely as any other, and loses none.
func (r chance) scatter(n int64, places int, put func(place int, n int64)) {
	if n <= int64(places)/4 {
		for range n {
			put(r.IntN(places), 1)
		}
		return
	}
	for i := 0; i < places && n > 0; i++ {
		if k := r.binomial(n, 1/float64(places-i)); k > 0 {
			put(i, k)
			n -= k
		}
	}
}

// take moves up to limit in all out of the counts, from each in proportion, and returns how many from each.
func take[C ~[]int64](from C, limit int64, into C) {
	var sum int64
	for _, n := range from {
		sum += n
	}
	if sum == 0 || limit <= 0 {
		return
	}
	left := min(limit, sum)
	for i, n := range from { // what is left of the sum shares what is left of the limit: no remainder stays
		k := int64(math.Round(float64(left) * (float64(n) / float64(sum))))
		k = min(max(k, left-(sum-n)), n, left)
		from[i] -= k
		into[i] += k
		left, sum = left-k, sum-n
		if sum == 0 {
			return
		}
	}
}
