package h2

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// server answers one connection's requests, one after the other, with what this package has and nothing else.
type server struct {
	conn     net.Conn
	reader   Reader
	hpack    *Decoder // its table ends with the client's ACK
	seen     []string // requests, as describe has them
	first    []byte   // the first byte of each header block
	settings Settings
}

func (s *server) serve() error {
	buf := make([]byte, 0, 64<<10)
	greeted := false
	for {
		n, err := s.conn.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return err
		}
		buf = buf[:len(buf)+n]
		if !greeted {
			if _, whole := MatchPreface(buf); !whole {
				continue
			}
			greeted, buf = true, slices.Delete(buf, 0, len(Preface))
		}
		at := 0
		var out []byte
		for {
			f, n, err := s.reader.Next(buf[at:], &DefaultLimits)
			if err != nil {
				return err
			}
			if at += n; f.Event == More {
				break
			}
			if out, err = s.answer(out, f); err != nil {
				return err
			}
		}
		buf = slices.Delete(buf, 0, at)
		if _, err := s.conn.Write(out); err != nil {
			return err
		}
	}
}

func (s *server) answer(out []byte, f Frame) ([]byte, error) {
	switch {
	case f.Type == TypeSettings && f.Flags.Has(Ack):
		s.hpack = NewDecoder(0)
	case f.Type == TypeSettings:
		if err := s.settings.Read(f); err != nil {
			return nil, err
		}
		out = AppendSettings(out, Setting{TableSize, 0}, Setting{MaxStreams, 9})
		return AppendSettingsAck(out), nil
	case f.Type == TypeHeaders:
		block, err := HeaderBlock(f)
		if err != nil {
			return nil, err
		}
		s.first = append(s.first, block[0])
		var list Fields
		if err := s.hpack.Decode(block, &list, &DefaultLimits); err != nil {
			return nil, err
		}
		var r Request
		if err := r.Read(&list); err != nil {
			return nil, err
		}
		s.seen = append(s.seen, describe(&r))
		at := len(out)
		out = AppendStatus(AppendTableZero(OpenHeaders(out, f.Stream, false)), 201)
		out = AppendField(out, "X-Long", strings.Repeat("v", 20000))
		out = CloseHeaders(AppendContentLength(out, 5), at, s.settings.Frame)
		return append(AppendDataHeader(out, f.Stream, 5, true), "hello"...), nil
	}
	return out, nil
}

// A client that is not ours understands what we send, and we what it sends, before and after our table has ended.
func TestTransport(t *testing.T) {
	// Not a net.Pipe: without a buffer, two sides that write at once wait for each other.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{conn: conn, hpack: NewDecoder(4096), settings: DefaultSettings}
	done := make(chan error, 1)
	go func() { done <- s.serve() }()
	known := new(http.Protocols)
	known.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: known, DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
	for range 3 {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a.example/p?q", nil)
		req.Header.Set("X-Token", "abc")
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 201 || string(body) != "hello" || len(resp.Header.Get("X-Long")) != 20000 || err != nil {
			t.Errorf("%d %q %d %v", resp.StatusCode, body, len(resp.Header.Get("X-Long")), err)
		}
	}
	_ = client.Close()
	if err := <-done; err != io.EOF {
		t.Error(err)
	}
	want := "GET http a.example /p?q {x-token=abc} {accept-encoding=gzip} {user-agent=Go-http-client/2.0}"
	if !slices.Equal(s.seen, []string{want, want, want}) {
		t.Errorf("%q", s.seen)
	}
	// The client says once that its table has ended: in its first block after our SETTINGS came.
	if n := bytes.Count(s.first, []byte{reprTable}); n != 1 || s.first[2] == reprTable {
		t.Errorf("blocks begin with % x", s.first)
	}
}
