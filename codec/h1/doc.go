// Package h1 reads and writes HTTP/1.0 and HTTP/1.1 messages, RFC 9112, and
// reads them strictly: what two implementations could take in two ways is
// refused, because that difference is how requests are smuggled. Parsers are
// resumable values fed with whatever has arrived; they do no I/O, keep no
// bytes, start nothing, and do not allocate once warm.
//
// Stricter than the RFC's letter, on purpose: a lone LF never ends a line,
// Content-Length is one plain number once, Transfer-Encoding is exactly
// "chunked", whitespace around a chunk extension's delimiters is refused, and
// no version but 1.0 and 1.1 is spoken.
//
// Read limits.go and errors.go for what is refused, then line.go, head.go,
// request.go with target.go and host.go, response.go, body.go with chunk.go,
// and append.go for the way out.
package h1
