package peer

import (
	"encoding/binary"
	"math"
	"time"
)

// Types of frames. Numbers are on the wire; a release that adds one sets skippable if its neighbours may ignore it.
const (
	frameProof   = 1
	frameStatus  = 2
	frameRequest = 3
	frameReport  = 4
	framePing    = 5
	framePong    = 6

	skippable = 0x80
)

const (
	frameHead    = 4 // the length of what follows
	maxControl   = 4 << 10
	maxKey       = 256
	maxComplete  = 1 << 10
	maxNames     = 64 << 10 // id, event and type of a message
	directOver   = 4 << 10  // payloads beyond are written from where they are; smaller ones are cheaper copied
	requestRoom  = 512      // what a request's head takes beyond key and names
	tagID        = 1        // of requests, reports, pings
	tagVerb      = 2
	tagFlags     = 3
	tagWithin    = 4 // µs
	tagKey       = 5
	tagRelay     = 6
	tagMessageID = 7
	tagEvent     = 8
	tagType      = 9
	tagData      = 10
	tagComplete  = 1 // of statuses
	tagBehind    = 2
	tagTurn      = 3

	flagAll   = 1
	flagDedup = 2
)

// Tags of a report's counts, in the order of [Report.counts].
const tagCounts = 2

// frameSize reads a frame's head: how many bytes follow it.
func frameSize(head []byte, limit int) (int, error) {
	n := binary.BigEndian.Uint32(head)
	if n < 1 || uint64(n) > uint64(limit) {
		return 0, faulty(BadFrame, "a frame of a length that is not allowed")
	}
	return int(n), nil
}

// openFrame begins a frame whose length closeFrame fills in.
func openFrame(b []byte, kind byte) []byte { return append(b, 0, 0, 0, 0, kind) }

// closeFrame ends the frame that began at start; extra bytes of it are not in b but follow.
func closeFrame(b []byte, start, extra int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-frameHead+extra))
	return b
}

// appendRequest writes a request's frame up to its data, which must follow on the wire: it is always the last field.
func appendRequest(b []byte, id uint64, r *Request) []byte {
	start := len(b)
	b = openFrame(b, frameRequest)
	b = appendNumber(b, tagID, id)
	b = appendNumber(b, tagVerb, uint64(r.Verb))
	flags := uint64(0)
	if r.All {
		flags |= flagAll
	}
	if r.Dedup {
		flags |= flagDedup
	}
	b = appendNumber(b, tagFlags, flags)
	b = appendNumber(b, tagWithin, uint64(max(r.Within, 0)/time.Microsecond))
	b = appendText(b, tagKey, r.Key)
	b = appendNumber(b, tagRelay, r.Relay)
	extra := 0
	if p := r.Payload; p != nil {
		b = appendText(b, tagMessageID, p.ID)
		b = appendText(b, tagEvent, p.Event)
		b = appendText(b, tagType, p.Type)
		b = appendTextHead(b, tagData, len(p.Data))
		extra = len(p.Data)
	}
	return closeFrame(b, start, extra)
}

// requestSize is a bound of what appendRequest and the data after it take.
func requestSize(r *Request) int {
	n := requestRoom + len(r.Key)
	if p := r.Payload; p != nil {
		n += len(p.ID) + len(p.Event) + len(p.Type) + len(p.Data)
	}
	return n
}

// message is a request's payload as views into the frame.
type message struct {
	present               bool
	id, event, kind, data []byte
}

// parseRequest reads a request's body into r, whose Payload stays as it is, and m. Both are views of b.
func parseRequest(b []byte, r *Request, m *message) (id uint64, err error) {
	*r, *m = Request{}, message{}
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case tagID:
			id = f.num
		case tagVerb:
			if f.num > math.MaxUint8 {
				return 0, faulty(BadField, "a verb beyond all verbs")
			}
			r.Verb = Verb(f.num)
		case tagFlags:
			r.All, r.Dedup = f.num&flagAll != 0, f.num&flagDedup != 0
		case tagWithin:
			r.Within = time.Duration(min(f.num, uint64(time.Hour/time.Microsecond))) * time.Microsecond
		case tagKey:
			r.Key = f.txt
		case tagRelay:
			r.Relay = f.num
		case tagMessageID:
			m.id = f.txt
		case tagEvent:
			m.event = f.txt
		case tagType:
			m.kind = f.txt
		case tagData:
			m.present, m.data = true, f.txt
		}
	}
	if f.bad {
		return 0, faulty(BadField, "a request that cannot be read")
	}
	return id, r.check(id, m)
}

