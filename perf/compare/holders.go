package compare

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// holders are subscribers in a process of their own: one process may not have enough open files for all.
type holders struct {
	*process
	in    *os.File // what it is told; it ends when this is closed, however we end
	lines int      // that it has printed as far as we have read
}

// startHolders has n keys held on a server, one connection each.
func startHolders(cpu int, argv []string, s *server, n int) (*holders, error) {
	rd, wr, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	args := append(argv[1:len(argv):len(argv)], "--at", s.subscribe.String(), "--name", s.name, "--conns", strconv.Itoa(n))
	p, err := launchReading(rd, cpu, argv[0], args...)
	if err != nil {
		wr.Close()
		return nil, err
	}
	h := &holders{process: p, in: wr}
	if err := h.hear("held"); err != nil {
		h.stop()
		return nil, err
	}
	return h, nil
}

// hear waits for the next line and wants it to be that.
func (h *holders) hear(want string) error {
	h.lines++
	if err := h.awaitFor(2*joinWait, func() bool { return strings.Count(h.said(), "\n") >= h.lines }); err != nil {
		return err
	}
	if got := strings.Split(h.said(), "\n")[h.lines-1]; got != want {
		return errors.New(got)
	}
	return nil
}

// readAll has them read n messages.
func (h *holders) readAll(n int) error {
	if _, err := fmt.Fprintln(h.in, n); err != nil {
		return err
	}
	return h.hear("read")
}

func (h *holders) stop() {
	h.in.Close()
	h.process.stop()
}

// Hold is the other end: it holds n keys, named after a server that subscribes at that address, says so, and reads as many
// messages as each line of in says. It ends with in.
func Hold(ctx context.Context, in io.Reader, out io.Writer, at netip.AddrPort, name string, n int) error {
	s := &server{name: name, subscribe: at, subPath: "/sub/"}
	c, err := joined(ctx, s, n, keysOf(s))
	if err != nil {
		return err
	}
	defer c.leave()
	if _, err := fmt.Fprintln(out, "held"); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			return err
		}
		if err := c.readAll(n); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, "read"); err != nil {
			return err
		}
	}
	return nil
}
