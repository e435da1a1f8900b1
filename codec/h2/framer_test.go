package h2

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// golang.org/x/net/http2 as a second opinion, in both directions.

// What we append, its Framer reads as meant.
func TestFramerReadsOurs(t *testing.T) {
	f := func(b []byte, want string) {
		t.Helper()
		if got := framerReads(b); got != want {
			t.Errorf("% x: %s, want %s", b, got, want)
		}
	}
	eight := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	f(AppendSettings(nil), "settings[]")
	f(AppendSettings(nil, Setting{TableSize, 0}, Setting{EnableConnect, 1}), "settings[1=0 8=1]")
	f(AppendSettingsAck(nil), "settings ack[]")
	f(AppendPing(nil, eight), "ping false 0102030405060708")
	f(AppendPingAck(nil, eight), "ping true 0102030405060708")
	f(AppendGoaway(nil, MaxWindow, NoError, ""), "goaway 2147483647 NO_ERROR ")
	f(AppendGoaway(nil, 5, EnhanceYourCalm, "too many resets"), "goaway 5 ENHANCE_YOUR_CALM too many resets")
	f(AppendReset(nil, 7, StreamClosed), "reset 7 STREAM_CLOSED")
	f(AppendWindow(nil, 0, 65536), "window 0 65536")
	f(AppendWindow(nil, MaxWindow, MaxWindow), "window 2147483647 2147483647")
	f(append(AppendDataHeader(nil, 9, 5, true), "hello"...), "data 9 true hello")
	f(append(AppendDataHeader(nil, 9, 0, false), ""...), "data 9 false ")
	f(AppendHeaders(nil, 3, []byte("block"), 0, true), "headers 3 end=true whole=true block")
	f(AppendHeaders([]byte{}, 3, nil, MinFrame, false), "headers 3 end=false whole=true ")
}

func framerReads(b []byte) string {
	fr := http2.NewFramer(nil, bytes.NewReader(b))
	f, err := fr.ReadFrame()
	if err != nil {
		return err.Error()
	}
	switch f := f.(type) {
	case *http2.SettingsFrame:
		var all []string
		_ = f.ForeachSetting(func(s http2.Setting) error {
			all = append(all, fmt.Sprintf("%d=%d", s.ID, s.Val))
			return nil
		})
		if f.IsAck() {
			return fmt.Sprint("settings ack", all)
		}
		return fmt.Sprint("settings", all)
	case *http2.PingFrame:
		return fmt.Sprintf("ping %v %x", f.IsAck(), f.Data)
	case *http2.GoAwayFrame:
		return fmt.Sprintf("goaway %d %v %s", f.LastStreamID, f.ErrCode, f.DebugData())
	case *http2.RSTStreamFrame:
		return fmt.Sprintf("reset %d %v", f.StreamID, f.ErrCode)
	case *http2.WindowUpdateFrame:
		return fmt.Sprintf("window %d %d", f.StreamID, f.Increment)
	case *http2.DataFrame:
		return fmt.Sprintf("data %d %v %s", f.StreamID, f.StreamEnded(), f.Data())
	case *http2.HeadersFrame:
		return fmt.Sprintf("headers %d end=%v whole=%v %s", f.StreamID, f.StreamEnded(), f.HeadersEnded(), f.HeaderBlockFragment())
	}
	return "?"
}

// A block of any length comes out of the frames as it went in, behind whatever was there, and no frame is too long.
func TestCloseHeadersSplits(t *testing.T) {
	f := func(length int, frame uint32, frames int) {
		t.Helper()
		block := make([]byte, length)
		for i := range block {
			block[i] = byte(i*7 + i>>8)
		}
		b := AppendHeaders([]byte("before"), 5, block, frame, true)
		if string(b[:6]) != "before" {
			t.Fatalf("%d of %d: %q", length, frame, b[:6])
		}
		fr := http2.NewFramer(nil, bytes.NewReader(b[6:]))
		fr.SetMaxReadFrameSize(max(frame, MinFrame))
		var got []byte
		n := 0
		for {
			f, err := fr.ReadFrame()
			if err != nil {
				break
			}
			ended := false
			switch f := f.(type) {
			case *http2.HeadersFrame:
				got, ended = append(got, f.HeaderBlockFragment()...), f.HeadersEnded()
				if !f.StreamEnded() || f.StreamID != 5 || n > 0 {
					t.Errorf("%d of %d: frame %d is %v", length, frame, n, f)
				}
			case *http2.ContinuationFrame:
				got, ended = append(got, f.HeaderBlockFragment()...), f.HeadersEnded()
			}
			if n++; ended != (n == frames) {
				t.Errorf("%d of %d: frame %d ends the block: %v", length, frame, n, ended)
			}
		}
		if n != frames || !bytes.Equal(got, block) {
			t.Errorf("%d of %d: %d frames with %d bytes, want %d", length, frame, n, len(got), frames)
		}
	}
	f(0, MinFrame, 1)
	f(1, MinFrame, 1)
	f(MinFrame, MinFrame, 1)
	f(MinFrame, 0, 1)
	f(MinFrame+1, MinFrame, 2)
	f(2*MinFrame, MinFrame, 2)
	f(2*MinFrame+1, MinFrame, 3)
	f(5*MinFrame-1, MinFrame, 5)
	f(5*MinFrame, MinFrame, 5)
	f(40000, 20000, 2)
	f(40000, 65536, 1)
}

