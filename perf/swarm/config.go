package swarm

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"holdfast/codec/field"
)

// Form is the shape in which messages come to a client.
type Form uint8

// The forms that a client can ask for.
const (
	SSE       Form = iota // text/event-stream
	NDJSON                // a JSON line a message
	Mixed                 // multipart/mixed
	Replace               // multipart/x-mixed-replace
	Raw                   // the messages' bytes and nothing between them
	Poll                  // one message a response; the client asks again at once
	WebSocket             // a message each, over an upgraded connection
)

// forms are the names of forms and what a client sends in Accept for them.
var forms = []struct{ name, accept string }{
	SSE:     {"sse", "text/event-stream"},
	NDJSON:  {"ndjson", "application/x-ndjson"},
	Mixed:   {"multipart", "multipart/mixed"},
	Replace: {"replace", "multipart/x-mixed-replace"},
	Raw:     {"raw", "application/octet-stream"},
	Poll:    {"poll", "*/*"},

	WebSocket: {"ws", ""},
}

func (f Form) String() string { return forms[f].name }

// FormNames lists the names of all forms, for help and messages.
func FormNames() string {
	names := make([]string, len(forms))
	for i := range forms {
		names[i] = forms[i].name
	}
	return strings.Join(names, ", ")
}

// ParseForm finds a form by its name.
func ParseForm(name string) (Form, error) {
	for i := range forms {
		if forms[i].name == name {
			return Form(i), nil
		}
	}
	return 0, fmt.Errorf("there is no form %q; there are %s", name, FormNames())
}

// Protocol is what connections speak.
type Protocol uint8

// The protocols.
const (
	HTTP1 Protocol = iota // HTTP/1.1: a connection for each client, and for each push under way
	HTTP2                 // HTTP/2 by prior knowledge: streams of fewer connections
)

var protocols = []string{HTTP1: "h1", HTTP2: "h2"}

func (p Protocol) String() string { return protocols[p] }

// ProtocolNames lists the names of all protocols, for help and messages.
func ProtocolNames() string { return strings.Join(protocols, ", ") }

// ParseProtocol finds a protocol by its name.
func ParseProtocol(name string) (Protocol, error) {
	if i := slices.Index(protocols, name); i >= 0 {
		return Protocol(i), nil
	}
	return 0, fmt.Errorf("there is no protocol %q; there are %s", name, ProtocolNames())
}

// Load is one kind of traffic: clients under keys, and publishers that push to these. Several run side by side.
type Load struct {
	Name       string // what the report calls it
	Conns      int    // clients
	Keys       int    // that the clients are dealt to in turn; 0: one each
	Publishers int    // that push, one push at a time each, over HTTP/1.1 on a connection each; 0: the clients are only held
	Rate       int    // pushes per second, each to any one of the keys; 0: each publisher goes on as soon as it has its verdict
}

// Config describes one run. Zero means the default, unless a field says otherwise.
type Config struct {
	Subscribe netip.AddrPort // where clients subscribe
	Publish   netip.AddrPort // where pushes are sent; needed if anybody pushes
	Sources   []netip.Addr   // local addresses to connect from, in turn: each has a range of some 28,000 ports; none: the system's choice

	SubscribePath   string   // {key} stands for the key, default /sub/{key}
	PublishPath     string   // likewise, default /push/{key}
	SubscribeFields []string // further header lines of subscribers, "Name: value"; one named Accept replaces the form's
	PublishFields   []string // likewise, of publishers

	Protocol    Protocol
	Streams     int  // clients that share a connection, over HTTP/2 only, default 1
	PushStreams int  // publishers that share one, likewise, default Streams
	Deflate     bool // WebSockets offer permessage-deflate

	Form  Form
	Loads []Load // at least one, at most MaxLoads

	ConnectRate int           // new clients per second over all loops, default 5,000: a faster rush measures the backlog
	Connecting  int           // clients of one loop that may wait for their answer at once, default 512
	ConnectWait time.Duration // how long one may wait before it counts as failed, default 10 s
	Settle      time.Duration // pause between the last subscription and the first push, default 250 ms
	Duration    time.Duration // how long to push, or to hold, default 10 s
	Grace       time.Duration // how long to wait for what is under way at the end, default 2 s
	Size        int           // bytes of a message, default 128, at least MinSize
	Loops       int           // event loops of each load, default 1: a load's burst delays no other's pushes

	Moment func(Moment) // called while all workers stand by; nil: nobody looks
}

// Bounds of a Config.
const (
	MaxLoads      = 1 << loadBits // a key's name has few digits for them, and a report few colours
	MaxPublishers = 4096          // of one load
	MaxSize       = 4 << 20       // bytes of a message: each publisher's is built in memory
	maxStreams    = 1 << 16       // of one connection
	maxTracks     = 1 << 23       // clients times publishers: what it takes to check the order costs 16 bytes each
)

