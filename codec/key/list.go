package key

import (
	"bytes"

	"holdfast/codec/field"
)

// List walks a comma-separated list of encoded keys, such as a Push-Key header value: "alice, group:news". Spaces and
// tabs around an item are not part of it; "%2C" is a comma inside a name; an empty item is an error, because a key
// that was meant would go unheard. A List is a value and holds only a view of the text.
type List struct {
	rest []byte
	more bool // an item is still to come, be it empty
	left int
}

// NewList starts a walk over text that yields at most most keys: a request must not bind without bound.
func NewList(text []byte, most int) List {
	return List{rest: text, more: true, left: most}
}

// Next appends the next key, decoded, to dst (usually scratch[:0]). ok is false at the end of the list and on an error,
// and stays so.
func (l *List) Next(dst []byte) (key []byte, ok bool, err error) {
	if !l.more {
		return dst, false, nil
	}
	item := l.rest
	comma := bytes.IndexByte(item, ',')
	l.more = comma >= 0
	if l.more {
		item, l.rest = item[:comma], item[comma+1:]
	}
	if l.left <= 0 {
		err = ErrTooMany
	} else {
		l.left--
		key, err = Decode(dst, field.TrimOWS(item))
	}
	if err != nil {
		l.more = false
		return dst, false, err
	}
	return key, true, nil
}

// Left is how many more keys the list may yield; pass it to NewList for the next field line of the same name.
func (l *List) Left() int { return l.left }
