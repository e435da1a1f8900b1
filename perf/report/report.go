// Package report shows what a load run measured: a text table to read, JSON to keep and compare, and a self-contained
// SVG to look at. It takes finished summaries as plain data, writes the same bytes for the same data, and must never
// measure anything itself nor show a figure that the number of samples does not support.
//
// Read report.go (what is shown), text.go, then svg.go with axis.go and canvas.go.
package report

import (
	"encoding/json"
	"io"

	"holdfast/perf/hist"
)

// Report is one run, or several to be compared side by side.
type Report struct {
	Title  string   `json:"title"`
	Facts  []Fact   `json:"facts,omitempty"` // the circumstances: machine, command, sizes
	Series []Series `json:"series"`
}

// Fact is a named circumstance of the run.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Series is one measured thing: its latencies and what else was measured with them.
type Series struct {
	Name    string       `json:"name"`
	Latency hist.Summary `json:"latency"`
	Figures []Figure     `json:"figures,omitempty"`
}

// Figure is a single measured value, such as CPU per push or memory per connection.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// WriteJSON writes the report for machines, with every duration in nanoseconds.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// ReadJSON reads what WriteJSON wrote, to compare runs.
func ReadJSON(rd io.Reader) (*Report, error) {
	r := new(Report)
	if err := json.NewDecoder(rd).Decode(r); err != nil {
		return nil, err
	}
	return r, nil
}
