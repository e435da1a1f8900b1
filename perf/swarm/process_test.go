package swarm

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	f := func(stat string, want Usage, ok bool) {
		t.Helper()
		if got, is := parseStat([]byte(stat)); got != want || is != ok {
			t.Errorf("%q: %+v %v", stat, got, is)
		}
	}
	page := int64(os.Getpagesize())
	tail := " S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 17 18 19 20 300 22\n"
	f("7 (server)"+tail, Usage{300 * page, 2 * time.Second}, true)
	f("7 (a) S 1) b)"+tail, Usage{300 * page, 2 * time.Second}, true)
	f("7 (server)"+strings.Replace(tail, "150", "x", 1), Usage{}, false)
	f("7 (server) S 1 2 3", Usage{}, false)
	f("", Usage{}, false)
}

func TestUsageOfThisProcess(t *testing.T) {
	u, err := readUsage(os.Getpid())
	if err != nil || u.Memory < 1<<20 {
		t.Fatalf("%+v %v", u, err)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		v, err := readUsage(os.Getpid())
		if err != nil || time.Now().After(end) {
			t.Fatalf("after 10 s of work %v, before %v, %v", v.CPU, u.CPU, err)
		}
		if v.CPU > u.CPU {
			break
		}
	}
	if _, err := readUsage(1 << 30); err == nil {
		t.Error("nobody's usage was read")
	}
}

func TestRunReadsTheServersUsage(t *testing.T) {
	f := new(fake)
	cfg := f.start(t)
	cfg.Process = os.Getpid()
	r := run(t, cfg)
	if s := r.Server; s.Before.Memory == 0 || s.Held.Memory == 0 || s.Ended.Memory == 0 || s.Held.CPU < s.Before.CPU || s.Ended.CPU < s.Held.CPU {
		t.Errorf("%+v", s)
	}
	cfg.Process = 1 << 30
	if _, err := Run(t.Context(), cfg, nil); err == nil {
		t.Error("a process that does not exist was measured")
	}
}
