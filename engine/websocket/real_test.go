package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/engine/epoll"
	"holdfast/engine/exchange"
	"holdfast/engine/gateway"
	"holdfast/engine/http1"
	"holdfast/engine/loop"
	"holdfast/engine/record"
	"holdfast/engine/route"
	ours "holdfast/engine/websocket"
	"holdfast/registry"
)

// unit is what one core runs, on the real kernel, with every way to treat clients' messages as a route.
type unit struct {
	t       *testing.T
	base    string
	loop    *loop.Loop
	gateway *gateway.Gateway
	sockets *ours.Sessions
}

const longText = "a message that is long enough to be worth compressing, compressing, compressing, compressing"

func newUnit(t *testing.T) *unit {
	t.Helper()
	k, err := epoll.New()
	if err != nil {
		t.Fatal(err)
	}
	u := &unit{t: t, loop: loop.New(k, loop.Config{MaxSlots: 4096})}
	shared := gateway.NewShared(1, registry.New(registry.Config{Loops: 1, Shards: 1}))
	snap := &route.Snapshot{Listeners: []route.Listener{{Name: "all"}}}
	for _, at := range []struct {
		prefix string
		socket route.Socket
	}{
		{"/sub/", route.Socket{Deflate: true}},
		{"/say/", route.Socket{Inbound: route.Published, Key: "inbox", Deflate: true, MaxInbound: 1 << 20}},
		{"/mute/", route.Socket{Inbound: route.Refused}},
		{"/chat/", route.Socket{ClientKeys: true, Subprotocols: []string{"chat.v2", "chat"}}},
	} {
		snap.Policies = append(snap.Policies, route.Policy{Socket: at.socket}.Filled())
		snap.Routes = append(snap.Routes, route.Route{Prefix: at.prefix, Action: route.Hold, Policy: uint16(len(snap.Policies) - 1)})
	}
	snap.Routes = append(snap.Routes,
		route.Route{Prefix: "/sub", Action: route.Hold}, route.Route{Prefix: "/push/", Action: route.Push})
	shared.Snapshot.Store(snap)
	space := exchange.NewSpace(u.loop)
	u.gateway = gateway.New(shared, space, u.loop.Wake, gateway.Config{})
	h1 := http1.New(u.loop, u.gateway, http1.Config{}, "BOUND")
	u.sockets = ours.New(u.loop, u.gateway, ours.Config{})
	var sockets []route.Socket
	for i := range snap.Policies {
		sockets = append(sockets, snap.Policies[i].Socket)
	}
	u.sockets.SetPolicies(sockets)
	h1.Upgrade(u.sockets)
	space.Speak(record.HTTP1, h1)
	space.Speak(record.WebSocket, u.sockets)
	u.loop.Speak(record.HTTP1, h1)
	u.loop.Speak(record.WebSocket, u.sockets)
	u.loop.Host(u.gateway)
	fds, addr, err := epoll.ListenGroup(netip.MustParseAddrPort("127.0.0.1:0"), 1, epoll.Options{})
	if err != nil {
		t.Fatal(err)
	}
	u.base = addr.String()
	if _, err := u.loop.Listen(fds[0], record.HTTP1, 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- u.loop.Run() }()
	t.Cleanup(func() {
		u.loop.Post(u.loop.Stop)
		if err := <-done; err != nil {
			t.Error(err)
		}
		k.Free()
	})
	return u
}

func (u *unit) dial(path string, o *websocket.DialOptions) (*websocket.Conn, *http.Response) {
	u.t.Helper()
	c, resp, err := websocket.Dial(u.t.Context(), "ws://"+u.base+path, o)
	if err != nil {
		u.t.Fatal(err)
	}
	c.SetReadLimit(16 << 20)
	u.t.Cleanup(func() { c.CloseNow() })
	return c, resp
}

func (u *unit) push(key, kind, data, want string) {
	u.t.Helper()
	resp, err := http.Post("http://"+u.base+"/push/"+key, kind, strings.NewReader(data))
	if err != nil {
		u.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Status != want {
		u.t.Errorf("pushing to %s: %s, want %s", key, resp.Status, want)
	}
}

func (u *unit) reads(c *websocket.Conn, kind websocket.MessageType, want string) {
	u.t.Helper()
	got, data, err := c.Read(u.t.Context())
	if err != nil || got != kind || string(data) != want {
		u.t.Errorf("got %v %.60q, %v; want %v %.60q", got, data, err, kind, want)
	}
}

// Whatever it negotiates, a client gets what is pushed, whole and as it was meant.
func TestRealClientIsPushedTo(t *testing.T) {
	u := newUnit(t)
	for i, mode := range []websocket.CompressionMode{
		websocket.CompressionDisabled, websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover,
	} {
		key := fmt.Sprint("k", i)
		c, resp := u.dial("/sub/"+key, &websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1})
		if on := resp.Header.Get("Sec-WebSocket-Extensions") != ""; on != (mode != websocket.CompressionDisabled) {
			t.Errorf("mode %v: compression %v", mode, on)
		}
		for _, data := range []string{"short", longText, strings.Repeat(longText, 1000), "\xff\x00" + strings.Repeat("\xfe", 70<<10)} {
			u.push(key, "text/plain", data, "200 OK")
			kind := websocket.MessageText
			if data[0] == 0xff {
				kind = websocket.MessageBinary
			}
			u.reads(c, kind, data)
		}
		if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
			t.Errorf("mode %v: closing: %v", mode, err)
		}
	}
}

