package h2

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// The list is counted as SETTINGS_MAX_HEADER_LIST_SIZE says: "the uncompressed size of fields, including the length of
// the name and value in units of octets plus an overhead of 32 octets for each field." RFC 9113 §6.5.2
func TestListLimit(t *testing.T) {
	lines := []string{":method: GET", "x-abc: 12345"} // 7+3+32 and 5+5+32
	f := func(limit uint32, want error) {
		t.Helper()
		lim := DefaultLimits
		lim.List = limit
		var fs Fields
		if err := NewDecoder(0).Decode(encode(lines...), &fs, &lim); err != want {
			t.Errorf("%d: %v, want %v", limit, err, want)
		}
	}
	f(84, nil)
	f(83, error(errListBytes))
	f(41, error(errListBytes))
	f(0, error(errListBytes))
	if errListBytes.Scope != Stream || errListBytes.Status != 431 || errFieldCount.Scope != Stream || errFieldCount.Status != 431 {
		t.Error("a list too long is a stream's error, and may be answered 431")
	}
}

func TestFieldLimit(t *testing.T) {
	f := func(want error, lines ...string) {
		t.Helper()
		var fs Fields
		if err := NewDecoder(0).Decode(encode(get(lines...)...), &fs, &Limits{List: 1000, Fields: 2}); err != want {
			t.Errorf("%q: %v, want %v", lines, err, want)
		}
	}
	f(nil)
	f(nil, "a: 1", "b: 2")
	f(error(errFieldCount), "a: 1", "b: 2", "c: 3")
	// Crumbs of a cookie are one field.
	f(nil, "a: 1", "cookie: 1", "cookie: 2", "cookie: 3")
	f(nil, "cookie: 1", "cookie: 2", "cookie: 3", "a: 1")
	f(error(errFieldCount), "cookie: 1", "cookie: 2", "cookie: 3", "a: 1", "b: 2")
	f(error(errFieldCount), "a: 1", "b: 2", "cookie: 3")
}

// Whatever is wrong with a list, the block passes through the table, and the next one finds it as the client left it.
func TestTableSurvivesRefusal(t *testing.T) {
	f := func(want *Error, lines ...string) {
		t.Helper()
		var wire bytes.Buffer
		e := hpack.NewEncoder(&wire)
		send := func(lines ...string) []byte {
			wire.Reset()
			for _, l := range lines {
				name, value, _ := strings.Cut(l, ": ")
				_ = e.WriteField(hpack.HeaderField{Name: name, Value: value})
			}
			return wire.Bytes()
		}
		d := NewDecoder(4096)
		lim := Limits{List: 600, Fields: 10}
		var fs Fields
		if err := asError(d.Decode(send(append(lines, "x-kept: in the table", "x-too: and this")...), &fs, &lim)); err != want {
			t.Errorf("%q: %v, want %v", lines, err, want)
		}
		block := send(get("x-kept: in the table", "x-too: and this")...)
		if err := d.Decode(block, &fs, &lim); err != nil {
			t.Fatalf("%q, then % x: %v", lines, block, err)
		}
		var r Request
		if err := r.Read(&fs); err != nil || describe(&r) != "GET https a / {x-kept=in the table} {x-too=and this}" {
			t.Errorf("%q, then %s %v", lines, describe(&r), err)
		}
	}
	f(nil)
	f(errListBytes, "x: "+strings.Repeat("v", 600))
	f(errName, "X: y")
	f(errHop, "connection: close")
	f(errPseudoUnknown, ":x: y")
	f(errFieldCount, "1: 1", "2: 2", "3: 3", "4: 4", "5: 5", "6: 6", "7: 7", "8: 8", "9: 9", "10: 10", "11: 11")
}

// A client may use a table of 4,096 bytes until it has acknowledged that there is none. Then one decoder serves all
// connections, whatever became of the last block.
func TestTableEndsAtAck(t *testing.T) {
	var wire bytes.Buffer
	e := hpack.NewEncoder(&wire)
	lines := func() []byte {
		wire.Reset()
		for _, l := range get("x-token: abcdefgh") {
			name, value, _ := strings.Cut(l, ": ")
			_ = e.WriteField(hpack.HeaderField{Name: name, Value: value})
		}
		return bytes.Clone(wire.Bytes())
	}
	before, shared := NewDecoder(4096), NewDecoder(0)
	var fs Fields
	ok := func(d *Decoder, block []byte) {
		t.Helper()
		var r Request
		if err := d.Decode(block, &fs, &DefaultLimits); err != nil {
			t.Fatal(err)
		}
		if err := r.Read(&fs); err != nil || describe(&r) != "GET https a / {x-token=abcdefgh}" {
			t.Fatal(describe(&r), err)
		}
	}
	ok(before, lines())
	indexed := lines()
	ok(before, indexed)
	if err := asError(shared.Decode(indexed, &fs, &DefaultLimits)); err != errCompression {
		t.Errorf("an entry of a table that there is not: %v", err)
	}
	e.SetMaxDynamicTableSize(0) // the ACK
	block := lines()
	if block[0] != reprTable {
		t.Errorf("the encoder under test does not announce its table's end: % x", block)
	}
	ok(shared, block)
	ok(shared, lines())
	for _, bad := range []string{"\xff", "\x40\x05ab", "\x80", "\x20\x20\x20"} {
		if err := shared.Decode([]byte(bad), &fs, &DefaultLimits); err == nil {
			t.Errorf("% x is decoded", bad)
		}
		ok(shared, lines())
	}
}

