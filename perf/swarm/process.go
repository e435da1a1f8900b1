package swarm

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Usage is what a process has used so far.
type Usage struct {
	Memory int64         // resident, bytes
	CPU    time.Duration // of all threads, in user and kernel mode; the kernel counts it in steps of 10 ms
}

// Readings are what the server's process had used at three moments of a run.
type Readings struct {
	Before Usage // no client is connected yet
	Held   Usage // every client is settled, nothing is pushed yet
	Ended  Usage // the last push was sent, and all clients are still there
}

// clockTick is the unit of CPU times in /proc, the same on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// readUsage reads what a process has used, from /proc/pid/stat (proc(5)).
func readUsage(pid int) (Usage, error) {
	name := fmt.Sprintf("/proc/%d/stat", pid)
	b, err := os.ReadFile(name)
	if err != nil {
		return Usage{}, err
	}
	u, ok := parseStat(b)
	if !ok {
		return Usage{}, fmt.Errorf("%s cannot be understood", name)
	}
	return u, nil
}

// parseStat finds utime, stime and rss. The second field is the program's name in brackets and may hold anything.
func parseStat(b []byte) (u Usage, ok bool) {
	const utime, stime, rss = 14, 15, 24 // as numbered in proc(5)
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return u, false
	}
	fields := bytes.Fields(b[end+1:]) // from field 3 on
	if len(fields) <= rss-3 {
		return u, false
	}
	var n [3]int64
	for i, at := range []int{utime, stime, rss} {
		v, err := strconv.ParseInt(string(fields[at-3]), 10, 64)
		if err != nil {
			return u, false
		}
		n[i] = v
	}
	return Usage{Memory: n[2] * int64(os.Getpagesize()), CPU: time.Duration(n[0]+n[1]) * clockTick}, true
}
