package epoll

import (
	"math"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// look is one Wait that does not wait, as tag → mask.
func look(t *testing.T, k *Kernel) map[uint64]uint32 {
	t.Helper()
	events := make([]Event, 16)
	n, err := k.Wait(events, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[uint64]uint32)
	for i := range events[:n] {
		seen[events[i].Tag()] = events[i].Mask()
	}
	return seen
}

// await looks until what tag reports is exactly mask; loopback TCP takes a moment to arrive.
func await(t *testing.T, k *Kernel, tag uint64, mask uint32) {
	t.Helper()
	var got uint32
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if got = look(t, k)[tag]; got == mask {
			return
		}
	}
	t.Fatalf("tag %#x reports %#x, want %#x", tag, got, mask)
}

func TestEventCarriesTagAndMask(t *testing.T) {
	f := func(tag uint64, mask uint32) {
		t.Helper()
		if e := NewEvent(tag, mask); e.Tag() != tag || e.Mask() != mask {
			t.Errorf("NewEvent(%#x, %#x) reads %#x, %#x", tag, mask, e.Tag(), e.Mask())
		}
		k := newKernel(t)
		server, _ := pair(t, k)
		if err := k.Add(server, tag, mask|Out); err != nil {
			t.Fatal(err)
		}
		await(t, k, tag, Out)
	}
	f(0, 0)
	f(1, In)
	f(1<<63|5, In|RdHup)
	f(0xdead_beef_0bad_f00d, In|RdHup)
	f(1<<32, RdHup)
	f(math.MaxUint64-1, In)
	if unsafe.Sizeof(Event{}) != unsafe.Sizeof(unix.EpollEvent{}) {
		t.Error("an Event is not laid out as the kernel's")
	}
}

func TestAddModDel(t *testing.T) {
	k := newKernel(t)
	server, client := pair(t, k)
	f := func(name string, got, want error) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	f("Mod before Add", k.Mod(server, 1, In), unix.ENOENT)
	f("Del before Add", k.Del(server), unix.ENOENT)
	f("Add", k.Add(server, 1, In|Out), nil)
	f("Add again", k.Add(server, 1, In), unix.EEXIST)
	f("Add of nothing", k.Add(-1, 1, In), unix.EBADF)

	await(t, k, 1, Out)
	await(t, k, 1, Out) // level-triggered: it stays
	f("Mod", k.Mod(server, 2, In), nil)
	if got := look(t, k); len(got) != 0 {
		t.Errorf("Out is reported after it was given up: %v", got)
	}
	mustSend(t, k, client, "x")
	await(t, k, 2, In)
	await(t, k, 2, In)
	f("Del", k.Del(server), nil)
	if got := look(t, k); len(got) != 0 {
		t.Errorf("reported after Del: %v", got)
	}
	f("Add after Del", k.Add(server, 3, In), nil)
	await(t, k, 3, In)
	k.Close(server, Now)
	if got := look(t, k); len(got) != 0 {
		t.Errorf("reported after Close: %v", got)
	}
}

func TestWaitReportsAtMostLen(t *testing.T) {
	k := newKernel(t)
	var want []uint64
	for i := range uint64(5) {
		server, _ := pair(t, k)
		if err := k.Add(server, i, Out); err != nil {
			t.Fatal(err)
		}
		want = append(want, i)
	}
	events := make([]Event, 2)
	var got []uint64
	for range 20 { // epoll goes round, so all are heard in time
		n, err := k.Wait(events, time.Second)
		if n != 2 || err != nil {
			t.Fatalf("Wait = %d, %v", n, err)
		}
		got = append(got, events[0].Tag(), events[1].Tag())
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("heard %v, want %v", got, want)
	}
}

