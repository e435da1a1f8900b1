package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/metrics"
)

// ticks is the processor time that a process has used, in the kernel's hundredths of a second.
func (p *process) ticks(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		t.Fatal(err)
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		t.Fatal(err)
	}
	return user + system
}

// Without a file descriptor to accept with, a node rests instead of spinning, serves whom it has, and accepts again
// soon after some leave.
func TestFileExhaustion(t *testing.T) {
	t.Parallel()
	const files = 64
	limit := fmt.Sprintf("--nofile=%d:%d", files, files)
	d := serveBy(t, nil, "prlimit", append([]string{limit, program}, anywhere...)...)
	if !d.warns("raise ulimit -n to") {
		t.Errorf("no warning of so few files: %s", &d.errs)
	}
	publisher := dial(t, d.publish)
	inside := d.subscribe(t, "sse", "inside")
	d.held(t, "inside", 1)
	d.held(t, "crowd", 0)
	clients := make([]*wire, 2*files)
	for i := range clients {
		clients[i] = d.subscribe(t, "sse", "crowd")
	}
	time.Sleep(300 * time.Millisecond) // until everybody is in who fits

	before := d.ticks(t)
	time.Sleep(time.Second)
	used := d.ticks(t) - before
	t.Logf("out of files, it used %d %% of a processor", used)
	if used > 5 {
		t.Error("that is too much")
	}
	publisher.say(t, "POST /push/inside HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
	publisher.hears(t, `"delivered":1`)
	inside.hears(t, "data: hello\n\n")

	publisher.say(t, "GET /push/crowd HTTP/1.1\r\nHost: a\r\n\r\n")
	if said := publisher.hears(t, `,"nodes"`); !strings.Contains(said, "200 OK") {
		t.Errorf("nobody of the crowd got in: %q", said)
	}
	for _, c := range clients[:3*files/2] { // the others fit
		c.Close()
	}
	began := time.Now()
	last := clients[2*files-1] // it came last, so it waits for everybody
	last.hears(t, "text/event-stream")
	took := time.Since(began)
	t.Logf("it accepted again after %v", took)
	if took > 3*time.Second { // 0.1 s on a quiet machine
		t.Error("that is too long")
	}
	if m := d.metrics(t); m.Sum(metrics.AcceptPauses, "reason", "exhausted") == 0 {
		t.Errorf("pauses: %v", m.By(metrics.AcceptPauses, "reason"))
	}
}

// The limit on connections keeps clients waiting, and publishers get in all the same.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	d := serve(t, "--max-conns", "10")
	clients := make([]*wire, 20)
	for i := range clients {
		clients[i] = d.subscribe(t, "sse", "key")
	}
	time.Sleep(300 * time.Millisecond)                                           // until everybody is in who may
	if v := d.push(t, "key", []byte("x")); v.Delivered < 8 || v.Delivered > 10 { // publishers count, too
		t.Errorf("%+v", v)
	}
	before := d.ticks(t)
	time.Sleep(time.Second)
	if used := d.ticks(t) - before; used > 5 {
		t.Errorf("full, it used %d %% of a processor", used)
	}
	for _, c := range clients[:15] {
		c.Close()
	}
	d.held(t, "key", 5)
}
