package metrics

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// read parses what was written, and fails the test if a strict reader would refuse it.
func read(t *testing.T, w *Writer) map[string]*parsed {
	t.Helper()
	families, err := parseExposition(string(w.Bytes()))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, w.Bytes())
	}
	return families
}

func TestWriterGolden(t *testing.T) {
	var w Writer
	w.Family("pushes_total", Counter, "Publish requests\nby \\verdict.")
	w.Count(1_000_000, "verdict", "delivered", "node", "a")
	w.Count(2, "verdict", `say "hi"\`+"\n", "node", "b")
	w.One("load", Gauge, "Busy share.", 0.25)
	w.FamilyHistogram("wait_seconds", "Time waited.")
	w.Histogram(Histogram{Bounds: []float64{0.1, 1}, Counts: []uint64{3, 0, 2}, Sum: 9.5}, "loop", "0")
	const want = `# HELP pushes_total Publish requests\nby \\verdict.
# TYPE pushes_total counter
pushes_total{verdict="delivered",node="a"} 1000000
pushes_total{verdict="say \"hi\"\\\n",node="b"} 2
# HELP load Busy share.
# TYPE load gauge
load 0.25
# HELP wait_seconds Time waited.
# TYPE wait_seconds histogram
wait_seconds_bucket{loop="0",le="0.1"} 3
wait_seconds_bucket{loop="0",le="1"} 3
wait_seconds_bucket{loop="0",le="+Inf"} 5
wait_seconds_sum{loop="0"} 9.5
wait_seconds_count{loop="0"} 5
`
	if got := string(w.Bytes()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	read(t, &w)
}

func TestNumbers(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := string(appendNumber(nil, v)); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
	f(0, "0")
	f(-3, "-3")
	f(1e6, "1000000")
	f(1<<53, "9.007199254740992e+15")
	f(0.0001, "0.0001")
	f(math.Inf(1), "+Inf")
	f(math.Inf(-1), "-Inf")
	f(math.NaN(), "NaN")
}

func TestAnyLabelSurvives(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("a\"\\\n{},= é\x00\u2028")
	for range 500 {
		var value strings.Builder
		for range random.IntN(12) {
			value.WriteRune(alphabet[random.IntN(len(alphabet))])
		}
		var w Writer
		w.Family("a", Gauge, "x")
		w.Sample(1, "l", value.String())
		if got := read(t, &w)["a"].order[0]; got != "a{l="+strconv.Quote(value.String())+"}" {
			t.Fatalf("%q came back as %s", value.String(), got)
		}
	}
}

func TestBrokenUnicodeIsReplaced(t *testing.T) {
	var w Writer
	w.Family("a", Gauge, "x")
	w.Sample(1, "l", "b\xffc")
	if !strings.Contains(string(w.Bytes()), `{l="b`+"\uFFFD"+`c"}`) {
		t.Errorf("got %s", w.Bytes())
	}
}

func TestMisuseIsLoud(t *testing.T) {
	f := func(name string, misuse func(w *Writer)) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s went unnoticed", name)
			}
		}()
		var w Writer
		w.Family("a", Gauge, "x")
		misuse(&w)
	}
	f("a family written twice", func(w *Writer) { w.Family("a", Gauge, "x") })
	f("a label without a value", func(w *Writer) { w.Sample(1, strings.Fields("l")...) })
}

func TestRandomHistogramsAddUp(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		h := NewHistogram(0.001, 0.01, 0.1, 1)
		for i := range h.Counts {
			h.Counts[i] = uint64(random.IntN(3))
		}
		var w Writer
		w.FamilyHistogram("h_seconds", "x")
		w.Histogram(h)
		w.Histogram(h, "loop", "1")
		if got := read(t, &w)["h_seconds"].samples["h_seconds_count"]; got != float64(h.Total()) {
			t.Fatalf("count %v of %v", got, h.Counts)
		}
	}
}

func TestQuantiles(t *testing.T) {
	f := func(q float64, counts []uint64, want float64) {
		t.Helper()
		h := Histogram{Bounds: []float64{1, 2, 4}, Counts: counts}
		if got := h.Quantile(q); math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %v of %v: got %v, want %v", q, counts, got, want)
		}
	}
	f(0.5, []uint64{0, 0, 0, 0}, 0)
	f(0.5, []uint64{10, 0, 0, 0}, 0.5)
	f(1, []uint64{10, 0, 0, 0}, 1)
	f(0.5, []uint64{0, 0, 10, 0}, 3)
	f(0.5, []uint64{5, 5, 0, 0}, 1)
	f(0.75, []uint64{5, 0, 5, 0}, 3)
	f(0.99, []uint64{0, 0, 0, 7}, 4)
	f(0, []uint64{0, 3, 0, 0}, 1)
	if got := (Histogram{Counts: []uint64{4}}).Quantile(0.5); got != 0 {
		t.Errorf("without bounds: %v", got)
	}
}
