package peer

import (
	"bytes"
	"testing"

	"holdfast/engine/mem"
)

// FuzzRequest: what can be read can be written, and reads the same again.
func FuzzRequest(f *testing.F) {
	r := push("user:1", "hello")
	r.Payload.SetID([]byte("id"))
	r.Dedup, r.Relay = true, 99
	f.Add(append(appendRequest(nil, 1, r), r.Payload.Data...)[frameHead+1:])
	f.Add(appendRequest(nil, 1<<33, &Request{Verb: Close, All: true})[frameHead+1:])
	f.Add(appendRequest(nil, 5, &Request{Verb: 9, Key: []byte("later")})[frameHead+1:])
	f.Add([]byte{0xff, 0xff, 0xff})
	f.Add([]byte("\x020\x040\x0f\x0200"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r Request
		var m message
		id, err := parseRequest(body, &r, &m)
		if err != nil {
			return
		}
		if !m.present {
			m = message{} // names without data are of a verb that this release does not know
		} else {
			r.Payload = mem.NewPayload(0)
			r.Payload.SetID(m.id)
			r.Payload.SetEvent(m.event)
			r.Payload.SetType(m.kind)
			r.Payload.Append(m.data)
		}
		b := appendRequest(nil, id, &r)
		var r2 Request
		var m2 message
		id2, err := parseRequest(append(b, m.data...)[frameHead+1:], &r2, &m2)
		r.Payload = nil
		if err != nil || id2 != id || !bytes.Equal(r.Key, r2.Key) || !bytes.Equal(m.data, m2.data) || !bytes.Equal(m.id, m2.id) ||
			r.Verb != r2.Verb || r.All != r2.All || r.Dedup != r2.Dedup || r.Within != r2.Within || r.Relay != r2.Relay {
			t.Errorf("%d %+v reads as %d %+v, %v", id, r, id2, r2, err)
		}
	})
}

// FuzzReport: as FuzzRequest, for what comes back, and for statuses and pings on the way.
func FuzzReport(f *testing.F) {
	f.Add(appendReport(nil, 1, &Report{Delivered: 1})[frameHead+1:])
	f.Add(appendReport(nil, 1<<40, &Report{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})[frameHead+1:])
	f.Add(appendStatus(nil, Status{Complete: "c", Behind: true}, 3)[frameHead+1:])
	f.Add(appendPing(nil, framePing, 1<<63)[frameHead+1:])
	f.Fuzz(func(t *testing.T, body []byte) {
		if id, r, err := parseReport(body); err == nil {
			id2, r2, err := parseReport(appendReport(nil, id, &r)[frameHead+1:])
			if err != nil || id2 != id || r2 != r {
				t.Errorf("%d %+v reads as %d %+v, %v", id, r, id2, r2, err)
			}
		}
		if s, turn, err := parseStatus(body); err == nil {
			s2, turn2, err := parseStatus(appendStatus(nil, s, turn)[frameHead+1:])
			if err != nil || s2 != s || turn2 != turn {
				t.Errorf("%+v reads as %+v, %v", s, s2, err)
			}
		}
		if token, err := parsePing(body); err == nil {
			token2, err := parsePing(appendPing(nil, framePing, token)[frameHead+1:])
			if err != nil || token2 != token {
				t.Errorf("%d reads as %d, %v", token, token2, err)
			}
		}
	})
}

// FuzzHello feeds a whole stream to an acceptor: it never takes part in anything but a handshake with a proof.
func FuzzHello(f *testing.F) {
	h := hello{oldest: 1, newest: 3, Node: Node{Instance: 7, Name: "n", Address: "a:1"}, release: "r"}
	good := helloBytes(&h)
	f.Add(good)
	f.Add(append(good, proofFrame(make([]byte, 32))...))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("HFPL\x01\x01\xff\xff"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		in := introduction{self: hello{oldest: oldest, newest: newest, Node: Node{Instance: 1}}, key: deriveKey(testSecret)}
		in.newNonce()
		s := &scripted{in: bytes.NewReader(stream)}
		if them, err := in.accept(s); err == nil {
			t.Fatalf("a stranger was let in as %+v", them)
		}
		if len(stream) < helloHead && s.out.Len() > 0 {
			t.Error("something was said to who had said nothing")
		}
	})
}

// scripted is a connection whose other end has said all it will.
type scripted struct {
	in  *bytes.Reader
	out bytes.Buffer
}

func (s *scripted) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *scripted) Write(b []byte) (int, error) { return s.out.Write(b) }
