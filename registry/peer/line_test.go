package peer

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// count is a question with nothing but a key.
func count(key string, within time.Duration) *Request {
	return &Request{Verb: Count, Key: []byte(key), Within: within}
}

// start asks and gives the answer when it comes.
func start(t *testing.T, m *Mesh, r *Request) chan answer {
	t.Helper()
	got := make(chan answer, 2)
	if err := m.Ask(2, r, func(r Report, err error) { got <- answer{r, err} }); err != nil {
		t.Fatal(err)
	}
	return got
}

// wantAnswer waits for an answer and for no second one.
func wantAnswer(t *testing.T, got chan answer, want answer) {
	t.Helper()
	select {
	case a := <-got:
		if a.report != want.report || !errors.Is(a.err, want.err) {
			t.Errorf("got %+v, %v; want %+v, %v", a.report, a.err, want.report, want.err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no answer")
	}
	select {
	case a := <-got:
		t.Errorf("a second answer: %+v", a)
	case <-time.After(20 * time.Millisecond):
	}
}

// Frames cut at any byte, and many in one piece, are read the same.
func TestFramesSplitAtEveryByte(t *testing.T) {
	m, r, _ := dialled(t, nil)
	got := start(t, m, count("k", 10*time.Second))
	id, _, _ := r.request()
	frames := appendReport(nil, 1<<50, &Report{Delivered: 9}) // nobody's
	frames = append(frames, frameOf(skippable|9, []byte("of a later release"))...)
	frames = appendReport(frames, id, &Report{Held: 3})
	for i := range frames {
		r.write(frames[i : i+1])
		time.Sleep(100 * time.Microsecond)
	}
	wantAnswer(t, got, answer{report: Report{Held: 3}})
	for cut := range frames {
		got := start(t, m, count("k", 10*time.Second))
		id, _, _ := r.request()
		frames := appendReport(nil, 1<<50, &Report{Delivered: 9})
		frames = append(frames, frameOf(skippable|9, []byte("of a later release"))...)
		frames = appendReport(frames, id, &Report{Held: 3})
		r.write(frames[:cut])
		time.Sleep(100 * time.Microsecond)
		r.write(frames[cut:])
		select {
		case a := <-got:
			if a.report.Held != 3 {
				t.Fatalf("cut at %d: %+v, %v", cut, a.report, a.err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("cut at %d: no answer", cut)
		}
	}
}

func TestReportsForNobodyAreIgnored(t *testing.T) {
	m, r, _ := dialled(t, nil)
	first := start(t, m, count("a", 10*time.Second))
	id, _, _ := r.request()
	for _, wrong := range []uint64{id + 1, id + 1<<32, id &^ (1<<32 - 1), 1 << 31, 1<<64 - 1} {
		r.write(appendReport(nil, wrong, &Report{Delivered: 7}))
	}
	twice := appendReport(nil, id, &Report{Held: 1})
	r.write(append(twice, twice...))
	wantAnswer(t, first, answer{report: Report{Held: 1}})
	second := start(t, m, count("b", 10*time.Second)) // in the same slot
	id2, _, _ := r.request()
	if id2 == id {
		t.Fatal("an id is used again")
	}
	r.write(append(bytes.Clone(twice), appendReport(nil, id2, &Report{Held: 2})...))
	wantAnswer(t, second, answer{report: Report{Held: 2}})
}

// A link that makes no sense ends, with a reason that is counted, and is made anew.
func TestNonsenseEndsTheLink(t *testing.T) {
	f := func(fault Fault, frame []byte) {
		t.Helper()
		m, r, ln := dialled(t, nil)
		got := start(t, m, count("k", 10*time.Second))
		r.request()
		r.write(frame)
		wantAnswer(t, got, answer{err: ErrUnknown})
		r.ended()
		rawAccept(t, ln)
		waitState(t, m, 2, Up)
		if n := faultsOf(m, fault); n != 1 {
			t.Errorf("%v was counted %d times", fault, n)
		}
	}
	f(UnknownFrame, frameOf(9, nil))
	f(UnknownFrame, frameOf(frameProof, nil))
	f(UnknownFrame, appendRequest(nil, 1, count("k", time.Second))) // on the wrong connection
	f(BadFrame, []byte{0, 0, 0, 0, 1})
	f(BadFrame, []byte{0xff, 0xff, 0xff, 0xff, 1})
	f(BadField, frameOf(frameReport, []byte{0xff}))
	f(BadField, frameOf(frameStatus, []byte{0xff}))
	f(BadField, frameOf(framePing, []byte{0xff}))
	f(BadField, frameOf(framePong, []byte{0xff}))
}

// The same for what a guest says.
func TestNonsenseEndsAGuest(t *testing.T) {
	f := func(fault Fault, frame []byte) {
		t.Helper()
		m, n := open(t, 1, nil)
		r := rawDial(t, m, 2)
		r.write(frame)
		r.ended()
		wait(t, func() string {
			if faultsOf(m, fault) == 1 {
				return ""
			}
			return "it was not counted as " + fault.String()
		})
		if seen := n.saw(); len(seen) > 0 {
			t.Errorf("%q was served", seen)
		}
	}
	f(UnknownFrame, frameOf(9, nil))
	f(UnknownFrame, appendReport(nil, 1, &Report{}))
	f(BadField, frameOf(frameRequest, []byte{0xff}))
	f(BadField, frameOf(frameRequest, nil))
	f(BadFrame, []byte{0, 0, 0, 0, 1})
}

// A link that is cut in the middle of a frame leaves its requests unknown: they were sent.
func TestCutMidFrame(t *testing.T) {
	m, r, ln := dialled(t, nil)
	got := start(t, m, count("k", 10*time.Second))
	id, _, _ := r.request()
	frame := appendReport(nil, id, &Report{Held: 1})
	r.write(frame[:len(frame)-1])
	r.Close()
	wantAnswer(t, got, answer{err: ErrUnknown})
	rawAccept(t, ln)
	waitState(t, m, 2, Up)
	wait(t, func() string {
		if s := m.Stats()[0]; s.Reconnects != 1 || s.InFlight != 0 || s.Queued != 0 {
			return fmt.Sprintf("got %+v", s)
		}
		return ""
	})
}

// Within: who was asked and says nothing in time is given up, and what it says later is for nobody.
func TestWithin(t *testing.T) {
	m, r, _ := dialled(t, nil)
	began := time.Now()
	got := start(t, m, count("k", 100*time.Millisecond))
	id, req, _ := r.request()
	if req.Within != 100*time.Millisecond {
		t.Errorf("it was told %v", req.Within)
	}
	wantAnswer(t, got, answer{err: ErrUnknown})
	if took := time.Since(began); took < 100*time.Millisecond || took > time.Second {
		t.Errorf("given up after %v", took)
	}
	next := start(t, m, count("k", 10*time.Second))
	r.write(appendReport(nil, id, &Report{Held: 5}))
	id, _, _ = r.request()
	r.write(appendReport(nil, id, &Report{Held: 6}))
	wantAnswer(t, next, answer{report: Report{Held: 6}})
}

func TestFlightIsBounded(t *testing.T) {
	m, r, _ := dialled(t, func(c *Config) { c.MaxFlight = 3 })
	var got []chan answer
	for range 3 {
		got = append(got, start(t, m, count("k", 10*time.Second)))
	}
	never := func(Report, error) { t.Error("done was called after an error") }
	if err := m.Ask(2, count("k", time.Second), never); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	id, _, _ := r.request()
	r.write(appendReport(nil, id, &Report{}))
	wantAnswer(t, got[0], answer{})
	got[0] = start(t, m, count("k", 10*time.Second))
	m.Keep(nil)
	for _, g := range got {
		select {
		case a := <-g:
			if !errors.Is(a.err, ErrUnknown) && !errors.Is(a.err, ErrUnsent) {
				t.Errorf("got %v", a.err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("no answer")
		}
	}
}

func TestTooLargeForAFrame(t *testing.T) {
	m, r, _ := dialled(t, func(c *Config) { c.MaxFrame = 10_000 })
	never := func(Report, error) { t.Error("done was called after an error") }
	if err := m.Ask(2, push("k", strings.Repeat("x", 10_000)), never); !errors.Is(err, ErrLarge) {
		t.Errorf("got %v, want ErrLarge", err)
	}
	got := start(t, m, push("k", strings.Repeat("x", 9_000)))
	id, _, msg := r.request()
	if len(msg.data) != 9000 {
		t.Errorf("%d bytes came", len(msg.data))
	}
	r.write(appendReport(nil, id, &Report{Delivered: 1}))
	wantAnswer(t, got, answer{report: Report{Delivered: 1}})
}
