package top

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/metrics"
)

// script is a node that gives its readings in order, and then ends the watch.
func script(t *testing.T, w *Watch, readings ...any) (string, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out strings.Builder
	w.Title, w.Out, w.Every = "node", &out, time.Millisecond
	w.Read = func(context.Context) (metrics.Samples, error) {
		if len(readings) == 0 {
			cancel()
			return nil, ctx.Err()
		}
		next := readings[0]
		readings = readings[1:]
		if err, ok := next.(error); ok {
			return nil, err
		}
		return metrics.Read(next.(string))
	}
	err := w.Run(ctx)
	return out.String(), err
}

const (
	calm = metrics.Accepted + " 0\n"
	busy = metrics.Accepted + " 1000000\n"
)

func TestWatchShowsRatesFromTheSecondReading(t *testing.T) {
	text, err := script(t, &Watch{}, calm, busy, busy)
	if err != nil {
		t.Fatal(err)
	}
	views := strings.Split(text, "node   ")[1:]
	if len(views) != 3 {
		t.Fatalf("%d views of 3 readings in:\n%s", len(views), text)
	}
	for i, moving := range []bool{false, true, false} {
		if still := strings.Contains(views[i], "opened 0/s"); still == moving {
			t.Errorf("view %d:\n%s", i, views[i])
		}
	}
}

func TestWatchSurvivesANodeThatIsAway(t *testing.T) {
	text, err := script(t, &Watch{}, calm, errors.New("connection refused"), busy)
	if err != nil {
		t.Fatal(err)
	}
	away := strings.Index(text, "connection refused")
	if away < 0 {
		t.Fatalf("the failure is not shown:\n%s", text)
	}
	if !strings.Contains(text[away:], "opened 0/s") {
		t.Errorf("rates across the gap in:\n%s", text)
	}
}

func TestWatchOfSomeFrames(t *testing.T) {
	text, err := script(t, &Watch{Frames: 2}, calm, busy, busy, busy)
	if n := strings.Count(text, "Connections"); err != nil || n != 2 {
		t.Errorf("%d frames, %v", n, err)
	}
	gone := errors.New("connection refused")
	if _, err := script(t, &Watch{Frames: 2}, calm, gone); !errors.Is(err, gone) {
		t.Errorf("a counted watch of a node that is away ended with %v", err)
	}
}

func TestWatchRedrawsInPlace(t *testing.T) {
	text, err := script(t, &Watch{Redraw: true}, calm)
	if err != nil || !strings.HasPrefix(text, cursorHome) || !strings.HasSuffix(text, eraseBelow) {
		t.Fatalf("%q, %v", text, err)
	}
	for l := range strings.Lines(strings.TrimSuffix(text, eraseBelow)) {
		if !strings.HasSuffix(l, eraseLine+"\n") {
			t.Errorf("what stood behind %q before is left", l)
		}
	}
	plain, err := script(t, &Watch{}, calm)
	if err != nil || strings.Contains(plain, "\x1b") {
		t.Errorf("escapes in what is no terminal: %q, %v", plain, err)
	}
}