// "A decoding error in a field block MUST be treated as a connection error of type COMPRESSION_ERROR." RFC 9113 §4.3
func TestMustRefuseBlocks(t *testing.T) {
	f := func(block string, want *Error) {
		t.Helper()
		for _, table := range []uint32{0, 4096} {
			var fs Fields
			if err := asError(NewDecoder(table).Decode([]byte(block), &fs, &DefaultLimits)); err != want {
				t.Errorf("% x, table %d: %v, want %v", block, table, err, want)
			}
		}
		if want.Code != CompressionError || want.Scope != Connection {
			t.Error(want)
		}
	}
	// "The index value of 0 is not used. It MUST be treated as a decoding error." RFC 7541 §6.1
	f("\x80", errCompression)
	// "Indices strictly greater than the sum of the lengths of both tables MUST be treated as a decoding error." §2.3.3
	f("\xbe", errCompression)
	f("\x7e\x01v", errCompression)
	f("\x0f\x40\x01v", errCompression)
	// "A Huffman-encoded string literal containing the EOS symbol MUST be treated as a decoding error." §5.2
	f("\x00\x01x\x84\xff\xff\xff\xff", errCompression)
	// "A padding strictly longer than 7 bits MUST be treated as a decoding error." §5.2
	f("\x00\x01x\x82\x1f\xff", errCompression)
	// "A padding not corresponding to the most significant bits of the code for the EOS symbol MUST be treated as a
	// decoding error." §5.2
	f("\x00\x01x\x81\x18", errCompression)
	// "Integer encodings that exceed implementation limits … MUST be treated as decoding errors." §5.1
	f("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", errCompression)
	f("\x00\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", errCompression)
	// "The new maximum size MUST be lower than or equal to the limit." §6.3
	f("\x3f\xe2\x1f", errCompression) // 4097
	// "This dynamic table size update MUST occur at the beginning of the first header block following the change." §4.2
	f("\x82\x20", errTableUpdate)
	f("\x00\x01x\x01y\x20", errTableUpdate)
	f("\x40\x01x\x01y\x20\x82", errTableUpdate)
	f("\x10\x01x\x01y\x20", errTableUpdate)
	f("\x0f\x01\x01y\x20", errTableUpdate)
	f("\x20\x20\x20\x82", errTableUpdates)
	f("\x20\x82\x20", errTableUpdate)
	// Cut short.
	whole := string(encode(get("x-name: some value", "cookie: a=b")...))
	for i := 1; i < len(whole); i++ {
		var fs Fields
		err := asError(NewDecoder(0).Decode([]byte(whole[:i]), &fs, &DefaultLimits))
		if err != nil && err != errCompression {
			t.Errorf("% x: %v", whole[:i], err)
		}
	}
	f("\x82\x00\x05abc", errCompression)
	f("\x82\x00\x01a\x05abc", errCompression)
	f("\x82\x00", errCompression)
}

// Two updates at the beginning are as many as ever make sense, and are taken.
func TestTableUpdates(t *testing.T) {
	for _, begin := range []string{"", "\x20", "\x20\x20"} {
		var fs Fields
		block := AppendRequest([]byte(begin), "GET", "https", "a", "/")
		if err := NewDecoder(0).Decode(block, &fs, &DefaultLimits); err != nil {
			t.Errorf("% x: %v", begin, err)
		}
	}
	var fs Fields
	if err := NewDecoder(4096).Decode([]byte("\x20\x3f\xe1\x1f\x82"), &fs, &DefaultLimits); err != nil { // 0, then 4096
		t.Error(err)
	}
}

// The HPACK bomb: one entry of nearly the whole table, named again with one byte each. The list stays within its limit.
func TestBombIsBounded(t *testing.T) {
	d := NewDecoder(4096)
	var fs Fields
	entry := appendString([]byte("\x40\x01x"), strings.Repeat("v", 4000))
	bomb := append(entry, strings.Repeat("\xbe", 60000)...)
	if err := asError(d.Decode(bomb, &fs, &DefaultLimits)); err != errListBytes {
		t.Fatal(err)
	}
	if n := cap(fs.buf); n > 2*int(DefaultLimits.List) {
		t.Errorf("%d bytes kept", n)
	}
	if n := testing.AllocsPerRun(3, func() { _ = d.Decode(bomb[len(entry):], &fs, &DefaultLimits) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Views of a list are its own: the block may be overwritten at once.
func TestFieldsOwnTheirBytes(t *testing.T) {
	block := encode(get("x: value", "cookie: a", "cookie: b")...)
	var fs Fields
	if err := NewDecoder(0).Decode(block, &fs, &DefaultLimits); err != nil {
		t.Fatal(err)
	}
	clear(block)
	var r Request
	if err := r.Read(&fs); err != nil || describe(&r) != "GET https a / {x=value} {cookie=a; b}" {
		t.Error(describe(&r), err)
	}
	for i, v := range fs.All {
		if cap(v.Name) != len(v.Name) || cap(v.Value) != len(v.Value) {
			t.Errorf("an append to field %d would write into its neighbour", i)
		}
	}
}
