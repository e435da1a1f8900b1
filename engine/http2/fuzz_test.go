package http2

import (
	"testing"
	"time"

	xh2 "golang.org/x/net/http2"

	"holdfast/codec/h2"
	"holdfast/engine/simkernel"
)

// Whatever a client sends, in whatever pieces, every exchange that begins ends once and everything is given back.
func FuzzSession(f *testing.F) {
	seed := func(ask func(c *client)) {
		r := newRig(f, 1, simkernel.Options{}, Config{})
		c := r.dial()
		c.w.WriteSettings(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 40})
		c.w.WriteSettingsAck()
		c.enc.SetMaxDynamicTableSize(0)
		ask(c)
		f.Add(uint64(1), c.out.Bytes())
	}
	seed(func(c *client) { c.headers(1, true, "GET", "/ok"); c.headers(3, true, "GET", "/hold/sse") })
	seed(func(c *client) {
		c.headers(1, false, "POST", "/slow")
		c.w.WriteDataPadded(1, true, []byte("abc"), []byte{0, 0})
	})
	seed(func(c *client) {
		c.headers(1, true, "GET", "/big/100")
		c.w.WriteWindowUpdate(1, 3)
		c.w.WriteRSTStream(1, 8)
	})
	seed(func(c *client) {
		block := c.request("GET", "/hold/poll")
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:4], EndStream: true})
		c.w.WriteContinuation(1, true, block[4:])
		c.w.WritePing(false, [8]byte{})
		c.w.WriteGoAway(0, 0, nil)
	})
	f.Fuzz(func(t *testing.T, seed uint64, input []byte) {
		o := simkernel.Options{}
		if seed%2 == 0 {
			o = simkernel.Rough()
		}
		r := newRig(t, seed, o, Config{})
		c := r.dial()
		c.p.Write([]byte(h2.Preface))
		c.p.Write(input)
		r.settle()
		p := message("message")
		p.Retain()
		r.push(p)
		p.Release()
		r.do(r.script.answer)
		r.do(r.script.resume)
		r.pass(11 * time.Second)
		c.output()
		c.p.Reset()
		r.pass(3 * time.Second)
		r.empty()
	})
}
