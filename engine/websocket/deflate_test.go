package websocket

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast/codec/ws"
	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

// packed is a message deflated by the standard library, as RFC 7692 §7.2.1 has it.
func packed(level int, data string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		panic(err)
	}
	w.Write([]byte(data))
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// prose is text that is worth compressing.
func prose(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %d of a message that says much the same again and again\n", i)
	}
	return b.String()[:n]
}

// random is bytes that no compressor shrinks.
func random(n int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return string(b)
}

// agreed is what a client that offers this is answered.
func agreed(t *testing.T, p route.Socket, offer string) string {
	t.Helper()
	r := newRig(t, 1, simkernel.Options{}, p, Config{})
	c := r.dial()
	if offer != "" {
		offer = "Sec-WebSocket-Extensions: " + offer + "\r\n"
	}
	c.send("GET /ws HTTP/1.1\r\n" + asking + offer + "\r\n")
	_, answer, _ := strings.Cut(c.head(), "Sec-WebSocket-Extensions: ")
	answer, _, _ = strings.Cut(answer, "\r\n")
	return answer
}

// A server that accepts an offer MUST keep to what it asks for, and declines one that it cannot keep (RFC 7692 §7.1).
// Whatever is agreed, messages come through both ways, and none refers to another.
func TestDeflateIsNegotiated(t *testing.T) {
	const plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	f := func(offer, want string) {
		t.Helper()
		if got := agreed(t, passing, offer); got != want {
			t.Errorf("%s: answered %q, want %q", offer, got, want)
		}
		if got := agreed(t, route.Socket{}, offer); got != "" {
			t.Errorf("%s where the route compresses nothing: answered %q", offer, got)
		}
		lines, deflated := "Sec-WebSocket-Extensions: "+offer+"\r\n", frame(ws.Text, fin|ws.Compressed, packed(9, "hello hello"))
		if want == "" {
			says(t, passing, lines, deflated, ends(nil, "close 1002 reserved bit set"))
		} else {
			says(t, passing, lines, deflated+deflated+text("plain"), stays(list("text hello hello", "text hello hello", "text plain"), nil))
		}
	}
	f("permessage-deflate", plain)
	f("x-webkit-deflate-frame", "")
	f("permessage-deflate; unknown", "")
	f("permessage-deflate; client_max_window_bits=7", "")
	for _, own := range []string{"", "; server_no_context_takeover"} {
		for _, theirs := range []string{"", "; client_no_context_takeover"} {
			for _, bits := range []string{"", "; client_max_window_bits", "; client_max_window_bits=8", "; client_max_window_bits=15"} {
				f("permessage-deflate"+own+theirs+bits, plain)
				f("permessage-deflate"+own+theirs+bits+"; server_max_window_bits=15", plain+"; server_max_window_bits=15")
				f("permessage-deflate"+own+theirs+bits+"; server_max_window_bits=10", "")
				f("permessage-deflate; server_max_window_bits=10, permessage-deflate"+own+theirs+bits, plain)
			}
		}
	}
}

// What a client compresses is heard as it was: at any level, cut into any fragments (RFC 7692 §6.2).
func TestDeflatedMessages(t *testing.T) {
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		if testing.Short() && level > flate.BestSpeed {
			break
		}
		for _, data := range []string{"", "a", "κόσμε", prose(300), prose(5000), strings.Repeat("x", 60000)} {
			z := packed(level, data)
			want := stays(list("text "+data, "binary "+data), nil)
			says(t, passing, offering, frame(ws.Text, fin|ws.Compressed, z)+frame(ws.Binary, fin|ws.Compressed, z), want)
			half := len(z) / 2
			says(t, passing, offering, frame(ws.Text, ws.Compressed, z[:half])+ping("p")+frame(cont, 0, "")+frame(cont, fin, z[half:]),
				stays(list("text "+data), list("pong p")))
		}
	}
}

// "RSV1 … set on the first fragment only" (RFC 7692 §6.1), and never on control frames (§6).
func TestDeflateBitMisplaced(t *testing.T) {
	f := func(in string) {
		t.Helper()
		says(t, passing, offering, in, ends(nil, "close 1002 reserved bit set"))
	}
	z := packed(9, "hello")
	f(frame(ws.Text, ws.Compressed, z[:2]) + frame(cont, fin|ws.Compressed, z[2:]))
	f(frame(ws.Text, 0, "a") + frame(cont, fin|ws.Compressed, "b"))
	f(frame(ws.PingFrame, fin|ws.Compressed, ""))
	f(frame(ws.CloseFrame, fin|ws.Compressed, ""))
}

// What cannot be inflated, or grows beyond what a message may be, ends the connection, and costs no more than that.
func TestBadDeflate(t *testing.T) {
	f := func(z, want string) {
		t.Helper()
		says(t, passing, offering, frame(ws.Text, fin|ws.Compressed, z), ends(nil, want))
	}
	f("\xff\xff\xff", "close 1007 malformed compressed data")
	f(packed(9, "hello")[:3], "close 1007 malformed compressed data")
	f(packed(9, "caf\xe9"), notUTF8)
	f(packed(9, strings.Repeat("x", maxInbound+1)), "close 1009 message too big")
	f(packed(9, strings.Repeat("x", 8<<20)), "close 1009 message too big")
}

// A push is compressed once for all who agreed, where it pays, and they all get the same as those who did not.
func TestPushesAreCompressedOnce(t *testing.T) {
	f := func(kind, data, plain, deflated string, times uint64) {
		t.Helper()
		r := newRig(t, 1, simkernel.Options{}, route.Socket{Deflate: true}, Config{})
		var yes, no []*client
		for range 5 {
			yes = append(yes, r.open("/ws", offering))
			no = append(no, r.open("/ws"))
		}
		r.push(kind, data)
		for i := range yes {
			yes[i].want(deflated + data)
			no[i].want(plain + data)
		}
		if n := r.s.Stats.Deflated; n != times {
			t.Errorf("%.20q was compressed %d times", data, n)
		}
	}
	f("text/plain", prose(1000), "text ", "text* ", 1)
	f("text/plain", prose(100<<10), "text ", "text* ", 1)
	f("image/x", prose(1000), "binary ", "binary* ", 1)
	f("text/plain", "short", "text ", "text ", 0)
	f("text/plain", prose(400<<10), "text ", "text ", 0) // too long for a loop's time
	f("", random(2000), "binary ", "binary ", 0)         // does not shrink
}
