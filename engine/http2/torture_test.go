package http2

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	xh2 "golang.org/x/net/http2"

	"holdfast/engine/simkernel"
)

const (
	tortureSeeds   = 100
	tortureClients = 3
	tortureStreams = 12
)

// TestTorture lets clients open all kinds of streams, with windows that open and close at random, in any weather, while
// messages come and clients reset and go. What each stream is sent is held against what it asked, and every DATA frame
// against the windows as the client knows them.
func TestTorture(t *testing.T) {
	for seed := range simkernel.Seeds(tortureSeeds, testing.Short()) {
		torture(t, seed)
		if t.Failed() {
			t.Fatalf("replay with SEED=%d", seed)
		}
	}
}

// tortured is one client: what it asked and got, and the windows that it has opened.
type tortured struct {
	*client
	name    string
	rng     *rand.Rand
	nextID  uint32
	window  int64
	initial []int64 // that SETTINGS have said, the first acknowledged
	streams map[uint32]*tale
	gone    bool
}

// tale is one stream as its client knows it.
type tale struct {
	window int64
	kind   string
	body   string // not sent yet
	sent   string
	got    string
	status string
	ended  bool
	reset  bool // by the client
	cut    bool // by the server
}

func torture(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	o := simkernel.Options{}
	if seed%3 == 0 {
		o = simkernel.Rough()
	}
	r := newRig(t, seed, o, Config{Window: minWindow, OutputBytes: 1 << (8 + seed%8), Resets: 1000})
	clients := make([]*tortured, tortureClients)
	for i := range clients {
		initial := int64(rng.IntN(300))
		clients[i] = &tortured{
			client: r.hello(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: uint32(initial)}), name: fmt.Sprint("c", i),
			rng: rng, nextID: 1, window: firstWindow, initial: []int64{initial}, streams: map[uint32]*tale{},
		}
	}
	for step := range 300 {
		c := clients[rng.IntN(len(clients))]
		c.move(step)
		switch rng.IntN(8) {
		case 0:
			r.l.Post(r.script.answer)
		case 1:
			r.l.Post(r.script.resume)
		case 2:
			r.push(message(fmt.Sprint("message ", step)))
		case 3:
			r.settle()
		case 4:
			r.k.Advance(time.Millisecond)
		default:
			r.l.Tick()
		}
		for _, c := range clients {
			c.read()
		}
	}
	for range 60 {
		for _, c := range clients {
			c.wrapUp()
		}
		r.do(r.script.answer)
		r.do(r.script.resume)
		r.push(message("last"))
		for _, c := range clients {
			c.read()
		}
	}
	for _, c := range clients {
		c.judge()
		c.p.Reset()
	}
	r.settle()
	r.empty()
}

// move lets a client do something.
func (c *tortured) move(step int) {
	if c.gone {
		return
	}
	switch n := c.rng.IntN(100); {
	case n == 0 && step > 200:
		c.gone = true
		c.p.Reset()
		return
	case n < 4:
		c.p.Stall()
	case n < 14:
		c.p.Resume()
	case n < 30:
		c.ask()
	case n < 34: // SETTINGS take effect, for the client, when they are acknowledged
		initial := int64(c.rng.IntN(2000))
		c.initial = append(c.initial, initial)
		c.w.WriteSettings(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: uint32(initial)})
	case n < 40:
		more := uint32(1 + c.rng.IntN(5000))
		c.window += int64(more)
		c.w.WriteWindowUpdate(0, more)
	default:
		c.stir()
	}
	c.p.Write(c.out.Bytes())
	c.out.Reset()
}

// ask opens a stream.
func (c *tortured) ask() {
	if len(c.streams) == tortureStreams {
		return
	}
	kinds := []string{"/ok", "/x", "/x", "/now", "/stop", "/slow", "/later", "/hold/sse", "/hold/raw", "/hold/poll", "/big/5000", "/stream"}
	s := &tale{kind: kinds[c.rng.IntN(len(kinds))], window: c.initial[0]}
	id := c.nextID
	c.nextID += 2 * uint32(1+c.rng.IntN(3))
	c.streams[id] = s
	method := "GET"
	switch s.kind {
	case "/x", "/now", "/stop", "/slow", "/stream":
		method = "POST"
		s.sent = strings.Repeat("b", 1+c.rng.IntN(1+c.rng.IntN(3000)))
		s.body = s.sent
	}
	c.headers(id, s.body == "", method, s.kind+fmt.Sprintf("?%s.%d", c.name, id), fmt.Sprintf("priority: u=%d", c.rng.IntN(8)))
}

