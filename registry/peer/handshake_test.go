package peer

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"
)

func introduce(instance uint64, secret string) *introduction {
	in := &introduction{
		self: hello{oldest: oldest, newest: newest, Node: Node{Instance: instance, Name: "n", Address: "h:1"}, release: "r"},
		key:  deriveKey([]byte(secret)),
	}
	in.newNonce()
	return in
}

// shakeHands runs both ends of a handshake and says what each made of it.
func shakeHands(t *testing.T, dialler, acceptor *introduction) (dialled, accepted hello, dialErr, acceptErr error) {
	t.Helper()
	a, b := net.Pipe()
	for _, c := range []net.Conn{a, b} {
		if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		accepted, acceptErr = acceptor.accept(b)
		b.Close()
	}()
	dialled, dialErr = dialler.dial(a)
	a.Close()
	<-over
	return dialled, accepted, dialErr, acceptErr
}

func TestHandshake(t *testing.T) {
	const secret = "sixteen bytes or"
	f := func(name string, change func(d, a *introduction), wantDial, wantAccept Fault) {
		t.Helper()
		d, a := introduce(1, secret), introduce(2, secret)
		if change != nil {
			change(d, a)
		}
		dialled, accepted, dialErr, acceptErr := shakeHands(t, d, a)
		good := func(err error, them, other hello, want Fault) bool {
			if want != faults {
				return err != nil && faultOf(err) == want
			}
			return err == nil && them == other
		}
		if !good(dialErr, dialled, a.self, wantDial) || !good(acceptErr, accepted, d.self, wantAccept) {
			t.Errorf("%s: the dialler got %+v, %v; the acceptor %+v, %v", name, dialled, dialErr, accepted, acceptErr)
		}
	}
	const fine = faults
	f("same secret", nil, fine, fine)
	f("wanted", func(d, _ *introduction) { d.self.wanted = 2 }, fine, fine)
	f("another wanted", func(d, _ *introduction) { d.self.wanted = 3 }, OtherNode, OtherNode)
	f("another secret", func(d, _ *introduction) { d.key = deriveKey([]byte("sixteen bytes 0r")) }, Cut, BadProof)
	f("TLS ended midway", func(d, _ *introduction) { d.channel = []byte("another channel") }, Cut, BadProof)
	f("same TLS", func(d, a *introduction) { d.channel, a.channel = []byte("c"), []byte("c") }, fine, fine)
	f("itself", func(d, _ *introduction) { d.self.Instance = 2 }, Cut, Itself)
	f("no instance", func(d, _ *introduction) { d.self.Instance = 0 }, Cut, BadHello)
	f("acceptor without instance", func(_, a *introduction) { a.self.Instance = 0 }, BadHello, Cut)
	f("long name", func(d, _ *introduction) { d.self.Name = strings.Repeat("n", maxName+1) }, Cut, BadHello)
	f("later release that still speaks ours", func(d, _ *introduction) { d.self.newest = 9 }, fine, fine)
	f("later release that does not", func(d, _ *introduction) { d.self.oldest, d.self.newest = 2, 3 }, Cut, BadVersion)
	f("acceptor of such a release", func(_, a *introduction) { a.self.oldest, a.self.newest = 2, 3 }, Cut, BadVersion)
	f("versions in disorder", func(d, _ *introduction) { d.self.oldest = 3 }, Cut, BadVersion)
}

// The highest version of both is spoken.
func TestCommonVersion(t *testing.T) {
	f := func(aOld, aNew, bOld, bNew, want uint8) {
		t.Helper()
		a, b := &hello{oldest: aOld, newest: aNew}, &hello{oldest: bOld, newest: bNew}
		for range 2 {
			got, err := common(a, b)
			if want == 0 {
				wantFault(t, err, BadVersion)
			} else if err != nil || got != want {
				t.Errorf("%+v and %+v speak %d, %v; want %d", a, b, got, err, want)
			}
			a, b = b, a
		}
	}
	f(1, 1, 1, 1, 1)
	f(1, 2, 1, 1, 1)
	f(1, 2, 2, 3, 2)
	f(1, 3, 1, 4, 3)
	f(1, 1, 2, 2, 0)
	f(1, 2, 3, 4, 0)
}

// recorded is an end of a connection that keeps what the other end said.
type recorded struct {
	net.Conn
	heard bytes.Buffer
}

func (r *recorded) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.heard.Write(b[:n])
	return n, err
}

