package swarm

import (
	"context"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// The receiver of a PING "MUST send a PING frame with the ACK flag set in response, with an identical frame payload"
// (RFC 9113 §6.7). Pings, SETTINGS and frames of unknown types between messages change nothing.
func TestControlFramesAreAnswered(t *testing.T) {
	want, pongs := [8]byte{'h', 'o', 'l', 'd'}, 0
	s := &scripted{asked: func(s *scripted, f *http2.MetaHeadersFrame) {
		s.answer(f.StreamID, false, ":status", "103")
		welcome(s, f)
		_ = s.framer.WritePing(false, want)
		_ = s.framer.WriteRawFrame(0xbe, 0, f.StreamID, []byte("grease"))
		_ = s.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
		_ = s.framer.WriteDataPadded(f.StreamID, false, []byte(": comment\n\n"), make([]byte, 200))
	}, heard: func(_ *scripted, f http2.Frame) {
		if p, ok := f.(*http2.PingFrame); ok && p.IsAck() && p.Data == want {
			pongs++
		}
	}}
	r := run(t, s.serve(t))
	if got := s.count(http2.FrameSettings); got != 6 { // its own, and five acknowledged
		t.Errorf("%d SETTINGS", got)
	}
	if r.Subscribed.Load() != 4 || r.Lost.Load() != 0 || len(r.Troubles) != 0 || pongs != 4 {
		t.Errorf("%d subscribed, %d lost, %v, %d pongs", r.Subscribed.Load(), r.Lost.Load(), r.Troubles, pongs)
	}
}

// What was read of a stream and of its connection may be sent again, padding included: RFC 9113 §6.9.1.
func TestWindowsAreReturned(t *testing.T) {
	const frames, size = 2000, 16_000 // 32 MB: twice the connection's window, 8 times each stream's
	conn, streams := int64(linkWindow), map[uint32]int64{}
	turn := make(chan struct{}, 1)
	s := &scripted{}
	s.heard = func(_ *scripted, f http2.Frame) {
		if w, ok := f.(*http2.WindowUpdateFrame); ok {
			if w.StreamID == 0 {
				conn += int64(w.Increment)
			} else {
				streams[w.StreamID] += int64(w.Increment)
			}
		}
	}
	s.begin = func(*scripted) { conn -= linkWindow - firstWindow } // its first update makes it whole
	s.asked = func(s *scripted, f *http2.MetaHeadersFrame) {
		welcome(s, f)
		if streams[f.StreamID] = streamWindow; len(streams) == 4 {
			turn <- struct{}{}
		}
	}
	sent := 0
	cfg := s.serve(t)
	cfg.Duration = 10 * time.Second
	cfg.Form = Raw
	done := make(chan *Result)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		r, _ := Run(ctx, cfg, nil)
		done <- r
	}()
	<-turn
	data := make([]byte, size)
	for deadline := time.Now().Add(8 * time.Second); sent < frames && time.Now().Before(deadline); {
		s.mu.Lock()
		id := uint32(1 + 2*(sent%4))
		if cost := int64(size + 101); conn >= cost && streams[id] >= cost {
			conn, streams[id] = conn-cost, streams[id]-cost
			_ = s.framer.WriteDataPadded(id, false, data, make([]byte, 100))
			sent++
		}
		s.mu.Unlock()
	}
	stop()
	if r := <-done; sent != frames || r == nil || r.Subscribed.Load() != 4 || len(r.Troubles) != 0 {
		t.Errorf("%d frames of %d fit the windows, %+v", sent, frames, r)
	}
}

