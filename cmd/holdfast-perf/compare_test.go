package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// The hidden server says where it listens, sends a message of that size, and ends with its context.
func TestBareSend(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{bareCommandName, "--size", "7"}, w, io.Discard) }()
	var addr string
	if _, err := fmt.Fscanf(bufio.NewReader(out), "bare: listening on %s\n", &addr); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rd := bufio.NewReader(c)
	io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
	for line := ""; line != "\r\n"; {
		if line, err = rd.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	pusher, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer pusher.Close()
	io.WriteString(pusher, "POST / HTTP/1.1\r\n\r\n")
	for line := ""; line != "data: ~......\n"; {
		if line, err = rd.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestBareSendIsHidden(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"--help"}, &out, io.Discard); err != nil || strings.Contains(out.String(), bareCommandName) {
		t.Errorf("%v, %s", err, &out)
	}
	if !strings.Contains(out.String(), "compare") {
		t.Errorf("no compare in %s", &out)
	}
}
