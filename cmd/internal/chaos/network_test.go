package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// network is a bridge with hosts on it. The tests themselves sit on the bridge and reach every host, whatever is cut.
type network struct {
	t      *testing.T
	number int
	bridge string
	hosts  []*host
	lock   sync.Mutex // over what is cut
}

// host is a network namespace with one address, kept by a process that sleeps in it.
type host struct {
	name, addr string
	keeper     *exec.Cmd
	ahead      int      // seconds that its monotonic clock runs ahead of this machine's
	deaf       []string // addresses from which it hears nothing
}

var networks atomic.Int32 // so that each has a subnet of its own

// newNetwork lays a bridge; newHost puts hosts on it.
func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, number: int(networks.Add(1))}
	n.bridge = fmt.Sprintf("lab%d", n.number)
	n.run(nil, "ip", "-batch", "-", fmt.Sprintf(`link set lo up
link add %[1]s type bridge
addr add 10.77.%[2]d.254/24 dev %[1]s
link set %[1]s up
`, n.bridge, n.number))
	t.Cleanup(func() { n.run(nil, "ip", "link", "del", n.bridge) })
	return n
}

// gateway is the address of the tests themselves.
func (n *network) gateway() string { return fmt.Sprintf("10.77.%d.254", n.number) }

// newHost adds a host; ahead is how many seconds its monotonic and boot clocks run ahead.
func (n *network) newHost(name string, ahead int) *host {
	n.t.Helper()
	h := &host{name: name, addr: fmt.Sprintf("10.77.%d.%d", n.number, len(n.hosts)+1), ahead: ahead}
	h.keeper = exec.Command("sleep", "infinity")
	if ahead != 0 {
		h.keeper = exec.Command("unshare", "--time", "--monotonic", fmt.Sprint(ahead), "--boottime", fmt.Sprint(ahead), "sleep", "infinity")
	}
	h.keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := h.keeper.Start(); err != nil {
		n.t.Fatalf("host %s: %v", name, err)
	}
	n.t.Cleanup(func() {
		_ = h.keeper.Process.Kill()
		_ = h.keeper.Wait()
	})
	port := fmt.Sprintf("%sp%d", n.bridge, len(n.hosts)+1)
	n.hosts = append(n.hosts, h)
	n.run(nil, "ip", "-batch", "-", fmt.Sprintf(`link add %[1]s type veth peer name eth0 netns %[2]d
link set %[1]s master %[3]s up
`, port, h.keeper.Process.Pid, n.bridge))
	n.run(h, "ip", "-batch", "-", fmt.Sprintf(`link set lo up
addr add %s/24 dev eth0
link set eth0 up
`, h.addr))
	return h
}

// within is the command line that runs another one on a host.
func (h *host) within(args ...string) []string {
	if h == nil {
		return args
	}
	enter := []string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", h.keeper.Process.Pid)}
	if h.ahead != 0 {
		enter = append(enter, fmt.Sprintf("--time=/proc/%d/ns/time_for_children", h.keeper.Process.Pid))
	}
	return append(append(enter, "--"), args...)
}

// run runs a command on a host, or beside the bridge. After "-" comes what it reads.
func (n *network) run(h *host, args ...string) {
	n.t.Helper()
	var input string
	if i := slices.Index(args, "-"); i >= 0 && i+1 < len(args) {
		args, input = args[:i+1], args[i+1]
	}
	line := h.within(args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Fatalf("%q: %v (is it installed? run `make deps`): %s\n%s", line, err, out, input)
	}
}

// cutOneWay loses every packet from one host to another.
func (n *network) cutOneWay(from, to *host) {
	n.t.Helper()
	n.lock.Lock()
	defer n.lock.Unlock()
	if !slices.Contains(to.deaf, from.addr) {
		to.deaf = append(to.deaf, from.addr)
	}
	n.apply(to)
}

// cut loses every packet between two hosts.
func (n *network) cut(a, b *host) {
	n.t.Helper()
	n.cutOneWay(a, b)
	n.cutOneWay(b, a)
}

// heal lets every packet through again.
func (n *network) heal() {
	n.t.Helper()
	n.lock.Lock()
	defer n.lock.Unlock()
	for _, h := range n.hosts {
		if len(h.deaf) > 0 {
			h.deaf = nil
			n.apply(h)
		}
	}
}

// apply replaces a host's rules in one transaction.
func (n *network) apply(h *host) {
	n.t.Helper()
	var b bytes.Buffer
	b.WriteString("table inet lab\ndelete table inet lab\n")
	if len(h.deaf) > 0 {
		fmt.Fprintf(&b, "table inet lab {\nchain in {\ntype filter hook input priority 0\npolicy accept\nip saddr { %s } drop\n}\n}\n",
			strings.Join(h.deaf, ", "))
	}
	n.run(h, "nft", "-f", "-", b.String())
}

func TestCutsLosePackets(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	a, b, c := n.newHost("a", 0), n.newHost("b", 0), n.newHost("c", 0)
	f := func(from, to *host, want bool) {
		t.Helper()
		if got := to.hears(t, from); got != want {
			t.Errorf("%s hears %s: %v, want %v", to.name, from.name, got, want)
		}
	}
	f(a, b, true)
	n.cut(a, b)
	f(a, b, false)
	f(b, a, false)
	f(a, c, true)
	f(c, b, true)
	n.cutOneWay(b, c)
	f(b, c, false)
	f(c, b, true)
	f(a, b, false)
	n.heal()
	f(a, b, true)
	f(b, a, true)
	f(b, c, true)
}

func TestClocksOfHostsDiffer(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	uptime := func(h *host) (seconds float64) {
		line := h.within("cat", "/proc/uptime")
		out, err := exec.Command(line[0], line[1:]...).Output()
		if _, scanErr := fmt.Sscan(string(out), &seconds); err != nil || scanErr != nil {
			t.Fatalf("%q: %v, %v", line, err, scanErr)
		}
		return seconds
	}
	today, later := uptime(n.newHost("today", 0)), uptime(n.newHost("later", 86400))
	if ahead := later - today; ahead < 86399 || ahead > 86460 {
		t.Errorf("the later host's clock is %.0f s ahead, want a day", ahead)
	}
}

// eventually tries until something is so, and says whether it ever was.
func eventually(holds func() bool) bool { return within(20*time.Second, holds) }

// within tries for some time, and says whether it was so in the end.
func within(patience time.Duration, holds func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return holds()
}

// inside calls fn on a thread that is on the host; what it opens stays there. The thread comes back: children of a thread
// that ended would be killed.
func (h *host) inside(t *testing.T, fn func() error) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", h.keeper.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	err = unix.Setns(int(there.Fd()), unix.CLONE_NEWNET)
	if err == nil {
		err = errors.Join(fn(), unix.Setns(int(here.Fd()), unix.CLONE_NEWNET))
	}
	if err != nil {
		t.Fatalf("on %s: %v", h.name, err)
	}
}

// hears says whether a datagram from one host reaches another.
func (h *host) hears(t *testing.T, from *host) (heard bool) {
	t.Helper()
	var ears net.PacketConn
	h.inside(t, func() (err error) {
		ears, err = net.ListenPacket("udp", h.addr+":9")
		return err
	})
	defer ears.Close()
	from.inside(t, func() error {
		mouth, err := net.Dial("udp", h.addr+":9")
		if err != nil {
			return err
		}
		defer mouth.Close()
		_, err = mouth.Write([]byte("hello"))
		return err
	})
	_ = ears.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	_, who, err := ears.ReadFrom(make([]byte, 8))
	return err == nil && strings.HasPrefix(who.String(), from.addr+":")
}
