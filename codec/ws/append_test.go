package ws

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// What is appended, byte for byte, behind what was there.
func TestAppend(t *testing.T) {
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != "<"+want {
			t.Errorf("%x, want %x", got[1:], want)
		}
	}
	start := func() []byte { return []byte("<") }
	f(AppendFrame(start(), Text, Fin, []byte("Hello")), unhex("81 05 48 65 6c 6c 6f"))
	f(AppendFrame(start(), Text, 0, []byte("Hel")), unhex("01 03 48 65 6c"))
	f(AppendFrame(start(), Continuation, Fin, []byte("lo")), unhex("80 02 6c 6f"))
	f(AppendFrame(start(), Binary, Fin|Compressed, nil), unhex("c2 00"))
	f(AppendMasked(start(), Text, Fin, maskOf([]byte("\x37\xfa\x21\x3d")), []byte("Hello")), unhex("81 85 37 fa 21 3d 7f 9f 4d 51 58"))
	f(AppendHead(start(), Binary, Fin, 125), unhex("82 7d"))
	f(AppendHead(start(), Binary, Fin, 126), unhex("82 7e 00 7e"))
	f(AppendHead(start(), Binary, Fin, 65535), unhex("82 7e ff ff"))
	f(AppendHead(start(), Binary, Fin, 65536), unhex("82 7f 00 00 00 00 00 01 00 00"))
	f(AppendPing(start(), nil), unhex("89 00"))
	f(AppendPong(start(), []byte("hi")), unhex("8a 02 68 69"))
	f(AppendPong(start(), []byte(strings.Repeat("x", 130))), "\x8a\x7d"+strings.Repeat("x", 125))
	f(AppendClose(start(), Normal, ""), unhex("88 02 03 e8"))
	f(AppendClose(start(), GoingAway, "bye"), unhex("88 05 03 e9 62 79 65"))
	f(AppendClose(start(), NoCode, "bye"), unhex("88 00"))
	f(AppendClose(start(), 0, ""), unhex("88 00"))
}

// A masked head is the longest that there is.
func TestMaxHead(t *testing.T) {
	if n := len(AppendMasked(nil, Text, Fin, testKey, make([]byte, 70000))) - 70000; n != MaxHead {
		t.Error(n)
	}
}

// The codes of RFC 6455 §7.4.1 and §7.4.2, and of the registry (Autobahn 7.7
// and 7.9), all 65,536 of them.
func TestCodes(t *testing.T) {
	for i := range 1 << 16 {
		c := Code(i)
		want := i >= 1000 && i <= 1014 && i != 1004 && i != 1005 && i != 1006 || i >= 3000 && i <= 4999
		if c.Sendable() != want {
			t.Errorf("%d: sendable %v", i, c.Sendable())
		}
		code, _, err := parseClose([]byte{byte(i >> 8), byte(i)})
		if want && (code != c || err != nil) || !want && err != errCloseCode {
			t.Errorf("%d: read as %d, %v", i, code, err)
		}
	}
}

// "1005 is a reserved value and MUST NOT be set as a status code in a Close
// control frame by an endpoint", nor 1006, nor 1015. RFC 6455 §7.4.1
func TestMustNotSend(t *testing.T) {
	for _, code := range []Code{NoCode, Abnormal, NoTLS, 1004, 999, 1016, 2999, 5000} {
		if got := AppendClosePayload(nil, code, "reason"); len(got) != 0 {
			t.Errorf("%d: %x", code, got)
		}
	}
	for _, e := range []*Error{
		ErrUTF8, ErrRefused, ErrTooBig, errReserved, errOpcode, errControlSplit, errControlLong, errUnopened, errUnfinished, errUnmasked, errMasked,
		errLengthForm, errLengthHuge, errOverhead, errCloseShort, errCloseCode, errCloseReason, errDeflateData, errDeflateBlocks,
	} {
		frame := AppendClose(nil, e.Code, e.Reason)
		if len(frame) != 4+len(e.Reason) || !strings.HasPrefix(e.Error(), "websocket: ") {
			t.Errorf("%v cannot be said in a close frame: %x", e, frame)
		}
	}
}

// A reason is cut between characters, and before what is not UTF-8.
func TestCloseReason(t *testing.T) {
	f := func(reason, want string) {
		t.Helper()
		got := AppendClosePayload(nil, Normal, reason)
		if string(got[2:]) != want || !utf8.Valid(got[2:]) || len(got) > MaxControl {
			t.Errorf("%q: %q", reason, got[2:])
		}
	}
	f("", "")
	f("κόσμε", "κόσμε")
	f(strings.Repeat("r", 123), strings.Repeat("r", 123))
	f(strings.Repeat("r", 124), strings.Repeat("r", 123))
	f(strings.Repeat("r", 122)+"é", strings.Repeat("r", 122))
	f(strings.Repeat("r", 121)+"é", strings.Repeat("r", 121)+"é")
	f(strings.Repeat("r", 120)+"𝄞", strings.Repeat("r", 120))
	f("bad \xff here", "bad ")
	f("\ufffd is a character", "\ufffd is a character")
}
