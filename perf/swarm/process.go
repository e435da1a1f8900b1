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
	Resident int64         // bytes in RAM, shared pages included
	Private  int64         // of these, the process's own; 0 if the kernel would not say
	CPU      time.Duration // of all threads, in user and kernel mode; the kernel counts it in steps of 10 ms
}

// clockTick is the unit of CPU times in /proc, the same on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// ReadUsage reads what a process has used, from /proc/PID/stat and smaps_rollup (proc(5)).
func ReadUsage(pid int) (Usage, error) {
	name := fmt.Sprintf("/proc/%d/stat", pid)
	b, err := os.ReadFile(name)
	if err != nil {
		return Usage{}, err
	}
	u, ok := parseStat(b)
	if !ok {
		return Usage{}, fmt.Errorf("%s cannot be understood", name)
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil { // another user's may not be read
		u.Private = parsePrivate(b)
	}
	return u, nil
}

// parsePrivate adds up the lines that count pages nobody shares: "Private_Dirty:   1234 kB".
func parsePrivate(b []byte) (sum int64) {
	for line := range bytes.Lines(b) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && bytes.HasPrefix(fields[0], []byte("Private_")) && string(fields[0]) != "Private_Hugetlb:" {
			n, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			sum += n << 10
		}
	}
	return sum
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
	return Usage{Resident: n[2] * int64(os.Getpagesize()), CPU: time.Duration(n[0]+n[1]) * clockTick}, true
}
