package metrics

// Histogram is a set of counts by size. Counts has one entry per bound, for values at most that bound and above the
// one before, and a last entry for everything greater.
type Histogram struct {
	Bounds []float64 // ascending, in the unit that the family's name ends in
	Counts []uint64  // not cumulative; len(Bounds)+1
	Sum    float64   // of all values
}

// NewHistogram makes empty buckets with these upper bounds.
func NewHistogram(bounds ...float64) Histogram {
	return Histogram{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}
}

// Total counts every value in the histogram.
func (h Histogram) Total() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Quantile estimates the value below which a part q of the values lies, by even spread within a bucket. Values above
// the last bound are taken as that bound, and the quantile of nothing is 0.
func (h Histogram) Quantile(q float64) float64 {
	total := h.Total()
	if total == 0 || len(h.Bounds) == 0 {
		return 0
	}
	rank := q * float64(total)
	below, seen := 0.0, 0.0
	for i, bound := range h.Bounds {
		n := float64(h.Counts[i])
		if n > 0 && seen+n >= rank {
			return below + (bound-below)*max(rank-seen, 0)/n
		}
		seen += n
		below = bound
	}
	return below
}
