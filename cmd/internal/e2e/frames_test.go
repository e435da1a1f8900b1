package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// suite runs cases against the echo action over each lane, with the input in pieces as given, all at once, and byte by
// byte where it is short.
func suite(t *testing.T, fields []string, cases func(f func(want string, in ...string))) {
	t.Parallel()
	d := serve(t, "--echo")
	for name, lane := range lanes {
		t.Run(name, func(t *testing.T) {
			by := lane(t)
			n := 0
			cases(func(want string, in ...string) {
				t.Helper()
				if strings.HasSuffix(want, "close 1000") {
					in = append(in, farewell(1000, ""))
				}
				whole := strings.Join(in, "")
				ways := [][]string{in, {whole}}
				if len(whole) <= 120 {
					ways = append(ways, strings.Split(whole, ""))
				}
				for _, pieces := range ways {
					n++
					if got := caseOver(t, by, d, fields, pieces); got != want {
						t.Errorf("%d pieces of %.80q:\n got %s\nwant %s", len(pieces), whole, got, want)
					}
				}
			})
			t.Logf("%d runs", n)
		})
	}
}

func caseOver(t *testing.T, by http.RoundTripper, d *daemon, fields, pieces []string) string {
	t.Helper()
	s := open(t, by, d.public, "/echo", fields...)
	defer s.Close()
	return s.transcript(t, pieces)
}

// echoes is the transcript of a conversation that ends well.
func echoes(words ...string) string { return strings.Join(append(words, "close 1000"), ", ") }

func TestSocketMessages(t *testing.T) {
	suite(t, nil, func(f func(string, ...string)) {
		for _, size := range []int{0, 1, 125, 126, 127, 128, 65535, 65536, 1 << 20} {
			message := strings.Repeat("*", size)
			f(echoes(said(fin|text, message)), frame(fin|text, message))
			message = strings.Repeat("\xfe", size)
			f(echoes(said(fin|binaries, message)), frame(fin|binaries, message))
		}
		const size = 65536
		message := strings.Repeat("0123456789abcdef", size/16)
		whole := frame(fin|text, message)
		f(echoes(said(fin|text, message)), slices.Collect(chop(whole, 997))...)
		var burst, heard []string
		for i := range 100 {
			burst = append(burst, frame(fin|text, fmt.Sprint(i)))
			heard = append(heard, said(fin|text, fmt.Sprint(i)))
		}
		f(echoes(heard...), burst...)
	})
}

// chop cuts a text into pieces of a size.
func chop(whole string, size int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(whole) > 0 {
			n := min(size, len(whole))
			if !yield(whole[:n]) {
				return
			}
			whole = whole[n:]
		}
	}
}

