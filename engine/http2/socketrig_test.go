package http2

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	xh2 "golang.org/x/net/http2"

	"holdfast/codec/ws"
	"holdfast/engine/record"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
	"holdfast/engine/websocket"
)

// socketRig is a rig whose streams can be WebSockets, which send their messages to the script.
func socketRig(t testing.TB, seed uint64, o simkernel.Options, cfg Config) *rig {
	t.Helper()
	cfg.Connect = true
	r := newRig(t, seed, o, cfg)
	all := websocket.New(r.l, r.script, websocket.Config{PongBytes: 1000})
	all.SetPolicies([]route.Socket{route.Policy{Socket: route.Socket{Inbound: route.Published, Deflate: true}}.Filled().Socket})
	r.s.Sockets(all)
	return r
}

// ear is a client that understands WebSockets.
type ear struct {
	*client
	data    map[uint32][]byte
	lines   map[uint32][]string // what else came
	windows map[uint32]int      // given back
	deflate bool
}

func (r *rig) listener(settings ...xh2.Setting) *ear {
	r.Helper()
	return &ear{client: r.hello(settings...), data: map[uint32][]byte{}, lines: map[uint32][]string{}, windows: map[uint32]int{}}
}

// opened is one with a WebSocket on stream 1, whose answer was heard.
func (r *rig) opened(path string, settings ...xh2.Setting) *ear {
	r.Helper()
	e := r.listener(settings...)
	e.asks(1, path)
	e.hears(1, "HEADERS status=200 push-key=k")
	return e
}

func (e *ear) asks(id uint32, path string, fields ...string) {
	e.Helper()
	e.headers(id, false, "CONNECT", path, append([]string{":protocol: websocket", "sec-websocket-version: 13"}, fields...)...)
	e.flush()
}

// says sends a stream's bytes in one DATA frame.
func (e *ear) says(id uint32, data string) {
	e.Helper()
	e.w.WriteData(id, false, []byte(data))
	e.flush()
}

// take sorts what has come.
func (e *ear) take() {
	e.Helper()
	e.frames(func(f xh2.Frame) {
		id := f.Header().StreamID
		switch f := f.(type) {
		case *xh2.DataFrame:
			if e.data[id] = append(e.data[id], f.Data()...); f.StreamEnded() {
				e.lines[id] = append(e.lines[id], "end")
			}
		case *xh2.WindowUpdateFrame:
			e.windows[id] += int(f.Increment)
		default:
			e.lines[id] = append(e.lines[id], strings.TrimPrefix(e.words(f), fmt.Sprint(id, " ")))
		}
	})
}

// hears fails unless exactly this came on a stream since the last time: WebSocket frames first, then HTTP/2's.
func (e *ear) hears(id uint32, want ...string) {
	e.Helper()
	e.take()
	parser := ws.NewParser(ws.Client, e.deflate)
	var got []string
	for b := e.data[id]; len(b) > 0; {
		ev, n, err := parser.Next(b, &ws.Limits{Overhead: 1 << 20})
		if err != nil || ev.Kind == ws.NeedMore {
			e.Fatalf("the server breaks off, or the protocol: %v at %.40q", err, b)
		}
		part := string(ev.Payload)
		b = b[n:]
		switch {
		case ev.Kind == ws.Ping:
			part = "ping " + part
		case ev.Kind == ws.Pong:
			part = "pong " + part
		case ev.Kind == ws.Close:
			part = fmt.Sprint("close ", ev.Code)
		case ev.Compressed:
			inflated, err := new(ws.Inflater).Append(nil, ev.Payload, 1<<20)
			if err != nil {
				e.Error(err)
			}
			part = "deflated " + string(inflated)
		}
		got = append(got, part)
	}
	got = append(got, e.lines[id]...)
	delete(e.data, id)
	delete(e.lines, id)
	if !slices.Equal(got, want) {
		e.Errorf("stream %d: got %.300q, want %.300q", id, got, want)
	}
}

// noted fails unless the handler was told exactly these messages since the last time.
func (r *rig) noted(want ...string) {
	r.Helper()
	if got := r.script.messages; !slices.Equal(got, want) {
		r.Errorf("noted %.200q, want %.200q", got, want)
	}
	r.script.messages = nil
}

// reasons fails unless exchanges have ended like this, all in all.
func (r *rig) reasons(want ...record.Reason) {
	r.Helper()
	if got := r.script.why; !slices.Equal(got, want) {
		r.Errorf("ended %v, want %v", got, want)
	}
}

// masked is a client's frame.
func masked(op ws.Opcode, flags ws.Flags, data string) string {
	return string(ws.AppendMasked(nil, op, flags, 0x12345678, []byte(data)))
}

func says(data string) string { return masked(ws.Text, ws.Fin, data) }

// closes is a client's close frame with code 1000.
func closes() string { return masked(ws.CloseFrame, ws.Fin, "\x03\xe8") }
