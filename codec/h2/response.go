package h2

import "holdfast/codec/field"

// Response is the head of a response, as a client reads it. All slices are views of the list.
type Response struct {
	Status int // 1xx is followed by another
	Fields []field.Field
	// ContentLength is -1 when it was not sent. It counts for nothing after HEAD and in 304, RFC 9113 §8.1.1.
	ContentLength int64
}

// Read takes a response from a list that was decoded without an error, RFC 9113 §8.3.2.
func (r *Response) Read(f *Fields) error {
	if f.seen&^(1<<status) != 0 {
		return errPseudoResponse
	}
	digits := f.get(status)
	if len(digits) != 3 || digits[0] < '1' || digits[0] > '5' {
		return errStatus
	}
	*r = Response{Fields: f.All, ContentLength: f.length}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return errStatus
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	return nil
}
