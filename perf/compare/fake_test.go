package compare

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/perf/bare"
)

// bareWord as the first argument makes the test program a bare server.
const bareWord = "bare"

// daemon is the built daemon, for all tests.
var daemon string

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == bareWord {
		size, err := strconv.Atoi(os.Args[3])
		if err == nil {
			err = serveBare(size)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == holdWord {
		if err := holdAsTold(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	dir, err := os.MkdirTemp("", "compare-test-")
	if err != nil {
		panic(err)
	}
	daemon = filepath.Join(dir, "holdfast")
	if out, err := exec.Command("go", "build", "-o", daemon, "holdfast/cmd/holdfast").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func serveBare(size int) error {
	s, err := bare.Listen(netip.MustParseAddrPort("127.0.0.1:0"), bare.Frame(size))
	if err != nil {
		return err
	}
	fmt.Printf("bare: listening on %s\n", s.Addr())
	return s.Serve(context.Background())
}

// self is the command line that makes the test program a bare server.
func self(t *testing.T) []string {
	t.Helper()
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{me, bareWord}
}

// fake is a server in this process: answer says what each request gets, in order of coming.
type fake struct {
	answer func(c net.Conn, r *http.Request)
}

// start serves until the test ends.
func (f *fake) start(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	at := netip.MustParseAddrPort(l.Addr().String())
	return &server{name: "fake", subscribe: at, publish: at, subPath: "/sub/", pushPath: "/push/"}
}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	rd := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(rd)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		f.answer(c, r)
	}
}

// says answers every request with the same bytes.
func says(text string) *fake {
	return &fake{answer: func(c net.Conn, _ *http.Request) { io.WriteString(c, text) }}
}

const (
	streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	accepted   = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
)

// eventually waits for what another process or goroutine does.
func eventually(ok func() bool) bool {
	for begun := time.Now(); time.Since(begun) < 5*time.Second; time.Sleep(time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}
