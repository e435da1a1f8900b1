package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/perf/report"
	"holdfast/perf/swarm"
)

// pushServer is a small push server of net/http's, which delivers each message as often as it is told.
func pushServer(t *testing.T, copies int) (addr string) {
	var subs sync.Map
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sub/{key}", func(w http.ResponseWriter, r *http.Request) {
		messages := make(chan []byte, 100)
		subs.Store(r.PathValue("key"), messages)
		w.(http.Flusher).Flush()
		for {
			select {
			case m := <-messages:
				_, _ = w.Write([]byte("data: " + string(m) + "\n\n"))
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	mux.HandleFunc("POST /push/{key}", func(w http.ResponseWriter, r *http.Request) {
		m, _ := io.ReadAll(r.Body)
		if messages, ok := subs.Load(r.PathValue("key")); ok {
			for range copies {
				messages.(chan []byte) <- m
			}
			_, _ = io.WriteString(w, `{"delivered":1,"pending":0}`)
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.Listener.Addr().String()
}

func TestPushReports(t *testing.T) {
	addr := pushServer(t, 1)
	dir := t.TempDir()
	args := "push --conns 20 --rate 200 --duration 1100ms --loops 2 --url " + addr + " --publish-url http://" + strings.Replace(addr, "127.0.0.1", "localhost", 1) +
		" --source 127.0.0.2,127.0.0.3 --pid " + strconv.Itoa(os.Getpid()) + " --json " + dir + "/r.json --svg " + dir + "/r.svg"
	var out bytes.Buffer
	if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	wantText(t, out.String(),
		"Push to 20 clients, sse, one", "20 subscribed in", "0 failed, 0 lost", "220 sent, 0 never sent, answered 200 × 220",
		"220 promised, 220 arrived, 0 lost", "one key: to arrival", "late sending (tool)", "server, CPU per delivery", "1 s  subscribed 20 of 20")
	f, err := os.Open(filepath.Join(dir, "r.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.ReadJSON(f)
	if err != nil || len(r.Series) != 3 || r.Series[1].Latency.Count != 220 {
		t.Errorf("%+v %v", r, err)
	}
	if svg, err := os.ReadFile(filepath.Join(dir, "r.svg")); err != nil || !bytes.HasPrefix(svg, []byte("<svg")) {
		t.Errorf("%.40q %v", svg, err)
	}
}

func wantText(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

// A server that lies makes the command fail, after the report.
func TestPushFailsOnALyingServer(t *testing.T) {
	addr := pushServer(t, 2)
	var out bytes.Buffer
	err := run(t.Context(), strings.Fields("push --conns 5 --rate 100 --duration 200ms --grace 1s --url "+addr+" --publish-url "+addr), &out, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "20 doubled") {
		t.Errorf("%v", err)
	}
	wantText(t, out.String(), "20 doubled, 0 out of order")
}

func TestHoldReports(t *testing.T) {
	var out bytes.Buffer
	args := "hold --conns 10 --settle 10ms --hold 10ms --url " + pushServer(t, 1)
	if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	wantText(t, out.String(), "Hold 10 clients, sse", "10 subscribed in", "connect to subscribed", "established")
	if strings.Contains(out.String(), "pushes") || strings.Contains(out.String(), "server, ") {
		t.Errorf("what was not measured is shown:\n%s", out.String())
	}
}

// An interrupted run still reports what it has found.
func TestInterruptedRunReports(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	if err := run(ctx, strings.Fields("hold --conns 5 --hold 1h --settle 1ms --url "+pushServer(t, 1)), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	wantText(t, out.String(), "5 subscribed in", "0 failed, 0 lost")
}

func TestMistakesOfLoadRuns(t *testing.T) {
	f := func(args, want string) {
		t.Helper()
		err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	f("push --publishers 0", "hold")
	f("push --mode both", "one, fanout and mixed")
	f("push --mode mixed", "--group")
	f("push --mode mixed --group 1000", "--group")
	f("push --mode fanout --group 1001", "--group 1001")
	f("push --publish-url ftp://127.0.0.1", "--publish-url")
	f("push --size 10", "stamp")
	f("hold --form letter", "sse")
	f("hold --protocol h3", "h1, h2")
	f("hold --streams 2", "HTTP/2's")
	f("hold --deflate", "WebSockets")
	f("hold --form ws --protocol h2", "HTTP/1.1 only")
	f("hold --url http://127.0.0.1:8080/sub", "flags of their own")
	f("hold --url 127.0.0.1:nosuchservice", "--url")
	f("hold --url 192.0.2.1:80", "--allow-remote")
	f("hold --source 127.0.0.1,x", "--source")
	f("hold --subscribe-path /sub", "{key}")
	f("hold --conns 3000000", "3000000 connections are more than this process may hold")
	f("hold --pid 1073741824 --conns 1", "no such file")
	f("hold --conns 1 --hold 1ms --settle 1ms --json /nonexistent/r.json --url "+pushServer(t, 1), "/nonexistent")
	f("hold --mode one", "unknown flag")
}

func TestShareOfACPU(t *testing.T) {
	f := func(cpu, span time.Duration, want float64) {
		t.Helper()
		u := readings{ready: swarm.Usage{CPU: time.Second}, done: swarm.Usage{CPU: time.Second + cpu}}
		u.doneAt = u.readyAt.Add(span)
		if got := u.share(); got != want {
			t.Errorf("%v in %v is %v%%, want %v%%", cpu, span, got, want)
		}
	}
	f(time.Second, 2*time.Second, 50)
	f(3*time.Second, 2*time.Second, 150)
	f(time.Second, 999*time.Millisecond, 0)
	f(0, 0, 0)
}

func TestLoadsOfModes(t *testing.T) {
	f := func(change func(*pushSettings), want ...swarm.Load) {
		t.Helper()
		s := newPushSettings()
		change(s)
		if got, err := s.loads(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%+v %v, want %+v", got, err, want)
		}
	}
	one := swarm.Load{Name: "one key", Conns: 1000, Publishers: 16}
	all := swarm.Load{Name: "fan-out", Conns: 1000, Keys: 1, Publishers: 16}
	f(func(*pushSettings) {}, one)
	f(func(s *pushSettings) { s.mode = "fanout" }, all)
	all.Keys, all.Rate = 10, 5
	f(func(s *pushSettings) { s.mode, s.group, s.rate = "fanout", 100, 5 }, all)
	one.Conns, one.Rate = 900, 7
	f(func(s *pushSettings) { s.mode, s.group, s.rate, s.fanoutRate = "mixed", 100, 7, 3 },
		one, swarm.Load{Name: "fan-out", Conns: 100, Keys: 1, Publishers: 1, Rate: 3})
}