func TestWaitTimeout(t *testing.T) {
	k := newKernel(t)
	events := make([]Event, 4)
	f := func(timeout, least, most time.Duration) {
		t.Helper()
		var took time.Duration
		for range 5 { // a signal may cut one short, not all of them
			start := time.Now()
			n, err := k.Wait(events, timeout)
			if took = time.Since(start); n != 0 || err != nil {
				t.Errorf("Wait(%v) = %d, %v", timeout, n, err)
			}
			if took >= least {
				break
			}
		}
		if took < least || took > most {
			t.Errorf("Wait(%v) took %v", timeout, took)
		}
	}
	f(0, 0, 5*time.Second)
	f(1, 1, 5*time.Second)
	f(20*time.Millisecond, 20*time.Millisecond, 5*time.Second)
	f(20*time.Millisecond+1, 21*time.Millisecond, 5*time.Second)
}

func TestMilliseconds(t *testing.T) {
	f := func(d time.Duration, want int) {
		t.Helper()
		if got := milliseconds(d); got != want {
			t.Errorf("milliseconds(%v) = %d, want %d", d, got, want)
		}
	}
	f(math.MinInt64, -1)
	f(-1, -1)
	f(0, 0)
	f(1, 1)
	f(time.Millisecond-1, 1)
	f(time.Millisecond, 1)
	f(time.Millisecond+1, 2)
	f(time.Hour, 3_600_000)
	f(math.MaxInt64, math.MaxInt32)
}

func TestWaitErrors(t *testing.T) {
	f := func(k *Kernel, events []Event, want error) {
		t.Helper()
		if n, err := k.Wait(events, 0); n != 0 || err != want {
			t.Errorf("Wait = %d, %v; want %v", n, err, want)
		}
	}
	k := newKernel(t)
	f(k, nil, unix.EINVAL)
	f(&Kernel{epfd: -1}, make([]Event, 1), unix.EBADF)
}

// A loop that waits must not keep its processor: with a single one, everybody else would stand still until a signal
// interrupts the wait.
func TestWaitLeavesProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	k := newKernel(t)
	const patience = 300 * time.Millisecond
	waits := make(chan int)
	go func() {
		n := 0
		for start := time.Now(); time.Since(start) < patience; n++ {
			k.Wait(make([]Event, 1), patience)
		}
		waits <- n
	}()
	for collections := 0; ; collections++ {
		select {
		case n := <-waits:
			if n > 5 || collections < 3 {
				t.Errorf("interrupted %d times, with %d collections in %v", n-1, collections, patience)
			}
			return
		default:
			runtime.GC()
		}
	}
}

func TestNow(t *testing.T) {
	a, b := newKernel(t), newKernel(t)
	last := a.Now()
	if last <= 0 {
		t.Errorf("Now() = %d at first", last)
	}
	for i := range 1000 {
		k := a
		if i%2 == 0 {
			k = b
		}
		now := k.Now()
		if now < last {
			t.Fatalf("%d after %d: time goes back from one Kernel to the other", now, last)
		}
		last = now
	}
	wall, start := time.Now(), a.Now()
	time.Sleep(5 * time.Millisecond)
	if ours, real := a.Now()-start, int64(time.Since(wall)); ours < 5e6 || ours > real {
		t.Errorf("Now went %d ns in at most %d", ours, real)
	}
}

func TestNothingAllocates(t *testing.T) {
	k := newKernel(t)
	server, client := pair(t, k)
	if err := k.Add(server, 1, In); err != nil {
		t.Fatal(err)
	}
	events := make([]Event, 8)
	b, parts := make([]byte, 64), [][]byte{[]byte("abc"), nil, []byte("def")}
	f := func(name string, call func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, call); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	f("Wait", func() { k.Wait(events, 0) })
	f("Wake", func() { k.Wake(); k.Wait(events, -1) })
	f("Mod", func() { k.Mod(server, 1, In|RdHup) })
	f("Send and Read", func() { k.Send(client, b); k.Read(server, b) })
	f("Sendv and Read", func() { k.Sendv(client, parts); k.Read(server, b) })
	f("EAGAIN", func() {
		for {
			if _, err := k.Read(server, b); Classify(err) == Retry {
				return
			}
		}
	})
	f("Now", func() { k.Now() })
}

func TestFreeClosesItsOwn(t *testing.T) {
	before := openFiles(t)
	for range 10 {
		k, err := New()
		if err != nil {
			t.Fatal(err)
		}
		k.Free()
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d open files became %d", before, after)
	}
}
