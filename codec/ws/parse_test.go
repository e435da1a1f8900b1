package ws

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// The examples of RFC 6455 §5.7.
func TestExamples(t *testing.T) {
	fromServer(t, unhex("0x81 0x05 0x48 0x65 0x6c 0x6c 0x6f"), "(text Hello)")
	fromClient(t, unhex("0x81 0x85 0x37 0xfa 0x21 0x3d 0x7f 0x9f 0x4d 0x51 0x58"), "(text Hello)")
	fromServer(t, unhex("0x01 0x03 0x48 0x65 0x6c 0x80 0x02 0x6c 0x6f"), "(text Hello)")
	fromServer(t, unhex("0x89 0x05 0x48 0x65 0x6c 0x6c 0x6f"), "[ping Hello]")
	fromClient(t, unhex("0x8a 0x85 0x37 0xfa 0x21 0x3d 0x7f 0x9f 0x4d 0x51 0x58"), "[pong Hello]")
	for _, n := range []int{256, 65536} {
		data := strings.Repeat("x", n)
		fromServer(t, map[int]string{256: unhex("827E0100"), 65536: unhex("827F0000000000010000")}[n]+data, "(binary "+data+")")
	}
}

// Messages of every length at which the form of the length changes, and about
// it, RFC 6455 §5.2 (Autobahn 1.1, 1.2).
func TestLengths(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 8, 9, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537, 1 << 20} {
		data := strings.Repeat("0123456789abcdef", n/16+1)[:n]
		fromClient(t, masked(Fin, Text, data), "(text "+data+")")
		fromServer(t, plain(Fin, Binary, data), "(binary "+data+")")
	}
}

// Pings and pongs (Autobahn 2), alone and within messages.
func TestControlFrames(t *testing.T) {
	long := strings.Repeat("\xfe", 125)
	fromClient(t, masked(Fin, PingFrame, ""), "[ping ]")
	fromClient(t, masked(Fin, PingFrame, "\x00\xff\xfe"), "[ping \x00\xff\xfe]")
	fromClient(t, masked(Fin, PingFrame, long), "[ping "+long+"]")
	fromClient(t, masked(Fin, PongFrame, ""), "[pong ]")
	fromClient(t, masked(Fin, PongFrame, "unasked")+masked(Fin, PingFrame, "p"), "[pong unasked][ping p]")
	fromClient(t, strings.Repeat(masked(Fin, PingFrame, "x"), 10), strings.Repeat("[ping x]", 10))
	fromClient(t, masked(0, Text, "ab")+masked(Fin, PingFrame, "p")+masked(Fin, Continuation, "cd"), "(text ab[ping p]cd)")
	fromClient(t, masked(0, Text, "a")+masked(Fin, CloseFrame, ""), "(text a[close 1005 ]…")
}

// Fragments (Autobahn 5), with whatever may stand between them.
func TestFragments(t *testing.T) {
	ping := masked(Fin, PingFrame, "p")
	fromClient(t, masked(0, Text, "a")+masked(0, Continuation, "b")+masked(Fin, Continuation, "c"), "(text abc)")
	fromClient(t, masked(0, Binary, "")+masked(0, Continuation, "")+masked(Fin, Continuation, ""), "(binary )")
	fromClient(t, masked(0, Text, "")+masked(0, Continuation, "x")+masked(Fin, Continuation, ""), "(text x)")
	fromClient(t, masked(0, Text, "")+ping+masked(Fin, Continuation, ""), "[ping p](text )")
	fromClient(t, masked(0, Text, "a")+ping+masked(0, Continuation, "b")+ping+masked(Fin, Continuation, "c"), "(text a[ping p]b[ping p]c)")
	fromClient(t, masked(0, Text, "a")+masked(Fin, Continuation, "b")+masked(Fin, Binary, "c"), "(text ab)(binary c)")
	fromClient(t, masked(0, Text, "a"), "(text a…")
	fromClient(t, masked(0, Text, ""), "…")
	fromServer(t, plain(0, Text, "a")+plain(Fin, PingFrame, "p")+plain(Fin, Continuation, "b"), "(text a[ping p]b)")
	big := strings.Repeat("f", 65536)
	fromClient(t, masked(0, Text, big)+masked(0, Continuation, big)+masked(Fin, Continuation, big), "(text "+big+big+big+")")
}

// What has not come whole stays with the caller, and is short.
func TestLeftOver(t *testing.T) {
	frame := masked(Fin, PingFrame, strings.Repeat("p", 125))
	fromClient(t, frame[:len(frame)-1], fmt.Sprintf("+%d", len(frame)-1))
	head := masked(Fin, Text, strings.Repeat("x", 70000))[:MaxHead]
	fromClient(t, head[:MaxHead-1], "+13")
	fromClient(t, head, "…")
	fromClient(t, "", "")
	if len(frame) >= MaxHead+MaxControl {
		t.Error("a control frame is longer than promised")
	}
}

