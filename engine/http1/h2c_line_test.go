package http1

import (
	"testing"
)

// "Clients and servers MUST treat an invalid connection preface as a connection error … A GOAWAY frame MAY be omitted in
// this case, since an invalid preface indicates that the peer is not using HTTP/2" (RFC 9113 §3.4): what is neither gets
// no answer at all, what may be a clumsy HTTP/1 client gets a 400.
func TestFirstLineOfAnotherProtocol(t *testing.T) {
	f := func(line string, want bool) {
		t.Helper()
		if got := otherProtocol([]byte(line)); got != want {
			t.Errorf("%q is another protocol's: %v; want %v", line, got, want)
		}
	}
	f("INVALID CONNECTION PREFACE\r\n\r\n", true)
	f("HELO OVER THERE", true)
	f("GET / X\r\n\r\n", false) // a target
	f("GET /\r\n\r\n", false)   // HTTP/0.9
	f("GET / HTTP/3.0\r\n\r\n", false)
	f("GET SOMETHING HTTP\r\n\r\n", false)
	f("GET SOMETHING\r\n\r\n", false)
	f("\x16\x03\x01\x00\xee", false)
	f("", false)
	f("\r\n\r\n", false)
}

func TestNoAnswerToAnotherProtocol(t *testing.T) {
	f := func(talk string, answered bool) {
		t.Helper()
		r := calm(t)
		c := r.dial()
		c.send(talk)
		if got := c.output(); (len(got) > 0) != answered {
			t.Errorf("%q: answered %q", talk, got)
		}
		c.cut()
		r.empty()
	}
	f("INVALID CONNECTION PREFACE\r\n\r\n", false)
	f("INVALID CONNECTION\r\n\r\n", true)
	f("GET /ok"+host+"\r\nINVALID CONNECTION PREFACE\r\n\r\n", true)
}
