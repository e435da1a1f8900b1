package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"holdfast/engine/mem"
)

// bodyOf checks a frame's head and type and cuts them off.
func bodyOf(t *testing.T, frame []byte, kind byte) []byte {
	t.Helper()
	size, err := frameSize(frame, 1<<20)
	if err != nil || size != len(frame)-frameHead || frame[frameHead] != kind {
		t.Fatalf("a frame of %d bytes says %d, type %d, %v; want type %d", len(frame), size, frame[frameHead], err, kind)
	}
	return frame[frameHead+1:]
}

func wantFault(t *testing.T, err error, want Fault) {
	t.Helper()
	if p, ok := errors.AsType[*ProtocolError](err); !ok || p.Code != want || p.Reason == "" {
		t.Errorf("got %v, want a fault %v with a reason", err, want)
	}
}

func TestRequestRoundTrip(t *testing.T) {
	f := func(id uint64, r Request, mid, event, kind, data string) {
		t.Helper()
		if r.Verb == Push {
			r.Payload = mem.NewPayload(0)
			r.Payload.SetID([]byte(mid))
			r.Payload.SetEvent([]byte(event))
			r.Payload.SetType([]byte(kind))
			r.Payload.Append([]byte(data))
		}
		b := appendRequest(nil, id, &r)
		if r.Payload != nil {
			b = append(b, r.Payload.Data...)
		}
		if len(b) > requestSize(&r) {
			t.Errorf("the frame has %d bytes, more than the bound %d", len(b), requestSize(&r))
		}
		var got Request
		var m message
		gotID, err := parseRequest(bodyOf(t, b, frameRequest), &got, &m)
		if err != nil || gotID != id || got.Verb != r.Verb || got.All != r.All || got.Dedup != r.Dedup ||
			got.Within != r.Within || string(got.Key) != string(r.Key) || got.Relay != r.Relay {
			t.Errorf("got %d %+v, %v; want %d %+v", gotID, got, err, id, r)
		}
		if m.present != (r.Payload != nil) || string(m.id) != mid || string(m.event) != event || string(m.kind) != kind || string(m.data) != data {
			t.Errorf("got message %v %q %q %q %q", m.present, m.id, m.event, m.kind, m.data)
		}
	}
	key := []byte("user:1")
	f(1, Request{Verb: Push, Key: key, Within: time.Second}, "", "", "", "")
	f(1, Request{Verb: Push, Key: key, Within: time.Microsecond}, "i", "e", "t", "data")
	f(math.MaxUint64, Request{Verb: Push, All: true, Dedup: true, Relay: math.MaxUint64, Within: time.Hour}, "i", "", "", strings.Repeat("d", 1000))
	f(1<<32|7, Request{Verb: Close, Key: bytes.Repeat(key, 43)[:maxKey], Within: 3 * time.Second}, "", "", "", "")
	f(2, Request{Verb: Count, Key: key}, "", "", "", "")
	f(2, Request{Verb: 200}, "", "", "", "") // of a later release: the node that serves it says so
}