// What it says is published where its route says, however it is compressed and cut.
func TestRealClientIsHeard(t *testing.T) {
	u := newUnit(t)
	app, _ := u.dial("/sub/inbox", nil)
	for _, mode := range []websocket.CompressionMode{
		websocket.CompressionDisabled, websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover,
	} {
		c, _ := u.dial("/say/x", &websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1})
		for _, data := range []string{"", "short", longText, longText, strings.Repeat(longText, 2000)} {
			if err := c.Write(t.Context(), websocket.MessageText, []byte(data)); err != nil {
				t.Fatal(err)
			}
			u.reads(app, websocket.MessageText, data)
		}
		w, err := c.Writer(t.Context(), websocket.MessageBinary)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			w.Write([]byte("\xff" + longText))
		}
		w.Close()
		u.reads(app, websocket.MessageBinary, strings.Repeat("\xff"+longText, 300))
	}
}

// Its pings are answered while it reads.
func TestRealClientPings(t *testing.T) {
	u := newUnit(t)
	c, _ := u.dial("/sub/p", nil)
	ctx := c.CloseRead(t.Context())
	for range 20 {
		if err := c.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// It is told why it is sent away.
func TestRealClientIsClosed(t *testing.T) {
	u := newUnit(t)
	f := func(path string, want websocket.StatusCode, do func(c *websocket.Conn)) {
		t.Helper()
		c, _ := u.dial(path, nil)
		do(c)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, _, err := c.Read(ctx)
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != want {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	write := func(data string) func(c *websocket.Conn) {
		return func(c *websocket.Conn) { c.Write(t.Context(), websocket.MessageText, []byte(data)) }
	}
	f("/mute/x", websocket.StatusUnsupportedData, write("hello"))
	f("/say/x", websocket.StatusMessageTooBig, write(strings.Repeat("x", 2<<20)))
	f("/say/x", websocket.StatusInvalidFramePayloadData, write("\xff"))
	f("/sub/x", websocket.StatusPolicyViolation, func(c *websocket.Conn) {
		for range 200 {
			c.Write(t.Context(), websocket.MessageText, []byte("x"))
		}
	})
	f("/sub/gone", websocket.StatusGoingAway, func(*websocket.Conn) {
		req, _ := http.NewRequestWithContext(t.Context(), "DELETE", "http://"+u.base+"/push/gone", nil)
		if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != 200 {
			t.Errorf("closing a key: %v, %v", resp, err)
		}
	})
}

// A key that was made for it comes in the handshake and as the first message.
func TestRealClientGetsAKey(t *testing.T) {
	u := newUnit(t)
	c, resp := u.dial("/sub", nil)
	key := resp.Header.Get("Push-Key")
	u.reads(c, websocket.MessageText, key)
	u.push(key, "application/json", `{"a":1}`, "200 OK")
	u.reads(c, websocket.MessageText, `{"a":1}`)
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	u.push(key, "text/plain", "anyone?", "404 Not Found")
}

// It changes its keys where its route lets it, and gets the subprotocol that it offers and the route likes best.
func TestRealClientChangesItsKeys(t *testing.T) {
	u := newUnit(t)
	c, _ := u.dial("/chat/a", &websocket.DialOptions{Subprotocols: []string{"other", "chat", "chat.v2"}})
	if c.Subprotocol() != "chat.v2" {
		t.Errorf("subprotocol %q", c.Subprotocol())
	}
	if err := c.Write(t.Context(), websocket.MessageText, []byte(`{"subscribe":["b"],"unsubscribe":["a"]}`)); err != nil {
		t.Fatal(err)
	}
	u.reads(c, websocket.MessageText, `{"keys":["b"]}`)
	u.push("b", "text/plain", "for b", "200 OK")
	u.reads(c, websocket.MessageText, "for b")
	u.push("a", "text/plain", "for a", "404 Not Found")
}
