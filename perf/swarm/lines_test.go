package swarm

import (
	"testing"

	"holdfast/engine/epoll"
	"holdfast/perf/hist"
)

// listener is a worker that only listens: pushes 0 to 9 of the run were sent to its one client.
func listener(t testing.TB) *worker {
	k, err := epoll.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Free)
	return &worker{
		shared: &shared{cfg: Config{Loops: 1}, counts: new(Counts)}, kernel: k, partial: make(map[uint32][]byte),
		targets: []uint32{0}, fates: make([]fate, 10), next: 10, plan: hist.Every(0, 1, 1), deliveries: hist.New(0),
	}
}

func stream(numbers ...uint64) string {
	b := []byte(": hello\n\nevent: push-key\ndata: load-0\n\n")
	for _, n := range numbers {
		b = append(appendStamp(append(b, "id: 7\ndata: "...), n), "....\n\n"...)
	}
	return string(b)
}

// FuzzLines cuts a stream into two pieces anywhere: what is counted does not depend on where, and nothing is kept of
// lines that have ended.
func FuzzLines(f *testing.F) {
	f.Add(stream(1, 2, 3), 50)
	f.Add(stream(9, 9, 10), 91)
	f.Add("data: hf:00000000000000", 3)
	f.Add("\n\n\ndata: hf:0000000000000001\r\n\x00", 1)
	f.Fuzz(func(t *testing.T, s string, cut int) {
		cut = max(0, min(cut, len(s)))
		whole, parted := listener(t), listener(t)
		whole.lines(1, &client{}, []byte(s))
		piece := []byte(s[:cut])
		parted.lines(1, &client{}, piece)
		clear(piece) // the loop's buffer holds something else by the next read
		parted.lines(1, &client{}, []byte(s[cut:]))
		if a, b := whole.counts.Received.Load(), parted.counts.Received.Load(); a != b {
			t.Errorf("received %d, cut at %d %d", a, cut, b)
		}
		if a, b := whole.counts.Duplicates.Load(), parted.counts.Duplicates.Load(); a != b {
			t.Errorf("duplicates %d, cut at %d %d", a, cut, b)
		}
		if a, b := string(whole.partial[1]), string(parted.partial[1]); a != b {
			t.Errorf("kept %q, cut at %d %q", a, cut, b)
		}
	})
}

func TestLinesCutAtEveryByte(t *testing.T) {
	s := stream(0, 1, 2, 2, 11)
	for cut := range len(s) {
		w := listener(t)
		for _, piece := range []string{s[:cut], s[cut:]} {
			w.lines(1, &client{}, []byte(piece))
		}
		if w.counts.Received.Load() != 3 || w.counts.Duplicates.Load() != 2 || len(w.partial) != 0 {
			t.Fatalf("cut at %d: received %d, duplicates %d, %d kept", cut, w.counts.Received.Load(), w.counts.Duplicates.Load(), len(w.partial))
		}
	}
}
