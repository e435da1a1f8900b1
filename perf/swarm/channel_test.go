package swarm

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// channels is a server that answers as nginx with nchan does: a stream ends with its connection and has no chunks, a
// publisher is answered 201 or 202 in text, and a new subscriber is told what the channel has kept of others.
type channels struct {
	mu   sync.Mutex
	subs map[string]net.Conn
}

func (c *channels) serve(t *testing.T) netip.AddrPort {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	c.subs = make(map[string]net.Conn)
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { nc.Close() })
			go c.talk(nc)
		}
	}()
	return netip.MustParseAddrPort(ln.Addr().String())
}

func (c *channels) talk(nc net.Conn) {
	r := bufio.NewReader(nc)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		_, channel, _ := strings.Cut(words[1], "channel=")
		length := 0
		for line != "\r\n" {
			line, _ = r.ReadString('\n')
			_, _ = fmt.Sscanf(line, "Content-Length: %d", &length)
		}
		if words[0] == "GET" {
			old := stamp{run: 1}
			fmt.Fprintf(nc, "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: keep-alive\r\n\r\n"+
				": hi\n\nid: 1:0\ndata: %s\n\n", old.appendTo(nil))
			c.mu.Lock()
			c.subs[channel] = nc
			c.mu.Unlock()
			continue
		}
		message := make([]byte, length)
		if _, err := io.ReadFull(r, message); err != nil {
			return
		}
		c.mu.Lock()
		sub := c.subs[channel]
		c.mu.Unlock()
		status, subscribers := "202 Accepted", 0
		if sub != nil {
			fmt.Fprintf(sub, "id: 1:1\ndata: %s\n\n", message)
			status, subscribers = "201 Created", 1
		}
		text := fmt.Sprintf("queued messages: 1\r\nlast requested: 0 sec. ago\r\nactive subscribers: %d\r\nlast message id: 1:1\r\n", subscribers)
		fmt.Fprintf(nc, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", status, len(text), text)
	}
}

func TestChannelsOfAnotherServer(t *testing.T) {
	addr := new(channels).serve(t)
	r := run(t, Config{
		Subscribe: addr, Publish: addr, SubscribePath: "/sub?channel={key}", PublishPath: "/pub?channel={key}",
		Loads: []Load{{Conns: 10, Publishers: 2, Rate: 300}}, Settle: time.Millisecond, Duration: 200 * time.Millisecond,
	})
	b := r.Totals()
	clean(t, b)
	if b.Arrived != 60 || r.Loads[0].Status[201] != 60 || r.Foreign.Load() != 10 || len(r.Troubles) != 0 {
		t.Errorf("%+v, status %v, %d foreign, troubles %v", b, r.Loads[0].Status, r.Foreign.Load(), r.Troubles)
	}
}
