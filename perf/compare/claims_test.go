package compare

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Each key is claimed once, however many write, and nobody goes on after an error.
func TestClaimAll(t *testing.T) {
	for _, writers := range []int{1, 3, 4} {
		for _, n := range []int{1, claimBatch, 7*claimBatch + 3} {
			c := &noted{keys: map[int]int{}}
			if err := claimAll(t.Context(), c, writers, 1000, n); err != nil {
				t.Fatal(err)
			}
			if len(c.keys) != n {
				t.Errorf("%d writers claimed %d of %d keys", writers, len(c.keys), n)
			}
			for k, times := range c.keys {
				if times != 1 || k < 1000 || k >= 1000+n {
					t.Fatalf("%d writers claimed key %d %d times", writers, k, times)
				}
			}
		}
	}
	c := &noted{keys: map[int]int{}, err: errors.New("refused")}
	if err := claimAll(t.Context(), c, 2, 0, 10*claimBatch); err != c.err || len(c.keys) != 2*claimBatch {
		t.Errorf("%v after %d keys", err, len(c.keys))
	}
}

func TestOwnCPU(t *testing.T) {
	before := ownCPU()
	for begun := time.Now(); ownCPU()-before < 10*time.Millisecond; {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("this process works and has spent nothing")
		}
	}
}

func TestRandomWay(t *testing.T) {
	at := &held{by: map[string]net.Conn{}}
	pushes := map[string]int{}
	answer := func(c net.Conn, r *http.Request) {
		if r.Method == "GET" {
			at.answer(c, r)
			return
		}
		at.mu.Lock()
		defer at.mu.Unlock()
		pushes[c.LocalAddr().String()]++
		io.WriteString(at.by["/sub/"+r.URL.Path[len("/push/"):]], "data: ~\n\n")
		io.WriteString(c, accepted)
	}
	r := &clusterRun{run: &run{Config: Config{Conns: 5, Size: 20}}, others: map[*server]*holders{}}
	r.first, r.second = (&fake{answer: answer}).start(t), (&fake{answer: answer}).start(t)
	r.first.name, r.second.name = "first", "second"
	var err error
	if r.mine, err = joined(t.Context(), r.first, r.Conns, keysOf(r.first)); err != nil {
		t.Fatal(err)
	}
	defer r.disband()
	if r.others[r.second], err = startHolders(0, []string{self(t)[0], holdWord}, r.second, r.Conns); err != nil {
		t.Fatal(err)
	}
	w := r.random()
	lines, err := r.lines([]way{w}, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(lines)
	d := r.closedLoop(w, lines[0])
	for range 3 {
		if err := d.stretch(40, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	a, b := pushes[r.first.publish.String()], pushes[r.second.publish.String()]
	if d.answered != a+b || d.answered < 120 || min(a, b) < 10 {
		t.Errorf("%d pushes, %d through the first and %d through the second", d.answered, a, b)
	}
	if len(at.by) != 10 {
		t.Errorf("%d keys are held", len(at.by))
	}
}
