package compare

import (
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"unicode/utf8"
)

// result completes what was measured with where and how.
func (r *run) result(loadBefore string) *Result {
	where := fmt.Sprintf("servers on CPU %d, clients on CPU %d", r.cpus.server, r.cpus.client)
	setting := []string{
		fmt.Sprintf("%d subscribers each, messages of %d bytes, %d rounds in turn", r.Conns, r.Size, r.Rounds),
		fmt.Sprintf("%d fan-outs a round; %d publishers for %v a round; group of %d beside %d keys at %d pushes/s",
			r.Pushes, r.Publishers, r.Turn, r.Group, r.holders(), r.Rate),
		where,
		fmt.Sprintf("load average %s before, %s after", loadBefore, loadAverage()),
	}
	for _, s := range r.named(nchanName) {
		setting = append(setting, version(s.cmd.Path)+", one process, nothing stored")
	}
	return &Result{Machine: machine(), Setting: setting, Figures: r.figures, Ratios: ratios(r.figures), Notes: r.notes}
}

// version is the first line of what nginx -v says.
func version(program string) string {
	out, err := exec.Command(program, "-v").CombinedOutput()
	if err != nil {
		return program
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimPrefix(line, "nginx version: ")
}

// WriteText writes the result for people, as two tables.
func (r *Result) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, line := range append([]string{r.Machine}, r.Setting...) {
		fmt.Fprintln(&b, line)
	}
	rows := [][]string{{"figure", "of", "min", "median", "max", ""}}
	for _, f := range r.Figures {
		rows = append(rows, row(f.Name, f.Server, f.Rounds, f.Unit))
	}
	writeTable(&b, rows)
	rows = [][]string{{"ratio, round by round", "of", "min", "median", "max", ""}}
	for _, q := range r.Ratios {
		rows = append(rows, row(q.Name, q.Of+" / "+q.To, q.Rounds, q.verdict()))
	}
	if len(r.Ratios) > 0 {
		writeTable(&b, rows)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\nNote: %s.\n", note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func row(name, of string, values []float64, last string) []string {
	least, middle, greatest := spread(values)
	return []string{name, of, digits(least), digits(middle), digits(greatest), last}
}

// verdict says whether the middle of a ratio keeps to its goal.
func (q *Ratio) verdict() string {
	if q.Goal == 0 {
		return ""
	}
	if _, middle, _ := spread(q.Rounds); middle > q.Goal {
		return fmt.Sprintf("over the goal of %g", q.Goal)
	}
	return fmt.Sprintf("within the goal of %g", q.Goal)
}

// writeTable writes an empty line and rows, figures to the right and words to the left.
func writeTable(b *strings.Builder, rows [][]string) {
	const words, figures = 2, 5 // columns before these are words, and figures
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	b.WriteByte('\n')
	for _, cells := range rows {
		var line strings.Builder
		for i, cell := range cells {
			if i >= words && i < figures {
				fmt.Fprintf(&line, "%*s  ", widths[i], cell)
			} else {
				fmt.Fprintf(&line, "%-*s  ", widths[i], cell)
			}
		}
		fmt.Fprintln(b, strings.TrimRight(line.String(), " "))
	}
}

// digits writes three significant digits, or all before the point if there are more.
func digits(v float64) string {
	decimals := 2
	switch {
	case v >= 99.95:
		decimals = 0
	case v >= 9.995:
		decimals = 1
	case v > 0 && v < 0.0995:
		decimals = 4
	case v > 0 && v < 0.9995:
		decimals = 3
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
