package compare

import (
	"encoding/json"
	"io"
	"slices"

	"holdfast/perf/hist"
)

// Result is what a run found.
type Result struct {
	Machine string   `json:"machine"` // processors, kernel, Go
	Setting []string `json:"setting"` // sizes, places, the load of the machine
	Figures []Figure `json:"figures"` // in the order of the experiments
	Ratios  []Ratio  `json:"ratios"`
	Notes   []string `json:"notes,omitempty"` // what a reader must know
}

// Figure is one measured thing of one server, a value per round.
type Figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Server string    `json:"server"`
	Rounds []float64 `json:"rounds"`
}

// Ratio is the same figure of two servers, divided round by round: what disturbed a round disturbed both.
type Ratio struct {
	Name   string    `json:"name"`
	Of     string    `json:"of"`
	To     string    `json:"to"`
	Goal   float64   `json:"goal,omitempty"` // at most, by the budgets; 0: there is none
	Rounds []float64 `json:"rounds"`
}

// kind is a figure's name and unit.
type kind struct{ name, unit string }

// Figures of the experiments.
var (
	fanoutCPU      = kind{"fan-out: CPU per delivery", "µs"}
	fanoutWall     = kind{"fan-out: push to answer", "ms"}
	oneKeyCPU      = kind{"one key: CPU per push", "µs"}
	oneKeyRate     = kind{"one key: pushes", "1/s"}
	oneKeyP50      = kind{"one key: p50, server full", "ms"}
	oneKeyP99      = kind{"one key: p99, server full", "ms"}
	arrivalCPU     = kind{"arrivals: CPU per connection", "µs"}
	arrivalsPerCPU = kind{"arrivals: connections per CPU second", "1/s"}
	arrivalRate    = kind{"arrivals: connections per second", "1/s"}
	aloneP50       = kind{"one key, on schedule, alone: p50", "ms"}
	aloneP99       = kind{"one key, on schedule, alone: p99", "ms"}
	besideP50      = kind{"one key beside fan-outs: p50", "ms"}
	besideP99      = kind{"one key beside fan-outs: p99", "ms"}
	besideP999     = kind{"one key beside fan-outs: p99.9", "ms"}
	besideWall     = kind{"fan-out beside one-key pushes: each", "ms"}
	besideWaited   = kind{"meanwhile, the server waited for its CPU", "%"}
)

// compared lists the ratios that are shown, and what the budgets want of them.
var compared = []struct {
	kind   kind
	of, to string
	goal   float64
}{
	{fanoutCPU, holdfastName, bareName, 1.05},
	{fanoutCPU, holdfastName, nchanName, 0},
	{fanoutCPU, nchanName, bareName, 0},
	{fanoutWall, holdfastName, bareName, 0},
	{fanoutWall, holdfastName, nchanName, 0},
	{oneKeyCPU, holdfastName, nchanName, 0.7},
	{oneKeyRate, holdfastName, nchanName, 0},
	{arrivalCPU, holdfastName, nchanName, 0},
}

// add notes the value of one round.
func (r *run) add(s *server, k kind, value float64) {
	if f := find(r.figures, k, s.name); f != nil {
		f.Rounds = append(f.Rounds, value)
		return
	}
	r.figures = append(r.figures, Figure{Name: k.name, Unit: k.unit, Server: s.name, Rounds: []float64{value}})
}

// addQuantile notes a latency in ms, if there are enough of them to tell.
func (r *run) addQuantile(s *server, k kind, sum hist.Summary, q float64) {
	if d, ok := sum.Quantile(q); ok {
		r.add(s, k, d.Seconds()*1e3)
	}
}

func find(figures []Figure, k kind, server string) *Figure {
	i := slices.IndexFunc(figures, func(f Figure) bool { return f.Name == k.name && f.Server == server })
	if i < 0 {
		return nil
	}
	return &figures[i]
}

// ratios divides what can be divided.
func ratios(figures []Figure) (all []Ratio) {
	for _, c := range compared {
		a, b := find(figures, c.kind, c.of), find(figures, c.kind, c.to)
		if a == nil || b == nil {
			continue
		}
		ratio := Ratio{Name: c.kind.name, Of: c.of, To: c.to, Goal: c.goal}
		for i := range min(len(a.Rounds), len(b.Rounds)) {
			ratio.Rounds = append(ratio.Rounds, a.Rounds[i]/b.Rounds[i])
		}
		all = append(all, ratio)
	}
	return all
}

// spread is the least, the middle and the greatest of some values.
func spread(values []float64) (least, middle, greatest float64) {
	if len(values) == 0 {
		return 0, 0, 0
	}
	s := slices.Sorted(slices.Values(values))
	middle = (s[(len(s)-1)/2] + s[len(s)/2]) / 2
	return s[0], middle, s[len(s)-1]
}

// WriteJSON writes the result for machines.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(r)
}
