package h2

import "testing"

// One test for each MUST of RFC 9113 that a reader of frames can keep or break.

func wantRefused(t *testing.T, in string, want *Error, code Code, scope Scope) {
	t.Helper()
	_, err := everySplit(t, in, &DefaultLimits)
	if err != want {
		t.Errorf("%q: %v, want %v", in, err, want)
	}
	if want.Code != code || want.Scope != scope {
		t.Errorf("%v has scope %d, want %v and %d", want, want.Scope, code, scope)
	}
}

// "This sequence MUST be followed by a SETTINGS frame, which MAY be empty." "Clients and servers MUST treat an invalid
// connection preface as a connection error of type PROTOCOL_ERROR." RFC 9113 §3.4
func TestMustBeginWithSettings(t *testing.T) {
	wantRefused(t, raw(TypePing, 0, 0, "12345678"), errFirstFrame, ProtocolError, Connection)
	wantRefused(t, raw(TypeHeaders, EndHeaders, 1, ""), errFirstFrame, ProtocolError, Connection)
	wantRefused(t, raw(TypeSettings, Ack, 0, ""), errFirstFrame, ProtocolError, Connection)
	wantRefused(t, raw(0x77, 0, 0, ""), errFirstFrame, ProtocolError, Connection)
}

// "Reserved: A reserved 1-bit field. The semantics of this bit are undefined, and the bit MUST remain unset when sending
// and MUST be ignored when receiving." RFC 9113 §4.1
func TestMustIgnoreReservedBit(t *testing.T) {
	if got, err := everySplit(t, settings+raw(TypeHeaders, EndHeaders, 1<<31|5, "x"), &DefaultLimits); got != "4/0:0: 1/5:4:x " || err != nil {
		t.Error(got, err)
	}
	window := Frame{Header: Header{Type: TypeWindow}, Payload: []byte("\x80\x00\x00\x05")}
	if n, err := ParseWindow(window); n != 5 || err != nil {
		t.Error(n, err)
	}
	window.Payload = []byte("\x80\x00\x00\x00")
	if _, err := ParseWindow(window); err != errIncrement0 {
		t.Error(err)
	}
}

// "Unused Flags … MUST be ignored on receipt." RFC 9113 §4.1
func TestMustIgnoreUnusedFlags(t *testing.T) {
	in := settings + raw(TypePing, 0xfe, 0, "12345678") + raw(TypeData, 0xf6, 1, "abc") + raw(TypeReset, 0xff, 1, "code")
	if got, err := everySplit(t, in, &DefaultLimits); got != "4/0:0: 6/0:fe:12345678 data/1:f6:3:abc 3/1:ff:code " || err != nil {
		t.Error(got, err)
	}
}

// "A frame size error in a frame that could alter the state of the entire connection MUST be treated as a connection
// error; this includes any frame carrying a field block, a SETTINGS frame, and any frame with a stream identifier of 0."
// RFC 9113 §4.2
func TestMustScopeFrameSize(t *testing.T) {
	f := func(typ Type, stream uint32, want Scope) {
		t.Helper()
		err := Header{Length: MinFrame + 1, Type: typ, Stream: stream}.check(MinFrame)
		if err == nil || err.Code != FrameSizeError || err.Scope != want {
			t.Errorf("type %d on %d: %v, want scope %d", typ, stream, err, want)
		}
	}
	f(TypeHeaders, 1, Connection)
	f(TypeContinuation, 1, Connection)
	f(TypeSettings, 0, Connection)
	f(TypeWindow, 0, Connection)
	f(TypeGoaway, 0, Connection)
	f(TypePing, 0, Connection)
	f(TypePriorityUpdate, 0, Connection)
	f(0x20, 0, Connection)
	f(TypeData, 1, Stream)
	f(TypePriority, 1, Stream)
	f(TypeReset, 1, Stream)
	f(TypeWindow, 1, Stream)
	f(0x20, 1, Stream)
}

// "Each field block is processed as a discrete unit. Field blocks MUST be transmitted as a contiguous sequence of frames,
// with no interleaved frames of any other type or from any other stream." RFC 9113 §4.3
func TestMustNotInterleaveBlocks(t *testing.T) {
	open := settings + raw(TypeHeaders, 0, 1, "a")
	for _, between := range []string{
		raw(TypeData, 0, 1, "x"), raw(TypeHeaders, EndHeaders, 1, "x"), raw(TypeHeaders, EndHeaders, 3, "x"),
		raw(TypePing, 0, 0, "12345678"), raw(TypeSettings, 0, 0, ""), raw(TypeContinuation, EndHeaders, 3, "x"),
		raw(0x77, 0, 1, ""), raw(TypePriority, 0, 1, "12345"), raw(TypeReset, 0, 1, "code"), raw(TypeContinuation, 0, 0, ""),
	} {
		wantRefused(t, open+between, errInterleaved, ProtocolError, Connection)
		wantRefused(t, open+raw(TypeContinuation, 0, 1, "b")+between, errInterleaved, ProtocolError, Connection)
	}
}

// "Implementations MUST ignore unknown or unsupported values in all extensible protocol elements. Implementations MUST
// discard frames that have unknown or unsupported types." RFC 9113 §5.5
func TestMustIgnoreUnknownFrames(t *testing.T) {
	for typ := TypeContinuation + 1; typ != 0; typ++ {
		if typ == TypePriorityUpdate {
			continue
		}
		in := settings + raw(typ, 0xff, 0, "abc") + raw(TypeSettings, Ack, 0, "")
		if got, err := read(in, []int{len(in)}, &DefaultLimits); err != nil || got[len(got)-7:] != "4/0:1: " {
			t.Errorf("type %d: %s %v", typ, got, err)
		}
	}
}

