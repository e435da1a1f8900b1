package websocket

import (
	"strings"
	"testing"

	"holdfast/codec/ws"
)

// raw is a frame with any first byte; masked as a client's.
func raw(first byte, data string) string {
	b := []byte(frame(ws.Opcode(first&0x0f), ws.Flags(first&0xf0), data))
	return string(b)
}

// unmasked is a server's frame.
func unmasked(op ws.Opcode, data string) string {
	return string(ws.AppendFrame(nil, op, ws.Fin, []byte(data)))
}

const (
	cont = ws.Continuation
	fin  = ws.Fin
)

// "The server MUST close the connection upon receiving a frame that is not masked. In this case, a server MAY send a
// Close frame with a status code of 1002 (protocol error)" (RFC 6455 §5.1). "A server MUST NOT mask any frames that it
// sends to the client": the tests' client refuses them.
func TestUnmaskedFrames(t *testing.T) {
	for _, op := range []ws.Opcode{ws.Text, ws.Binary, ws.PingFrame, ws.PongFrame, ws.CloseFrame} {
		says(t, passing, "", text("a")+unmasked(op, "")+text("b"), ends(list("text a"), "close 1002 client's frame is not masked"))
	}
}

// Messages of every length form come whole: "the minimal number of bytes MUST be used to encode the length" (§5.2).
func TestLengths(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 128, 65535, 65536} {
		data := strings.Repeat("*", n)
		says(t, passing, "", text(data), stays(list("text "+data), nil))
		says(t, passing, "", binary(data), stays(list("binary "+data), nil))
	}
	says(t, passing, "", "\x81\xfe\x00\x05\x00\x00\x00\x00hello", ends(nil, "close 1002 length not in its shortest form"))
	says(t, passing, "", "\x81\xff\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00hello", ends(nil, "close 1002 length not in its shortest form"))
	says(t, passing, "", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00hello", ends(nil, "close 1002 length with its top bit set"))
}

// RSV1 to 3 "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values. If a nonzero value
// is received and none of the negotiated extensions defines the meaning of such a nonzero value, the receiving endpoint
// MUST _Fail the WebSocket Connection_" (§5.2).
func TestReservedBits(t *testing.T) {
	for rsv := byte(1); rsv < 8; rsv++ {
		for _, op := range []byte{1, 2, 8, 9, 10} {
			in := text("a") + raw(0x80|rsv<<4|op, "x") + ping("")
			says(t, passing, "", in, ends(list("text a"), "close 1002 reserved bit set"))
		}
	}
}

// "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_" (§5.2).
func TestUnknownOpcodes(t *testing.T) {
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		says(t, passing, "", text("a")+raw(0x80|op, ""), ends(list("text a"), "close 1002 reserved opcode"))
		says(t, passing, "", frame(ws.Text, 0, "a")+raw(0x80|op, "b"), ends(nil, "close 1002 reserved opcode"))
	}
}

// "A fragmented message consists of a single frame with the FIN bit clear and an opcode other than 0, followed by zero
// or more frames with the FIN bit clear and the opcode set to 0, and terminated by a single frame with the FIN bit set
// and an opcode of 0." (§5.4) "an endpoint MUST be capable of handling control frames in the middle of a fragmented
// message", and "Message fragments MUST be delivered to the recipient in the order sent by the sender".
func TestFragments(t *testing.T) {
	f := func(in string, want outcome) { t.Helper(); says(t, passing, "", in, want) }
	f(frame(ws.Text, 0, "a")+frame(cont, fin, "b"), stays(list("text ab"), nil))
	f(frame(ws.Binary, 0, "a")+frame(cont, 0, "b")+frame(cont, 0, "")+frame(cont, fin, "c"), stays(list("binary abc"), nil))
	f(frame(ws.Text, 0, "")+frame(cont, 0, "")+frame(cont, fin, ""), stays(list("text "), nil))
	f(frame(ws.Text, 0, "")+frame(cont, 0, "middle")+frame(cont, fin, ""), stays(list("text middle"), nil))
	f(frame(ws.Text, 0, "a")+ping("p")+frame(cont, 0, "b")+pong("q")+ping("")+frame(cont, fin, "c")+text("d"),
		stays(list("text abc", "text d"), list("pong p", "pong")))
	f(frame(ws.Text, 0, "a")+closing(1000, ""), ends(nil, "close 1000"))

	// "The fragments of one message MUST NOT be interleaved between the fragments of another message"
	f(frame(ws.Text, 0, "a")+text("b"), ends(nil, "close 1002 message begins inside another"))
	f(frame(ws.Text, 0, "a")+frame(ws.Binary, 0, "b"), ends(nil, "close 1002 message begins inside another"))
	f(frame(cont, fin, "a"), ends(nil, "close 1002 continuation of no message"))
	f(frame(cont, 0, "a"), ends(nil, "close 1002 continuation of no message"))
	f(text("a")+frame(cont, fin, "b"), ends(list("text a"), "close 1002 continuation of no message"))
	f(frame(ws.Text, 0, "a")+frame(cont, fin, "b")+frame(cont, fin, "c"), ends(list("text ab"), "close 1002 continuation of no message"))
}

// Fragments of 64 KiB, and messages cut into many, are taken: a message's length counts, not how it comes.
func TestManyFragments(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 4<<10)
	p := passing
	p.MaxInbound = 4 << 20
	in := frame(ws.Binary, 0, big)
	for range 3 {
		in += frame(cont, 0, big)
	}
	if got := converse(t, p, "", in, frame(cont, fin, big)); len(got.heard) != 1 || got.heard[0] != "binary "+strings.Repeat(big, 5) {
		t.Errorf("five fragments of 64 KiB: %v heard, %q", len(got.heard), got.got)
	}
	small := []byte(frame(ws.Text, 0, ""))
	for i := range big {
		small = append(small, frame(cont, 0, big[i:i+1])...)
		small = append(small, strings.Repeat(frame(cont, 0, "...."), 2)...)
	}
	if got := converse(t, p, "", string(small), frame(cont, fin, "")); len(got.heard) != 1 || len(got.heard[0]) != 5+9*len(big) {
		t.Errorf("small fragments: %v heard, %q", len(got.heard), got.got)
	}
}

// "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented." (§5.5)
func TestControlFrames(t *testing.T) {
	f := func(in string, want outcome) { t.Helper(); says(t, passing, "", in, want) }
	long := strings.Repeat("p", 125)
	for _, op := range []ws.Opcode{ws.PingFrame, ws.PongFrame, ws.CloseFrame} {
		f(frame(op, fin, strings.Repeat("x", 126)), ends(nil, "close 1002 control frame longer than 125 bytes"))
		f(frame(op, 0, "x")+frame(cont, fin, "y"), ends(nil, "close 1002 fragmented control frame"))
	}
	// "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response" (§5.5.2); "A Pong frame sent in
	// response to a Ping frame must have identical 'Application data' as found in the message body of the Ping frame
	// being replied to" (§5.5.3).
	f(ping(""), stays(nil, list("pong")))
	f(ping("hello"), stays(nil, list("pong hello")))
	f(ping("\x00\xff\xfe\xfd")+ping(long), stays(nil, list("pong \x00\xff\xfe\xfd", "pong "+long)))
	// "A Pong frame MAY be sent unsolicited. … A response to an unsolicited Pong frame is not expected."
	f(pong("")+pong("x")+pong(long)+ping("y"), stays(nil, list("pong y")))
	var many string
	var pongs []string
	for range 10 {
		many, pongs = many+ping("n"), append(pongs, "pong n")
	}
	f(many, stays(nil, pongs))
}