// A push is cut to what the server will take: its window, its frames, and what SETTINGS take back.
func TestPushesKeepToTheWindows(t *testing.T) {
	const longest = 16_384 // of a frame, unless SETTINGS say otherwise
	const size = 1000 + 300 + 2*longest + 7000
	got, frames := 0, 0
	s := &scripted{settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1000}}}
	s.asked = func(s *scripted, f *http2.MetaHeadersFrame) {
		if f.StreamEnded() {
			welcome(s, f)
		}
	}
	s.heard = func(s *scripted, f http2.Frame) {
		d, ok := f.(*http2.DataFrame)
		if !ok {
			return
		}
		n := len(d.Data())
		got += n
		_ = s.framer.WriteWindowUpdate(0, uint32(n))
		switch frames++; {
		case d.StreamEnded():
			if got != size || frames != 5 {
				t.Errorf("a message of %d bytes in %d frames", got, frames)
			}
			got, frames = 0, 0
			_ = s.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
			s.answer(d.StreamID, true, ":status", "404")
		case frames == 1 && n == 1000:
			_ = s.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 500})
			_ = s.framer.WriteWindowUpdate(d.StreamID, 800) // its window is 300 now
		case frames == 2 && n == 300:
			_ = s.framer.WriteWindowUpdate(d.StreamID, 1<<20)
		case frames < 3 || n != longest:
			t.Errorf("frame %d has %d bytes", frames, n)
		}
	}
	cfg := s.serve(t)
	cfg.Size = size
	cfg.Loads = []Load{{Conns: 1, Publishers: 1, Rate: 20}}
	r := run(t, cfg)
	if b := r.Totals(); b.Sent != 4 || r.Loads[0].Status[404] != 4 || len(r.Troubles) != 0 {
		t.Errorf("%+v, %v, %v", b, r.Loads[0].Status, r.Troubles)
	}
}

// What a broken server says ends the stream or the connection that it says it on, under its own name.
func TestBrokenFrames(t *testing.T) {
	f := func(say func(s *scripted, f *http2.MetaHeadersFrame), lost, failed int64, want string) {
		t.Helper()
		s := &scripted{asked: say}
		cfg := s.serve(t)
		cfg.ConnectWait = 300 * time.Millisecond
		r := run(t, cfg)
		if r.Lost.Load() != lost || r.Failed.Load() != failed || !strings.Contains(trouble(r), want) {
			t.Errorf("lost %d, failed %d, want %d and %d; %q, want %q", r.Lost.Load(), r.Failed.Load(), lost, failed, trouble(r), want)
		}
	}
	only := func(id uint32, say func(s *scripted)) func(*scripted, *http2.MetaHeadersFrame) {
		return func(s *scripted, f *http2.MetaHeadersFrame) {
			if f.StreamID == id {
				say(s)
			} else {
				welcome(s, f)
			}
		}
	}
	f(only(3, func(s *scripted) { _ = s.framer.WriteRSTStream(3, http2.ErrCodeRefusedStream) }), 0, 1, "a stream was reset: REFUSED_STREAM")
	f(only(3, func(s *scripted) { _ = s.framer.WriteData(3, false, []byte("x")) }), 0, 1, "data before an answer")
	f(only(3, func(s *scripted) { s.answer(3, true, ":status", "100") }), 0, 1, "the end of a stream before its answer")
	f(only(3, func(s *scripted) { s.answer(3, false, ":status", "9") }), 0, 1, "protocol: ")
	f(only(3, func(s *scripted) { s.answer(3, false, ":status", "200"); s.answer(3, false, "x", "y") }), 1, 0, "trailers before the end")
	f(only(3, func(s *scripted) { s.answer(3, false, ":status", "200"); s.answer(3, true, "x", "y") }), 1, 0, "a stream was ended by the server")
	f(only(3, func(*scripted) {}), 0, 1, "left without answer before it was subscribed")
	f(only(7, func(s *scripted) { _ = s.framer.WriteGoAway(3, http2.ErrCodeEnhanceYourCalm, nil) }), 1, 1, "goaway: ENHANCE_YOUR_CALM")
	f(only(7, func(s *scripted) { _ = s.framer.WriteRawFrame(http2.FramePushPromise, 0, 1, make([]byte, 8)) }), 3, 1, "protocol: ")
	f(only(7, func(s *scripted) { _ = s.framer.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, make([]byte, 4)) }), 3, 1, "protocol: ")
	f(only(7, func(s *scripted) { s.conn.Close() }), 3, 1, "closed by the server")
}
