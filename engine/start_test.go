package engine

import (
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"holdfast/engine/route"
	"holdfast/registry"
)

// openFiles is how many descriptors this process has.
func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// A start that fails half-way leaves nothing open: what it had listened on can be had by another at once.
func TestFailedStartLeavesNothingOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first := free.Addr().String()
	free.Close()
	f := func(want string, addresses ...string) {
		t.Helper()
		snapshot := BuiltIn(BuiltInConfig{})
		snapshot.Listeners = nil
		for _, a := range addresses {
			snapshot.Listeners = append(snapshot.Listeners, route.Listener{Name: "test", Address: a})
		}
		before := openFiles(t)
		if e, err := Start(Config{Loops: 3, Snapshot: snapshot}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: started %v, %v; want %q", addresses, e != nil, err, want)
		}
		if after := openFiles(t); after > before { // fewer: a connection of an earlier test is gone
			t.Errorf("%.80q: %d descriptors before, %d after", addresses, before, after)
		}
		again, err := net.Listen("tcp", first)
		if err != nil {
			t.Fatalf("%.80q: %v", addresses, err)
		}
		again.Close()
	}
	f("another process listens there", first, taken.Addr().String())
	f("is not IP:PORT", first, "nowhere")
	many := []string{first} // one listener more than a loop takes
	for range 256 {
		many = append(many, "127.0.0.1:0")
	}
	f("cannot be watched", many...)
}

// A handle tells 256 loops apart, and so does a letter: with more, answers would go to the wrong loop.
func TestStartRefusesMoreLoopsThanHandlesTell(t *testing.T) {
	before := openFiles(t)
	_, err := Start(Config{Loops: registry.MaxLoops + 1})
	if err == nil || !strings.Contains(err.Error(), "257 loops are more than the 256") {
		t.Errorf("got %v", err)
	}
	if after := openFiles(t); after > before { // fewer: a connection of an earlier test is gone
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// The largest number allowed works: pushes from loops of the system's choice reach a hold on another, and their verdicts
// find the way back.
func TestStartTakesAsManyLoopsAsHandlesTell(t *testing.T) {
	public, publish := start(t, Config{Loops: registry.MaxLoops})
	req, err := http.NewRequestWithContext(t.Context(), "GET", public+"/sub/alice", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for range 32 {
		if status, verdict := post(t, publish+"/push/alice", "x"); status != 200 {
			t.Fatal(status, verdict)
		}
		http.DefaultClient.CloseIdleConnections() // the next one is of another loop
	}
}
