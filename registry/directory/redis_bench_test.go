package directory

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/registry/directory/redistest"
)

// The server has a core of its own, as it will have in earnest.
func pinned(b *testing.B) *redistest.Server {
	s := redistest.Start(b, redistest.Options{})
	var cpus unix.CPUSet
	cpus.Set(1)
	if err := unix.SchedSetaffinity(s.PID(), &cpus); err != nil {
		b.Log("the server shares its core:", err)
	}
	return s
}

func spent(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func number(b *testing.B, s *redistest.Server, section, name string) float64 {
	text, _, _ := strings.Cut(strings.TrimPrefix(s.Info(section, name), "keys="), ",")
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// batchOf makes the n-th batch of distinct keys.
func batchOf(h *Hasher, n int, held bool) []Change {
	batch := make([]Change, 200)
	for i := range batch {
		batch[i] = Change{Hash: h.Sum(strconv.AppendInt(nil, int64(n*len(batch)+i), 10)), Held: held}
	}
	return batch
}

func perKey(b *testing.B, s *redistest.Server, what string, work func(batch int)) {
	cpu, server, n := spent(b), number(b, s, "cpu", "used_cpu_user")+number(b, s, "cpu", "used_cpu_sys"), 0
	for b.Loop() {
		work(n)
		n++
	}
	keys := float64(n * 200)
	b.ReportMetric(keys/b.Elapsed().Seconds(), what+"/s")
	b.ReportMetric((spent(b)-cpu).Seconds()*1e6/keys, "client-µs/"+what)
	used := number(b, s, "cpu", "used_cpu_user") + number(b, s, "cpu", "used_cpu_sys")
	b.ReportMetric((used-server)*1e6/keys, "server-µs/"+what)
}

func BenchmarkRedis(b *testing.B) {
	h := NewHasher([]byte("secret"))
	b.Run("claim", func(b *testing.B) {
		s := pinned(b)
		r := open(b, RedisConfig{URL: urlOf(s)})
		certain(b, r)
		before := number(b, s, "memory", "used_memory")
		perKey(b, s, "claim", func(n int) { r.Claim(b.Context(), 1<<63+1, batchOf(h, n, true)) })
		b.ReportMetric((number(b, s, "memory", "used_memory")-before)/number(b, s, "keyspace", "db0"), "B/key")
	})
	b.Run("remove", func(b *testing.B) {
		s := pinned(b)
		r := open(b, RedisConfig{URL: urlOf(s)})
		for n := range 500 {
			r.Claim(b.Context(), 1, batchOf(h, n, true))
		}
		perKey(b, s, "removal", func(n int) { r.Claim(b.Context(), 1, batchOf(h, n%500, false)) })
	})
	for _, fresh := range []bool{true, false} {
		b.Run("lookup/fresh="+strconv.FormatBool(fresh), func(b *testing.B) {
			s := pinned(b)
			r := open(b, RedisConfig{URL: urlOf(s), Cached: 64})
			for n := range 500 {
				r.Claim(b.Context(), 1, batchOf(h, n, true))
			}
			keys, found := make([]Hash, 200), make([]Found, 200)
			perKey(b, s, "lookup", func(n int) {
				for i, c := range batchOf(h, n%500, true) {
					keys[i] = c.Hash
				}
				r.Lookup(b.Context(), keys, fresh, found)
			})
		})
	}
	for _, rows := range []int{1, 1000} {
		b.Run("beat/rows="+strconv.Itoa(rows), func(b *testing.B) { benchBeat(b, rows) })
	}
}

// benchBeat changes one row with each beat, which it reads, too; and reads the whole table at the end.
func benchBeat(b *testing.B, rows int) {
	s := pinned(b)
	r := open(b, RedisConfig{URL: urlOf(s)})
	f := func(n Node, known Version) View {
		v, err := r.Beat(b.Context(), Beat{Node: n, Lease: time.Minute, Known: known})
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
	other, own := row(1, "other"), row(2, "own")
	for id := range rows - 1 {
		f(row(Instance(id+2), strings.Repeat("x", 100)), "")
	}
	v := f(own, "")
	cpu, n := number(b, s, "cpu", "used_cpu_user")+number(b, s, "cpu", "used_cpu_sys"), 0
	for b.Loop() {
		n++
		other.Complete = Incarnation(strconv.Itoa(n))
		if v = f(other, v.Version); len(v.Nodes) != 1 {
			b.Fatalf("%d rows", len(v.Nodes))
		}
	}
	used := number(b, s, "cpu", "used_cpu_user") + number(b, s, "cpu", "used_cpu_sys")
	b.ReportMetric((used-cpu)*1e6/float64(n), "server-µs/beat")
	whole := time.Now()
	for range 100 {
		if v = f(own, ""); len(v.Nodes) < rows {
			b.Fatalf("%d rows of %d", len(v.Nodes), rows)
		}
	}
	b.ReportMetric(float64(time.Since(whole).Microseconds())/100, "µs/whole")
}
