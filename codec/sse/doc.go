// Package sse writes and reads event streams as the WHATWG HTML standard, section 9.2 "Server-sent events", defines
// them. What it writes can hold no field that the caller did not name: no byte of an id, an event name or data may
// end its line unseen. It does no I/O, and appending allocates nothing but room in dst.
//
// Reading order: append.go (server side), parse.go (client side, a resumable value).
package sse
