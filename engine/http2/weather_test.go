package http2

import (
	"strings"
	"testing"

	xh2 "golang.org/x/net/http2"

	"holdfast/codec/h2"
	"holdfast/engine/simkernel"
)

// play is a conversation with a little of everything, and returns what the client was sent.
func play(r *rig, pieces int) string {
	r.Helper()
	c := r.dial()
	c.out.WriteString(h2.Preface)
	c.w.WriteSettings(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 40})
	c.headers(1, true, "GET", "/ok")
	c.headers(3, false, "POST", "/x", "content-length: 10", "expect: 100-continue")
	c.w.WriteSettingsAck()
	c.enc.SetMaxDynamicTableSize(0)
	c.w.WriteDataPadded(3, false, []byte("abcde"), make([]byte, 3))
	c.headers(5, true, "GET", "/hold/sse?a")
	c.w.WriteData(3, true, []byte("fghij"))
	c.w.WritePing(false, [8]byte{'p'})
	c.headers(7, false, "POST", "/stop")
	c.w.WriteData(7, true, []byte("body"))
	block := c.request("GET", "/big/100", "a: b")
	c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 9, BlockFragment: block[:5], EndStream: true})
	c.w.WriteContinuation(9, true, block[5:])
	c.w.WritePriority(11, xh2.PriorityParam{StreamDep: 3})
	c.w.WriteRawFrame(0x77, 0x1f, 99, []byte("unknown"))
	c.headers(11, true, "GET", "/hold/poll?b")
	c.w.WriteWindowUpdate(9, 100)
	c.w.WriteWindowUpdate(3, 100)
	c.w.WriteRSTStream(5, xh2.ErrCodeCancel)
	all := c.out.Bytes()
	for at := 0; at < len(all); at += pieces {
		c.p.Write(all[at:min(at+pieces, len(all))])
		if pieces < len(all) {
			r.l.Tick()
		}
	}
	c.out.Reset()
	r.settle()
	r.push(message("to the poll"))
	got := c.output()
	c.p.Reset()
	r.settle()
	r.empty()
	return got
}

// byStream is the output with each stream's frames together: the order between streams is nobody's promise.
func byStream(lines string) string {
	streams := map[string][]string{}
	for line := range strings.SplitSeq(lines, "\n") {
		id, _, _ := strings.Cut(line, " ")
		if strings.HasSuffix(line, "RST NO_ERROR") {
			continue // the body that was not waited for may have come whole
		}
		if data, ok := strings.CutPrefix(line, id+" DATA "); ok {
			line = data
			if n := len(streams[id]); n > 0 && strings.HasPrefix(streams[id][n-1], `"`) && !strings.HasSuffix(streams[id][n-1], "end") {
				streams[id][n-1] = strings.TrimSuffix(streams[id][n-1], `"`) + strings.TrimPrefix(line, `"`) // cut elsewhere
				continue
			}
		}
		streams[id] = append(streams[id], line)
	}
	var b strings.Builder
	for _, id := range []string{"0", "GOAWAY", "SETTINGS", "PING", "1", "3", "5", "7", "9", "11"} {
		b.WriteString(id + ": " + strings.Join(streams[id], " | ") + "\n")
	}
	return b.String()
}

// The same bytes mean the same however they are cut.
func TestInputInPieces(t *testing.T) {
	want := byStream(play(calm(t), 1<<20))
	if !strings.Contains(want, "to the poll") || !strings.Contains(want, "abcdefghij") {
		t.Fatalf("the conversation did not take place:\n%s", want)
	}
	for pieces := 1; pieces < 60; pieces++ {
		if got := byStream(play(calm(t), pieces)); got != want {
			t.Fatalf("in pieces of %d: got\n%s\nwant\n%s", pieces, got, want)
		}
	}
	for seed := range uint64(40) {
		if got := byStream(play(newRig(t, seed, simkernel.Rough(), Config{}), 1<<20)); got != want {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, got, want)
		}
	}
}

// Neither does it matter which send is refused.
func TestEverySendRefused(t *testing.T) {
	want := byStream(play(calm(t), 1<<20))
	for at := 1; ; at++ {
		r := newRig(t, 1, simkernel.Options{EAGAINAt: at}, Config{})
		if got := byStream(play(r, 100)); got != want {
			t.Fatalf("send %d refused: got\n%s\nwant\n%s", at, got, want)
		}
		if r.k.Sends() < at {
			return
		}
	}
}

// A reset at any step ends every exchange and gives everything back.
func TestResetAtEveryStep(t *testing.T) {
	for at := 1; ; at++ {
		r := newRig(t, 1, simkernel.Options{ResetAt: at}, Config{})
		play(r, 50)
		if r.k.Ops() < at {
			return
		}
	}
}