// Every first byte, before and within a message, with and without the
// extension: what is permitted is exactly this.
func TestEveryFirstByte(t *testing.T) {
	for i := range 256 {
		flags, op := Flags(i&0xf0), Opcode(i&0x0f)
		for _, deflate := range []bool{false, true} {
			for _, open := range []bool{false, true} {
				p := NewParser(Server, deflate)
				if open {
					p.opcode = Text
				}
				data, control := op == Text || op == Binary, op >= CloseFrame && op <= PongFrame
				want := data && !open || op == Continuation && open || control && flags&Fin != 0
				switch flags & reservedBits {
				case 0:
				case Compressed:
					want = want && deflate && data
				default:
					want = false
				}
				_, n, err := p.Next([]byte{byte(i)}, &DefaultLimits)
				if n != 0 || (err == nil) != want {
					t.Errorf("%#x, deflate %v, open %v: %d %v", i, deflate, open, n, err)
				}
			}
		}
	}
}

// A frame is refused with the first byte that shows why, before what follows
// has come.
func TestRefusedEarly(t *testing.T) {
	f := func(role Role, in string, want *Error) {
		t.Helper()
		p := NewParser(role, false)
		for i := range in {
			if _, _, err := p.Next([]byte(in[:i]), &DefaultLimits); err != nil {
				t.Errorf("%x: refused after %d bytes", in, i)
				return
			}
		}
		if _, _, err := p.Next([]byte(in), &DefaultLimits); err != want {
			t.Errorf("%x: %v, want %v", in, err, want)
		}
	}
	f(Server, "\x83", errOpcode)
	f(Server, "\x80", errUnopened)
	f(Server, "\x09", errControlSplit)
	f(Server, "\xc1", errReserved)
	f(Server, "\x81\x05", errUnmasked)
	f(Client, "\x81\x85", errMasked)
	f(Server, "\x89\xfe", errControlLong)
	f(Server, "\x82\xfe\x00\x7d", errLengthForm)
	f(Server, "\x82\xff\x80", errLengthHuge)
	f(Server, "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", errLengthForm)
	f(Server, "\x82\xff\x00\x00\x00\x00\x00\x10\x00\x01", ErrTooBig)
	f(Client, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", ErrTooBig)
}

// The limit is on the message, whatever its fragments, and comes before bytes.
func TestMessageLimit(t *testing.T) {
	f := func(limit int64, in, want string) {
		t.Helper()
		if got := everySplit(t, NewParser(Server, false), &Limits{Message: limit, Overhead: 100}, in); got != want {
			t.Errorf("%q within %d: %s, want %s", in, limit, got, want)
		}
	}
	f(4, masked(Fin, Text, "abcd"), "(text abcd)")
	f(4, masked(Fin, Text, "abcde"), refused(ErrTooBig))
	f(4, masked(0, Text, "abc")+masked(Fin, Continuation, "d"), "(text abcd)")
	f(4, masked(0, Text, "abc")+masked(Fin, Continuation, "de"), "(text abc"+refused(ErrTooBig))
	f(4, masked(Fin, Text, "abcd")+masked(Fin, Text, "abcd"), "(text abcd)(text abcd)")
	f(4, masked(0, Text, "abcd")+masked(Fin, PingFrame, "long")+masked(Fin, Continuation, ""), "(text abcd[ping long])")
	f(0, masked(Fin, Text, strings.Repeat("x", 9000)), "(text "+strings.Repeat("x", 9000)+")")
	if ErrTooBig.Code != 1009 {
		t.Error(ErrTooBig.Code)
	}
}

// A message announced to be longer than an int64 does not wrap around.
func TestMessageLimitWraps(t *testing.T) {
	p := NewParser(Client, false)
	p.opcode, p.total = Binary, math.MaxInt64-2
	if _, _, err := p.Next([]byte("\x80\x03"), &Limits{Overhead: 100}); err != ErrTooBig {
		t.Error(err)
	}
	p = NewParser(Client, false)
	p.opcode, p.total = Binary, math.MaxInt64-2
	if _, _, err := p.Next([]byte("\x80\x02"), &Limits{Overhead: 100}); err != nil {
		t.Error(err)
	}
}

// The flood that Limits.Overhead stops, and the honest streams that it does not.
func TestOverhead(t *testing.T) {
	f := func(fragment string, times int, want error) {
		t.Helper()
		p := NewParser(Server, false)
		in := []byte(masked(0, Text, "") + strings.Repeat(masked(0, Continuation, fragment), times))
		for {
			ev, n, err := p.Next(in, &DefaultLimits)
			if in = in[n:]; err != nil || ev.Kind == NeedMore {
				if err != want {
					t.Errorf("%d fragments of %d bytes: %v", times, len(fragment), err)
				}
				return
			}
		}
	}
	f("", 5460, nil)
	f("", 5461, errOverhead)
	f("x", 8190, nil)
	f("x", 8191, errOverhead)
	f("xyz", 300_000, nil)
	f(strings.Repeat("x", 64), 16_384, nil) // Autobahn 9.3.1 has 4 MiB of these
	// Each message starts anew.
	one := masked(0, Text, "") + strings.Repeat(masked(0, Continuation, ""), 5000) + masked(Fin, Continuation, "")
	if got := transcript(NewParser(Server, false), &DefaultLimits, one+one); got != "(text )(text )" {
		t.Error(got)
	}
}
