package ws

import (
	"strings"
	"testing"
)

// One test per MUST of RFC 6455 §5 and RFC 7692 §6 that a parser can keep or
// break; those of the handshake stand in upgrade_test.go and extension_test.go.

// "The server MUST close the connection upon receiving a frame that is not
// masked." RFC 6455 §5.1
func TestMustRefuseUnmasked(t *testing.T) {
	fromClient(t, plain(Fin, Text, "a"), refused(errUnmasked))
	fromClient(t, plain(Fin, PingFrame, ""), refused(errUnmasked))
	fromClient(t, plain(Fin, CloseFrame, ""), refused(errUnmasked))
	fromClient(t, masked(0, Text, "a")+plain(Fin, Continuation, "b"), "(text a"+refused(errUnmasked))
}

// "A server MUST NOT mask any frames that it sends to the client. A client MUST
// close a connection if it detects a masked frame." RFC 6455 §5.1
func TestMustRefuseMasked(t *testing.T) {
	fromServer(t, masked(Fin, Text, "a"), refused(errMasked))
	fromServer(t, masked(Fin, PongFrame, ""), refused(errMasked))
	if errMasked.Code != 1002 || errUnmasked.Code != 1002 {
		t.Error("another code than 1002")
	}
}

// "MUST be 0 unless an extension is negotiated that defines meanings for
// non-zero values. If a nonzero value is received and none of the negotiated
// extensions defines the meaning of such a nonzero value, the receiving
// endpoint MUST _Fail the WebSocket Connection_." RFC 6455 §5.2 (Autobahn 3)
func TestMustRefuseReservedBits(t *testing.T) {
	for bits := Flags(0x10); bits <= 0x70; bits += 0x10 {
		for _, op := range []Opcode{Text, Binary, PingFrame, PongFrame, CloseFrame} {
			fromClient(t, masked(Fin|bits, op, "ab"), refused(errReserved))
		}
		fromClient(t, masked(Fin, Text, "a")+masked(Fin|bits, Text, "b"), "(text a)"+refused(errReserved))
		if bits&^Compressed != 0 {
			deflated(t, masked(Fin|bits, Text, "a"), refused(errReserved))
		}
	}
}

// "If an unknown opcode is received, the receiving endpoint MUST _Fail the
// WebSocket Connection_." RFC 6455 §5.2 (Autobahn 4)
func TestMustRefuseOpcodes(t *testing.T) {
	for _, op := range []Opcode{3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf} {
		fromClient(t, masked(Fin, op, ""), refused(errOpcode))
		fromClient(t, masked(Fin, op, "x"), refused(errOpcode))
		fromClient(t, masked(Fin, Text, "a")+masked(Fin, op, "x")+masked(Fin, PingFrame, ""), "(text a)"+refused(errOpcode))
		fromClient(t, masked(0, Text, "a")+masked(Fin, op, "x"), "(text a"+refused(errOpcode))
	}
}

// "Note that in all cases, the minimal number of bytes MUST be used to encode
// the length, for example, the length of a 124-byte-long string can't be
// encoded as the sequence 126, 0, 124." "the most significant bit MUST be 0".
// RFC 6455 §5.2
func TestMustRefuseLengths(t *testing.T) {
	fromServer(t, "\x82\x7e\x00\x7c"+strings.Repeat("x", 124), refused(errLengthForm))
	fromServer(t, "\x82\x7e\x00\x00", refused(errLengthForm))
	fromServer(t, "\x82\x7e\x00\x7e"+strings.Repeat("x", 126), "(binary "+strings.Repeat("x", 126)+")")
	fromServer(t, "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x05Hello", refused(errLengthForm))
	fromServer(t, "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", refused(errLengthForm))
	fromServer(t, "\x82\x7f\x80\x00\x00\x00\x00\x01\x00\x00", refused(errLengthHuge))
	fromServer(t, "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", refused(errLengthHuge))
}

// "The fragments of one message MUST NOT be interleaved between the fragments
// of another message unless an extension has been negotiated that can interpret
// the interleaving." RFC 6455 §5.4
func TestMustRefuseInterleaving(t *testing.T) {
	fromClient(t, masked(0, Text, "a")+masked(Fin, Text, "b"), "(text a"+refused(errUnfinished))
	fromClient(t, masked(0, Text, "a")+masked(0, Binary, "b"), "(text a"+refused(errUnfinished))
	fromClient(t, masked(0, Binary, "")+masked(Fin, Binary, "b"), refused(errUnfinished))
	fromClient(t, masked(Fin, Continuation, "a"), refused(errUnopened))
	fromClient(t, masked(0, Continuation, "a"), refused(errUnopened))
	fromClient(t, masked(Fin, Text, "a")+masked(Fin, Continuation, "b"), "(text a)"+refused(errUnopened))
	fromClient(t, masked(Fin, PingFrame, "a")+masked(Fin, Continuation, "b"), "[ping a]"+refused(errUnopened))
}

