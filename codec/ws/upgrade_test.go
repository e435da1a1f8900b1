package ws

import (
	"errors"
	"strings"
	"testing"

	"holdfast/codec/field"
)

const sampleKey = "dGhlIHNhbXBsZSBub25jZQ=="

// fieldsOf splits lines into fields.
func fieldsOf(lines ...string) (fields []field.Field) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		fields = append(fields, field.Field{Name: []byte(name), Value: []byte(strings.Trim(value, " \t"))})
	}
	return fields
}

// handshake is a good one, less the lines that begin with a name in changes,
// and with those of the changes that have a value.
func handshake(changes ...string) []field.Field {
	lines := []string{
		"Host: server.example.com", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: " + sampleKey,
		"Origin: http://example.com", "Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Version: 13",
	}
	for _, change := range changes {
		name, _, _ := strings.Cut(change, ":")
		kept := lines[:0]
		for _, line := range lines {
			if !strings.HasPrefix(line, name+":") || strings.HasPrefix(change, "+") {
				kept = append(kept, line)
			}
		}
		lines = append(kept, strings.TrimPrefix(change, "+"))
	}
	return fieldsOf(lines...)
}

// asStatus insists that an error is a *HandshakeError, as promised, and returns
// its status.
func asStatus(err error) int {
	var e *HandshakeError
	if err == nil {
		return 0
	}
	if !errors.As(err, &e) {
		panic("not a *HandshakeError: " + err.Error())
	}
	return e.Status
}