// Random frames that its Framer writes come out of our reader alike, in pieces of any size.
func TestReaderReadsFramer(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var b bytes.Buffer
		var want strings.Builder
		fr := http2.NewFramer(&b, nil)
		_ = fr.WriteSettings()
		want.WriteString("4/0:0: ")
		for range 30 {
			writeRandom(fr, rnd, &want)
		}
		var cuts []int
		for at := 0; at < b.Len(); at += rnd.IntN(200) {
			cuts = append(cuts, at)
		}
		got, err := read(b.String(), append(cuts, b.Len()), &DefaultLimits)
		if err != nil || got != want.String() {
			t.Fatalf("seed %d:\n  %q %v\nwant\n  %q", seed, got, err, want.String())
		}
	}
}

func writeRandom(fr *http2.Framer, rnd *rand.Rand, want *strings.Builder) {
	text := strings.Repeat("x", rnd.IntN(300))
	stream := uint32(rnd.IntN(100))*2 + 1
	switch rnd.IntN(7) {
	case 0:
		_ = fr.WriteData(stream, false, []byte(text))
		fmt.Fprintf(want, "data/%d:0:%d:%s ", stream, len(text), text)
	case 1:
		pad := rnd.IntN(256)
		_ = fr.WriteDataPadded(stream, true, []byte(text), make([]byte, pad))
		fmt.Fprintf(want, "data/%d:9:%d:%s ", stream, len(text)+pad+1, text)
	case 2:
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte(text)})
		_ = fr.WriteContinuation(stream, true, []byte("more"))
		fmt.Fprintf(want, "1/%d:0:%s 9/%d:4:more ", stream, text, stream)
	case 3:
		_ = fr.WritePing(true, [8]byte{'1', '2', '3', '4', '5', '6', '7', '8'})
		want.WriteString("6/0:1:12345678 ")
	case 4:
		_ = fr.WriteGoAway('0'<<24|'0'<<16|'0'<<8|'0', http2.ErrCode('1'<<24|'1'<<16|'1'<<8|'1'), []byte(text))
		fmt.Fprintf(want, "7/0:0:00001111%s ", text)
	case 5:
		_ = fr.WriteRSTStream(stream, http2.ErrCode('c'<<24|'o'<<16|'d'<<8|'e'))
		fmt.Fprintf(want, "3/%d:0:code ", stream)
	case 6:
		_ = fr.WriteRawFrame(0x42, 0x3, stream, []byte(text))
		fmt.Fprintf(want, "ignored 66/%d:%d ", stream, len(text))
	}
}

// Padding and priority as its Framer writes them do not show in the block.
func TestHeaderBlockReadsFramer(t *testing.T) {
	f := func(p http2.HeadersFrameParam) {
		t.Helper()
		var b bytes.Buffer
		p.StreamID, p.EndHeaders, p.BlockFragment = 9, true, []byte("block")
		if err := http2.NewFramer(&b, nil).WriteHeaders(p); err != nil {
			t.Fatal(err)
		}
		r := Reader{stage: stageHeader}
		fr, n, err := r.Next(b.Bytes(), &DefaultLimits)
		if err != nil || n != b.Len() || fr.Event != Whole {
			t.Fatal(fr, n, err)
		}
		if block, err := HeaderBlock(fr); string(block) != "block" || err != nil {
			t.Errorf("%+v: %q %v", p, block, err)
		}
	}
	f(http2.HeadersFrameParam{})
	f(http2.HeadersFrameParam{PadLength: 17})
	f(http2.HeadersFrameParam{Priority: http2.PriorityParam{StreamDep: 3, Weight: 7}})
	f(http2.HeadersFrameParam{PadLength: 255, Priority: http2.PriorityParam{StreamDep: 3, Exclusive: true}, EndStream: true})
}

func TestHeaderRoundTrip(t *testing.T) {
	f := func(h Header) {
		t.Helper()
		b := AppendHeader(nil, h)
		if got, ok := ParseHeader(b); got != h || !ok || len(b) != HeaderLen {
			t.Errorf("%+v: %+v %v", h, got, ok)
		}
		theirs, err := http2.ReadFrameHeader(bytes.NewReader(b))
		if err != nil || theirs.Length != h.Length || theirs.StreamID != h.Stream || uint8(theirs.Type) != uint8(h.Type) || uint8(theirs.Flags) != uint8(h.Flags) {
			t.Errorf("%+v: %+v %v", h, theirs, err)
		}
		if _, ok := ParseHeader(b[:HeaderLen-1]); ok {
			t.Error("a header of eight bytes")
		}
	}
	f(Header{})
	f(Header{Length: MaxFrame, Stream: MaxWindow, Type: 0xff, Flags: 0xff})
	f(Header{Length: 0x010203, Stream: 0x04050607, Type: 8, Flags: 9})
}
