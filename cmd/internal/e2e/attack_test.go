package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What one attacker may cost at most, and what its neighbours may notice. Figures of a quiet machine are in the log.
const (
	mostFrames  = 10_000
	mostCPU     = 60 * time.Millisecond  // the goal is 20 ms
	mostRSS     = 4 << 20                // the goal is 1 MB
	mostWait    = 10 * time.Millisecond  // of 99 of 100 pushes to a neighbour's key
	crowdedWait = 100 * time.Millisecond // what fails: other tests run beside this one, and the log tells the figure
	stormTime   = 200 * time.Millisecond
	attackers   = 4 // at once, in a storm, each of which comes back when it is sent away
)

// assault is a way to attack.
type assault struct {
	name     string
	want     string // how the node ends it, in the words of RFC 9113
	settings string // payload of the attacker's SETTINGS
	unacked  bool   // the node's SETTINGS are never acknowledged
	first    string // sent once
	next     func(i int) (lot string, frames int)
}

const (
	calm      = "ENHANCE_YOUR_CALM"
	endStream = 0x1
	endHead   = 0x4
)

func odd(i int) uint32 { return uint32(2*i + 1) }

// again repeats one frame.
func again(frame string) func(int) (string, int) {
	return func(int) (string, int) { return frame, 1 }
}

// each makes a stream with a head, and something after it.
func each(flags byte, head string, after func(id uint32) string) func(int) (string, int) {
	return func(i int) (string, int) {
		lot := h2frame(0x1, flags|endHead, odd(i), head)
		if after == nil {
			return lot, 1
		}
		return lot + after(odd(i)), 2
	}
}

func assaults() []assault {
	get := request("GET", "/sub/flood", "accept= text/event-stream")
	post := request("POST", "/echo")
	windows := func(by uint32) func(uint32) string {
		return func(id uint32) string { return h2frame(0x8, 0, id, h2int(by)) }
	}
	return []assault{
		{name: "rapid reset, CVE-2023-44487", want: calm, next: each(endStream, get, func(id uint32) string { return h2frame(0x3, 0, id, h2int(8)) })},
		{name: "provoked resets by empty windows, CVE-2025-8671", want: calm, next: each(0, post, windows(0))},
		{name: "provoked resets by large windows, CVE-2025-8671", want: calm, next: each(0, post, windows(1<<31-1))},
		{name: "provoked resets by heads", want: calm, next: each(endStream, request("GET", "/", "te= gzip"), nil)},
		{name: "CONTINUATION, empty, CVE-2024-27316", want: calm, first: h2frame(0x1, 0, 1, get), next: again(h2frame(0x9, 0, 1, ""))},
		{name: "CONTINUATION, full, CVE-2024-27316", want: calm, first: h2frame(0x1, 0, 1, get), next: again(h2frame(0x9, 0, 1, strings.Repeat("\x00\x01a\x01b", 3000)))},
		{name: "SETTINGS, CVE-2019-9515", want: calm, next: again(h2frame(0x4, 0, 0, ""))},
		{name: "SETTINGS, acknowledged twice", want: calm, next: again(h2frame(0x4, 1, 0, ""))},
		{name: "PING, CVE-2019-9512", want: calm, next: again(h2frame(0x6, 0, 0, "12345678"))},
		{name: "PING, answers to none", want: calm, next: again(h2frame(0x6, 1, 0, "12345678"))},
		{name: "DATA, empty, CVE-2019-9518", want: calm, first: h2frame(0x1, endHead, 1, post), next: again(h2frame(0x0, 0, 1, ""))},
		{name: "DATA, padding alone", want: calm, first: h2frame(0x1, endHead, 1, post), next: again(h2frame(0x0, 0x8, 1, "\x00"))},
		{name: "PRIORITY, CVE-2019-9513", want: calm, next: func(i int) (string, int) { return h2frame(0x2, 0, odd(i%100), h2int(odd(i%100+1))+"\x10"), 1 }},
		{name: "PRIORITY_UPDATE", want: calm, next: func(i int) (string, int) { return h2frame(0x10, 0, 0, h2int(odd(i%100))+"u=1"), 1 }},
		{name: "WINDOW_UPDATE by 1, CVE-2019-9511", want: calm, next: again(h2frame(0x8, 0, 0, h2int(1)))},
		{
			name: "windows of 1 byte, CVE-2019-9511", want: calm, settings: "\x00\x04" + h2int(0),
			first: h2frame(0x1, endHead|endStream, 1, request("GET", "/echo/stream")), next: again(h2frame(0x8, 0, 1, h2int(1))),
		},
		{
			name: "initial windows, to and fro", want: calm, first: func() (all string) {
				for i := range 100 {
					all += h2frame(0x1, endHead|endStream, odd(i), get)
				}
				return all
			}(),
			next: func(i int) (string, int) { return h2frame(0x4, 0, 0, "\x00\x04"+h2int(uint32(i%2*1000))), 1 },
		},
		{name: "unknown frames", want: calm, next: again(h2frame(0xfa, 0, 0, ""))},
		{name: "frames of ended streams", want: calm, first: h2frame(0x1, endHead|endStream, 1, request("GET", "/echo/page")), next: again(h2frame(0x3, 0, 1, h2int(8)))},
		{name: "empty names, CVE-2019-9516", want: calm, next: each(endStream, get+strings.Repeat("\x00\x00\x00", 90), nil)},
	}
}

