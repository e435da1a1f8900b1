package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast/perf/hist"
)

// update makes the test write the golden files anew: UPDATE=1 go test ./perf/report, then look at what changed.
var update = os.Getenv("UPDATE") != ""

// run makes up a run: rate answers per second with a log-normal latency around typical, and one stall of a second.
func run(seed uint64, seconds, rate int64, typical time.Duration, stall bool) hist.Summary {
	rnd := rand.New(rand.NewPCG(seed, seed))
	r := hist.New(0)
	plan := hist.Every(0, rate, time.Second)
	halt, resume := seconds/2*int64(time.Second), (seconds/2+1)*int64(time.Second)
	for i := range seconds * rate {
		at := plan.At(i)
		done := at + int64(float64(typical)*math.Exp(rnd.NormFloat64()*0.5))
		if stall && done > halt && done < resume {
			done = resume + rnd.Int64N(int64(20*time.Millisecond))
		}
		r.Record(at, done)
	}
	return r.Summary()
}

// reports are the cases that golden files show: a comparison, a single short run, and nothing at all.
func reports() map[string]*Report {
	short := run(3, 2, 40, 700*time.Microsecond, false)
	short.Unfinished, short.Clamped = 3, 1
	return map[string]*Report{
		"compare": {
			Title: "Push to one of 10,000 held connections, 5,000 per second",
			Facts: []Fact{{"machine", "2 cores, Linux"}, {"payload", "200 bytes, <data> & \"more\""}},
			Series: []Series{
				{"holdfast", run(1, 30, 5000, 400*time.Microsecond, false), []Figure{{"CPU per push", 5.31, "µs"}, {"memory per connection", 163, "bytes"}}},
				{"another gateway", run(2, 30, 5000, 900*time.Microsecond, true), []Figure{{"CPU per push", 14.2, "µs"}, {"memory per connection", 11264, "bytes"}}},
			},
		},
		"short": {Title: "Short run", Series: []Series{{Name: "holdfast", Latency: short}}},
		"empty": {Title: "Nothing was measured", Series: []Series{{Name: "holdfast"}}},
	}
}

func TestGolden(t *testing.T) {
	f := func(name string, write func(io.Writer) error) {
		t.Helper()
		var got bytes.Buffer
		if err := write(&got); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name)
		if update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s differs; run with UPDATE=1 and look at what changed", file)
		}
	}
	for name, r := range reports() {
		f(name+".txt", r.WriteText)
		f(name+".svg", r.WriteSVG)
	}
	f("short.json", reports()["short"].WriteJSON)
}

// The SVG parses as XML whatever the names hold, refers to nothing outside itself, and has no coordinate that is not
// a number or far off the page.
func TestSVGIsSound(t *testing.T) {
	all := reports()
	all["hostile"] = &Report{
		Title:  "</title><script>alert(1)</script>\x00\xff",
		Facts:  []Fact{{"\"", "]]>"}},
		Series: []Series{{Name: "<&>\x01", Latency: run(4, 1, 3, time.Microsecond, false)}},
	}
	one := hist.New(0)
	one.Record(0, 0)
	all["one at zero"] = &Report{Series: []Series{{Name: "a", Latency: one.Summary()}}}
	stuck := hist.New(0)
	stuck.Abandon(0, int64(time.Hour))
	all["no answer"] = &Report{Series: []Series{{Name: "a", Latency: stuck.Summary()}}}
	all["no series"] = &Report{}
	for name, r := range all {
		var b bytes.Buffer
		if err := r.WriteSVG(&b); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"NaN", "Inf", "<script", "href", "e+0"} {
			if strings.Contains(b.String(), bad) {
				t.Errorf("%s: the plot contains %q", name, bad)
			}
		}
		d := xml.NewDecoder(&b)
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	for name, r := range reports() {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		back, err := ReadJSON(&b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r, back) {
			t.Errorf("%s came back different", name)
		}
	}
	if _, err := ReadJSON(strings.NewReader(`{"title":`)); err == nil {
		t.Error("half a report was read")
	}
}

// full refuses to take more.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriteErrorsAreReported(t *testing.T) {
	r := reports()["short"]
	for name, write := range map[string]func(io.Writer) error{"text": r.WriteText, "svg": r.WriteSVG, "json": r.WriteJSON} {
		if write(full{}) == nil {
			t.Errorf("%s: a failed write went unnoticed", name)
		}
	}
}
