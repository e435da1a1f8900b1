package e2e

import (
	"bytes"
	"compress/flate"
	"slices"
	"strings"
	"testing"
)

// What is offered is accepted if we can keep to it, RFC 7692 §7.1, and never with a window that outlives a message.
func TestSocketOffers(t *testing.T) {
	t.Parallel()
	d := serve(t, "--echo")
	const accepted = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for name, lane := range lanes {
		t.Run(name, func(t *testing.T) {
			by := lane(t)
			f := func(offer, want string) {
				t.Helper()
				var fields []string
				if offer != "" {
					fields = []string{"Sec-WebSocket-Extensions: " + offer}
				}
				s := open(t, by, d.public, "/echo", fields...)
				defer s.Close()
				if got := s.answer.Get("Sec-WebSocket-Extensions"); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
					t.Errorf("%s: answered %q, want %q", offer, got, want)
				}
				message := strings.Repeat("compress me ", 20)
				in := []string{frame(fin|text, message), farewell(1000, "")}
				if want != "" {
					in = slices.Insert(in, 1, frame(fin|text|compressed, deflate(message, 9)))
					message += "\n" // stands for the second
				}
				heard := said(fin|text, strings.TrimSuffix(message, "\n"))
				if got := s.transcript(t, in); got != strings.Repeat(heard+", ", len(in)-1)+"close 1000" {
					t.Errorf("%s: %s", offer, got)
				}
			}
			f("", "")
			f("permessage-deflate", accepted)
			f("permessage-deflate; client_max_window_bits", accepted)
			f("permessage-deflate; client_max_window_bits=10", accepted)
			f(`permessage-deflate; client_max_window_bits="10"`, accepted)
			f("permessage-deflate; server_no_context_takeover", accepted)
			f("permessage-deflate; client_no_context_takeover; server_no_context_takeover", accepted)
			f("permessage-deflate; server_max_window_bits=9", "") // a smaller window than we compress with
			f("permessage-deflate; server_max_window_bits=9, permessage-deflate", accepted)
			f("permessage-deflate; server_max_window_bits", "") // "MUST decline": a value is missing, §7.1.2.1
			f("permessage-deflate; client_max_window_bits=7", "")
			f("permessage-deflate; client_max_window_bits=16", "")
			f("permessage-deflate; client_no_context_takeover=1", "")
			f("permessage-deflate; client_no_context_takeover; client_no_context_takeover", "")
			f("permessage-deflate; unheard_of", "")
			f("x-webkit-deflate-frame", "")
			f("x-webkit-deflate-frame, permessage-deflate; client_max_window_bits", accepted)
		})
	}
}

var offer = []string{"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"}

// RFC 7692 §6, §7.2.
func TestSocketCompressed(t *testing.T) {
	suite(t, offer, func(f func(string, ...string)) {
		levels := []int{flate.NoCompression, flate.HuffmanOnly, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression}
		for _, size := range []int{0, 1, 16, 63, 64, 256, 1024, 65536, 1 << 20} {
			message := strings.Repeat(`{"key":"alice","n":1},`, size/22+1)[:size]
			for _, level := range levels {
				f(echoes(said(fin|text, message)), frame(fin|text|compressed, deflate(message, level)))
			}
			f(echoes(said(fin|binaries, message)), frame(fin|binaries|compressed, deflate(message, 9)))
			f(echoes(said(fin|text, message)), frame(fin|text, message)) // "compression is per message"
		}
		small := deflate("hello, hello, hello", 9)
		f(echoes(`text "hello, hello, hello"`), compress(fragments(small, 1))...)
		f(echoes(`text "hello, hello, hello"`), compress(fragments(small, 3))...)
		f(echoes(`pong "p"`, `text "hello, hello, hello"`), slices.Insert(compress(fragments(small, 4)), 1, frame(fin|ping, "p"))...)
		f(echoes(`text ""`), frame(fin|text|compressed, "\x00"))     // §7.2.3.6
		f(echoes(`text ""`), frame(fin|text|compressed, "\x02\x00")) // a fixed block of nothing
		f(echoes(`text "Hello"`), frame(fin|text|compressed, "\xf2\x48\xcd\xc9\xc9\x07\x00"))
		f(echoes(`text "Hello"`), frame(fin|text|compressed, "\x00\x05\x00\xfa\xffHello\x00"))                        // §7.2.3.3, not compressed
		f(echoes(`text "Hello"`), frame(fin|text|compressed, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"))                     // §7.2.3.4, BFINAL
		f(echoes(`text "Hello"`), frame(fin|text|compressed, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")) // §7.2.3.5
		two := frame(fin|text|compressed, deflate("same text, same text", 9))
		f(echoes(`text "same text, same text"`, `text "same text, same text"`), two, two)
	})
}

// compress marks a message's first frame as compressed.
func compress(frames []string) []string {
	b := []byte(frames[0])
	b[0] |= compressed
	return append([]string{string(b)}, frames[1:]...)
}

// "An endpoint MUST NOT set the 'Per-Message Compressed' bit of control frames and non-first fragments of a data message"
// and what else cannot be read, RFC 7692 §6.
func TestSocketBadlyCompressed(t *testing.T) {
	suite(t, offer, func(f func(string, ...string)) {
		hello := deflate("hello", 9)
		f("close 1002", frame(fin|ping|compressed, ""))
		f("close 1002", frame(fin|closing|compressed, ""))
		f("close 1002", frame(text|compressed, hello[:2]), frame(fin|more|compressed, hello[2:]))
		f("close 1002", frame(text, "hel"), frame(fin|more|compressed, "lo"))
		f("close 1002", frame(fin|text|0x20, "hello"))
		f("close 1007", frame(fin|text|compressed, deflate("κόσμε\xed\xa0\x80edited", 9)))
		f("close 1007", frame(fin|text|compressed, "\x06\xff\xff")) // a block of a type that there is not
		f("close 1007", frame(fin|text|compressed, "\x00\x05\x00\x00\x00Hello"))
		f("close 1007", frame(fin|text|compressed, deflate(strings.Repeat("x", 1000), 9)[:3]))
		f("close 1009", frame(fin|binaries|compressed, bomb(17<<20)))
	})
}

// bomb is that many zeros, compressed.
func bomb(size int) string { return deflate(string(bytes.Repeat([]byte{0}, size)), 9) }
