package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/codec/h1"
	"holdfast/engine/simkernel"
)

// A transcript is a conversation in testdata/*.txt: cases that begin with "== name", in which
//
//	C: text     the client sends this line      C> "…"  these bytes
//	G: /path    … GET /path HTTP/1.1, Host: a; more fields, or HTTP/1.0, behind bars
//	S: text     the server has sent this line   S> "…"  these bytes
//	A: 200 x    … an answer with this body line; "A: 200 close x" with Connection: close
//	E: 400 why  … an error answer
//	! what      something happens, or is checked: see step.act
//	# text      says why
//
// Whatever the server sends must be accounted for before the client goes on.
type transcript struct {
	name  string
	steps []step
}

type step struct {
	line int
	kind byte // C, S or !
	text string
}

// sends is how many bytes the client sends in all.
func (tr *transcript) sends() (n int) {
	for _, s := range tr.steps {
		if s.kind == 'C' {
			n += len(s.text)
		}
	}
	return n
}

func readTranscripts(t *testing.T, path string) (all []transcript) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "== "); ok {
			all = append(all, transcript{name: name})
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if len(line) < 2 || len(all) == 0 {
			t.Fatalf("%s:%d: %q", path, n, line)
		}
		s := step{n, line[0], strings.TrimPrefix(line[2:], " ")}
		if err := s.expand(line[1]); err != nil {
			t.Fatalf("%s:%d: %v", path, n, err)
		}
		tr := &all[len(all)-1]
		if last := len(tr.steps) - 1; last >= 0 && tr.steps[last].kind == s.kind && s.kind != '!' {
			tr.steps[last].text += s.text
			continue
		}
		tr.steps = append(tr.steps, s)
	}
	return all
}

// expand turns what a line abbreviates into bytes.
func (s *step) expand(mark byte) (err error) {
	if mark == '>' {
		s.text, err = strconv.Unquote(s.text)
		return err
	}
	status, rest, _ := strings.Cut(s.text, " ")
	code, _ := strconv.Atoi(status)
	switch s.kind {
	case 'C', 'S':
		s.text += h1.CRLF
	case 'G':
		parts := strings.Split(s.text, " | ")
		version, host := " HTTP/1.1\r\n", "Host: a\r\n"
		if len(parts) > 1 && parts[1] == "HTTP/1.0" {
			version, host, parts = " HTTP/1.0\r\n", "", append(parts[:1], parts[2:]...)
		}
		s.kind, s.text = 'C', "GET "+parts[0]+version+host+strings.Join(append(parts[1:], ""), h1.CRLF)+h1.CRLF
	case 'A':
		body, closes := strings.CutPrefix(rest, "close ")
		s.kind, s.text = 'S', plain(code, body+h1.CRLF, closes)
	case 'E':
		s.kind, s.text = 'S', refusal(code, rest)
	case '!':
	default:
		return fmt.Errorf("what is %c?", s.kind)
	}
	return nil
}

// plain is the answer that the script's Respond gives.
func plain(code int, body string, closes bool) string {
	option := ""
	if closes {
		option = "Connection: close\r\n"
	}
	return fmt.Sprintf("HTTP/1.1 %d %s\r\nDate: now\r\nContent-Type: text/plain\r\n%sContent-Length: %d\r\n\r\n%s",
		code, h1.Reason(code), option, len(body), body)
}

// refusal is how a request that is not heard is answered.
func refusal(code int, why string) string {
	body := `{"error":"` + why + "\"}\n"
	return fmt.Sprintf("HTTP/1.1 %d %s\r\nDate: now\r\nContent-Type: application/json\r\n"+
		"Connection: close\r\nContent-Length: %d\r\n\r\n%s", code, h1.Reason(code), len(body), body)
}

// play speaks a transcript to a new connection. The client's byte number cut, if it has that many, begins a new packet.
func (r *rig) play(tr *transcript, cut int) {
	r.Helper()
	c := r.dial()
	sent := 0
	for i := range tr.steps {
		s := &tr.steps[i]
		if s.kind == 'S' {
			if got := c.output(); got != s.text {
				r.Fatalf("line %d, cut at %d: got\n%q\nwant\n%q", s.line, cut, got, s.text)
			}
			continue
		}
		if got := c.output(); got != "" {
			r.Fatalf("line %d, cut at %d: before this came\n%q", s.line, cut, got)
		}
		if s.kind == '!' {
			s.act(c)
			continue
		}
		if at := cut - sent; at > 0 && at < len(s.text) {
			c.send(s.text[:at])
			c.send(s.text[at:])
		} else {
			c.send(s.text)
		}
		sent += len(s.text)
	}
	if got := c.output(); got != "" {
		r.Fatalf("%s, cut at %d: at the end came\n%q", tr.name, cut, got)
	}
	if r.Failed() {
		r.Fatalf("%s, cut at %d", tr.name, cut)
	}
	c.p.Close()
	r.settle()
	r.empty()
}

// act does or checks what a line with a bang says.
func (s *step) act(c *client) {
	c.Helper()
	what, arg, _ := strings.Cut(s.text, " ")
	switch what {
	case "open": // the connection is
		c.isOpen()
	case "ended": // … by the server, in good order
		c.isEnded()
	case "cut": // … by the server, with a reset
		c.is(simkernel.Rst)
	case "wait":
		d, err := time.ParseDuration(arg)
		if err != nil {
			c.Fatal(err)
		}
		c.pass(d)
	case "hangup": // the client ends its side
		c.hangUp()
	case "answer": // the handler answers what was waiting
		c.do(c.script.answer)
	case "resume": // … takes more of the body
		for c.script.paused() { // in bad weather it comes in small pieces
			c.do(c.script.resume)
		}
	case "push": // … has a message for those who are parked
		data, err := strconv.Unquote(arg)
		if err != nil {
			c.Fatalf("line %d: %v", s.line, err)
		}
		c.push(message(data))
	case "goaway": // … ends what is parked
		c.do(c.script.goaway)
	case "begun": // so many exchanges have, on this connection
		if n := fmt.Sprint(c.script.begun); n != arg {
			c.Errorf("line %d: %s exchanges have begun, want %s", s.line, n, arg)
		}
	default:
		c.Fatalf("line %d: what is %q?", s.line, what)
	}
}

// Every transcript is played whole, cut at each byte, with each send refused once, and in rough weather.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		for _, tr := range readTranscripts(t, file) {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+tr.name, func(t *testing.T) {
				r := calm(t)
				for cut := range tr.sends() {
					r.script.begun, r.script.why = 0, nil
					r.play(&tr, cut)
				}
				for at := 1; ; at++ {
					r := newRig(t, 1, simkernel.Options{EAGAINAt: at, Delay: 2}, Config{})
					r.play(&tr, 0)
					if r.k.Sends() < at {
						break
					}
				}
				for seed := range uint64(5) {
					newRig(t, seed, simkernel.Rough(), Config{}).play(&tr, 0)
				}
			})
		}
	}
}
