package http2

import (
	"strings"
	"testing"

	xh2 "golang.org/x/net/http2"

	"holdfast/codec/h2"
)

// breach is what a broken rule ends: the connection by GOAWAY, or a stream by RST_STREAM.
func breach(t *testing.T, name string, ask func(c *client), want string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		r := calm(t)
		c := r.hello()
		ask(c)
		c.flush()
		got := c.output()
		if last := got[strings.LastIndexByte(got, '\n')+1:]; !strings.HasPrefix(last, want) {
			t.Errorf("got\n%s\nwant at last %s", got, want)
		}
		if strings.HasPrefix(want, "GOAWAY") {
			c.isEnded()
		} else {
			c.isOpen()
			c.get(101, "/ok")
			if got := c.output(); !strings.HasSuffix(got, `101 DATA "ok" end`) {
				t.Errorf("the connection does not go on: %s", got)
			}
		}
		c.leave()
		r.empty()
	})
}

func TestConnectionErrors(t *testing.T) {
	f := func(name string, ask func(c *client), want string) { t.Helper(); breach(t, name, ask, want) }
	// RFC 9113 §4.2: "An endpoint MUST send an error code of FRAME_SIZE_ERROR if a frame exceeds the size defined in
	// SETTINGS_MAX_FRAME_SIZE, exceeds any limit defined for the frame type, or is too small to contain mandatory frame data."
	f("SETTINGS over the frame size", func(c *client) { c.w.WriteRawFrame(xh2.FrameSettings, 0, 0, make([]byte, 16386)) }, "GOAWAY 0 FRAME_SIZE_ERROR")
	// §5.1: "Receiving any frame other than HEADERS or PRIORITY on a stream in this state MUST be treated as a connection
	// error (Section 5.4.1) of type PROTOCOL_ERROR."
	f("DATA of an idle stream", func(c *client) { c.w.WriteData(1, true, []byte("x")) }, "GOAWAY 0 PROTOCOL_ERROR")
	f("RST_STREAM of an idle stream", func(c *client) { c.w.WriteRSTStream(1, xh2.ErrCodeCancel) }, "GOAWAY 0 PROTOCOL_ERROR")
	f("WINDOW_UPDATE of an idle stream", func(c *client) { c.w.WriteWindowUpdate(1, 100) }, "GOAWAY 0 PROTOCOL_ERROR")
	f("CONTINUATION of an idle stream", func(c *client) { c.w.WriteContinuation(1, true, nil) }, "GOAWAY 0 PROTOCOL_ERROR")
	// §5.1, closed: frames behind END_STREAM are a connection error of type STREAM_CLOSED.
	f("DATA of a stream that has ended", func(c *client) { c.get(1, "/ok"); c.w.WriteData(1, true, []byte("x")) }, "GOAWAY 1 STREAM_CLOSED")
	f("HEADERS of a stream that has ended", func(c *client) { c.get(1, "/ok"); c.headers(1, true, "GET", "/ok") }, "GOAWAY 1 STREAM_CLOSED")
	// §5.1.1: "Streams initiated by a client MUST use odd-numbered stream identifiers"
	f("an even stream", func(c *client) { c.headers(2, true, "GET", "/ok") }, "GOAWAY 0 PROTOCOL_ERROR")
	// §5.1.1: "The identifier of a newly established stream MUST be numerically greater than all streams that the initiating
	// endpoint has opened […] An endpoint that receives an unexpected stream identifier MUST respond with a connection
	// error (Section 5.4.1) of type PROTOCOL_ERROR."
	f("a smaller stream", func(c *client) { c.get(5, "/ok"); c.headers(3, true, "GET", "/ok") }, "GOAWAY 5 PROTOCOL_ERROR")
	// §4.3: "Field blocks MUST be transmitted as a contiguous sequence of frames, with no interleaved frames of any other type
	// or from any other stream."
	f("a frame inside a block", func(c *client) {
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: c.request("GET", "/ok"), EndStream: true})
		c.w.WritePing(false, [8]byte{})
	}, "GOAWAY 0 PROTOCOL_ERROR")
	// §6.2: padding that leaves no room for the block is a connection error of type PROTOCOL_ERROR.
	f("HEADERS padded beyond itself", func(c *client) { c.w.WriteRawFrame(xh2.FrameHeaders, 0xd, 1, []byte("\x09\x82")) }, "GOAWAY 0 PROTOCOL_ERROR")
	// §6.1: "If the length of the padding is the length of the frame payload or greater, the recipient MUST treat this as a
	// connection error (Section 5.4.1) of type PROTOCOL_ERROR."
	f("DATA padded beyond itself", func(c *client) {
		c.headers(1, false, "POST", "/x")
		c.w.WriteRawFrame(xh2.FrameData, 0x9, 1, []byte("\x05ab"))
	}, "GOAWAY 1 PROTOCOL_ERROR")
	// §6.1: "If a DATA frame is received whose Stream Identifier field is 0x00, the recipient MUST respond with a connection
	// error (Section 5.4.1) of type PROTOCOL_ERROR."
	f("DATA of stream 0", func(c *client) { c.w.WriteRawFrame(xh2.FrameData, 0, 0, []byte("x")) }, "GOAWAY 0 PROTOCOL_ERROR")
	// §6.5: "A SETTINGS frame with a length other than a multiple of 6 octets MUST be treated as […] FRAME_SIZE_ERROR."
	f("SETTINGS of 5 bytes", func(c *client) { c.w.WriteRawFrame(xh2.FrameSettings, 0, 0, make([]byte, 5)) }, "GOAWAY 0 FRAME_SIZE_ERROR")
	// §6.5.2: "Values above the maximum flow-control window size of 2^31-1 MUST be treated as […] FLOW_CONTROL_ERROR."
	f("an initial window of 2^31", func(c *client) { c.w.WriteSettings(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: 1 << 31}) }, "GOAWAY 0 FLOW_CONTROL_ERROR")
	f("push is 2", func(c *client) { c.w.WriteSettings(xh2.Setting{ID: xh2.SettingEnablePush, Val: 2}) }, "GOAWAY 0 PROTOCOL_ERROR")
	// §8.4: "A client cannot push. Thus, servers MUST treat the receipt of a PUSH_PROMISE frame as a connection error"
	f("PUSH_PROMISE", func(c *client) { c.w.WriteRawFrame(xh2.FramePushPromise, 4, 1, []byte("\x00\x00\x00\x02")) }, "GOAWAY 0 PROTOCOL_ERROR")
	// §6.9.1: "A sender MUST NOT allow a flow-control window to exceed 2^31-1 octets. […] for the connection, a GOAWAY
	// frame with an error code of FLOW_CONTROL_ERROR is sent."
	f("the connection's window overflows", func(c *client) { c.w.WriteWindowUpdate(0, maxWindow) }, "GOAWAY 0 FLOW_CONTROL_ERROR")
	f("a window opened by nothing", func(c *client) { c.w.WriteRawFrame(xh2.FrameWindowUpdate, 0, 0, make([]byte, 4)) }, "GOAWAY 0 PROTOCOL_ERROR")
	// §6.9.2: "An endpoint MUST treat a change to SETTINGS_INITIAL_WINDOW_SIZE that causes any flow-control window to exceed
	// the maximum size as a connection error (Section 5.4.1) of type FLOW_CONTROL_ERROR."
	f("SETTINGS make a window overflow", func(c *client) {
		c.headers(1, true, "GET", "/hold/sse")
		c.w.WriteWindowUpdate(1, maxWindow-firstWindow)
		c.w.WriteSettings(xh2.Setting{ID: xh2.SettingInitialWindowSize, Val: firstWindow + 1})
	}, "GOAWAY 1 FLOW_CONTROL_ERROR")
	// §4.3: "A receiver MUST terminate the connection with a connection error (Section 5.4.1) of type COMPRESSION_ERROR if it
	// does not decompress a field block."
	f("a broken block", func(c *client) {
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\xff\xff\xff\xff\xff"), EndStream: true, EndHeaders: true})
	}, "GOAWAY 0 COMPRESSION_ERROR")
	// RFC 7541 §4.2: the table may be used until our SETTINGS are acknowledged, and not after that
	f("an entry of the table that was given up", func(c *client) {
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\x82\x84\x86\xbe"), EndStream: true, EndHeaders: true})
	}, "GOAWAY 0 COMPRESSION_ERROR")
	f("more data than the connection's window", func(c *client) {
		for i := range uint32(18) { // the window is given back at half, so none of these bodies is; each within its own
			c.headers(2*i+1, false, "POST", "/now")
		}
		c.s.links.At(1).recv = 10
		c.w.WriteData(1, false, make([]byte, 11))
	}, "GOAWAY 35 FLOW_CONTROL_ERROR")
}

