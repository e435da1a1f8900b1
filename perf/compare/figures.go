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

// Figures of a cluster.
var (
	firstAnswer50  = kind{"first push to a key: to verdict, p50", "ms"}
	firstAnswer99  = kind{"first push to a key: to verdict, p99", "ms"}
	pacedAnswer50  = kind{"on schedule: to verdict, p50", "ms"}
	pacedAnswer99  = kind{"on schedule: to verdict, p99", "ms"}
	pacedArrival50 = kind{"on schedule: to arrival, p50", "ms"}
	pacedArrival99 = kind{"on schedule: to arrival, p99", "ms"}
	addedAnswer50  = kind{"added by the way between nodes: to verdict, p50", "ms"}
	addedAnswer99  = kind{"added by the way between nodes: to verdict, p99", "ms"}
	addedArrival50 = kind{"added by the way between nodes: to arrival, p50", "ms"}
	addedArrival99 = kind{"added by the way between nodes: to arrival, p99", "ms"}
	flatCPU        = kind{"flat out: CPU per push, all nodes", "µs"}
	flatEntry      = kind{"flat out: CPU per push, node that is pushed through", "µs"}
	flatOwner      = kind{"flat out: CPU per push, node that holds the key", "µs"}
	flatStore      = kind{"flat out: CPU per push, Redis", "µs"}
	flatRate       = kind{"flat out: pushes, all nodes on one CPU", "1/s"}
	flatPerCPU     = kind{"flat out: pushes per CPU second of nodes", "1/s"}
	flatP50        = kind{"flat out: p50, servers full", "ms"}
	flatP99        = kind{"flat out: p99, servers full", "ms"}
	claimArrival   = kind{"claims of a node: CPU per connection", "µs"}
	claimNode      = kind{"claims of a node: CPU per claim, node", "µs"}
	claimStore     = kind{"claims of a node: CPU per claim, Redis", "µs"}
	claimRate      = kind{"claims of a node: keys held and claimed", "1/s"}
	claimPending   = kind{"claims of a node: heads sent before the claim", "%"}
	storeRate      = kind{"claims without a node: acknowledged", "1/s"}
	storeClient    = kind{"claims without a node: CPU per claim, client", "µs"}
	storeServer    = kind{"claims without a node: CPU per claim, Redis", "µs"}
	storeBytes     = kind{"memory of Redis per key", "bytes"}
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
	{pacedAnswer50, localWay, aloneWay, 0},
	{pacedAnswer50, remoteWay, localWay, 0},
	{pacedArrival50, remoteWay, localWay, 0},
	{flatCPU, localWay, aloneWay, 0},
	{flatCPU, remoteWay, localWay, 0},
	{flatCPU, randomWay, localWay, 0},
	{claimArrival, localWay, aloneWay, 0},
	{pageCPU, holdfastName, nginxName, 0},
	{pageRate, holdfastName, nginxName, 0},
}

// add notes the value of one round.
func (r *run) add(s *server, k kind, value float64) { r.put(s.name, k, value) }

// put is add for what is no single server's.
func (r *run) put(of string, k kind, value float64) {
	if f := find(r.figures, k, of); f != nil {
		f.Rounds = append(f.Rounds, value)
		return
	}
	r.figures = append(r.figures, Figure{Name: k.name, Unit: k.unit, Server: of, Rounds: []float64{value}})
}

// addQuantile notes a latency in ms, if there are enough of them to tell.
func (r *run) addQuantile(s *server, k kind, sum hist.Summary, q float64) {
	r.putQuantile(s.name, k, sum, q)
}

func (r *run) putQuantile(of string, k kind, sum hist.Summary, q float64) {
	if d, ok := sum.Quantile(q); ok {
		r.put(of, k, d.Seconds()*1e3)
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
