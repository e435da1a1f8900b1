package e2e

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// lanes are what WebSockets travel on: each a connection of its own that was upgraded (RFC 6455), or all of them streams
// of one connection (RFC 8441). What they return on an opening handshake over HTTP/1.1 is its answer, with a body that
// can be written to.
var lanes = map[string]func(t *testing.T) http.RoundTripper{
	"upgrade": func(t *testing.T) http.RoundTripper {
		lane := new(http.Transport)
		t.Cleanup(lane.CloseIdleConnections)
		return lane
	},
	"connect": overStreams,
}

// The first bytes of frames, RFC 6455 §5.2.
const (
	more       = 0x00 // of a message whose first frame was another
	text       = 0x01
	binaries   = 0x02
	closing    = 0x08
	ping       = 0x09
	pong       = 0x0a
	fin        = 0x80
	compressed = 0x40 // RSV1, RFC 7692 §6
)

// frame is one frame as a client sends it.
func frame(first byte, payload string) string {
	return head(first, len(payload)) + masked(payload)
}

var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// head is the beginning of a client's frame, up to and with its mask.
func head(first byte, length int) string {
	b := []byte{first}
	switch {
	case length <= 125:
		b = append(b, 0x80|byte(length))
	case length <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(length))
	}
	return string(append(b, mask[:]...))
}

func masked(payload string) string {
	b := []byte(payload)
	for i := range b {
		b[i] ^= mask[i%4]
	}
	return string(b)
}

func farewell(code int, reason string) string {
	return frame(fin|closing, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// socket is a WebSocket client that knows no more than frames.
type socket struct {
	io.ReadWriteCloser
	in       *bufio.Reader
	answer   http.Header
	deflates bool
}

// open makes a WebSocket at a path. Fields are "Name: value".
func open(t *testing.T, lane http.RoundTripper, address, path string, fields ...string) *socket {
	t.Helper()
	req, err := http.NewRequest("GET", "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range append(fields, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==") {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	resp, err := lane.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		said, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		t.Fatalf("%s was answered %s %s", path, resp.Status, said)
	}
	s := &socket{ReadWriteCloser: resp.Body.(io.ReadWriteCloser), answer: resp.Header}
	s.deflates = strings.HasPrefix(s.answer.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
	s.in = bufio.NewReader(s)
	cut := time.AfterFunc(2*patience, func() { s.Close() })
	t.Cleanup(func() { cut.Stop(); s.Close() })
	return s
}

// hear reads one frame and returns it in words.
func (s *socket) hear() (first byte, words string, err error) {
	var b [8]byte
	if _, err := io.ReadFull(s.in, b[:2]); err != nil {
		return 0, "", err
	}
	first = b[0]
	length := int(b[1])
	switch {
	case length&0x80 != 0:
		return first, "", fmt.Errorf("the server masks")
	case length == 126:
		_, err = io.ReadFull(s.in, b[:2])
		length = int(binary.BigEndian.Uint16(b[:2]))
	case length == 127:
		_, err = io.ReadFull(s.in, b[:8])
		length = int(binary.BigEndian.Uint64(b[:8]))
	}
	if err != nil {
		return first, "", err
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(s.in, payload); err != nil {
		return first, "", err
	}
	if first&compressed != 0 && s.deflates {
		first &^= compressed
		if payload, err = inflate(payload); err != nil {
			return first, "", err
		}
	}
	return first, said(first, string(payload)), nil
}

// said is what a frame says, for transcripts: short payloads as they are, others by length and checksum.
func said(first byte, payload string) string {
	switch first {
	case fin | closing:
		if len(payload) < 2 {
			return fmt.Sprintf("close%x", payload)
		}
		return fmt.Sprint("close ", binary.BigEndian.Uint16([]byte(payload)))
	case fin | ping:
		return "ping"
	}
	name := map[byte]string{fin | text: "text", fin | binaries: "binary", fin | pong: "pong"}[first]
	if name == "" {
		name = fmt.Sprintf("frame %#x", first)
	}
	if len(payload) > 40 {
		return fmt.Sprintf("%s of %d bytes, %x", name, len(payload), crc32.ChecksumIEEE([]byte(payload)))
	}
	return fmt.Sprintf("%s %q", name, payload)
}

// transcript sends pieces, each in a write of its own, and returns what comes back, up to the end of the connection. A
// close frame is answered as a client does, once.
func (s *socket) transcript(t *testing.T, pieces []string) string {
	t.Helper()
	go func() {
		for _, piece := range pieces {
			if _, err := io.WriteString(s, piece); err != nil {
				return // it has hung up, and the transcript tells
			}
		}
	}()
	var all []string
	for {
		first, words, err := s.hear()
		if err != nil {
			if err != io.EOF {
				words = err.Error()
				all = append(all, words)
			}
			return strings.Join(all, ", ")
		}
		all = append(all, words)
		if first == fin|closing && !strings.HasPrefix(pieces[len(pieces)-1], "\x88") {
			_, _ = io.WriteString(s, farewell(1000, ""))
		}
	}
}

// deflate is a message as permessage-deflate sends it, RFC 7692 §7.2.1.
func deflate(message string, level int) string {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(w, message)
	_ = w.Flush()
	return strings.TrimSuffix(out.String(), "\x00\x00\xff\xff")
}

func inflate(b []byte) ([]byte, error) {
	const end = "\x00\x00\xff\xff" + "\x01\x00\x00\xff\xff" // the tail, and a final block that says there is no more
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(b), strings.NewReader(end))))
}
