// Package h2 reads and writes HTTP/2, RFC 9113: frames, header blocks (RFC 7541) and the rules of requests that
// arrive in them. Parsers are resumable values fed with whatever has come; they do no I/O, read no clock, start
// nothing and keep no bytes but those of the last header block. Only the strings that the HPACK library makes are
// allocated, one for each literal name and value of a request.
//
// It knows one frame and one block at a time: streams, windows and rates are the session's.
//
// Read errors.go and limits.go for what is refused, then frame.go, read.go with rest.go, payload.go and settings.go for frames,
// block.go and fields.go for header blocks, request.go with target.go and response.go for what they must say, and
// append.go and encode.go for the way out.
package h2