func TestRequestRefuses(t *testing.T) {
	num := func(tag, v uint64) []byte { return appendNumber(nil, tag, v) }
	str := func(tag uint64, v string) []byte { return appendText(nil, tag, []byte(v)) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	count := join(num(tagID, 1), num(tagVerb, uint64(Count)), str(tagKey, "k"))
	f := func(body []byte) {
		t.Helper()
		var r Request
		var m message
		_, err := parseRequest(body, &r, &m)
		wantFault(t, err, BadField)
	}
	f(nil)
	f(join(num(tagID, 1), str(tagKey, "k")))                      // no verb
	f(join(num(tagVerb, 3), str(tagKey, "k")))                    // no id
	f(join(num(tagID, 1), num(tagVerb, 256+3), str(tagKey, "k"))) // not a verb
	f(join(num(tagID, 1), num(tagVerb, 3)))                       // nobody is meant
	f(join(count, num(tagFlags, flagAll)))                        // somebody and everybody
	f(join(num(tagID, 1), num(tagVerb, 1), str(tagKey, "k")))     // a push of nothing
	f(join(num(tagID, 1), num(tagVerb, 3), str(tagKey, strings.Repeat("k", maxKey+1))))
	f(join(count, str(tagMessageID, strings.Repeat("n", maxNames)), str(tagEvent, "e")))
	f(join(count, []byte{0x80}))                                                      // half a varint
	f(join(count, []byte{99<<1 | number&0x7f}))                                       // half a key
	f(join(count, []byte{0x1f, 2, 'x'}))                                              // longer than what is there
	f(join(count, []byte{0x1f}, bytes.Repeat([]byte{0xff}, 9), []byte{1}))            // a length beyond all memory
	f(join(count, []byte{0x1e}, bytes.Repeat([]byte{0xff}, 10), []byte{1}))           // a number beyond 64 bits
	f(join(count, binary.AppendUvarint(nil, tagData<<1|text), []byte{5, 1, 2, 3, 4})) // data cut short
}

// Every body that is cut short is refused or means less, and never anything else than its beginning says.
func TestRequestCutAtEveryByte(t *testing.T) {
	r := push("user:1", "hello, world")
	r.Payload.SetID([]byte("some id"))
	b := appendRequest(nil, 77, r)
	b = append(b, r.Payload.Data...)
	body := bodyOf(t, b, frameRequest)
	for n := range len(body) {
		var got Request
		var m message
		if _, err := parseRequest(body[:n], &got, &m); err == nil {
			t.Errorf("the first %d of %d bytes are a push already", n, len(body))
		}
	}
}

func TestReportRoundTrip(t *testing.T) {
	f := func(id uint64, r Report, size int) {
		t.Helper()
		b := appendReport(nil, id, &r)
		gotID, got, err := parseReport(bodyOf(t, b, frameReport))
		if err != nil || gotID != id || got != r || len(b) != size {
			t.Errorf("got %d %+v of %d bytes, %v; want %d %+v of %d", gotID, got, len(b), err, id, r, size)
		}
	}
	f(1, Report{}, 7) // not mine
	f(1, Report{Delivered: 1}, 9)
	f(1, Report{Duplicate: 1}, 9)
	f(300, Report{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 32)
	const most = math.MaxUint32
	f(math.MaxUint64, Report{most, most, most, most, most, most, most, most, most, most, most, most}, 88)
}

func TestReportRefuses(t *testing.T) {
	f := func(body []byte) {
		t.Helper()
		_, _, err := parseReport(body)
		wantFault(t, err, BadField)
	}
	f(nil)
	f(appendNumber(nil, 2, 1)) // of nothing
	f(append(appendNumber(nil, tagID, 1), 0x80))
	f(appendNumber(appendNumber(nil, tagID, 1), 2, math.MaxUint32+1))
}

// A later release adds fields of either kind, and flags.
func TestUnknownFieldsAreSkipped(t *testing.T) {
	more := appendText(appendNumber(nil, 1000, 5), 1<<40, []byte("of a later release"))
	var r Request
	var m message
	body := append(bytes.Clone(more), bodyOf(t, appendRequest(nil, 5, &Request{Verb: Count, Key: []byte("k")}), frameRequest)...)
	body = append(appendNumber(body, tagFlags, 0xf0|flagDedup), more...)
	if id, err := parseRequest(body, &r, &m); err != nil || id != 5 || string(r.Key) != "k" || !r.Dedup || r.All {
		t.Errorf("got %d %+v, %v", id, r, err)
	}
	body = append(bodyOf(t, appendReport(nil, 6, &Report{Held: 3}), frameReport), more...)
	if id, rep, err := parseReport(body); err != nil || id != 6 || rep != (Report{Held: 3}) {
		t.Errorf("got %d %+v, %v", id, rep, err)
	}
	body = append(bodyOf(t, appendStatus(nil, Status{Complete: "c", Behind: true}, 9), frameStatus), more...)
	if s, turn, err := parseStatus(body); err != nil || turn != 9 || s != (Status{Complete: "c", Behind: true}) {
		t.Errorf("got %+v, %d, %v", s, turn, err)
	}
	body = append(bodyOf(t, appendPing(nil, framePing, 10), framePing), more...)
	if token, err := parsePing(body); err != nil || token != 10 {
		t.Errorf("got %d, %v", token, err)
	}
}

// A field of a known tag and the other kind reads as absent, not as something else.
func TestFieldOfAnotherKind(t *testing.T) {
	body := appendText(nil, tagID, []byte("7"))
	if _, _, err := parseReport(body); err == nil {
		t.Error("a report's id is text")
	}
	if s, _, err := parseStatus(appendNumber(nil, tagComplete, 5)); err != nil || s.Complete != "" {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestStatusRefuses(t *testing.T) {
	_, _, err := parseStatus(appendText(nil, tagComplete, bytes.Repeat([]byte("c"), maxComplete+1)))
	wantFault(t, err, BadField)
	_, _, err = parseStatus([]byte{3, 1})
	wantFault(t, err, BadField)
	_, err = parsePing([]byte{0xff})
	wantFault(t, err, BadField)
}

func TestFrameSize(t *testing.T) {
	f := func(claimed uint32, limit, want int) {
		t.Helper()
		got, err := frameSize(binary.BigEndian.AppendUint32(nil, claimed), limit)
		if want == 0 {
			wantFault(t, err, BadFrame)
		} else if err != nil || got != want {
			t.Errorf("got %d, %v; want %d", got, err, want)
		}
	}
	f(1, 10, 1)
	f(10, 10, 10)
	f(0, 10, 0)
	f(11, 10, 0)
	f(math.MaxUint32, 16<<20, 0)
}

func TestWireDoesNotAllocate(t *testing.T) {
	r := push("user:1", "hello")
	r.Payload.SetID([]byte("id"))
	b := make([]byte, 0, 1024)
	var got Request
	var m message
	if n := testing.AllocsPerRun(1000, func() {
		b = append(appendRequest(b[:0], 77, r), r.Payload.Data...)
		if _, err := parseRequest(b[frameHead+1:], &got, &m); err != nil {
			t.Fatal(err)
		}
		b = appendReport(b[:0], 77, &Report{Delivered: 1})
		if _, _, err := parseReport(b[frameHead+1:]); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
