package e2e

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// texts are what is easily got wrong: the edges of each length, of the surrogates, of the last plane, and what no decoder
// may take: bytes alone, cut short, too long or too many.
var texts = []string{
	"", "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "\x7f", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff",
	"\ud7ff", "\ue000", "\ufffd", "\ufdd0", "\ufeffbom", "日本語", "😀", "a\u0300",
	"\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xf7\xbf\xbf\xbf",
	"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\xc0 ", "\xdf ", "\xe0 ", "\xef ", "\xf0 ", "\xf7 ", "\xf8 ", "\xfb ", "\xfc ", "\xfd ",
	"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80", "\xdf", "\xef\xbf", "\xf7\xbf\xbf",
	"\xfe", "\xff", "\xfe\xfe\xff\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
	"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80",
	"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf",
	"\xed\xa0\x80\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf", "κόσμε\xed\xa0\x80edited", "κόσμε\xf4\x90\x80\x80edited", "κόσμε\xc3",
}

// "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact, a valid UTF-8
// stream, that endpoint MUST _Fail the WebSocket Connection_." RFC 6455 §8.1.
func TestSocketText(t *testing.T) {
	suite(t, nil, func(f func(string, ...string)) {
		for _, message := range texts {
			want := "close 1007"
			if utf8.ValidString(message) {
				want = echoes(said(fin|text, message))
			}
			f(want, frame(fin|text, message))
			if len(message) > 1 {
				f(want, fragments(message, 1)...)
				f(want, fragments(message, (len(message)+1)/2)...)
			}
			f(echoes(said(fin|binaries, message)), frame(fin|binaries, message))
		}
		f(echoes(`pong "é"`, `text "é"`), frame(text, "\xc3"), frame(fin|ping, "é"), frame(fin|more, "\xa9"))
		f(`text "é", close 1007`, frame(fin|text, "é"), frame(fin|text, "\xa9"))
		f("close 1007", frame(text, "\xc3"), frame(fin|more, ""))
	})
}

// What can no longer become valid is refused before the rest of it comes.
func TestSocketTextFailsAtOnce(t *testing.T) {
	suite(t, nil, func(f func(string, ...string)) {
		for _, bad := range []string{"κόσμε\xf4\x90", "κόσμε\xed\xa0", "\xc0", "\xff", "\xe0\x80"} {
			f("close 1007", frame(text, bad))
			f("close 1007", head(fin|text, 100)+masked(bad))
			f("close 1007", head(text, 100_000)+masked(bad))
		}
	})
}

// RFC 6455 §5.5.1, §7.4.
func TestSocketCloses(t *testing.T) {
	suite(t, nil, func(f func(string, ...string)) {
		for _, code := range []int{1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
			f(said(fin|closing, string([]byte{byte(code >> 8), byte(code)})), farewell(code, "bye"))
		}
		for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
			f("close 1002", farewell(code, ""))
		}
		f("close", frame(fin|closing, ""))
		f("close 1002", frame(fin|closing, "\x03"))
		f("close 1001", farewell(1001, strings.Repeat("r", 123)))
		f("close 1002", farewell(1000, strings.Repeat("r", 124)))
		f("close 1001", farewell(1001, "κόσμε"))
		f("close 1007", farewell(1001, "κόσμε\xed\xa0\x80edited"))
		f(`text "a", close 1001`, frame(fin|text, "a"), farewell(1001, ""))
		f("close 1001", farewell(1001, ""), frame(fin|text, "too late")) // "a peer discards any further data received", §1.4
		f("close 1001", farewell(1001, ""), frame(fin|ping, "too late"))
		f("close 1001", farewell(1001, ""), farewell(1001, ""))
		f("close 1001", frame(text, "unfinished"), farewell(1001, ""), frame(fin|more, "too late"))
	})
}
