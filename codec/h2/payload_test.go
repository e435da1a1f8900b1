package h2

import "testing"

func frame(typ Type, flags Flags, stream uint32, payload string) Frame {
	h := Header{Length: uint32(len(payload)), Type: typ, Flags: flags, Stream: stream}
	return Frame{Header: h, Event: Whole, Payload: []byte(payload)}
}

func TestHeaderBlock(t *testing.T) {
	f := func(flags Flags, payload, want string, wantErr error) {
		t.Helper()
		got, err := HeaderBlock(frame(TypeHeaders, flags, 3, payload))
		if string(got) != want || err != wantErr {
			t.Errorf("%x %q: %q %v, want %q %v", flags, payload, got, err, want, wantErr)
		}
	}
	f(0, "block", "block", nil)
	f(0, "", "", nil)
	f(Padded, "\x00block", "block", nil)
	f(Padded, "\x02block\x00\x00", "block", nil)
	f(Padded, "\x05block", "", nil)
	f(Padded, "\x00", "", nil)
	f(Padded, "\x06block", "", errPadding)
	f(Padded, "\x01", "", errPadding)
	f(Prioritized, "\x00\x00\x00\x01\x10block", "block", nil)
	f(Prioritized, "\x80\x00\x00\x00\x10", "", nil)
	f(Padded|Prioritized, "\x01\x00\x00\x00\x01\x10block\x00", "block", nil)
	f(Padded|Prioritized, "\x05\x00\x00\x00\x01\x10block", "", nil)
	f(Padded|Prioritized, "\x06\x00\x00\x00\x01\x10block", "", errPadding)
	f(Padded|Prioritized, "\x01\x00\x00\x00\x01\x10", "", errPadding)
	// The block of a refused stream still has to be decoded.
	f(Prioritized, "\x00\x00\x00\x03\x10block", "block", errSelf)
	f(Prioritized, "\x80\x00\x00\x03\x10block", "block", errSelf)
	if got, err := HeaderBlock(frame(TypeContinuation, Padded|Prioritized, 3, "\x01b")); string(got) != "\x01b" || err != nil {
		t.Errorf("a CONTINUATION has neither padding nor priority: %q %v", got, err)
	}
}

// "A stream cannot depend on itself. An endpoint MUST treat this as a stream error of type PROTOCOL_ERROR." RFC 7540
// §5.3.1
func TestMustNotDependOnItself(t *testing.T) {
	if err := CheckPriority(frame(TypePriority, 0, 3, "\x80\x00\x00\x03\x00")); err != errSelf {
		t.Error(err)
	}
	if err := CheckPriority(frame(TypePriority, 0, 3, "\x00\x00\x00\x01\x00")); err != nil {
		t.Error(err)
	}
	if errSelf.Code != ProtocolError || errSelf.Scope != Stream {
		t.Error(errSelf.Code, errSelf.Scope)
	}
}

func TestPayloads(t *testing.T) {
	if code := ParseReset(frame(TypeReset, 0, 1, "\x00\x00\x00\x08")); code != Cancel {
		t.Error(code)
	}
	if n, err := ParseWindow(frame(TypeWindow, 0, 1, "\x7f\xff\xff\xff")); n != MaxWindow || err != nil {
		t.Error(n, err)
	}
	if data := ParsePing(frame(TypePing, 0, 0, "12345678")); string(data[:]) != "12345678" {
		t.Errorf("%q", data)
	}
	last, code, debug := ParseGoaway(frame(TypeGoaway, 0, 0, "\x80\x00\x00\x07\x00\x00\x00\x0bcalm"))
	if last != 7 || code != EnhanceYourCalm || string(debug) != "calm" {
		t.Error(last, code, debug)
	}
}

// "The Prioritized Stream ID … If a PRIORITY_UPDATE frame is received with a Prioritized Stream ID of 0x0, the recipient
// MUST respond with a connection error of type PROTOCOL_ERROR." RFC 9218 §7.1
func TestPriorityUpdate(t *testing.T) {
	stream, p, err := ParsePriorityUpdate(frame(TypePriorityUpdate, 0, 0, "\x80\x00\x00\x05u=0, i"))
	if stream != 5 || p != (Priority{0, true}) || err != nil {
		t.Error(stream, p, err)
	}
	_, _, err = ParsePriorityUpdate(frame(TypePriorityUpdate, 0, 0, "\x80\x00\x00\x00u=0"))
	if e := asError(err); e == nil || e.Code != ProtocolError || e.Scope != Connection {
		t.Error(err)
	}
}

func TestParsePriority(t *testing.T) {
	f := func(value string, urgency uint8, incremental bool) {
		t.Helper()
		if got := ParsePriority([]byte(value)); got != (Priority{urgency, incremental}) {
			t.Errorf("%q: %v, want %d %v", value, got, urgency, incremental)
		}
	}
	f("", 3, false)
	f("u=0", 0, false)
	f("u=7", 7, false)
	f("i", 3, true)
	f("u=5, i", 5, true)
	f("i,u=1", 1, true)
	f("u=1;x=2, i;y", 1, true)
	f("i=?1", 3, true)
	f("i=?0", 3, false)
	f("i, i=?0", 3, false)
	f("u=1, u=2", 2, false) // RFC 8941 §3.2: the last one counts
	// "Priority parameters … receivers MUST ignore … unknown priority parameters, priority parameters with
	// out-of-range values, or values of unexpected types." RFC 9218 §4
	f("u=8", 3, false)
	f("u=-1", 3, false)
	f("u=12", 3, false)
	f("u", 3, false)
	f("u=?1", 3, false)
	f("u=\"1\"", 3, false)
	f("i=1", 3, false)
	f("x=1, u=2, yes", 2, false)
	f("x=\"u=1\", u=4", 4, false)
}

func TestCodeNames(t *testing.T) {
	seen := map[string]bool{}
	for c := NoError; c <= HTTP11Required; c++ {
		if name := c.String(); name == "unknown code" || seen[name] {
			t.Errorf("code %d is called %q", c, name)
		} else {
			seen[name] = true
		}
	}
	if Code(14).String() != "unknown code" || Code(1<<32-1).String() != "unknown code" {
		t.Error("a code beyond the last has a name")
	}
	if got := errPush.Error(); got != "http/2: PROTOCOL_ERROR: PUSH_PROMISE was never allowed" {
		t.Error(got)
	}
}
