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
	f("7 (server)"+tail, Usage{Resident: 300 * page, CPU: 2 * time.Second}, true)
	f("7 (a) S 1) b)"+tail, Usage{Resident: 300 * page, CPU: 2 * time.Second}, true)
	f("7 (server)"+strings.Replace(tail, "150", "x", 1), Usage{}, false)
	f("7 (server) S 1 2 3", Usage{}, false)
	f("", Usage{}, false)
}

func TestUsageOfThisProcess(t *testing.T) {
	u, err := ReadUsage(os.Getpid())
	if err != nil || u.Resident < 1<<20 || u.Private < 1<<20 || u.Private > u.Resident {
		t.Fatalf("%+v %v", u, err)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		v, err := ReadUsage(os.Getpid())
		if err != nil || time.Now().After(end) {
			t.Fatalf("after 10 s of work %v, before %v, %v", v.CPU, u.CPU, err)
		}
		if v.CPU > u.CPU {
			break
		}
	}
	if _, err := ReadUsage(1 << 30); err == nil {
		t.Error("nobody's usage was read")
	}
}

func TestParsePrivate(t *testing.T) {
	const text = "00400000-7fff0000 ---p 00000000 00:00 0    [rollup]\nRss:     9000 kB\nPrivate_Clean:    12 kB\n" +
		"Private_Dirty:   100 kB\nPrivate_Hugetlb:  64 kB\nSwap:  0 kB\n"
	if n := parsePrivate([]byte(text)); n != 112<<10 {
		t.Errorf("%d bytes", n)
	}
	if n := parsePrivate([]byte("Private_Dirty:\nPrivate_Clean: many kB\n")); n != 0 {
		t.Errorf("%d bytes of nothing", n)
	}
}