func TestStreamErrors(t *testing.T) {
	f := func(name string, ask func(c *client), want string) { t.Helper(); breach(t, name, ask, want) }
	// RFC 9113 §5.1, half-closed (remote): "If an endpoint receives additional frames, other than WINDOW_UPDATE, PRIORITY, or
	// RST_STREAM, for a stream that is in this state, it MUST respond with a stream error […] of type STREAM_CLOSED."
	f("DATA behind the end", func(c *client) { c.get(1, "/later"); c.w.WriteData(1, true, []byte("x")) }, "1 RST STREAM_CLOSED")
	f("HEADERS behind the end", func(c *client) { c.get(1, "/later"); c.headers(1, true, "GET", "/") }, "1 RST STREAM_CLOSED")
	f("DATA behind the client's RST_STREAM", func(c *client) {
		c.headers(1, false, "POST", "/x")
		c.w.WriteRSTStream(1, xh2.ErrCodeCancel)
		c.w.WriteData(1, true, []byte("x"))
	}, "1 RST STREAM_CLOSED")
	f("HEADERS behind the client's RST_STREAM", func(c *client) {
		c.headers(1, false, "POST", "/x")
		c.w.WriteRSTStream(1, xh2.ErrCodeCancel)
		c.headers(1, true, "POST", "/x")
	}, "1 RST STREAM_CLOSED")
	// §6.9: "A receiver MUST treat the receipt of a WINDOW_UPDATE frame with a flow-control window increment of 0 as a stream
	// error (Section 5.4.2) of type PROTOCOL_ERROR"
	f("a window opened by nothing", func(c *client) {
		c.headers(1, true, "GET", "/hold/sse")
		c.w.WriteRawFrame(xh2.FrameWindowUpdate, 0, 1, make([]byte, 4))
	}, "1 RST PROTOCOL_ERROR")
	f("a window overflows", func(c *client) { c.headers(1, true, "GET", "/hold/sse"); c.w.WriteWindowUpdate(1, maxWindow) }, "1 RST FLOW_CONTROL_ERROR")
	f("more data than the window", func(c *client) {
		c.headers(1, false, "POST", "/slow")
		for range 5 {
			c.w.WriteData(1, false, make([]byte, 16384))
		}
	}, "1 RST FLOW_CONTROL_ERROR")
	// §5.3.1 of RFC 7540: "A stream cannot depend on itself. […] stream error of type PROTOCOL_ERROR."
	f("a stream that depends on itself", func(c *client) {
		c.headers(1, true, "GET", "/hold/sse")
		c.w.WritePriority(1, xh2.PriorityParam{StreamDep: 1})
	}, "1 RST PROTOCOL_ERROR")
	f("a head that depends on itself", func(c *client) {
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: c.request("GET", "/ok"), EndStream: true, EndHeaders: true, Priority: xh2.PriorityParam{StreamDep: 1}})
	}, "1 RST PROTOCOL_ERROR")
	f("PRIORITY of 4 bytes", func(c *client) {
		c.headers(1, true, "GET", "/hold/sse")
		c.w.WriteRawFrame(xh2.FramePriority, 0, 1, make([]byte, 4))
	}, "1 RST FRAME_SIZE_ERROR")
	// §8.1.1: a request is malformed if its content-length does not equal the sum of the DATA frame payload lengths.
	f("less data than said", func(c *client) {
		c.headers(1, false, "POST", "/x", "content-length: 9")
		c.w.WriteData(1, true, []byte("x"))
	}, "1 RST PROTOCOL_ERROR")
	f("more data than said", func(c *client) {
		c.headers(1, false, "POST", "/x", "content-length: 1")
		c.w.WriteData(1, true, []byte("xx"))
	}, "1 RST PROTOCOL_ERROR")
	f("no data but a length", func(c *client) { c.headers(1, true, "POST", "/x", "content-length: 1") }, "1 RST PROTOCOL_ERROR")
	// §8.2.1: "A field name MUST NOT contain characters in the ranges 0x00-0x20, 0x41-0x5a, or 0x7f-0xff"
	f("an upper-case name", func(c *client) { c.headers(1, true, "GET", "/", "Accept: x") }, "1 RST PROTOCOL_ERROR")
	// §8.2.2: "any message containing connection-specific header fields MUST be treated as malformed"
	f("Connection", func(c *client) { c.headers(1, true, "GET", "/", "connection: close") }, "1 RST PROTOCOL_ERROR")
	// §8.3.1: all requests but CONNECT MUST include exactly one valid :path.
	f("no path", func(c *client) { c.headers(1, true, "GET", "") }, "1 RST PROTOCOL_ERROR")
	// §8.1: HEADERS behind those that open a request MUST end it, or it is malformed.
	f("trailers that do not end it", func(c *client) {
		c.headers(1, false, "POST", "/x")
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\x00\x01a\x01b"), EndHeaders: true})
	}, "1 RST PROTOCOL_ERROR")
	// §8.1: "Trailers MUST NOT include pseudo-header fields (Section 8.3)."
	f("pseudo-header fields in trailers", func(c *client) { c.headers(1, false, "POST", "/x"); c.headers(1, true, "GET", "/") }, "1 RST PROTOCOL_ERROR")
	f("extended CONNECT that was not offered", func(c *client) { c.headers(1, false, "CONNECT", "/", ":protocol: websocket") }, "1 RST PROTOCOL_ERROR")
	// §10.5.1: "A server that receives a larger field block than it is willing to handle can send an HTTP 431"
	f("a head that is too long", func(c *client) {
		block := c.request("GET", "/", "a: "+strings.Repeat("x", 40_000))
		c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:16000], EndStream: true})
		c.w.WriteContinuation(1, false, block[16000:32000])
		c.w.WriteContinuation(1, true, block[32000:])
	}, "1 HEADERS status=431 end")
	f("too many fields", func(c *client) {
		var fields []string
		for range 120 {
			fields = append(fields, "a: b")
		}
		c.headers(1, true, "GET", "/", fields...)
	}, "1 HEADERS status=431 end")
}