func TestSocketPings(t *testing.T) {
	suite(t, nil, func(f func(string, ...string)) {
		f(echoes(`pong ""`), frame(fin|ping, ""))
		f(echoes(`pong "hello"`), frame(fin|ping, "hello"))
		f(echoes(said(fin|pong, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff")), frame(fin|ping, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))
		full := strings.Repeat("\xfe", 125)
		f(echoes(said(fin|pong, full)), frame(fin|ping, full))
		f("close 1002", frame(fin|ping, full+"x"))
		f(echoes(), frame(fin|pong, "")) // "A response to an unsolicited Pong frame is not expected", §5.5.3
		f(echoes(), frame(fin|pong, "nobody asked"))
		f(echoes(`pong "asked"`), frame(fin|pong, "nobody asked"), frame(fin|ping, "asked"))
		var ten, heard []string
		for i := range 10 {
			ten = append(ten, frame(fin|ping, fmt.Sprint("p", i)))
			heard = append(heard, said(fin|pong, fmt.Sprint("p", i)))
		}
		f(echoes(heard...), ten...)
	})
}

// "If a nonzero value is received and none of the negotiated extensions defines the meaning of such a nonzero value, the
// receiving endpoint MUST _Fail the WebSocket Connection_." RFC 6455 §5.2.
func TestSocketReservedBits(t *testing.T) {
	suite(t, nil, func(f func(string, ...string)) {
		hello := frame(fin|text, "hello")
		for rsv := 1; rsv <= 7; rsv++ {
			bits := byte(rsv << 4)
			f("close 1002", frame(fin|text|bits, "hello"))
			f(`text "hello", close 1002`, hello, frame(fin|text|bits, "hello"), frame(fin|ping, ""))
			f("close 1002", frame(fin|ping|bits, "hello"))
			f("close 1002", frame(fin|closing|bits, ""))
			f("close 1002", frame(text, "hel"), frame(fin|more|bits, "lo"))
		}
	})
}

// "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_." RFC 6455 §5.2.
func TestSocketReservedOpcodes(t *testing.T) {
	suite(t, nil, func(f func(string, ...string)) {
		hello := frame(fin|text, "hello")
		for _, op := range []byte{3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf} {
			f("close 1002", frame(fin|op, ""))
			f("close 1002", frame(fin|op, "reserved"))
			f(`text "hello", close 1002`, hello, frame(fin|op, "reserved"), frame(fin|ping, ""))
		}
	})
}

// RFC 6455 §5.4.
func TestSocketFragments(t *testing.T) {
	suite(t, nil, func(f func(string, ...string)) {
		f("close 1002", frame(ping, "frag"), frame(fin|more, "ment")) // "Control frames themselves MUST NOT be fragmented."
		f("close 1002", frame(pong, "frag"), frame(fin|more, "ment"))
		f("close 1002", frame(closing, ""))
		f(echoes(`text "fragment"`), frame(text, "frag"), frame(fin|more, "ment"))
		f(echoes(`binary "fragment"`), frame(binaries, "frag"), frame(fin|more, "ment"))
		f(echoes(`pong "ping"`, `text "fragment"`), frame(text, "frag"), frame(fin|ping, "ping"), frame(fin|more, "ment"))
		f(echoes(`text ""`), frame(text, ""), frame(more, ""), frame(fin|more, ""))
		f(echoes(`text "x"`), frame(text, ""), frame(more, "x"), frame(fin|more, ""))
		f(echoes(`pong "1"`, `pong "2"`, `text "abc"`, `text "d"`),
			frame(text, "a"), frame(fin|ping, "1"), frame(more, "b"), frame(fin|ping, "2"), frame(fin|more, "c"), frame(fin|text, "d"))
		f("close 1002", frame(fin|more, "nothing to continue"))
		f("close 1002", frame(more, "nothing to continue"), frame(fin|text, "x"))
		f(`text "a", close 1002`, frame(fin|text, "a"), frame(fin|more, "b"))
		f("close 1002", frame(text, "one"), frame(fin|text, "two"))
		f("close 1002", frame(text, "one"), frame(fin|binaries, "two"))
		f("close 1002", frame(binaries, "one"), frame(text, "two"))
		f(`text "fragment", close 1002`, frame(text, "frag"), frame(fin|more, "ment"), frame(fin|more, "more"))
		f("close 1000", frame(text, "never whole"))
		message := strings.Repeat("fragment", 1<<17)
		for _, size := range []int{64, 4 << 10, 64 << 10, 256 << 10} { // "An endpoint MUST be capable of handling" any
			f(echoes(said(fin|text, message[:64*size>>4])), fragments(message[:64*size>>4], size)...)
		}
	})
}

// fragments is a text in frames of a size.
func fragments(message string, size int) (all []string) {
	for piece := range chop(message, size) {
		first := byte(more)
		if len(all) == 0 {
			first = text
		}
		all = append(all, frame(first, piece))
	}
	last := len(all) - 1
	b := []byte(all[last])
	b[0] |= fin
	all[last] = string(b)
	return all
}

// RFC 6455 §5.1, §5.2.
func TestSocketMalformedFrames(t *testing.T) {
	suite(t, nil, func(f func(string, ...string)) {
		f("close 1002", "\x81\x05hello") // "The server MUST close the connection upon receiving a frame that is not masked."
		f("close 1002", "\x89\x00")
		f("close 1002", "\x88\x02\x03\xe8")
		f("close 1002", "\x81\xfe\x00\x05"+string(mask[:])+masked("hello")) // "the minimal number of bytes MUST be used"
		f("close 1002", "\x81\xff\x00\x00\x00\x00\x00\x00\x00\x05"+string(mask[:])+masked("hello"))
		f("close 1002", "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00"+string(mask[:])) // "the most significant bit MUST be 0"
		f("close 1009", "\x81\xff\x40\x00\x00\x00\x00\x00\x00\x00"+string(mask[:])+"x")
		f("close 1009", head(fin|text, 17<<20))
		f("close 1009", frame(text, "small"), head(more, 17<<20))
	})
}