// check refuses what no node of any release sends.
func (r *Request) check(id uint64, m *message) error {
	switch {
	case id == 0 || r.Verb == 0:
		return faulty(BadField, "a request without id or verb")
	case len(r.Key) > maxKey:
		return faulty(BadField, "a key longer than keys are")
	case len(m.id)+len(m.event)+len(m.kind) > maxNames:
		return faulty(BadField, "a message with names longer than names are")
	case r.Verb <= Count && r.All == (len(r.Key) > 0):
		return faulty(BadField, "a request for neither or both of a key and everybody")
	case r.Verb == Push && !m.present:
		return faulty(BadField, "a push without a message")
	}
	return nil
}

// appendReport writes a report's frame.
func appendReport(b []byte, id uint64, r *Report) []byte {
	start := len(b)
	b = openFrame(b, frameReport)
	b = appendNumber(b, tagID, id)
	for i, n := range r.counts() {
		b = appendNumber(b, uint64(tagCounts+i), uint64(*n))
	}
	return closeFrame(b, start, 0)
}

// counts are a report's numbers in the order of their tags, which never changes: new ones go to the end.
func (r *Report) counts() [12]*uint32 {
	return [...]*uint32{
		&r.Delivered, &r.Pending, &r.Stored, &r.Slow, &r.Gone, &r.Form,
		&r.Unknown, &r.Refused, &r.Closed, &r.Held, &r.Unreached, &r.Duplicate,
	}
}

// parseReport reads a report's body.
func parseReport(b []byte) (id uint64, r Report, err error) {
	counts := r.counts()
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.tag == tagID:
			id = f.num
		case f.tag >= tagCounts && f.tag < tagCounts+uint64(len(counts)):
			if f.num > math.MaxUint32 {
				return 0, r, faulty(BadField, "a report that counts beyond all connections")
			}
			*counts[f.tag-tagCounts] = uint32(f.num)
		}
	}
	if f.bad || id == 0 {
		return 0, r, faulty(BadField, "a report that cannot be read")
	}
	return id, r, nil
}

// appendStatus writes a status's frame. The turn grows with each announcement, so that of two that come by two
// connections the later one counts.
func appendStatus(b []byte, s Status, turn uint64) []byte {
	start := len(b)
	b = openFrame(b, frameStatus)
	b = appendText(b, tagComplete, []byte(s.Complete))
	if s.Behind {
		b = appendNumber(b, tagBehind, 1)
	}
	b = appendNumber(b, tagTurn, turn)
	return closeFrame(b, start, 0)
}

// parseStatus reads a status's body.
func parseStatus(b []byte) (s Status, turn uint64, err error) {
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case tagComplete:
			if len(f.txt) > maxComplete {
				return s, 0, faulty(BadField, "an incarnation longer than they are")
			}
			s.Complete = string(f.txt)
		case tagBehind:
			s.Behind = f.num != 0
		case tagTurn:
			turn = f.num
		}
	}
	if f.bad {
		return s, 0, faulty(BadField, "a status that cannot be read")
	}
	return s, turn, nil
}

// appendPing writes a ping or its answer. The token is the asker's own and comes back as it is.
func appendPing(b []byte, kind byte, token uint64) []byte {
	start := len(b)
	b = openFrame(b, kind)
	b = appendNumber(b, tagID, token)
	return closeFrame(b, start, 0)
}

// parsePing reads a ping's body or its answer's.
func parsePing(b []byte) (token uint64, err error) {
	f := fields{rest: b}
	for f.next() {
		if f.tag == tagID {
			token = f.num
		}
	}
	if f.bad {
		return 0, faulty(BadField, "a ping that cannot be read")
	}
	return token, nil
}
