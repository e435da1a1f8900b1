package e2e

import (
	"errors"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/cmd/internal/metrics"
)

// Each form says in its own words that the client may come back, and ends well.
func TestDrainIsTold(t *testing.T) {
	t.Parallel()
	d := serve(t)
	f := func(form, want string) func() {
		w := d.subscribe(t, form, form)
		d.held(t, form, 1)
		return func() {
			if got := w.ends(t); !strings.Contains(got, want) {
				t.Errorf("%s: heard %q, want %q", form, got, want)
			}
		}
	}
	const end = "\r\n0\r\n\r\n"
	checks := []func(){
		f("poll", "HTTP/1.1 204 No Content\r\n"),
		f("sse", "event: goaway\ndata: {}\n\n"+end),
		f("ndjson", `{"event":"goaway"}`+"\n"+end),
		f("multipart", "Push-Event: goaway\r\n\r\n\r\n--hf-"),
		f("replace", "Push-Event: goaway\r\n\r\n\r\n--hf-"),
		f("raw", "\r\n\r\n0\r\n\r\n"),
	}
	d.stop(t)
	for _, check := range checks {
		check()
	}
}

// Holds end spread over --drain-pace; meanwhile the node takes nobody new and says so, and exits with 0.
func TestDrainIsPaced(t *testing.T) {
	t.Parallel()
	const size, pace = 60, 1200 * time.Millisecond
	d := serve(t, "--drain-pace", pace.String(), "--drain-timeout", "20s")
	var clients []*wire
	for range size {
		clients = append(clients, d.subscribe(t, "sse", "all"))
	}
	d.held(t, "all", size)
	if status, body := get(t, d.admin+"/readyz"); status != 200 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	began := time.Now()
	d.terminate(t)
	ends := make([]time.Duration, size)
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() { c.ends(t); ends[i] = time.Since(began) })
	}
	if !eventually(func() bool { status, _ := get(t, d.admin+"/readyz"); return status == 503 }) {
		t.Error("/readyz never said 503")
	}
	if status, body := get(t, d.admin+"/healthz"); status != 200 {
		t.Errorf("/healthz of a draining node: %d %s", status, body)
	}
	if late, err := net.DialTimeout("tcp", d.public, time.Second); err == nil {
		late.Close()
		t.Error("a draining node took a new connection")
	}
	all.Wait()
	if code := d.wait(t); code != 0 {
		t.Errorf("exit %d: %s", code, &d.errs)
	}
	slices.Sort(ends)
	if ends[size/4] < pace/8 || ends[size/2] < pace/4 || ends[size-1] < pace*3/4 || ends[size-1] > 5*pace { // late is the machine's business, early is ours
		t.Errorf("a pace of %v ended holds at %v", pace, ends)
	}
}

// begin starts a push of "helloworld" to alice, and waits until the node has read the first half, which is all there is.
func (d *daemon) begin(t *testing.T) *wire {
	t.Helper()
	before := d.metrics(t).Sum(metrics.ReceivedBytes)
	const half = "POST /push/alice HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello"
	w := dial(t, d.publish)
	w.say(t, half)
	if !eventually(func() bool { return d.metrics(t).Sum(metrics.ReceivedBytes) >= before+float64(len(half)) }) {
		t.Fatal("the request was never read")
	}
	return w
}

// A publisher whose message is on its way when the signal comes gets its verdict.
func TestDrainAnswersPublishersUnderWay(t *testing.T) {
	t.Parallel()
	d := serve(t, "--drain-pace", "2s", "--drain-timeout", "10s")
	d.crowd(t, "alice", 19)
	last := d.subscribe(t, "poll", "alice")
	d.held(t, "alice", 20)
	w := d.begin(t)
	idle := dial(t, d.publish)
	idle.say(t, "GET /push/alice HTTP/1.1\r\nHost: a\r\n\r\n")
	idle.hears(t, `{"connections":20`)
	d.terminate(t)
	idle.ends(t)
	w.say(t, "world")
	got := w.ends(t)
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.Contains(got, `"pending":0,"stored":0,"dropped":0`) || !strings.Contains(got, "Connection: close\r\n") {
		t.Errorf("the publisher got %q", got)
	}
	if got := last.ends(t); !strings.Contains(got, "helloworld") && !strings.Contains(got, "204 No Content") {
		t.Errorf("a subscriber got %q", got)
	}
	if code := d.wait(t); code != 0 {
		t.Errorf("exit %d: %s", code, &d.errs)
	}
}

// What does not end by --drain-timeout is cut, and the operator is told how many.
func TestDrainEndsInTime(t *testing.T) {
	t.Parallel()
	d := serve(t, "--drain-timeout", "500ms", "--drain-pace", "1m")
	d.crowd(t, "alice", 1)
	d.held(t, "alice", 1)
	w := d.begin(t)
	began := time.Now()
	d.stop(t)
	if took := time.Since(began); took < 400*time.Millisecond || took > 5*time.Second {
		t.Errorf("a drain of at most 500 ms took %v", took)
	}
	if !strings.Contains(d.errs.String(), "1 connections were still open") {
		t.Errorf("the operator was told: %s", &d.errs)
	}
	w.ends(t)
}

// A second signal does not wait for anybody.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	d := serve(t, "--drain-timeout", "1m", "--drain-pace", "1m")
	d.begin(t) // holds the drain up
	d.terminate(t)
	if !eventually(func() bool { status, _ := get(t, d.admin+"/readyz"); return status == 503 }) {
		t.Error("/readyz never said 503")
	}
	began := time.Now()
	d.terminate(t)
	<-d.ended
	var exit *exec.ExitError
	if !errors.As(d.err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the node ended with %v", d.err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}
