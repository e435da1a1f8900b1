package origin

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// The handshake of RFC 6455 §1.3, whose answer is known.
const handshake = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// peer is the client's end of a WebSocket, in plain terms of frames.
type peer struct {
	*testing.T
	nc net.Conn
	br *bufio.Reader
}

func upgraded(t *testing.T, addr, query string) *peer {
	t.Helper()
	p := &peer{t, dial(t, addr), nil}
	write(t, p.nc, ask("/ws"+query, handshake+"Sec-WebSocket-Protocol: chat, other\r\n"))
	p.br = bufio.NewReader(p.nc)
	r, err := http.ReadResponse(p.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != 101 || r.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
		r.Header.Get("Sec-WebSocket-Protocol") != "chat" || r.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("%s %v", r.Status, r.Header)
	}
	return p
}

// masked makes a client's frame.
func masked(first byte, payload string) string {
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, maskBit|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, maskBit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, maskBit|127), uint64(n))
	}
	mask := "\x12\x34\x56\x78"
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return string(b)
}

// plain makes a server's frame, with a header that is written out by hand.
func plain(header, payload string) string { return header + payload }

func (p *peer) send(frames ...string) {
	p.Helper()
	write(p.T, p.nc, strings.Join(frames, ""))
}

func (p *peer) want(frames ...string) {
	p.Helper()
	want := strings.Join(frames, "")
	got := make([]byte, len(want))
	if n, err := io.ReadFull(p.br, got); err != nil || string(got) != want {
		p.Fatalf("got %q (%d bytes, %v), want %q", short(got), n, err, short([]byte(want)))
	}
}

func (p *peer) wantEnd() {
	p.Helper()
	if b, err := io.ReadAll(p.br); err != nil || len(b) > 0 {
		p.Fatalf("after the close: %q, %v", short(b), err)
	}
}

func short(b []byte) []byte { return b[:min(len(b), 100)] }

func TestWebSocketEcho(t *testing.T) {
	_, addr := start(t, Config{})
	p := upgraded(t, addr, "")
	p.send(masked(finBit|opText, "hello"))
	p.want(plain("\x81\x05", "hello"))
	p.send(masked(finBit|opBinary, ""))
	p.want(plain("\x82\x00", ""))
	for _, n := range []int{125, 126, 65535, 65536, 1 << 20} {
		message := strings.Repeat("x\xff", n)[:n]
		p.send(masked(finBit|opBinary, message))
		header := "\x82" + string([]byte{byte(n)})
		if n > 65535 {
			header = "\x82\x7f" + string(binary.BigEndian.AppendUint64(nil, uint64(n)))
		} else if n > 125 {
			header = "\x82\x7e" + string(binary.BigEndian.AppendUint16(nil, uint16(n)))
		}
		p.want(plain(header, message))
	}
	p.send(masked(finBit|opClose, "\x03\xe8bye"))
	p.want(plain("\x88\x05", "\x03\xe8bye"))
	p.wantEnd()
}

// RFC 6455 §5.4: "Control frames MAY be injected in the middle of a fragmented message."
func TestWebSocketFragmentsWithPingBetween(t *testing.T) {
	_, addr := start(t, Config{})
	p := upgraded(t, addr, "")
	p.send(masked(opText, "h\xc3"), masked(finBit|opPing, "p"), masked(opContinuation, "\xa9l"), masked(finBit|opPong, ""), masked(finBit, "lo"))
	p.want(plain("\x8a\x01", "p"), plain("\x81\x06", "h\xc3\xa9llo"))
	p.send(masked(finBit|opClose, ""))
	p.want(plain("\x88\x00", ""))
	p.wantEnd()
}

func TestWebSocketAnswersInFragments(t *testing.T) {
	_, addr := start(t, Config{})
	p := upgraded(t, addr, "?fragment=2")
	p.send(masked(finBit|opText, "hello"), masked(finBit|opText, "ab"))
	p.want(plain("\x01\x02", "he"), plain("\x00\x02", "ll"), plain("\x80\x01", "o"), plain("\x81\x02", "ab"))
}

