package metrics

import (
	"bytes"
	"math"
	"os"
	rt "runtime/metrics"
	"strconv"
	"syscall"
	"time"
)

// started stands for the start of the process: the moment its packages were set up.
var started = time.Now()

// pauseBounds are the upper bounds, in seconds, of the collector's pauses.
var pauseBounds = []float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1}

// WriteProcess writes what the kernel and the Go runtime know about this process.
func WriteProcess(w *Writer) {
	w.One("process_start_time_seconds", Gauge, "When the process started, in seconds since 1970.", float64(started.UnixMilli())/1000)
	w.One(ProcessRSS, Gauge, "Memory in RAM, shared pages included.", float64(residentBytes()))
	w.One(ProcessCPUSeconds, Counter, "CPU time used, user and system.", cpuSeconds())
	w.One(ProcessFiles, Gauge, "Open file descriptors.", float64(openFiles()))
	w.One("process_max_fds", Gauge, "Limit of open file descriptors.", float64(maxFiles()))
	writeRuntime(w)
}

func writeRuntime(w *Writer) {
	samples := []rt.Sample{
		{Name: "/sched/goroutines:goroutines"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/sched/pauses/total/gc:seconds"},
	}
	rt.Read(samples)
	w.One("go_goroutines", Gauge, "Goroutines that exist.", number(samples[0].Value))
	w.One("go_heap_objects_bytes", Gauge, "Heap memory in objects, live or not yet swept.", number(samples[1].Value))
	w.One("go_memory_bytes", Gauge, "Memory mapped by the Go runtime; slabs of connections are outside it.", number(samples[2].Value))
	w.One("go_gc_cycles_total", Counter, "Garbage collections completed.", number(samples[3].Value))
	w.One("go_gc_cpu_seconds_total", Counter, "CPU time of the garbage collector, as the runtime estimates it.", number(samples[4].Value))
	w.FamilyHistogram("go_gc_pause_seconds", "Times that a garbage collection stopped everything.")
	w.Histogram(coarse(samples[5].Value, pauseBounds))
}

// number reads a runtime metric of either scalar kind; a metric that this runtime does not have is not a number.
func number(v rt.Value) float64 {
	switch v.Kind() {
	case rt.KindUint64:
		return float64(v.Uint64())
	case rt.KindFloat64:
		return v.Float64()
	default:
		return math.NaN()
	}
}

// coarse folds the runtime's many buckets into a few. A bucket counts where its upper edge fits; the sum is estimated
// from lower edges, as the runtime keeps none.
func coarse(v rt.Value, bounds []float64) Histogram {
	h := NewHistogram(bounds...)
	if v.Kind() != rt.KindFloat64Histogram {
		return h
	}
	fine := v.Float64Histogram()
	for i, n := range fine.Counts {
		slot := 0
		for slot < len(bounds) && bounds[slot] < fine.Buckets[i+1] {
			slot++
		}
		h.Counts[slot] += n
		h.Sum += float64(n) * max(fine.Buckets[i], 0)
	}
	return h
}

// residentBytes reads the second field of statm, in pages; 0 where /proc is missing.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

func cpuSeconds() float64 {
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano()).Seconds()
}

// openFiles asks for the directory's size, which Linux 6.2 and later give as the number of descriptors: listing a
// million of them for each scrape would stall it. Older kernels say 0, and are listed.
func openFiles() int64 {
	const dir = "/proc/self/fd"
	if info, err := os.Stat(dir); err == nil && info.Size() > 0 {
		return info.Size()
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	return int64(len(names))
}

func maxFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return limit.Cur
}
