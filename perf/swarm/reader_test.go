package swarm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/codec/field"
	"holdfast/codec/multipart"
	"holdfast/codec/ndjson"
	"holdfast/codec/sse"
	"holdfast/codec/ws"
)

const testSize = 70 // of messages

// composed is a stream of messages as Holdfast's own appenders write it, heartbeats and goodbyes between them.
func composed(form Form, messages []string) (b []byte) {
	boundary := []byte("b-1")
	if form == Mixed || form == Replace {
		b = multipart.AppendOpen(b, boundary)
	}
	for n, m := range messages {
		switch form {
		case WebSocket:
			b = appendSocketMessage(b, n, m)
		case SSE:
			b = append(b, ":\n\n"...)
			b = sse.Append(b, []byte("7"), nil, []byte(m))
		case NDJSON:
			b, _ = ndjson.AppendMessage(append(b, '\n'), []byte("7"), nil, []byte("text/plain"), []byte(m))
		case Mixed, Replace:
			b = multipart.AppendHeartbeat(b, boundary)
			b = multipart.AppendPartHead(b, []byte("7"), nil, []byte("text/plain"), len(m))
			b = multipart.AppendPartTail(append(b, m...), boundary)
		case Raw, Poll:
			b = append(b, m...)
		}
	}
	return b
}

// appendSocketMessage sends a message whole, in fragments with a ping between them, or compressed, in turn.
func appendSocketMessage(b []byte, n int, m string) []byte {
	switch n % 3 {
	case 0:
		return ws.AppendFrame(b, ws.Text, ws.Fin, []byte(m))
	case 1:
		b = ws.AppendPing(ws.AppendFrame(b, ws.Binary, 0, []byte(m[:10])), []byte("are you there?"))
		return ws.AppendFrame(ws.AppendFrame(b, ws.Continuation, 0, nil), ws.Continuation, ws.Fin, []byte(m[10:]))
	}
	var deflater ws.Deflater
	packed, _ := deflater.Append(nil, []byte(m))
	return ws.AppendFrame(b, ws.Text, ws.Fin|ws.Compressed, packed)
}

// hear reads frames as a worker does, but answers none.
func hear(p *ws.Parser, r *reader, b []byte) (used int, err error) {
	lim := ws.Limits{Message: int64(r.longest), Overhead: ws.DefaultLimits.Overhead}
	for {
		ev, n, err := p.Next(b[used:], &lim)
		used += n
		if err == nil && ev.Kind == ws.Data {
			err = r.piece(5, &ev)
		}
		if err != nil || ev.Kind == ws.NeedMore || ev.Kind == ws.Close {
			return used, err
		}
	}
}

// listen reads a stream cut into pieces and gives the messages found and what is still kept of the client.
func listen(form Form, pieces ...[]byte) (found []string, r *reader, err error) {
	r = new(reader)
	r.init(&Config{Form: form, Size: testSize}, func(client uint32, data []byte) {
		if client != 5 {
			panic("another client's message")
		}
		found = append(found, string(data))
	})
	content := []field.Field{{Name: []byte("Content-Type"), Value: []byte("multipart/mixed; boundary=b-1")}}
	if err := r.begin(5, content); err != nil {
		return nil, r, err
	}
	socket, rest := ws.NewParser(ws.Client, true), []byte(nil)
	for _, piece := range pieces {
		if len(piece) == 0 {
			continue // a body is never handed out in empty pieces
		}
		piece = slices.Clone(piece)
		if form == WebSocket {
			rest = append(rest, piece...)
			n, err := hear(&socket, r, rest)
			if err != nil {
				return found, r, err
			}
			rest = slices.Delete(rest, 0, n)
			continue
		}
		if err := r.data(5, piece); err != nil {
			return found, r, err
		}
		clear(piece) // the loop's buffer holds something else by the next read
	}
	if form == Poll {
		r.end(5)
	}
	return found, r, nil
}

func messagesOf(n int) (all []string) {
	for i := range n {
		all = append(all, strings.Repeat(fmt.Sprint(i), testSize))
	}
	return all
}

func TestStreamsCutAtEveryByte(t *testing.T) {
	for i := range forms {
		form, want := Form(i), messagesOf(3)
		if form == Poll {
			want = want[:1]
		}
		b := composed(form, want)
		for cut := range len(b) + 1 {
			for second := cut; second <= min(cut+3, len(b)); second++ {
				found, r, err := listen(form, b[:cut], b[cut:second], b[second:])
				if err != nil || !slices.Equal(found, want) {
					t.Fatalf("%v cut at %d and %d: %q %v", form, cut, second, found, err)
				}
				if len(r.cut)+len(r.events) != 0 {
					t.Fatalf("%v cut at %d: something is kept between messages", form, cut)
				}
			}
		}
	}
}

func TestDropForgetsAClient(t *testing.T) {
	for i := range forms {
		b := composed(Form(i), messagesOf(2))
		_, r, err := listen(Form(i), b[:len(b)-40])
		r.drop(5)
		if err != nil || len(r.cut)+len(r.events)+len(r.bodies) != 0 {
			t.Errorf("%v: %v, kept %d %d %d", Form(i), err, len(r.cut), len(r.events), len(r.bodies))
		}
	}
}

func TestMultipartNeedsABoundary(t *testing.T) {
	var r reader
	r.init(&Config{Form: Mixed}, nil)
	if err := r.begin(1, []field.Field{{Name: []byte("Content-Type"), Value: []byte("text/plain")}}); err == nil {
		t.Error("text/plain was taken for multipart")
	}
}

// Between messages and in the middle of them, streams cost no allocation per message.
func TestReadingDoesNotAllocate(t *testing.T) {
	for _, form := range []Form{SSE, NDJSON, Mixed, Replace, Raw} {
		n := 0
		var r reader
		r.init(&Config{Form: form, Size: testSize}, func(uint32, []byte) { n++ })
		b := composed(form, messagesOf(1))
		if form == Mixed || form == Replace {
			p := new(parts)
			p.parser.Start([]byte("b-1"), multipart.Config{MaxParts: 1 << 62})
			r.bodies[1] = p
			if err := r.data(1, b); err != nil {
				t.Fatal(err)
			}
			b = b[len("--b-1\r\n"):]
		}
		if got := testing.AllocsPerRun(100, func() {
			if err := r.data(1, b); err != nil {
				t.Fatal(err)
			}
		}); got != 0 || n < 100 {
			t.Errorf("%v: %v allocations, %d messages", form, got, n)
		}
	}
}

// FuzzReader cuts anything into two pieces anywhere: what is found does not depend on where.
func FuzzReader(f *testing.F) {
	for i := range forms {
		f.Add(uint8(i), composed(Form(i), messagesOf(2)), 50)
	}
	f.Add(uint8(SSE), []byte("data: x\r\n\r\ndata: y\n\n"), 9)
	f.Add(uint8(NDJSON), []byte("{\"data\":\"x\"}\r\n\n{\"data\":1}\n"), 13)
	f.Add(uint8(Mixed), []byte("--b-1\r\n\r\n\r\n--b-1--\r\nrest"), 11)
	f.Fuzz(func(t *testing.T, form uint8, b []byte, cut int) {
		if int(form) >= len(forms) {
			return
		}
		cut = max(0, min(cut, len(b)))
		whole, _, err := listen(Form(form), b)
		parted, _, partedErr := listen(Form(form), b[:cut], b[cut:])
		if !slices.Equal(whole, parted) || (err == nil) != (partedErr == nil) {
			t.Errorf("%q %v, cut at %d %q %v", whole, err, cut, parted, partedErr)
		}
	})
}
