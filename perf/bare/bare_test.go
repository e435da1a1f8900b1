package bare

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// serve starts a server that ends with the test.
func serve(t *testing.T, frame []byte) *Server {
	t.Helper()
	s, err := Listen(loopback, frame)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask connects, sends a request and reads the answer's head.
func ask(t *testing.T, s *Server, request string) (net.Conn, *bufio.Reader, int) {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, request)
	rd := bufio.NewReader(c)
	return c, rd, status(t, rd)
}

func status(t *testing.T, rd *bufio.Reader) int {
	t.Helper()
	resp, err := http.ReadResponse(rd, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func TestEachTriggerSendsTheFrameToAll(t *testing.T) {
	frame := Frame(50)
	s := serve(t, frame)
	var held []*bufio.Reader
	for range 20 {
		_, rd, got := ask(t, s, "GET /sub/x HTTP/1.1\r\nHost: a\r\n\r\n")
		if got != 200 {
			t.Fatalf("status %d", got)
		}
		held = append(held, rd)
	}
	publisher, answers, _ := ask(t, s, "POST /push/x HTTP/1.1\r\n\r\n")
	io.WriteString(publisher, "POST /push/x HTTP/1.1\r\nContent-Length: 1\r\n\r\n~")
	if got := status(t, answers); got != 200 {
		t.Errorf("status %d", got)
	}
	for i, rd := range held {
		got := make([]byte, 2*len(frame))
		if _, err := io.ReadFull(rd, got); err != nil || !bytes.Equal(got, append(frame[:len(frame):len(frame)], frame...)) {
			t.Fatalf("client %d got %q, %v", i, got, err)
		}
	}
}

// Who has left is sent nothing and is nobody's failure; the others stay.
func TestLeavers(t *testing.T) {
	s := serve(t, Frame(5))
	var conns []net.Conn
	var readers []*bufio.Reader
	for range 5 {
		c, rd, _ := ask(t, s, "GET / HTTP/1.1\r\n\r\n")
		conns, readers = append(conns, c), append(readers, rd)
	}
	for _, i := range []int{0, 4, 2} {
		conns[i].Close()
	}
	time.Sleep(50 * time.Millisecond) // until the server has heard of it
	if _, _, got := ask(t, s, "POST / HTTP/1.1\r\n\r\n"); got != 200 {
		t.Errorf("status %d", got)
	}
	for _, i := range []int{1, 3} {
		if line, err := readers[i].ReadString('\n'); err != nil || strings.TrimSpace(line) == "" {
			t.Errorf("client %d: %q, %v", i, line, err)
		}
	}
}

// A client whose system takes no more makes the answer a failure: a floor that delivers less would be too low.
func TestFullSocketsAreTold(t *testing.T) {
	s := serve(t, Frame(1<<20))
	ask(t, s, "GET / HTTP/1.1\r\n\r\n")
	for range 100 {
		if _, _, got := ask(t, s, "POST / HTTP/1.1\r\n\r\n"); got == 500 {
			return
		}
	}
	t.Error("100 MiB that nobody read were all taken")
}

func TestListenFails(t *testing.T) {
	s := serve(t, nil)
	if _, err := Listen(s.Addr(), nil); err == nil || !strings.Contains(err.Error(), s.Addr().String()) {
		t.Errorf("two servers at %s: %v", s.Addr(), err)
	}
}

func TestFrame(t *testing.T) {
	f := func(size int, want string) {
		t.Helper()
		if got := string(Frame(size)); got != want {
			t.Errorf("%d: %q, want %q", size, got, want)
		}
	}
	f(0, "1D\r\nid: ABCDEFGHI-12345\ndata: ~\n\n\r\n")
	f(1, "1D\r\nid: ABCDEFGHI-12345\ndata: ~\n\n\r\n")
	f(3, "1F\r\nid: ABCDEFGHI-12345\ndata: ~..\n\n\r\n")
}

func TestSendingAllocatesNothing(t *testing.T) {
	s, err := Listen(loopback, Frame(10))
	if err != nil {
		t.Fatal(err)
	}
	defer s.free()
	for range 3 {
		s.held = append(s.held, -1) // no such descriptor: the call is made all the same
	}
	if n := testing.AllocsPerRun(100, s.sendAll); n != 0 || s.short != 3 {
		t.Errorf("%v allocations, %d short", n, s.short)
	}
	s.held = nil
}
