// Package ws reads and writes WebSocket, RFC 6455, with the permessage-deflate
// extension of RFC 7692, over an upgraded HTTP/1.1 connection or an HTTP/2
// stream (RFC 8441). It does no I/O, reads no clock, starts nothing and keeps
// no bytes of a message: a parser is a value of a few words, fed with whatever
// has arrived, that unmasks in place. What it never does is to negotiate a
// compression context that outlives a message, for that is a window per
// connection.
//
// Read error.go and close.go for what is refused and in which words, frame.go
// and parse.go for the way in with mask.go and utf8.go, append.go for the way
// out, upgrade.go and extension.go for the handshake, then deflate.go and
// inflate.go with huffman.go.
package ws
