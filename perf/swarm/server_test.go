package swarm

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// scripted is an HTTP/2 server that says what a test tells it to, over x/net's framer, and checks what it hears.
type scripted struct {
	t        *testing.T
	settings []http2.Setting
	begin    func(s *scripted) // once a connection stands
	asked    func(s *scripted, f *http2.MetaHeadersFrame)
	heard    func(s *scripted, f http2.Frame) // everything else

	mu     sync.Mutex
	conns  int
	seen   []http2.FrameType
	framer *http2.Framer // of the last connection
	conn   net.Conn
}

func (s *scripted) serve(t *testing.T) Config {
	t.Helper()
	s.t = t
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go s.talk(c)
		}
	}()
	addr := netip.MustParseAddrPort(ln.Addr().String())
	return Config{
		Protocol: HTTP2, Streams: 4, Subscribe: addr, Publish: addr, Settle: time.Millisecond, Duration: 200 * time.Millisecond,
		Grace: 2 * time.Second, Loads: []Load{{Conns: 4}},
	}
}

// talk serves one connection, frame by frame.
func (s *scripted) talk(c net.Conn) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := c.Read(preface); err != nil || string(preface) != http2.ClientPreface {
		s.t.Errorf("%v, preface %q", err, preface)
		return
	}
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(0, nil)
	s.mu.Lock()
	s.conns++
	s.framer, s.conn = f, c
	_ = f.WriteSettings(s.settings...)
	if s.begin != nil {
		s.begin(s)
	}
	s.mu.Unlock()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.framer = f
		s.seen = append(s.seen, frame.Header().Type)
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			s.asked(s, frame)
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		default:
			if s.heard != nil {
				s.heard(s, frame)
			}
		}
		s.mu.Unlock()
	}
}

// count is how many frames of a type have come.
func (s *scripted) count(of http2.FrameType) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.seen {
		if t == of {
			n++
		}
	}
	return n
}

// answer sends a head.
func (s *scripted) answer(id uint32, end bool, pairs ...string) {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	e.SetMaxDynamicTableSize(0)
	for i := 0; i < len(pairs); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	block := b.Bytes()
	half := len(block) / 2 // in two frames, to be put together
	_ = s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: slices.Clone(block[:half]), EndStream: end, PadLength: 3})
	_ = s.framer.WriteContinuation(id, true, block[half:])
}

func welcome(s *scripted, f *http2.MetaHeadersFrame) { s.answer(f.StreamID, false, ":status", "200") }
