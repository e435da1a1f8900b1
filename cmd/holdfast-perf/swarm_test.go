package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/perf/report"
)

// pushServer is a small push server of net/http's.
func pushServer(t *testing.T) (addr string) {
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
			messages.(chan []byte) <- m
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
	addr := pushServer(t)
	dir := t.TempDir()
	args := "push --conns 20 --rate 200 --duration 1100ms --grace 10s --loops 2 --subscribe " + addr + " --publish " + strings.Replace(addr, "127.0.0.1", "localhost", 1) +
		" --sources 127.0.0.2,127.0.0.3 --server-pid " + strconv.Itoa(os.Getpid()) + " --json " + dir + "/r.json --svg " + dir + "/r.svg"
	var out bytes.Buffer
	if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Push to 20 connections, 200 per second", "20 subscribed, 0 failed, 0 lost", "220 sent, 0 unsent, answered 200 × 220",
		"220 received, 0 missing, 0 duplicates", "push to receipt", "late sending (tool)", "server CPU per push", "1 s  subscribed 20",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
	f, err := os.Open(filepath.Join(dir, "r.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.ReadJSON(f)
	if err != nil || len(r.Series) != 3 || r.Series[0].Latency.Count != 220 {
		t.Errorf("%+v %v", r, err)
	}
	if svg, err := os.ReadFile(filepath.Join(dir, "r.svg")); err != nil || !bytes.HasPrefix(svg, []byte("<svg")) {
		t.Errorf("%.40q %v", svg, err)
	}
}

func TestHoldReports(t *testing.T) {
	var out bytes.Buffer
	args := "hold --conns 10 --duration 10ms --subscribe " + pushServer(t)
	if err := run(t.Context(), strings.Fields(args), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Hold 10 connections", "10 subscribed", "connect to held"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "pushes") || strings.Contains(out.String(), "server ") {
		t.Errorf("what was not measured is shown:\n%s", out.String())
	}
}

// An interrupted run still reports what it has found.
func TestInterruptedRunReports(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	if err := run(ctx, strings.Fields("hold --conns 5 --duration 1h --subscribe "+pushServer(t)), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "5 subscribed, 0 failed, 0 lost") {
		t.Errorf("%s", out.String())
	}
}

func TestMistakesOfLoadRuns(t *testing.T) {
	f := func(args, want string) {
		t.Helper()
		err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	f("push --rate 0", "hold")
	f("hold --subscribe nowhere", "missing port")
	f("hold --subscribe 127.0.0.1:nosuchservice", "nosuchservice")
	f("hold --sources 127.0.0.1,x", "--sources")
	f("hold --server-pid 1073741824 --conns 1", "no such file")
	f("hold --conns 1 --duration 1ms --connect-wait 1ms --json /nonexistent/r.json --subscribe "+pushServer(t), "/nonexistent")
	f("hold --rate 5", "unknown flag")
}
