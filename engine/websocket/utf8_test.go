package websocket

import (
	"testing"
	"unicode/utf8"

	"holdfast/codec/ws"
	"holdfast/engine/route"
)

const notUTF8 = "close 1007 text is not valid UTF-8"

var goodTexts = []string{
	"", "a", "κόσμε", "\u00df", "\u6c34", "\U0001d11e", "\x00", "\u007f", "\u0080", "\u07ff", "\u0800", "\uffff", "\ufffd",
	"\U00010000", "\U0010ffff", "\ud7ff", "\ue000", "\ufdd0", "\ufffe", "\U0001fffe", "Hello-µ@ßöäüàá-UTF-8!!",
}

var badTexts = []string{
	"\x80", "\xbf", "\x80\xbf", "\xfe", "\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf",
	"\xfc\x80\x80\x80\x80\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xed\xad\xbf",
	"\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xce", "\xce\xba\xe1", "\xe1\xbd", "\xf0\x9d\x84",
	"κόσμε\xed\xa0\x80edited", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80",
}

// "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact, a valid UTF-8
// stream, that endpoint MUST _Fail the WebSocket Connection_." (RFC 6455 §8.1) What a fragment ends with may be half a
// character: "the text frame that contains it might be split" (§5.6).
func TestTextIsUTF8(t *testing.T) {
	for _, s := range goodTexts {
		says(t, passing, "", text(s), stays(list("text "+s), nil))
		for cut := range len(s) {
			says(t, passing, "", frame(ws.Text, 0, s[:cut])+frame(cont, fin, s[cut:]), stays(list("text "+s), nil))
		}
	}
	for _, s := range badTexts {
		says(t, passing, "", text(s), ends(nil, notUTF8))
		says(t, passing, "", text("<"+s+">"), ends(nil, notUTF8))
		says(t, passing, "", binary(s), stays(list("binary "+s), nil))
		for cut := range len(s) {
			says(t, passing, "", frame(ws.Text, 0, s[:cut])+ping("")+frame(cont, fin, s[cut:])+text("after"),
				ends(nil, pingIfFine(s[:cut])...))
		}
	}
}

// pingIfFine is what comes before the end: a pong, unless the beginning shows already that all is lost.
func pingIfFine(begin string) []string {
	var u ws.UTF8
	if u.Check([]byte(begin), false) {
		return list("pong", notUTF8)
	}
	return list(notUTF8)
}

// It fails with the first byte that cannot be, before the message is whole.
func TestBadTextFailsAtOnce(t *testing.T) {
	for _, s := range badTexts {
		for cut := range len(s) {
			r := calm(t)
			c := r.open("/ws")
			c.send(string(ws.AppendMasked(nil, ws.Text, fin, 0, []byte(s+"and more that is never sent"))[:6+cut+1]))
			var u ws.UTF8
			if u.Check([]byte(s[:cut+1]), false) {
				c.want()
			} else {
				c.want(notUTF8)
			}
		}
	}
}

// What is ignored is held against the protocol all the same, and not kept.
func TestIgnoredTextIsUTF8(t *testing.T) {
	p := route.Socket{Inbound: route.Ignored}
	for _, s := range goodTexts {
		says(t, p, "", text(s)+ping(""), stays(nil, list("pong")))
	}
	for _, s := range badTexts {
		says(t, p, "", text(s), ends(nil, notUTF8))
	}
	says(t, p, "", binary("\xff"), stays(nil, nil))
	for _, s := range goodTexts {
		if !utf8.ValidString(s) {
			t.Errorf("%q is not UTF-8", s)
		}
	}
}