// sharing is how many clients, and how many publishers, share a connection.
func (c *Config) sharing() (clients, publishers int) {
	if c.Protocol == HTTP1 {
		return 1, 1
	}
	return c.Streams, c.PushStreams
}

// dealt is how many connections it takes for so many streams.
func dealt(streams, shared int) int { return (streams + shared - 1) / shared }

// workers is how many event loops there are.
func (c *Config) workers() int { return c.Loops * len(c.Loads) }

const keyPlace = "{key}"

func (c Config) filled() (Config, error) {
	c.setDefaults()
	switch {
	case !c.Subscribe.IsValid():
		return c, errors.New("no address to subscribe at")
	case len(c.Loads) == 0 || len(c.Loads) > MaxLoads:
		return c, fmt.Errorf("%d loads; a run has 1 to %d", len(c.Loads), MaxLoads)
	case c.Size < MinSize || c.Size > MaxSize:
		return c, fmt.Errorf("a message of %d bytes; its stamp needs %d, and %d is the most", c.Size, MinSize, MaxSize)
	case int(c.Form) >= len(forms):
		return c, errors.New("no such form")
	}
	if err := c.checkProtocol(); err != nil {
		return c, err
	}
	for _, path := range []string{c.SubscribePath, c.PublishPath} {
		if !strings.HasPrefix(path, "/") || strings.Count(path, keyPlace) != 1 || strings.ContainsAny(path, " \r\n") {
			return c, fmt.Errorf("the path %q must begin with / and have %s in it once", path, keyPlace)
		}
	}
	for _, lines := range [][]string{c.SubscribeFields, c.PublishFields} {
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ":")
			if !field.IsToken([]byte(name)) || !field.IsValue(field.TrimOWS([]byte(value))) {
				return c, fmt.Errorf("%q is no header line of the form Name: value", line)
			}
		}
	}
	c.Loads = append([]Load(nil), c.Loads...)
	for i := range c.Loads {
		if err := c.Loads[i].fill(); err != nil {
			return c, err
		}
		if c.Loads[i].Publishers > 0 && !c.Publish.IsValid() {
			return c, errors.New("no address to publish at")
		}
	}
	return c, nil
}

func (c *Config) checkProtocol() error {
	switch {
	case int(c.Protocol) >= len(protocols):
		return errors.New("no such protocol")
	case c.Protocol == HTTP1 && c.Streams+c.PushStreams > 2:
		return errors.New("several streams on a connection are HTTP/2's")
	case c.Streams > maxStreams || c.PushStreams > maxStreams:
		return fmt.Errorf("%d streams on a connection; there can be %d", max(c.Streams, c.PushStreams), maxStreams)
	case c.Protocol == HTTP2 && c.Form == WebSocket:
		return errors.New("WebSockets are opened over HTTP/1.1 only")
	case c.Deflate && c.Form != WebSocket:
		return errors.New("only WebSockets can offer to deflate")
	}
	return nil
}

func (c *Config) setDefaults() {
	number := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	span := func(field *time.Duration, value time.Duration) {
		if *field <= 0 {
			*field = value
		}
	}
	text := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	number(&c.ConnectRate, 5000)
	number(&c.Connecting, 512)
	number(&c.Loops, 1)
	number(&c.Streams, 1)
	number(&c.PushStreams, c.Streams)
	number(&c.Size, 128)
	span(&c.ConnectWait, 10*time.Second)
	span(&c.Settle, 250*time.Millisecond)
	span(&c.Duration, 10*time.Second)
	span(&c.Grace, 2*time.Second)
	text(&c.SubscribePath, "/sub/"+keyPlace)
	text(&c.PublishPath, "/push/"+keyPlace)
}

func (l *Load) fill() error {
	if l.Keys <= 0 {
		l.Keys = l.Conns
	}
	switch {
	case l.Conns <= 0:
		return errors.New("a load without connections")
	case l.Keys > l.Conns:
		return fmt.Errorf("%d keys for %d connections: some would have nobody", l.Keys, l.Conns)
	case l.Publishers < 0 || l.Publishers > MaxPublishers:
		return fmt.Errorf("%d publishers; there can be 0 to %d", l.Publishers, MaxPublishers)
	case l.Rate < 0:
		return errors.New("a negative rate")
	case l.Rate > 0 && l.Publishers == 0:
		return errors.New("a rate without publishers")
	case l.Conns*l.Publishers > maxTracks:
		return fmt.Errorf("%d publishers to %d connections are too many to check the order of; %d publishers would do",
			l.Publishers, l.Conns, maxTracks/l.Conns)
	}
	return nil
}