// stir does something to one of the client's streams.
func (c *tortured) stir() {
	for id, s := range c.streams {
		switch n := c.rng.IntN(10); {
		case n < 5 && s.body != "" && !s.reset:
			piece := s.body[:1+c.rng.IntN(len(s.body))]
			s.body = s.body[len(piece):]
			c.w.WriteDataPadded(id, s.body == "", []byte(piece), make([]byte, c.rng.IntN(9)))
		case n < 9 && !s.ended && !s.reset:
			more := uint32(1 + c.rng.IntN(1000))
			s.window += int64(more)
			c.w.WriteWindowUpdate(id, more)
		case n == 9 && c.rng.IntN(4) == 0 && !s.reset && !s.ended:
			s.reset = true
			c.w.WriteRSTStream(id, xh2.ErrCodeCancel)
		}
		return
	}
}

// read takes what came, and holds it against the windows.
func (c *tortured) read() {
	c.frames(func(f xh2.Frame) {
		s := c.streams[f.Header().StreamID]
		switch f := f.(type) {
		case *xh2.SettingsFrame:
			if f.IsAck() && len(c.initial) > 1 {
				for _, s := range c.streams {
					s.window += c.initial[1] - c.initial[0]
				}
				c.initial = c.initial[1:]
			}
		case *xh2.GoAwayFrame:
			c.Errorf("%s: %s", c.name, c.words(f))
		case *xh2.DataFrame:
			n := int64(f.Length)
			c.window -= n
			s.window -= n
			if n > 0 && (c.window < 0 || s.window < 0) || n > maxPiece {
				c.Errorf("%s: %s of %d bytes leaves windows of %d and %d", c.name, s.kind, n, c.window, s.window)
			}
			if s.ended {
				c.Errorf("%s: %s: DATA after its end", c.name, s.kind)
			}
			s.got += string(f.Data())
			s.ended = f.StreamEnded()
		case *xh2.HeadersFrame:
			words := c.words(f)
			_, s.status, _ = strings.Cut(words, "status=")
			s.ended = f.StreamEnded()
		case *xh2.RSTStreamFrame:
			s.cut = !s.ended || f.ErrCode != xh2.ErrCodeNo
		}
	})
}

// wrapUp sends what is left and opens all windows.
func (c *tortured) wrapUp() {
	if c.gone {
		return
	}
	c.p.Resume()
	c.window += 1 << 16
	c.w.WriteWindowUpdate(0, 1<<16)
	for id, s := range c.streams {
		if s.reset || s.ended || s.cut {
			continue
		}
		if s.body != "" {
			c.w.WriteData(id, true, []byte(s.body))
			s.body = ""
		}
		s.window += 4096
		c.w.WriteWindowUpdate(id, 4096)
	}
	c.p.Write(c.out.Bytes())
	c.out.Reset()
}

// judge holds what each stream got against what it asked.
func (c *tortured) judge() {
	if c.gone {
		return
	}
	for id, s := range c.streams {
		query := fmt.Sprintf("%s.%d", c.name, id)
		want, whole := "", true
		messages := c.script.sent[query]
		switch s.kind {
		case "/ok", "/now", "/stop", "/later":
			want = s.kind[1:]
		case "/x", "/slow":
			want = fmt.Sprintf("POST %s?%s of a length -1: %s", s.kind, query, s.sent)
		case "/stream":
			want = s.sent
		case "/big/5000":
			want = strings.Repeat("x", 5000)
		case "/hold/sse":
			whole = false
			for _, m := range messages {
				want += "data: " + m + "\n\n"
			}
		case "/hold/raw":
			whole = false
			want = strings.Join(messages, "")
		case "/hold/poll":
			if len(messages) != 1 && !s.reset {
				c.Errorf("%s.%d: a poll was sent %d messages", c.name, id, len(messages))
				continue
			}
			want = strings.Join(messages, "")
		}
		switch {
		case s.reset || s.cut:
			if !strings.HasPrefix(want, s.got) {
				c.Errorf("%s%s: got %q, want a part of %q", c.name, s.kind, s.got, want)
			}
		case s.got != want || s.ended != whole:
			c.Errorf("%s.%d%s: ended %v, got %d bytes %.80q, want %d bytes %.80q", c.name, id, s.kind, s.ended, len(s.got), s.got, len(want), want)
		}
	}
}
