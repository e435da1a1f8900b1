package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// foe is one connection of an attacker, over HTTP/2 with frames that it makes by hand.
type foe struct {
	net.Conn
	code    atomic.Int64 // of the node's GOAWAY, -1 before it
	answers atomic.Int64 // responses that began
	over    chan struct{}
}

// hello is what a client begins with; settings are the payload of its SETTINGS.
func hello(settings string) string { return http2.ClientPreface + h2frame(0x4, 0, 0, settings) }

// h2frame is one frame, RFC 9113 §4.1.
func h2frame(kind, flags byte, stream uint32, payload string) string {
	n := len(payload)
	b := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	return string(binary.BigEndian.AppendUint32(b, stream)) + payload
}

// h2int is a number as frames carry it.
func h2int(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

// h2head is a header block that needs no table; fields are "name= value".
func h2head(fields ...string) string {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	for _, line := range fields {
		name, value, _ := strings.Cut(line, "= ")
		_ = enc.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true})
	}
	return b.String()
}

// request is the head of one.
func request(method, path string, more ...string) string {
	return h2head(append([]string{":method= " + method, ":scheme= http", ":authority= a", ":path= " + path}, more...)...)
}

// attack opens a connection. Unless deaf, it reads all that comes, and acknowledges the node's SETTINGS if acks.
func attack(address, settings string, acks, deaf bool) (*foe, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	a := &foe{Conn: conn, over: make(chan struct{})}
	a.code.Store(-1)
	if _, err := conn.Write([]byte(hello(settings))); err != nil {
		return nil, err
	}
	if deaf {
		return a, nil
	}
	settled := make(chan struct{})
	go a.listen(acks, settled)
	select {
	case <-settled:
	case <-a.over:
	}
	return a, nil
}

func (a *foe) listen(acks bool, settled chan struct{}) {
	defer close(a.over)
	framer := http2.NewFramer(nil, a)
	first := true
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() && acks {
				_, _ = a.Write([]byte(h2frame(0x4, 0x1, 0, "")))
			}
			if first {
				first = false
				close(settled)
			}
		case *http2.GoAwayFrame:
			a.code.Store(int64(f.ErrCode))
		case *http2.HeadersFrame:
			a.answers.Add(1)
		}
	}
}

// flood sends frames until the node has had enough, a batch at a time, and says how many it took. Next gives the i-th
// lot and how many frames it is.
func (a *foe) flood(most int, next func(i int) (string, int)) (sent int) {
	var batch []byte
	for i := 0; sent < most && a.code.Load() < 0; {
		batch = batch[:0]
		for frames := 0; frames < 32 && len(batch) < 64<<10; i++ {
			lot, n := next(i)
			batch = append(batch, lot...)
			frames += n
			sent += n
		}
		if a.SetWriteDeadline(time.Now().Add(2*time.Second)) != nil {
			break
		}
		if _, err := a.Write(batch); err != nil {
			break
		}
		time.Sleep(50 * time.Microsecond) // for the node to say so
	}
	for end := time.Now().Add(time.Second); sent < most && a.ending() == "open" && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // the last word may still be on its way
	}
	return sent
}

// ending is how the node ended a connection, in the words of RFC 9113 §7.
func (a *foe) ending() string {
	if code := a.code.Load(); code >= 0 {
		return http2.ErrCode(code).String()
	}
	select {
	case <-a.over:
		return "closed"
	default:
		return "open"
	}
}

// cost is what a process has used.
type cost struct {
	cpu time.Duration // of all its threads
	rss int           // bytes
}

func (d *daemon) cost(t *testing.T) (c cost) {
	t.Helper()
	pid := d.cmd.Process.Pid
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, task.Name()))
		if err != nil {
			continue // it has just ended
		}
		n, _ := strconv.Atoi(strings.Fields(string(text))[0])
		c.cpu += time.Duration(n)
	}
	if c.rss = d.rss(); c.rss == 0 {
		t.Fatal("no VmRSS")
	}
	return c
}

// rss is the memory of the node that is resident, in bytes; 0 if it cannot be told.
func (d *daemon) rss() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return kib << 10
}

// peak watches the memory of the node until it is asked how much that grew meanwhile.
func (d *daemon) peak() (grown func() int) {
	before, most := d.rss(), 0
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			most = max(most, d.rss())
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() int {
		close(stop)
		<-stopped
		return most - before
	}
}
