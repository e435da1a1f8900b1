package gateway

import (
	"encoding/json"
	"fmt"
)

// verdict is a verdict as JSON says it.
type verdict struct {
	Index     *int
	Status    int
	Error     string
	ID        string
	Delivered int
	Pending   int
	Stored    int
	Dropped   int
	Unknown   int
	Refused   int
	Closed    int
	Collapsed int
	Failed    int
	Reasons   map[string]int
	Node      string
}

// words are the numbers that are not 0.
func (v *verdict) words() (s string) {
	for _, n := range []struct {
		name string
		n    int
	}{
		{"delivered", v.Delivered},
		{"pending", v.Pending},
		{"dropped", v.Dropped},
		{"unknown", v.Unknown},
		{"refused", v.Refused},
		{"closed", v.Closed},
	} {
		if n.n != 0 {
			s += fmt.Sprintf(" %s %d", n.name, n.n)
		}
	}
	return s
}

func (c *call) verdict() string {
	if !c.over {
		return "none yet"
	}
	var v verdict
	if err := json.Unmarshal(c.answer.Body, &v); err != nil {
		return fmt.Sprintf("%d %v", c.answer.Status, err)
	}
	return fmt.Sprint(c.answer.Status) + v.words()
}

// verdicts are those of a stream, one for each line.
func (c *call) verdicts() (out []verdict) {
	c.loop.t.Helper()
	for _, line := range c.lines() {
		var v verdict
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			c.loop.t.Fatalf("verdict line %q: %v", line, err)
		}
		out = append(out, v)
	}
	return out
}
