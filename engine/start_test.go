package engine

import (
	"net/http"
	"os"
	"strings"
	"testing"

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

// A handle tells 256 loops apart, and so does a letter: with more, answers would go to the wrong loop.
func TestStartRefusesMoreLoopsThanHandlesTell(t *testing.T) {
	before := openFiles(t)
	_, err := Start(Config{Loops: registry.MaxLoops + 1})
	if err == nil || !strings.Contains(err.Error(), "257 loops are more than the 256") {
		t.Errorf("got %v", err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// The largest number allowed works: pushes from loops of the system's choice reach a hold on another, and their verdicts
// find the way back.
func TestStartTakesAsManyLoopsAsHandlesTell(t *testing.T) {
	public, publish, _ := start(t, Config{Loops: registry.MaxLoops})
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
