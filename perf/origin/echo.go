package origin

import "holdfast/codec/h1"

// echo answers with a request's head exactly as it came and its body, decoded, piece by piece as it comes: nothing is
// collected, so a test sees whether a proxy streams in both directions. Trailers come back as trailers.
//
// A client that sends more than the socket buffers hold before it reads is cut off by SendTimeout.
func echo(x *exchange) error {
	head := append([]byte(nil), x.head...)
	if err := x.proceed(); err != nil {
		return err
	}
	if err := x.stream("message/http", ""); err != nil {
		return err
	}
	if err := x.send(head); err != nil {
		return err
	}
	var trailers []byte // bounded by the parser's limit on trailers
	err := x.read(x.send, func(line []byte) error {
		trailers = append(append(trailers, line...), h1.CRLF...)
		return nil
	})
	if err != nil {
		return x.broken(err)
	}
	return x.finish(trailers)
}
