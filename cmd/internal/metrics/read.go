package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Series is one sample as it was read.
type Series struct {
	Labels map[string]string
	Value  float64
}

// Samples is an exposition that was read: the series of each sample name.
type Samples map[string][]Series

// Read takes an exposition apart, for those who look at numbers that another process wrote.
func Read(text string) (Samples, error) {
	all := Samples{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		name, s, err := readSeries(line)
		if err != nil {
			return nil, fmt.Errorf("metrics: %w in line %q", err, line)
		}
		all[name] = append(all[name], s)
	}
	return all, nil
}

func readSeries(line string) (name string, s Series, err error) {
	end := strings.IndexAny(line, "{ ")
	if end <= 0 {
		return "", s, fmt.Errorf("no name")
	}
	name, rest := line[:end], line[end:]
	if rest[0] == '{' {
		if s.Labels, rest, err = readLabels(rest[1:]); err != nil {
			return "", s, err
		}
	}
	number, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ") // a time may follow
	s.Value, err = strconv.ParseFloat(number, 64)
	return name, s, err
}

// readLabels reads name="value" pairs up to the closing brace, and returns what follows it.
func readLabels(rest string) (map[string]string, string, error) {
	labels := map[string]string{}
	for {
		if left, ok := strings.CutPrefix(rest, "}"); ok {
			return labels, left, nil
		}
		name, after, ok := strings.Cut(rest, `="`)
		if !ok {
			return nil, "", fmt.Errorf("label without a value")
		}
		end := 0
		for end < len(after) && after[end] != '"' {
			if after[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(after) {
			return nil, "", fmt.Errorf("label value without an end")
		}
		labels[name] = labelUnescaper.Replace(after[:end])
		rest = strings.TrimPrefix(after[end+1:], ",")
	}
}

var labelUnescaper = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`)

// Sum adds up the series of a sample that have these labels, given as pairs; none: all.
func (all Samples) Sum(name string, labels ...string) (sum float64) {
	for _, s := range all[name] {
		if s.has(labels) {
			sum += s.Value
		}
	}
	return sum
}

// By adds up the series of a sample by the value of one label.
func (all Samples) By(name, label string) map[string]float64 {
	sums := map[string]float64{}
	for _, s := range all[name] {
		sums[s.Labels[label]] += s.Value
	}
	return sums
}

// Buckets puts a histogram together again from its samples, adding up all that have these labels.
func (all Samples) Buckets(name string, labels ...string) Histogram {
	at := map[float64]float64{}
	for _, s := range all[name+"_bucket"] {
		bound, err := strconv.ParseFloat(s.Labels["le"], 64)
		if err == nil && s.has(labels) {
			at[bound] += s.Value
		}
	}
	bounds := make([]float64, 0, len(at))
	for bound := range at {
		bounds = append(bounds, bound)
	}
	slices.SortFunc(bounds, cmp.Compare[float64])
	h := Histogram{Sum: all.Sum(name+"_sum", labels...)}
	below := 0.0
	for _, bound := range bounds {
		h.Counts = append(h.Counts, uint64(max(at[bound]-below, 0)))
		below = at[bound]
		if !math.IsInf(bound, 1) {
			h.Bounds = append(h.Bounds, bound)
		}
	}
	return h
}

// Since is what was added to a histogram after an earlier reading of it. Buckets that do not match, or that shrank
// because the process began anew, count as they are.
func (h Histogram) Since(earlier Histogram) Histogram {
	if !slices.Equal(h.Bounds, earlier.Bounds) || len(h.Counts) != len(earlier.Counts) {
		return h
	}
	added := Histogram{Bounds: h.Bounds, Counts: make([]uint64, len(h.Counts)), Sum: h.Sum - earlier.Sum}
	for i, n := range h.Counts {
		if n < earlier.Counts[i] {
			return h
		}
		added.Counts[i] = n - earlier.Counts[i]
	}
	return added
}

func (s *Series) has(labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		if s.Labels[labels[i]] != labels[i+1] {
			return false
		}
	}
	return true
}