// "All control frames MUST have a payload length of 125 bytes or less and MUST
// NOT be fragmented." RFC 6455 §5.5
func TestMustRefuseControlFrames(t *testing.T) {
	for _, op := range []Opcode{CloseFrame, PingFrame, PongFrame} {
		fromClient(t, masked(Fin, op, strings.Repeat("x", 126)), refused(errControlLong))
		fromClient(t, masked(Fin, op, strings.Repeat("x", 70000)), refused(errControlLong))
		fromClient(t, masked(0, op, ""), refused(errControlSplit))
		fromClient(t, masked(0, op, "a")+masked(Fin, Continuation, "b"), refused(errControlSplit))
		fromClient(t, masked(0, Text, "a")+masked(0, op, "b"), "(text a"+refused(errControlSplit))
	}
}

// "Control frames themselves MUST NOT be fragmented", but "an endpoint MUST be
// capable of handling control frames in the middle of a fragmented message."
// RFC 6455 §5.4
func TestMustTakeControlInMessage(t *testing.T) {
	fromClient(t, masked(0, Text, "a")+masked(Fin, PongFrame, "x")+masked(Fin, PingFrame, "y")+masked(Fin, Continuation, "b"),
		"(text a[pong x][ping y]b)")
}

// "If there is a body, the first two bytes of the body MUST be a 2-byte
// unsigned integer (in network byte order) representing a status code."
// RFC 6455 §5.5.1 (Autobahn 7.3)
func TestMustCloseWithCode(t *testing.T) {
	fromClient(t, masked(Fin, CloseFrame, ""), "[close 1005 ]")
	fromClient(t, masked(Fin, CloseFrame, "\x03"), refused(errCloseShort))
	fromClient(t, masked(Fin, CloseFrame, "\x03\xe8"), "[close 1000 ]")
	fromClient(t, masked(Fin, CloseFrame, "\x03\xe8bye"), "[close 1000 bye]")
	long := strings.Repeat("r", MaxReason)
	fromClient(t, masked(Fin, CloseFrame, "\x03\xe9"+long), "[close 1001 "+long+"]")
	fromClient(t, masked(Fin, CloseFrame, "\x03\xe9"+long+"r"), refused(errControlLong))
}

// "After receiving a control frame indicating the connection should be closed,
// a peer discards any further data received." RFC 6455 §1.4 (Autobahn 7.1)
func TestNothingAfterClose(t *testing.T) {
	end := masked(Fin, CloseFrame, "\x03\xe8")
	fromClient(t, end+masked(Fin, Text, "late"), "[close 1000 ]")
	fromClient(t, end+end+"\xff\xff\xff", "[close 1000 ]")
	fromClient(t, masked(0, Text, "a")+end+masked(Fin, Continuation, "b"), "(text a[close 1000 ]…")
}

// "This document allocates the RSV1 bit … on the first fragment of a message":
// "An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames
// and non-first fragments of a data message. An endpoint receiving such a frame
// MUST _Fail the WebSocket Connection_." RFC 7692 §6
func TestMustCompressFirstFragmentOnly(t *testing.T) {
	deflated(t, masked(Fin|Compressed, Text, "a"), "(deflated text a)")
	deflated(t, masked(Fin, Text, "a")+masked(Fin|Compressed, Binary, "b"), "(text a)(deflated binary b)")
	deflated(t, masked(Compressed, Text, "a")+masked(Fin, PingFrame, "p")+masked(Fin, Continuation, "b"), "(deflated text a[ping p]b)")
	deflated(t, masked(Compressed, Text, "a")+masked(Fin|Compressed, Continuation, "b"), "(deflated text a"+refused(errReserved))
	deflated(t, masked(0, Text, "a")+masked(Fin|Compressed, Continuation, "b"), "(text a"+refused(errReserved))
	for _, op := range []Opcode{PingFrame, PongFrame, CloseFrame} {
		deflated(t, masked(Fin|Compressed, op, "\x03\xe8"), refused(errReserved))
	}
}