func TestIgnored(t *testing.T) {
	f := func(name string, ask func(c *client)) {
		t.Helper()
		breach(t, name, ask, `1 DATA "ok" end`)
	}
	// RFC 9113 §5.5: "Implementations MUST ignore unknown or unsupported values in all extensible protocol elements."
	f("an unknown frame", func(c *client) { c.w.WriteRawFrame(0xee, 0xff, 7, make([]byte, 100)); c.headers(1, true, "GET", "/ok") })
	f("an unknown setting", func(c *client) {
		c.w.WriteSettings(xh2.Setting{ID: 0xee, Val: 9})
		c.flush()
		c.output()
		c.headers(1, true, "GET", "/ok")
	})
	f("PRIORITY of an idle stream", func(c *client) {
		c.w.WritePriority(9, xh2.PriorityParam{StreamDep: 1})
		c.headers(1, true, "GET", "/ok")
	})
	f("PRIORITY_UPDATE", func(c *client) {
		c.w.WriteRawFrame(xh2.FrameType(h2.TypePriorityUpdate), 0, 0, []byte("\x00\x00\x00\x01u=1"))
		c.headers(1, true, "GET", "/ok")
	})
	// §6.4, §6.9: frames of a stream may come after it has ended.
	f("WINDOW_UPDATE and RST_STREAM of a stream that has ended", func(c *client) {
		c.get(1, "/ok")
		c.w.WriteWindowUpdate(1, 100)
		c.w.WriteRSTStream(1, xh2.ErrCodeCancel)
	})
}

// RFC 9113 §5.4.2: whoever sends RST_STREAM MUST be prepared to receive frames that were sent before it came, and
// ignores them.
func TestBehindOurReset(t *testing.T) {
	r := calm(t)
	c := r.hello()
	c.headers(1, false, "POST", "/now")
	c.flush()
	c.output()
	c.w.WriteData(1, false, []byte("x"))
	c.w.WriteHeaders(xh2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\x00\x01a\x01b"), EndStream: true, EndHeaders: true})
	c.flush()
	c.want("")
	for id := uint32(3); id < 4*pastStreams; id += 2 { // also when it is long ago
		c.get(id, "/ok")
	}
	c.output()
	c.w.WriteData(1, false, []byte("x"))
	c.headers(1, true, "GET", "/ok")
	c.flush()
	c.want("")
	c.isOpen()
	c.leave()
	r.empty()
}
