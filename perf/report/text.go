package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/perf/hist"
)

// WriteText writes the report for people, as a table with one row a series.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, r.Title)
	facts := make([][]string, len(r.Facts))
	for i, f := range r.Facts {
		facts[i] = []string{"  " + f.Name, f.Value}
	}
	writeTable(&b, facts, "ll")
	b.WriteByte('\n')

	marks := make([]string, len(hist.Marks))
	for i, q := range hist.Marks {
		marks[i] = percent(q, "p")
	}
	names := slices.Concat([]string{"latency", "count", "per second", "min", "mean"}, marks, []string{"max"})
	rows := make([][]string, 0, 1+len(r.Series))
	rows = append(rows, names)
	for i := range r.Series {
		rows = append(rows, latencyRow(&r.Series[i]))
	}
	writeTable(&b, rows, "l"+strings.Repeat("r", len(names)-1))

	for _, s := range r.Series {
		if n := s.Latency.Unfinished; n > 0 {
			fmt.Fprintf(&b, "%s: %s of the count had no answer when the run ended; they waited at least as long as counted\n",
				s.Name, thousands(n))
		}
		if n := s.Latency.Clamped; n > 0 {
			fmt.Fprintf(&b, "%s: %s of the count took longer than %s and are counted as that\n",
				s.Name, thousands(n), short(hist.Highest))
		}
	}
	if figures := figureRows(r.Series); len(figures) > 0 {
		b.WriteByte('\n')
		writeTable(&b, figures, "llrl")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func latencyRow(s *Series) []string {
	l := &s.Latency
	cell := func(d time.Duration, ok bool) string {
		if !ok {
			return "-" // too few samples for such a figure
		}
		return short(d)
	}
	some := l.Count > 0
	row := []string{s.Name, thousands(l.Count), thousands(int64(l.Rate() + 0.5)), cell(l.Min, some), cell(l.Mean, some)}
	for _, q := range hist.Marks {
		row = append(row, cell(l.Quantile(q)))
	}
	return append(row, cell(l.Max, some))
}

func figureRows(series []Series) (rows [][]string) {
	for _, s := range series {
		for _, f := range s.Figures {
			rows = append(rows, []string{s.Name, f.Name, figure(f.Value), f.Unit})
		}
	}
	return rows
}

// writeTable pads columns to their widest cell, to the left (l) or right (r), two spaces apart.
func writeTable(b *strings.Builder, rows [][]string, align string) {
	widths := make([]int, len(align))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				line.WriteString("  ")
			}
			if align[i] == 'r' {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// short writes a duration with three significant digits and one unit.
func short(d time.Duration) string {
	unit, name := time.Microsecond, "µs"
	switch {
	case d >= 999_500*time.Microsecond: // what would round to 1000 ms
		unit, name = time.Second, "s"
	case d >= 999_500*time.Nanosecond:
		unit, name = time.Millisecond, "ms"
	}
	return significant(float64(d)/float64(unit)) + " " + name
}

// significant writes three digits, without trailing zeros behind the point.
func significant(v float64) string {
	decimals := 2
	switch {
	case v >= 99.95:
		decimals = 0
	case v >= 9.995:
		decimals = 1
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if decimals > 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// figure writes a measured value with three significant digits, or all digits before the point if there are more.
func figure(v float64) string {
	switch {
	case math.Abs(v) >= 999.5:
		return thousands(int64(math.Round(v)))
	case math.Abs(v) < 1:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case v < 0:
		return "-" + significant(-v)
	}
	return significant(v)
}

// thousands groups the digits of a count.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// percent names a quantile: 0.999 with "p" is p99.9. Ten digits are enough for every quantile that is ever shown.
func percent(q float64, prefix string) string {
	return prefix + strconv.FormatFloat(q*100, 'g', 10, 64)
}
