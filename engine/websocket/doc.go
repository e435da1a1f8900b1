// Package websocket is the WebSocket session: it turns what clients send into messages for the gateway, and the
// gateway's messages, heartbeats and farewells into frames (RFC 6455, RFC 7692). What a WebSocket costs while nothing
// happens is its record, compressed or not. It must never know what a key is, keep a compression window, or send
// anything after its close frame, pongs included: whoever is told to close listens to nothing any more.
//
// A message's id and event have no place in a frame and are not carried. Goaway is close code 1001, at a shutdown too:
// to a client it is the same, it may come back, and to another node if this one is going.
//
// Read carrier.go (what brings the bytes), machine.go (what a WebSocket does), receive.go with message.go and rate.go
// (what clients send), frame.go (what is pushed), then conn.go (a connection of its own).
package websocket