// "If a DATA frame is received whose Stream Identifier field is 0x00, the recipient MUST respond with a connection error
// of type PROTOCOL_ERROR." RFC 9113 §6.1, and §6.2, §6.3, §6.4, §6.10 for the others
func TestMustHaveStream(t *testing.T) {
	wantRefused(t, settings+raw(TypeData, 0, 0, "a"), errStreamZero, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypeHeaders, EndHeaders, 0, "a"), errStreamZero, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypePriority, 0, 0, "12345"), errStreamZero, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypeReset, 0, 0, "code"), errStreamZero, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypeContinuation, EndHeaders, 0, "a"), errContinuation, ProtocolError, Connection)
}

// "If an endpoint receives a SETTINGS frame whose Stream Identifier field is anything other than 0x00, the endpoint MUST
// respond with a connection error of type PROTOCOL_ERROR." RFC 9113 §6.5, §6.7 for PING, §6.8 for GOAWAY, and RFC 9218
// §7.1 for PRIORITY_UPDATE
func TestMustHaveNoStream(t *testing.T) {
	wantRefused(t, settings+raw(TypeSettings, 0, 1, ""), errStreamSet, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypePing, 0, 1, "12345678"), errStreamSet, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypeGoaway, 0, 1, "12345678"), errStreamSet, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypePriorityUpdate, 0, 1, "1234"), errStreamSet, ProtocolError, Connection)
}

// "If the length of the padding is the length of the frame payload or greater, the recipient MUST treat this as a
// connection error of type PROTOCOL_ERROR." RFC 9113 §6.1
func TestMustRefusePadding(t *testing.T) {
	wantRefused(t, settings+raw(TypeData, Padded, 1, "\x01"), errPadding, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypeData, Padded, 1, "\x05abcd"), errPadding, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypeData, Padded, 1, "\xffabcd"), errPadding, ProtocolError, Connection)
	if got, err := everySplit(t, settings+raw(TypeData, Padded, 1, "\x04abcd"), &DefaultLimits); got != "4/0:0: data/1:8:5: " || err != nil {
		t.Error(got, err)
	}
}

// "A RST_STREAM frame with a length other than 4 octets MUST be treated as a connection error of type FRAME_SIZE_ERROR."
// RFC 9113 §6.4; §6.3 has a stream error for PRIORITY, §6.7 and §6.9 connection errors for PING and WINDOW_UPDATE
func TestMustRefuseLengths(t *testing.T) {
	wantRefused(t, settings+raw(TypeReset, 0, 1, "12345"), errLength, FrameSizeError, Connection)
	wantRefused(t, settings+raw(TypePing, 0, 0, "123456"), errLength, FrameSizeError, Connection)
	wantRefused(t, settings+raw(TypeWindow, 0, 1, "123"), errLength, FrameSizeError, Connection)
	wantRefused(t, settings+raw(TypePriority, 0, 1, "1234"), errPriorityLong, FrameSizeError, Stream)
}

// "Receipt of a SETTINGS frame with the ACK flag set and a length field value other than 0 MUST be treated as a
// connection error of type FRAME_SIZE_ERROR." "A SETTINGS frame with a length other than a multiple of 6 octets MUST be
// treated as a connection error of type FRAME_SIZE_ERROR." RFC 9113 §6.5
func TestMustRefuseSettingsLength(t *testing.T) {
	wantRefused(t, settings+raw(TypeSettings, Ack, 0, "123456"), errLength, FrameSizeError, Connection)
	wantRefused(t, settings+raw(TypeSettings, 0, 0, "12345"), errLength, FrameSizeError, Connection)
	wantRefused(t, settings+raw(TypeSettings, 0, 0, "1234567"), errLength, FrameSizeError, Connection)
}

// "A client cannot push. Thus, servers MUST treat the receipt of a PUSH_PROMISE frame as a connection error of type
// PROTOCOL_ERROR." RFC 9113 §8.4
func TestMustRefusePush(t *testing.T) {
	wantRefused(t, settings+raw(TypePush, EndHeaders, 1, "1234"), errPush, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypePush, EndHeaders, 0, ""), errPush, ProtocolError, Connection)
}

// "A receiver MUST treat the receipt of a WINDOW_UPDATE frame with a flow-control window increment of 0 as a stream
// error of type PROTOCOL_ERROR; errors on the connection flow-control window MUST be treated as a connection error."
// RFC 9113 §6.9
func TestMustRefuseZeroIncrement(t *testing.T) {
	f := func(stream uint32, want Scope) {
		t.Helper()
		_, err := ParseWindow(Frame{Header: Header{Type: TypeWindow, Stream: stream}, Payload: make([]byte, 4)})
		if e := asError(err); e == nil || e.Code != ProtocolError || e.Scope != want {
			t.Errorf("on %d: %v, want scope %d", stream, err, want)
		}
	}
	f(0, Connection)
	f(1, Stream)
}

// "A CONTINUATION frame MUST be preceded by a HEADERS, PUSH_PROMISE or CONTINUATION frame without the END_HEADERS flag
// set. A recipient that observes violation of this rule MUST respond with a connection error of type PROTOCOL_ERROR."
// RFC 9113 §6.10
func TestMustPrecedeContinuation(t *testing.T) {
	next := raw(TypeContinuation, EndHeaders, 1, "x")
	wantRefused(t, settings+next, errContinuation, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypeHeaders, EndHeaders, 1, "x")+next, errContinuation, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypeHeaders, 0, 1, "x")+next+next, errContinuation, ProtocolError, Connection)
	wantRefused(t, settings+raw(TypeData, 0, 1, "x")+next, errContinuation, ProtocolError, Connection)
}
