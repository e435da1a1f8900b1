package websocket

import (
	"testing"

	"holdfast/engine/record"
)

// A client asks, is held, is sent a message, says something, and goes.
func TestHoldPushClose(t *testing.T) {
	r := calm(t)
	c := r.open("/ws")
	if fates := r.push("text/plain", "hello"); fates != "delivered" {
		t.Errorf("fates: %s", fates)
	}
	c.want("text hello")
	c.send(text("hi"))
	r.heard("text hi")
	c.send(closing(1000, "bye"))
	c.want("close 1000")
	r.ended(record.ReasonGone)
	c.over()
}
