package metrics

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestReadUndoesWrite(t *testing.T) {
	var w Writer
	w.Family("conns", Gauge, "x")
	w.Sample(3, "form", "sse", "loop", "0")
	w.Sample(4, "form", "sse", "loop", "1")
	w.Sample(5, "form", "a \"b\"\\n\n,}{=", "loop", "1")
	w.One("load", Gauge, "x", 0.25)
	w.FamilyHistogram("h_seconds", "x")
	w.Histogram(Histogram{Bounds: []float64{0.5, 1}, Counts: []uint64{3, 0, 2}, Sum: 9}, "loop", "0")
	w.Histogram(Histogram{Bounds: []float64{0.5, 1}, Counts: []uint64{1, 1, 1}, Sum: 3}, "loop", "1")
	all, err := Read(string(w.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	f := func(got, want float64) {
		t.Helper()
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	f(all.Sum("conns"), 12)
	f(all.Sum("conns", "form", "sse"), 7)
	f(all.Sum("conns", "form", "sse", "loop", "1"), 4)
	f(all.Sum("conns", "form", "a \"b\"\\n\n,}{="), 5)
	f(all.Sum("load"), 0.25)
	f(all.Sum("nothing"), 0)
	if by := all.By("conns", "loop"); !maps.Equal(by, map[string]float64{"0": 3, "1": 9}) {
		t.Errorf("by loop: %v", by)
	}
	h := all.Buckets("h_seconds")
	if !slices.Equal(h.Bounds, []float64{0.5, 1}) || !slices.Equal(h.Counts, []uint64{4, 1, 3}) || h.Sum != 12 {
		t.Errorf("both loops' histograms: %+v", h)
	}
	if h = all.Buckets("h_seconds", "loop", "1"); !slices.Equal(h.Counts, []uint64{1, 1, 1}) || h.Sum != 3 {
		t.Errorf("one loop's histogram: %+v", h)
	}
}

func TestReadTakesWhatOthersWrite(t *testing.T) {
	f := func(line string, want float64) {
		t.Helper()
		all, err := Read("# comment\n\n" + line + "\n")
		if got := all.Sum("a"); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", line, got, err, want)
		}
	}
	f(`a 1`, 1)
	f(`a 1 1700000000000`, 1)
	f(`a{} 2`, 2)
	f(`a{b="c",} 3`, 3)
	f(`a{b="c"}  4e3`, 4000)
	f("a 5\r", 5)
}

func TestReadRefuses(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		if _, err := Read(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", line, err, want)
		}
	}
	f("a", "no name")
	f(" 1", "no name")
	f("a x", "invalid syntax")
	f(`a{b} 1`, "label without a value")
	f(`a{b="c} 1`, "without an end")
	f(`a{b="c\`, "without an end")
}

func TestHistogramSince(t *testing.T) {
	h := func(counts ...uint64) Histogram {
		return Histogram{Bounds: []float64{1, 2}, Counts: counts, Sum: float64(counts[0])}
	}
	f := func(now, before Histogram, want ...uint64) {
		t.Helper()
		if got := now.Since(before); !slices.Equal(got.Counts, want) {
			t.Errorf("%v since %v: got %v, want %v", now.Counts, before.Counts, got.Counts, want)
		}
	}
	f(h(5, 6, 7), h(1, 6, 2), 4, 0, 5)
	f(h(5, 6, 7), Histogram{}, 5, 6, 7)
	f(h(1, 0, 0), h(5, 6, 7), 1, 0, 0)
	f(h(1, 2, 3), Histogram{Bounds: []float64{1, 3}, Counts: []uint64{1, 1, 1}}, 1, 2, 3)
	if got := h(5, 0, 0).Since(h(2, 0, 0)).Sum; got != 3 {
		t.Errorf("sum %v", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("a 1\n")
	f.Add("a{b=\"c\\\\\",d=\"\\n\"} +Inf 12\n# x\n")
	f.Add("h_bucket{le=\"+Inf\"} 2\nh_bucket{le=\"1\"} 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Read(text)
		if err != nil {
			return
		}
		for name := range all {
			if strings.ContainsAny(name, "{ \n") {
				t.Errorf("name %q", name)
			}
			all.By(name, "le")
			all.Buckets(strings.TrimSuffix(name, "_bucket")).Quantile(0.5)
		}
	})
}
