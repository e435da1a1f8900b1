package ws

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// simple is RFC 6455 §5 written down for a whole stream without any care for
// speed, for what DefaultLimits let pass. It says what transcript says, "✗" for
// any error, and "?" from where the stream is cut within a frame.
func simple(role Role, deflate bool, in string) string {
	out, open, said := "", false, false
	kind := ""
	for len(in) > 0 {
		if len(in) < 2 {
			return out + "?"
		}
		first, op, length, at := in[0], Opcode(in[0]&0xf), uint64(in[1]&0x7f), 2
		fin, control := first >= 0x80, op >= 8
		wrong := first&0x30 != 0 || first&0x40 != 0 && (!deflate || op != Text && op != Binary) ||
			op > 2 && op < 8 || op > 10 || control && (!fin || length > 125) ||
			op == 0 && !open || (op == 1 || op == 2) && open || (in[1] >= 0x80) != (role == Server)
		if wrong {
			return out + "✗"
		}
		for _, wide := range []struct{ mark, bytes, least uint64 }{{126, 2, 126}, {127, 8, 1 << 16}} {
			if uint64(in[1]&0x7f) == wide.mark {
				if at += int(wide.bytes); len(in) < at {
					return out + "?"
				}
				length = binary.BigEndian.Uint64([]byte(strings.Repeat("\x00", 8-int(wide.bytes)) + in[2:at]))
				if length < wide.least || length>>63 == 1 || length > 1<<20 {
					return out + "✗"
				}
			}
		}
		key := "\x00\x00\x00\x00"
		if role == Server {
			if at += 4; len(in) < at {
				return out + "?"
			}
			key = in[at-4 : at]
		}
		cut := uint64(len(in)-at) < length
		payload := []byte(in[at:min(len(in), at+int(length))])
		for i := range payload {
			payload[i] ^= key[i%4]
		}
		in = in[at+len(payload):]
		switch {
		case control && cut:
			return out + "?"
		case op == CloseFrame:
			code, reason, err := parseClose(payload)
			if err != nil {
				return out + "✗"
			}
			return out + fmt.Sprintf("[close %d %s]", code, reason)
		case control:
			out += fmt.Sprintf("[%s %s]", map[Opcode]string{PingFrame: "ping", PongFrame: "pong"}[op], payload)
			continue
		case op != Continuation:
			open, said = true, false
			kind = map[Opcode]string{Text: "text ", Binary: "binary "}[op]
			if first&0x40 != 0 {
				kind = "deflated " + kind
			}
		}
		if !said && (len(payload) > 0 || fin && !cut) {
			out, said = out+"("+kind, true
		}
		out += string(payload)
		if cut {
			return out + "?"
		}
		if fin {
			out, open = out+")", false
		}
	}
	return out
}

// FuzzFrames compares the parser with the simple one, cut everywhere.
func FuzzFrames(f *testing.F) {
	f.Add([]byte(masked(0, Text, "ab")+masked(Fin, PingFrame, "p")+masked(Fin, Continuation, "cd")), false, false)
	f.Add([]byte(masked(Compressed, Binary, "x")+masked(Fin, CloseFrame, "\x03\xe8bye")+"\x00"), false, true)
	f.Add([]byte(plain(Fin, Text, strings.Repeat("x", 130))+"\x82\x7e\x00\x7d"), true, false)
	f.Add([]byte("\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x01"), true, true)
	f.Add([]byte("\x01\x80....\x00\x80....\x80\x80...."), false, false)
	f.Fuzz(func(t *testing.T, in []byte, client, deflate bool) {
		if len(in) > 300 {
			return
		}
		role := Server
		if client {
			role = Client
		}
		p := NewParser(role, deflate)
		got, want := everySplit(t, p, &DefaultLimits, string(in)), simple(role, deflate, string(in))
		text, _, failed := strings.Cut(got, "✗")
		if before, cut := strings.CutSuffix(want, "?"); cut {
			// A frame that is not whole may already be refused, or left over.
			if !strings.HasPrefix(text, before) {
				t.Fatalf("%x: %q, want %q", in, got, want)
			}
			return
		}
		if wanted, fails := strings.CutSuffix(want, "✗"); fails != failed || strings.TrimSuffix(text, "…") != wanted {
			t.Fatalf("%x: %q, want %q", in, got, want)
		}
	})
}

// FuzzUTF8 compares with utf8.Valid, cut at every two places.
func FuzzUTF8(f *testing.F) {
	f.Add([]byte("κόσμε and \xed\xa0\x80"))
	f.Add([]byte("\xf0\x9d\x84\x9e\xf4\x8f\xbf\xbf\xe2\x82"))
	f.Add([]byte("plain words enough for the fast path \xc3\xa9 and so on \xe0\x80"))
	f.Fuzz(func(t *testing.T, in []byte) {
		in = in[:min(len(in), 100)]
		want := utf8.Valid(in)
		for i := range len(in) + 1 {
			for j := i; j <= len(in); j++ {
				var u UTF8
				if got := u.Check(in[:i], false) && u.Check(in[i:j], false) && u.Check(in[j:], true); got != want {
					t.Fatalf("%x cut at %d and %d: %v", in, i, j, got)
				}
			}
		}
	})
}

// FuzzMessage wants what either end appends to be what the other reads.
func FuzzMessage(f *testing.F) {
	f.Add([]byte("Hello"), uint32(0x3d21fa37), uint16(2))
	f.Add([]byte(strings.Repeat("some text, ", 20)), uint32(0), uint16(200))
	f.Fuzz(func(t *testing.T, msg []byte, key uint32, cut uint16) {
		at := min(int(cut), len(msg))
		want := "(binary " + string(msg) + ")"
		in := AppendMasked(nil, Binary, 0, Mask(key), msg[:at])
		in = AppendMasked(in, Continuation, Fin, Mask(key^cutKey), msg[at:])
		if got := transcript(NewParser(Server, false), &DefaultLimits, string(in), at); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		in = AppendFrame(AppendFrame(nil, Binary, 0, msg[:at]), Continuation, Fin, msg[at:])
		if got := transcript(NewParser(Client, false), &DefaultLimits, string(in), at); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		var inflater Inflater
		packed := fuzzDeflater.deflate(nil, msg)
		if got, err := inflater.Append(nil, packed, len(msg)); err != nil || string(got) != string(msg) {
			t.Fatalf("%q, %v, want %q", got, err, msg)
		}
	})
}

const cutKey = 0xa5a5_5a5a

var fuzzDeflater Deflater
