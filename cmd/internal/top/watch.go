package top

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"holdfast/cmd/internal/metrics"
)

// Watch is a live view: where readings come from, and where and how often they are shown.
type Watch struct {
	Title  string
	Read   func(context.Context) (metrics.Samples, error)
	Out    io.Writer
	Every  time.Duration
	Frames int  // views to show before it ends; 0 shows them until the context ends
	Redraw bool // a terminal: each view takes the place of the one before it
}

// Run shows views until the context or the frames end. A reading that fails is shown in place of a view, and tried
// again: a node that restarts comes back into sight.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	var before Reading
	for shown := 0; ; {
		samples, err := w.Read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		now := Reading{At: time.Now(), Samples: samples}
		switch {
		case err != nil:
			before = Reading{}
			if w.Frames > 0 {
				return err
			}
			w.show(now.At, err.Error()+"\n")
		case before.Samples == nil: // rates need a second reading
			before = now
			if w.Frames == 0 {
				w.show(now.At, View(now, now))
			}
		default:
			w.show(now.At, View(now, before))
			before = now
			shown++
		}
		if w.Frames > 0 && shown >= w.Frames {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// The escape sequences of every terminal since the VT100.
const (
	cursorHome = "\x1b[H"
	eraseLine  = "\x1b[K" // from the cursor on
	eraseBelow = "\x1b[J"
)

func (w *Watch) show(at time.Time, text string) {
	text = fmt.Sprintf("%s   %s\n\n%s", w.Title, at.Format(time.TimeOnly), text)
	if w.Redraw {
		text = cursorHome + strings.ReplaceAll(text, "\n", eraseLine+"\n") + eraseBelow
	} else {
		text += "\n"
	}
	_, _ = io.WriteString(w.Out, text) // a terminal that is gone ends us by its signal
}