// Frames cut at every byte are the same frames.
func TestWebSocketSplitAtEveryByte(t *testing.T) {
	_, addr := start(t, Config{})
	p := upgraded(t, addr, "")
	frames := masked(opText, "ab") + masked(finBit, "c") + masked(finBit|opBinary, strings.Repeat("d", 130))
	for i := 1; i < len(frames); i += 3 {
		p.send(frames[:i])
		p.send(frames[i:])
		p.want(plain("\x81\x03", "abc"), plain("\x82\x7e\x00\x82", strings.Repeat("d", 130)))
	}
}

// RFC 6455 §7.4.1 names the close codes; §5.1: "a server MUST close the connection upon receiving a frame that is not
// masked."
func TestWebSocketViolations(t *testing.T) {
	_, addr := start(t, Config{Message: 1000})
	f := func(name, send, code string) {
		t.Run(name, func(t *testing.T) {
			p := upgraded(t, addr, "")
			p.send(send)
			p.want(plain("\x88\x02", code))
			p.wantEnd()
		})
	}
	const protocol, notText, tooBig = "\x03\xea", "\x03\xef", "\x03\xf1"
	f("unmasked", "\x81\x01a", protocol)
	f("reserved bit", masked(finBit|0x40|opText, "a"), protocol)
	f("reserved opcode", masked(finBit|3, "a"), protocol)
	f("reserved control opcode", masked(finBit|11, "a"), protocol)
	f("fragmented ping", masked(opPing, "a"), protocol)
	f("long ping", masked(finBit|opPing, strings.Repeat("a", 126)), protocol)
	f("continuation of nothing", masked(finBit|opContinuation, "a"), protocol)
	f("message within a message", masked(opText, "a")+masked(finBit|opText, "b"), protocol)
	f("close of one byte", masked(finBit|opClose, "\x03"), protocol)
	f("close with a reserved code", masked(finBit|opClose, "\x03\xed"), protocol)
	f("close with an unknown code", masked(finBit|opClose, "\x07\xd0"), protocol)
	f("close with a reason that is no text", masked(finBit|opClose, "\x03\xe8\xff"), notText)
	f("no text", masked(finBit|opText, "a\xff"), notText)
	f("no text over fragments", masked(opText, "\xc3")+masked(finBit, "a"), notText)
	f("too big", masked(finBit|opText, strings.Repeat("a", 1001)), tooBig)
	f("too big in all", masked(opText, strings.Repeat("a", 600))+masked(finBit, strings.Repeat("a", 600)), tooBig)
	f("a length of 2^63", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00mask", tooBig)
}

func TestWebSocketHandshakeRefused(t *testing.T) {
	_, addr := start(t, Config{})
	f := func(name, request, status string) {
		t.Helper()
		got, err := raw(t, addr, request+ask("/page?size=1", "Connection: close\r\n"))
		if err != nil || !strings.HasPrefix(got, "HTTP/1.1 "+status) || !strings.HasSuffix(got, "\r\n\r\nt") {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	without := func(old, new string) string { return ask("/ws", strings.Replace(handshake, old, new, 1)) }
	f("plain", ask("/ws", ""), "400")
	f("method", strings.Replace(ask("/ws", handshake), "GET", "PUT", 1), "400")
	f("no Connection", without("Upgrade\r\nSec", "close-not\r\nSec"), "400")
	f("another protocol", without("websocket", "h2c"), "400")
	f("key", without("dGhl", "dG"), "400")
	f("key of another length", without("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), "400")
	f("version", without("13", "8"), "426")
	f("body", strings.Replace(ask("/ws", handshake+"Content-Length: 2\r\n"), "\r\n\r\n", "\r\n\r\nhi", 1), "400")

	got, err := raw(t, addr, ask("/ws", "Connection: close\r\n")+"\x81\x01a")
	if err != nil || !strings.HasPrefix(got, "HTTP/1.1 400") || bytes.Contains([]byte(got), []byte{0x88}) {
		t.Errorf("a refused handshake went on: %q %v", got, err)
	}
}