// "The server MUST validate … an HTTP/1.1 or higher GET request", "an |Upgrade|
// header field containing the value "websocket"", "a |Connection| header field
// that includes the token "Upgrade"", "a |Sec-WebSocket-Key|" of 16 bytes, "a
// |Sec-WebSocket-Version| header field, with a value of 13". RFC 6455 §4.2.1
func TestCheckUpgrade(t *testing.T) {
	f := func(want error, changes ...string) {
		t.Helper()
		key, err := CheckUpgrade([]byte("GET"), handshake(changes...))
		if err != want || err == nil && string(key) != sampleKey {
			t.Errorf("%q: %q, %v, want %v", changes, key, err, want)
		}
	}
	f(nil)
	f(nil, "Upgrade: WebSocket", "Connection: keep-alive, UPGRADE")
	f(nil, "Upgrade: h2c, websocket")
	f(nil, "+Connection: keep-alive", "+Upgrade: foo/1")
	f(errUpgrade, "Upgrade: h2c")
	f(errUpgrade, "Upgrade: websockets")
	f(errUpgrade, "Upgrade:")
	f(errConnection, "Connection: close")
	f(errConnection, "Connection:")
	f(errVersion, "Sec-WebSocket-Version: 12")
	f(errVersion, "Sec-WebSocket-Version: 14")
	f(errVersion, "Sec-WebSocket-Version: 130")
	f(errVersion, "Sec-WebSocket-Version: 13, 8")
	f(errVersion, "Sec-WebSocket-Version:")
	f(errKey, "Sec-WebSocket-Key:")
	f(errKey, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ===")
	f(errKey, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ")
	f(errKey, "Sec-WebSocket-Key: SGVsbG8sIHdvcmxkIQ==")             // 13 bytes
	f(errKey, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=")         // 17 bytes
	f(errKey, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEx")         // 18 bytes
	f(errKey, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==dGhlIHNh") // more
	f(errKey, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_Q==")
	f(errKey, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n==")
	// "MUST NOT appear more than once in an HTTP request." RFC 6455 §11.3.1, §11.3.5
	f(errKeyTwice, "+Sec-WebSocket-Key: "+sampleKey)
	f(errVersionTwice, "+Sec-WebSocket-Version: 13")
	for _, method := range []string{"", "get", "POST", "CONNECT", "GETS"} {
		if _, err := CheckUpgrade([]byte(method), handshake()); err != errMethod {
			t.Errorf("%q: %v", method, err)
		}
	}
}

// "If this version does not match a version understood by the server, the
// server MUST abort the WebSocket handshake … and instead send an appropriate
// HTTP error code (such as 426 Upgrade Required)." RFC 6455 §4.2.2
func TestMustAnswer426(t *testing.T) {
	if asStatus(errVersion) != 426 || asStatus(errUpgrade) != 426 || asStatus(errKey) != 400 || asStatus(errConnection) != 400 {
		t.Error("another status")
	}
}

// "The server does not perform the processing of the Sec-WebSocket-Key and
// Sec-WebSocket-Accept header fields." RFC 8441 §5
func TestCheckConnect(t *testing.T) {
	f := func(want error, lines ...string) {
		t.Helper()
		if err := CheckConnect(fieldsOf(lines...)); err != want {
			t.Errorf("%q: %v, want %v", lines, err, want)
		}
	}
	f(nil, "sec-websocket-version: 13")
	f(nil, "sec-websocket-version: 13", "sec-websocket-key: x", "sec-websocket-key: y")
	f(errVersion, "origin: http://a")
	f(errVersion, "sec-websocket-version: 8")
	f(errVersionTwice, "sec-websocket-version: 13", "sec-websocket-version: 13")
}

// "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" answers "dGhlIHNhbXBsZSBub25jZQ==".
// RFC 6455 §1.3
func TestAccept(t *testing.T) {
	if got := string(AppendAccept([]byte("<"), []byte(sampleKey))); got != "<s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || len(got) != 1+acceptLen {
		t.Error(got)
	}
	if got := string(AppendKey([]byte("<"), [16]byte([]byte("the sample nonce")))); got != "<"+sampleKey {
		t.Error(got)
	}
}

func TestAnswer(t *testing.T) {
	f := func(protocol, extensions, want string) {
		t.Helper()
		const always = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
		if got := string(AppendAnswer(nil, []byte(sampleKey), protocol, extensions)); got != always+want {
			t.Errorf("%q", got)
		}
	}
	f("", "", "")
	f("chat", "", "Sec-WebSocket-Protocol: chat\r\n")
	f("", deflateAnswer, "Sec-WebSocket-Extensions: "+deflateAnswer+"\r\n")
	f("chat", "x", "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x\r\n")
}

// What a client asks, a server takes; what a server answers, the client does.
func TestAskAndAnswer(t *testing.T) {
	lines := func(b []byte) []field.Field {
		return fieldsOf(strings.Split(strings.TrimSuffix(string(b), "\r\n"), "\r\n")...)
	}
	key := AppendKey(nil, [16]byte{1, 2, 3})
	ask := lines(AppendAsk(nil, key, "a, b", DeflateOffer))
	got, err := CheckUpgrade([]byte("GET"), ask)
	if err != nil || string(got) != string(key) {
		t.Fatal(string(got), err)
	}
	extensions, err := NegotiateDeflate(ask)
	if err != nil || extensions == "" {
		t.Fatal(extensions, err)
	}
	answer := lines(AppendAnswer(nil, got, NegotiateProtocol(ask, []string{"b"}), extensions))
	if err := CheckAnswer(answer, key); err != nil {
		t.Error(err)
	}
	if on, err := CheckDeflate(answer, true); !on || err != nil {
		t.Error(on, err)
	}
	if v, _ := field.Get(answer, "sec-websocket-protocol"); string(v) != "b" {
		t.Errorf("%q", v)
	}
}

// "If the response lacks an |Upgrade| header field …, a |Connection| header
// field …, or a |Sec-WebSocket-Accept| header field or contains a value other
// than …, the client MUST _Fail the WebSocket Connection_." RFC 6455 §4.1
func TestMustCheckAnswer(t *testing.T) {
	f := func(want error, lines ...string) {
		t.Helper()
		if err := CheckAnswer(fieldsOf(lines...), []byte(sampleKey)); err != want {
			t.Errorf("%q: %v, want %v", lines, err, want)
		}
	}
	const upgrade, connection, accept = "Upgrade: WebSocket", "Connection: upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	f(nil, upgrade, connection, accept)
	f(errAnswerUpgrade, connection, accept)
	f(errAnswerUpgrade, upgrade, accept)
	f(errAnswerUpgrade, "Upgrade: h2c", connection, accept)
	f(errAnswerAccept, upgrade, connection)
	f(errAnswerAccept, upgrade, connection, "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
	f(errAnswerAccept, upgrade, connection, accept, accept)
}

func TestNegotiateProtocol(t *testing.T) {
	f := func(want string, lines ...string) {
		t.Helper()
		if got := NegotiateProtocol(fieldsOf(lines...), []string{"json", "cbor"}); got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
	const name = "Sec-WebSocket-Protocol: "
	f("json", name+"json")
	f("cbor", name+"cbor, json") // the client's order
	f("json", name+"x, json ,cbor")
	f("cbor", name+"x", name+"cbor", name+"json")
	f("", name+"JSON")
	f("", name+"jso, json1, js on")
	f("", name)
	f("", "Origin: json")
	if got := NegotiateProtocol(handshake(), nil); got != "" {
		t.Error(got)
	}
}
