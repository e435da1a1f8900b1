package scenario

import (
	"strings"
	"testing"
	"time"

	"holdfast/engine/route"
	"holdfast/engine/simkernel"
)

// TestEveryResetAndRefusal plays one short day of a node again and again: each time another one of all the system calls
// on sockets finds the connection reset, then each send is refused once. Nothing is left behind, and nothing panics.
func TestEveryResetAndRefusal(t *testing.T) {
	calls, sends := day(t, simkernel.Options{})
	if calls < 30 {
		t.Fatalf("%d calls: too short a day", calls)
	}
	for at := range calls {
		day(t, simkernel.Options{ResetAt: at + 1})
	}
	for at := range sends {
		day(t, simkernel.Options{EAGAINAt: at + 1})
	}
}

func day(t *testing.T, o simkernel.Options) (calls, sends int) {
	t.Helper()
	o.Nap = 10 * time.Millisecond
	n := newNode(t, 1, config{loops: 2, weather: o, policy: route.Policy{MaxItemsFlying: 2, MaxPayload: 1000}})
	u, v := n.units[0], n.units[1]
	for _, accept := range []string{sse, "application/x-ndjson", "multipart/mixed", "*/*"} {
		u.subscribe("a,b,group", accept)
		v.subscribe("c,group", accept)
	}
	n.rest()
	publishers := []*client{
		u.push("/push/group", "hello"),
		v.push("/push/a,b,c", strings.Repeat("x", 1000)),
		v.push("/push/a", strings.Repeat("x", 1001)),
		u.push("/push", `[{"key":"c","data":""},{"key":"group","data":""},{},{"key":"a","data":""}]`, "Content-Type: application/json"),
		u.push("/push", `{"key":"c","data":""}`+"\n"+`{"key":"c","data":""}`+"\nbad\n"+`{"key":"group","data":""}`, "Content-Type: application/x-ndjson"),
		u.push("/push", "--b\r\nPush-Key: c\r\n\r\nx\r\n--b\r\nPush-Key: a\r\n\r\nx\r\n--b\r\nbad", "Content-Type: multipart/mixed; boundary=b"),
	}
	n.rest()
	publishers = append(publishers, u.dial(u.publish, "DELETE /push/group HTTP/1.1\r\nHost: h\r\n\r\n"), v.push("/push?all", "last"))
	n.rest()
	for i, c := range publishers {
		if closed, how := c.Closed(); (!closed || how == simkernel.Fin) && len(c.read()) == 0 && o.ResetAt == 0 {
			t.Errorf("%+v: publisher %d has no answer", o, i)
		}
	}
	for _, u := range n.units {
		if d := u.gateway.Depths(); d.Mail+d.Fanouts+d.Pushes > 0 {
			t.Errorf("%+v: loop %d is left with %+v", o, u.loop.ID(), d)
		}
		calls, sends = max(calls, u.k.Ops()), max(sends, u.k.Sends())
	}
	n.end()
	if t.Failed() {
		t.Fatalf("with %+v", o)
	}
	return calls, sends
}