// A proof is of one connection: who recorded a good handshake cannot use it for another, nor send an end's own back.
func TestHandshakeIsNotReplayed(t *testing.T) {
	a, b := net.Pipe()
	tap := &recorded{Conn: b}
	done := make(chan error, 1)
	go func() {
		_, err := introduce(2, "sixteen bytes or").accept(tap)
		done <- err
	}()
	if _, err := introduce(1, "sixteen bytes or").dial(a); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	said := tap.heard.Bytes() // by an honest dialler
	victim := introduce(2, "sixteen bytes or")
	_, err := victim.accept(&scripted{in: bytes.NewReader(said)})
	wantFault(t, err, BadProof)

	// Reflection: whatever the dialler says comes back to it.
	mine := introduce(1, "sixteen bytes or")
	echo := &reflecting{}
	_, err = mine.dial(echo)
	wantFault(t, err, Itself)
}

type reflecting struct{ bytes.Buffer }

// A dialler's own proof with another hello before it is no acceptor's proof: the role is in it.
func TestProofOfAnotherRole(t *testing.T) {
	key := deriveKey(testSecret)
	d, a := []byte("dialler's hello"), []byte("acceptor's hello")
	proofs := map[string]string{}
	add := func(name string, p []byte) {
		if before, ok := proofs[string(p)]; ok {
			t.Errorf("the proofs of %s and %s are the same", name, before)
		}
		proofs[string(p)] = name
	}
	add("dialler", prove(key, asDialler, d, a, nil))
	add("acceptor", prove(key, asAcceptor, d, a, nil))
	add("swapped", prove(key, asDialler, a, d, nil))
	add("moved", prove(key, asDialler, append(d, a[0]), a[1:], nil))
	add("channel", prove(key, asDialler, d, a, []byte("c")))
	add("another key", prove(deriveKey([]byte("another")), asDialler, d, a, nil))
}

// What is not our protocol ends at once, and before anything was said.
func TestStrangersAreTurnedAway(t *testing.T) {
	f := func(stream string, want Fault, silent bool) {
		t.Helper()
		s := &scripted{in: bytes.NewReader([]byte(stream))}
		_, err := introduce(2, "sixteen bytes or").accept(s)
		if err == nil || faultOf(err) != want {
			t.Errorf("%q: got %v, want %v", stream, err, want)
		}
		if silent != (s.out.Len() == 0) {
			t.Errorf("%q: %d bytes were said", stream, s.out.Len())
		}
	}
	good := string(helloBytes(&introduce(1, "").self))
	f("", Cut, true)
	f("GET / HTTP/1.1\r\n\r\n", BadMagic, true)
	f("\x16\x03\x01\x02\x00\x01\x00\x01", BadMagic, true) // TLS to a node that has none
	f("HFPL\x01\x01\xff\xff", BadHello, true)
	f("HFPL\x01\x01\x00\x02\x80\x80", BadHello, true)
	f(good[:len(good)-1], Cut, true)
	f(good, Cut, false)
	f(good+"\x00\x00\x00\x01\x01", BadProof, false)
	f(good+"\x00\x00\x00\x01\x02", BadProof, false)               // another frame
	f(good+"\xff\xff\xff\xff\x01", BadFrame, false)               // a length that claims memory
	f(good+string(proofFrame(nil)), BadProof, false)              // an empty proof
	f(good+string(proofFrame(make([]byte, 31))), BadProof, false) // one too short
}

// A later release may add fields to its hello.
func TestHelloOfALaterRelease(t *testing.T) {
	in := introduce(1, "")
	b := helloBytes(&in.self)
	more := appendText(appendNumber(nil, 900, 1), 901, []byte("more"))
	b = append(b, more...)
	b[helloHead-1] += byte(len(more))
	got, err := parseHello(b)
	if err != nil || got != in.self {
		t.Errorf("got %+v, %v; want %+v", got, err, in.self)
	}
}

// A wrong status frame ends a handshake; one cut short does as well.
func TestFirstFrameIsAStatus(t *testing.T) {
	f := func(stream []byte, want Fault) {
		t.Helper()
		a, b := net.Pipe()
		go func() {
			_, _ = b.Write(stream)
			b.Close()
		}()
		_, _, err := readStatus(a)
		if err == nil || faultOf(err) != want {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	f(appendPing(nil, framePing, 1), UnknownFrame)
	f(appendStatus(nil, Status{Complete: "c"}, 1)[:6], Cut)
	f([]byte{0xff, 0, 0, 0}, BadFrame)
	a, _ := net.Pipe()
	_ = a.SetDeadline(time.Now().Add(time.Millisecond))
	_, _, err := readStatus(a)
	wantFault(t, err, Slow)
}
