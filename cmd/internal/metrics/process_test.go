package metrics

import (
	"math"
	"os"
	"runtime"
	rt "runtime/metrics"
	"slices"
	"testing"
)

// scrape writes this process and reads it back: the value of a sample by its series.
func scrape(t *testing.T) func(series string) float64 {
	t.Helper()
	var w Writer
	WriteProcess(&w)
	families := read(t, &w)
	return func(series string) float64 {
		t.Helper()
		for _, family := range families {
			if v, ok := family.samples[series]; ok {
				return v
			}
		}
		t.Errorf("no %s in:\n%s", series, w.Bytes())
		return math.NaN()
	}
}

func TestProcessIsPlausible(t *testing.T) {
	value := scrape(t)
	f := func(series string, low, high float64) {
		t.Helper()
		if v := value(series); !(v >= low && v <= high) {
			t.Errorf("%s is %v, want %v to %v", series, v, low, high)
		}
	}
	f("process_start_time_seconds", 1.6e9, 1e11)
	f("process_resident_memory_bytes", 1<<20, 1<<36)
	f("process_cpu_seconds_total", 0, 1e6)
	f("process_open_fds", 3, 1e6)
	f("process_max_fds", 3, math.Inf(1))
	f("go_goroutines", 2, 1e4)
	f("go_heap_objects_bytes", 1<<10, 1<<34)
	f("go_memory_bytes", 1<<20, 1<<36)
}

func TestProcessSeesFilesOpened(t *testing.T) {
	before := scrape(t)("process_open_fds")
	files := make([]*os.File, 0, 10)
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for range cap(files) {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if after := scrape(t)("process_open_fds"); after != before+10 {
		t.Errorf("10 files opened: %v before, %v after", before, after)
	}
}

func TestProcessSeesCollections(t *testing.T) {
	before := scrape(t)
	cycles, pauses := before("go_gc_cycles_total"), before("go_gc_pause_seconds_count")
	for range 3 {
		runtime.GC()
	}
	after := scrape(t)
	if n := after("go_gc_cycles_total") - cycles; n < 3 {
		t.Errorf("3 collections counted as %v", n)
	}
	if n := after("go_gc_pause_seconds_count") - pauses; n < 3 {
		t.Errorf("the pauses of 3 collections counted as %v", n)
	}
}

func TestCoarseLosesNothing(t *testing.T) {
	sample := []rt.Sample{{Name: "/sched/latencies:seconds"}}
	rt.Read(sample)
	var total uint64
	for _, n := range sample[0].Value.Float64Histogram().Counts {
		total += n
	}
	h := coarse(sample[0].Value, pauseBounds)
	if h.Total() != total || !slices.IsSorted(h.Bounds) {
		t.Errorf("%d values became %d", total, h.Total())
	}
	if empty := coarse(rt.Value{}, pauseBounds); empty.Total() != 0 {
		t.Errorf("a metric that is missing became %v", empty)
	}
}

func TestMissingRuntimeMetricIsNotANumber(t *testing.T) {
	if v := number(rt.Value{}); !math.IsNaN(v) {
		t.Errorf("got %v", v)
	}
}
