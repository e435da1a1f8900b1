// Package metrics writes numbers in the Prometheus text format, version 0.0.4. It holds no numbers of its own: whoever
// counts keeps the counts, and a scrape writes them down. It must never be called from a loop, because it allocates.
//
// Reading order: writer.go (families and samples), histogram.go, process.go (this process as the kernel and the Go
// runtime see it).
package metrics

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ContentType is what an HTTP answer that carries an exposition must say.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Kind is how the samples of a family may be read.
type Kind string

// The kinds that the text format knows and this package writes.
const (
	Counter   Kind = "counter"   // only grows, and starts anew with the process
	Gauge     Kind = "gauge"     // goes up and down
	histogram Kind = "histogram" // counts per bucket, written by Histogram
)

// Writer assembles one exposition. The zero value is ready to use.
type Writer struct {
	buf    []byte
	family string          // that samples belong to
	closed map[string]bool // families written so far: each stands in one place
}

// Bytes is the exposition as far as it is written. It is good until the next call.
func (w *Writer) Bytes() []byte { return w.buf }

// Family begins a family of samples that differ in their labels only. A family may begin once.
func (w *Writer) Family(name string, kind Kind, help string) {
	if w.closed[name] {
		panic("metrics: family " + name + " written twice")
	}
	if w.closed == nil {
		w.closed = map[string]bool{}
	}
	w.closed[name] = true
	w.family = name
	w.buf = fmt.Appendf(w.buf, "# HELP %s %s\n# TYPE %s %s\n", name, helpEscaper.Replace(help), name, kind)
}

// Sample writes one number of the family begun last. Labels are pairs of a name and a value.
func (w *Writer) Sample(value float64, labels ...string) {
	w.sample("", value, labels)
}

// Count is Sample for the usual integer count.
func (w *Writer) Count(value uint64, labels ...string) {
	w.sample("", float64(value), labels)
}

// One writes a family of a single sample.
func (w *Writer) One(name string, kind Kind, help string, value float64) {
	w.Family(name, kind, help)
	w.Sample(value)
}

func (w *Writer) sample(suffix string, value float64, labels []string) {
	if len(labels)%2 != 0 {
		panic("metrics: labels of " + w.family + " are not pairs")
	}
	w.buf = append(w.buf, w.family...)
	w.buf = append(w.buf, suffix...)
	for i := 0; i < len(labels); i += 2 {
		w.buf = append(w.buf, "{,"[min(i, 1)])
		w.buf = append(w.buf, labels[i]...)
		w.buf = append(w.buf, `="`...)
		w.buf = append(w.buf, labelEscaper.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD"))...)
		w.buf = append(w.buf, '"')
	}
	if len(labels) > 0 {
		w.buf = append(w.buf, '}')
	}
	w.buf = append(w.buf, ' ')
	w.buf = appendNumber(w.buf, value)
	w.buf = append(w.buf, '\n')
}

// In HELP only backslash and line feed are escaped, in label values the double quote too.
var (
	helpEscaper  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func appendNumber(dst []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(dst, "+Inf"...)
	case v == math.Trunc(v) && math.Abs(v) < 1<<53:
		return strconv.AppendInt(dst, int64(v), 10) // whole counts stay readable: 1000000, not 1e+06
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64) // NaN and -Inf are written as the format wants them
}

// Histogram writes one set of buckets of a family that FamilyHistogram began.
func (w *Writer) Histogram(h Histogram, labels ...string) {
	cumulative := uint64(0)
	withBound := append(slices.Clone(labels), "le", "")
	for i, n := range h.Counts {
		cumulative += n
		bound := math.Inf(1)
		if i < len(h.Bounds) {
			bound = h.Bounds[i]
		}
		withBound[len(withBound)-1] = string(appendNumber(nil, bound))
		w.sample("_bucket", float64(cumulative), withBound)
	}
	w.sample("_sum", h.Sum, labels)
	w.sample("_count", float64(cumulative), labels)
}

// FamilyHistogram begins a family whose samples are histograms.
func (w *Writer) FamilyHistogram(name, help string) { w.Family(name, histogram, help) }