// Whoever floods is sent away in words that say why, before it has cost much, and its neighbours on the same loop notice
// nothing.
func TestFloods(t *testing.T) {
	d := serve(t, "--loops", "1", "--echo")
	sub, publisher := d.subscribe(t, "sse", "neighbour"), dial(t, d.publish)
	d.held(t, "neighbour", 1)
	quiet := latency(t, sub, publisher, 500*time.Millisecond)
	t.Logf("%-50s %8s %9s %9s %9s   %s", "attack", "frames", "CPU", "RSS", "p99", "ended with")
	t.Logf("%-50s %8s %9s %9s %9v", "none", "", "", "", quiet)
	for _, a := range assaults() {
		before := d.cost(t)
		sent, ending := a.once(t, d)
		time.Sleep(5 * time.Millisecond) // for what is freed
		after := d.cost(t)
		cpu, rss := after.cpu-before.cpu, after.rss-before.rss
		worst, noise := a.storm(t, d, sub, publisher), quiet
		for try := 0; try < 4 && worst > mostWait+2*noise && !testing.Short(); try++ { // the machine may be busy with other things
			noise = latency(t, sub, publisher, stormTime)
			worst = a.storm(t, d, sub, publisher)
		}
		t.Logf("%-50s %8d %9v %8dK %9v   %s", a.name, sent, cpu.Round(100*time.Microsecond), rss>>10, worst.Round(10*time.Microsecond), ending)
		if ending != a.want {
			t.Errorf("%s: ended with %s, want %s", a.name, ending, a.want)
		}
		if sent >= mostFrames {
			t.Errorf("%s: %d frames were taken", a.name, sent)
		}
		if testing.Short() {
			continue // a daemon with the race detector costs more
		}
		if cpu > mostCPU || rss > mostRSS || worst > crowdedWait+4*noise {
			t.Errorf("%s: CPU %v, %d bytes, and 99 of 100 of a neighbour's pushes took %v; %v without", a.name, cpu, rss, worst, noise)
		}
	}
	if n := d.holders(t, "neighbour"); n != 1 {
		t.Errorf("the neighbour is held by %d", n)
	}
}

// once is one connection that attacks until it is ended.
func (a *assault) once(t *testing.T, d *daemon) (sent int, ending string) {
	t.Helper()
	foe, err := attack(d.public, a.settings, !a.unacked, false)
	if err != nil {
		t.Fatal(err)
	}
	defer foe.Close()
	if _, err := foe.Write([]byte(a.first)); err != nil {
		t.Fatal(err)
	}
	sent = foe.flood(mostFrames, a.next)
	return sent, foe.ending()
}

// storm is several such connections for a while, and what the neighbour notices.
func (a *assault) storm(t *testing.T, d *daemon, sub, publisher *wire) time.Duration {
	t.Helper()
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range attackers {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				foe, err := attack(d.public, a.settings, !a.unacked, false)
				if err != nil {
					return
				}
				_, _ = foe.Write([]byte(a.first))
				foe.flood(mostFrames, a.next)
				foe.Close()
				time.Sleep(5 * time.Millisecond) // this is not about connections
			}
		})
	}
	worst := latency(t, sub, publisher, stormTime)
	close(stop)
	all.Wait()
	return worst
}

// latency pushes to one key for a while, and returns the time from which on only 1 of 100 messages has arrived.
func latency(t *testing.T, sub, publisher *wire, lasting time.Duration) time.Duration {
	t.Helper()
	var waits []time.Duration
	for began := time.Now(); time.Since(began) < lasting; time.Sleep(500 * time.Microsecond) {
		asked := time.Now()
		publisher.say(t, "POST /push/neighbour HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"+fmt.Sprintf("%05d", len(waits)))
		sub.hears(t, fmt.Sprintf("data: %05d\n\n", len(waits)))
		waits = append(waits, time.Since(asked))
		publisher.hears(t, `"delivered":1`)
	}
	slices.Sort(waits)
	return waits[len(waits)*99/100]
}
