package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// Holds whose windows stay closed keep no more than a connection may keep, whatever is pushed to them, and are ended when
// that has waited for too long: CVE-2019-9517.
func TestZeroWindowHolds(t *testing.T) {
	t.Parallel()
	const holds, size, bound = 500, 16 << 10, 6 << 20 // 8 MB are pushed; 1 MiB may be kept
	d := serve(t, "--loops", "1", "--stall-timeout", "1s")
	d.push(t, "nobody", bytes.Repeat([]byte{'x'}, size))
	grown := d.peak()
	foe, err := attack(d.public, "\x00\x04"+h2int(0), true, false)
	if err != nil {
		t.Fatal(err)
	}
	defer foe.Close()
	for i := range holds {
		head := request("GET", fmt.Sprintf("/sub/all,pinned-%d", i), "accept= application/octet-stream")
		if _, err := foe.Write([]byte(h2frame(0x1, endHead|endStream, odd(i), head))); err != nil {
			t.Fatal(err)
		}
	}
	d.held(t, "all", holds)
	pending, dropped := 0, 0
	for i := range holds {
		v := d.push(t, fmt.Sprintf("pinned-%d", i), bytes.Repeat([]byte{byte('a' + i%26)}, size))
		pending += v.Pending
		dropped += v.Dropped
		if v.Delivered > 0 {
			t.Fatalf("a closed window took a message: %+v", v)
		}
	}
	rss := grown()
	t.Logf("of %d messages of %d bytes %d wait, %d are dropped; %d bytes of memory", holds, size, pending, dropped, rss)
	if pending*size > 2<<20 || pending == 0 || !testing.Short() && rss > bound {
		t.Errorf("%d messages wait, %d bytes of memory", pending, rss)
	}
	d.held(t, "all", 0)
}

// Who asks and does not read the answers is not read any more, and keeps next to nothing: CVE-2019-9512, -9514, -9515.
func TestDeafClients(t *testing.T) {
	t.Parallel()
	const bound = 4 << 20
	d := serve(t, "--loops", "1", "--echo", "--stall-timeout", "1s")
	f := func(name string, next string) {
		t.Helper()
		grown := d.peak()
		foe, err := attack(d.public, "\x00\x04"+h2int(1<<31-1), true, true)
		if err != nil {
			t.Fatal(err)
		}
		defer foe.Close()
		if err := foe.Conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		_, _ = foe.Write([]byte(h2frame(0x4, 1, 0, "") + h2frame(0x8, 0, 0, h2int(1<<30))))
		wrote, ended := 0, error(nil)
		for wrote < 64<<20 && ended == nil {
			_ = foe.SetWriteDeadline(time.Now().Add(patience))
			var n int
			n, ended = foe.Write([]byte(next))
			wrote += n
		}
		var slow net.Error
		if ended == nil || errors.As(ended, &slow) && slow.Timeout() {
			t.Errorf("%s: %d bytes were taken, then %v", name, wrote, ended)
		}
		rss := grown()
		t.Logf("%s: %d bytes were taken, %d bytes of memory, then %v", name, wrote, rss, ended)
		if !testing.Short() && rss > bound {
			t.Errorf("%s: %d bytes of memory", name, rss)
		}
	}
	f("pings", strings.Repeat(h2frame(0x6, 0, 0, "12345678"), 100))
	f("settings", strings.Repeat(h2frame(0x4, 0, 0, ""), 100))
}

// What WebSocket clients may make a node keep or compute is bounded by what a message may have: 64 KiB by default.
func TestSocketBombs(t *testing.T) {
	t.Parallel()
	const conns, bound = 20, 4 << 20
	d := serve(t, "--loops", "1", "--ws-inbound", "publish", "--ws-inbound-key", "nobody", "--ws-deflate")
	lane := lanes["upgrade"](t)
	f := func(name, want string, in ...string) {
		t.Helper()
		grown, before := d.peak(), d.cost(t)
		var all []*socket
		for range conns {
			s := open(t, lane, d.public, "/sub/alice", offer...)
			all = append(all, s)
			if got := s.transcript(t, in); !strings.HasSuffix(got, want) {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		rss := grown()
		cpu := d.cost(t).cpu - before.cpu
		for _, s := range all {
			s.Close()
		}
		t.Logf("%s: %d bytes of memory, %v for each of %d", name, rss, cpu/conns, conns)
		if !testing.Short() && (rss > bound || cpu/conns > 20*time.Millisecond) {
			t.Errorf("%s: %d bytes of memory, %v for each", name, rss, cpu/conns)
		}
	}
	f("a bomb of 50 MB", "close 1009", frame(fin|binaries|compressed, bomb(50<<20)))
	f("a message of 2^62 bytes", "close 1009", "\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00"+string(mask[:]))
	f("fragments without end", "close 1009", append([]string{frame(text, "x")}, strings.Repeat(frame(more, strings.Repeat("x", 1000)), 100))...)
	f("empty fragments without end", "close 1008", frame(text, ""), strings.Repeat(frame(more, ""), 10_000))
	f("pings without end", "close 1008", strings.Repeat(frame(fin|ping, ""), 2000))
	f("messages without end", "close 1008", strings.Repeat(frame(fin|text, "x"), 2000))
}
