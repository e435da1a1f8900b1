package ws

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"
)

// library inflates as RFC 7692 §7.2.2 says, by the standard library.
func library(t *testing.T, msg []byte) string {
	t.Helper()
	const final = "\x01\x00\x00\xff\xff" // so that the reader sees an end
	text, err := io.ReadAll(flate.NewReader(strings.NewReader(string(msg) + deflateTail + final)))
	if err != nil {
		t.Fatalf("%x: %v", msg, err)
	}
	return string(text)
}

// Messages one after the other, each fit for a client that saw none before it.
func TestDeflate(t *testing.T) {
	var d Deflater
	var f Inflater
	for range 2 {
		for _, text := range texts() {
			out := d.deflate([]byte("<"), []byte(text))
			if out[0] != '<' || library(t, out[1:]) != text {
				t.Errorf("%.20q does not come back", text)
			}
			if got, err := f.Append(nil, out[1:], len(text)); err != nil || string(got) != text {
				t.Errorf("%.20q does not come back to us: %v", text, err)
			}
		}
	}
}

// "If the compression method yields … an empty message, … 1 octet 0x00": what is
// left of an empty block. RFC 7692 §7.2.3.6
func TestDeflateEmpty(t *testing.T) {
	var d Deflater
	for range 2 {
		if out := d.deflate(nil, nil); string(out) != "\x00" {
			t.Errorf("%x", out)
		}
	}
}

// Only what grows shorter is sent compressed.
func TestDeflateDecides(t *testing.T) {
	f := func(msg string, want bool) {
		t.Helper()
		var d Deflater
		out, ok := d.Append([]byte("<"), []byte(msg))
		if ok != want || !ok && string(out) != "<" || ok && (len(out)-1 >= len(msg) || library(t, out[1:]) != msg) {
			t.Errorf("%.20q of %d bytes: %v, %d bytes", msg, len(msg), ok, len(out)-1)
		}
	}
	all := texts()
	noise := all[9]
	f("", false)
	f(strings.Repeat("a", MinDeflate-1), false)
	f(strings.Repeat("a", MinDeflate), true)
	f(all[7], true)
	f(noise, false)
	f(noise[:MinDeflate], false)
}

// A message is compressed for itself: what came before leaves no trace.
func TestDeflateForgets(t *testing.T) {
	var fresh, used Deflater
	text := []byte(strings.Repeat("some text ", 20))
	used.deflate(nil, text)
	used.deflate(nil, []byte(strings.Repeat("z", 100_000)))
	if a, b := fresh.deflate(nil, text), used.deflate(nil, text); !bytes.Equal(a, b) {
		t.Errorf("%x after others, %x alone", b, a)
	}
}
