package ws

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"

	"holdfast/codec/field"
)

// Version is the one that there is, RFC 6455 §4.1; a refusal with 426 says it
// in Sec-WebSocket-Version.
const Version = "13"

const (
	keyLen    = 24 // 16 bytes in base64
	acceptLen = 28 // a SHA-1 sum in base64
	guid      = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

// CheckUpgrade judges an opening handshake over HTTP/1.1, RFC 6455 §4.2.1, and
// returns the key for the answer, a view. That the request is HTTP/1.1 or later
// and names its host is the caller's to see. An error is a *HandshakeError.
func CheckUpgrade(method []byte, fields []field.Field) (key []byte, err error) {
	if string(method) != "GET" {
		return nil, errMethod
	}
	if !lists(fields, "upgrade", "websocket") {
		return nil, errUpgrade
	}
	if !lists(fields, "connection", "upgrade") {
		return nil, errConnection
	}
	if err := CheckConnect(fields); err != nil {
		return nil, err
	}
	if field.Count(fields, "sec-websocket-key") > 1 {
		return nil, errKeyTwice
	}
	key, _ = field.Get(fields, "sec-websocket-key")
	if !validKey(key) {
		return nil, errKey
	}
	return key, nil
}

// CheckConnect judges the fields of an opening handshake by extended CONNECT,
// RFC 8441 §5: there Upgrade, Connection and the key are out of use, so only
// the version is left. An error is a *HandshakeError.
func CheckConnect(fields []field.Field) error {
	if field.Count(fields, "sec-websocket-version") > 1 {
		return errVersionTwice
	}
	if version, _ := field.Get(fields, "sec-websocket-version"); string(version) != Version {
		return errVersion
	}
	return nil
}

// lists says whether any of the fields with that name lists the token.
func lists(fields []field.Field, name, token string) bool {
	for i := range fields {
		if field.EqualFold(fields[i].Name, name) && field.HasToken(fields[i].Value, token) {
			return true
		}
	}
	return false
}

// validKey wants "a base64-encoded value that, when decoded, is 16 bytes in
// length", RFC 6455 §4.2.1.
func validKey(key []byte) bool {
	var decoded [keyLen]byte
	if len(key) != keyLen {
		return false
	}
	n, err := base64.StdEncoding.Decode(decoded[:], key)
	return err == nil && n == 16
}

// AppendKey appends a client's key, made of 16 bytes that the caller has drawn
// at random, RFC 6455 §4.1.
func AppendKey(dst []byte, nonce [16]byte) []byte {
	return base64.StdEncoding.AppendEncode(dst, nonce[:])
}

// AppendAccept appends the value of Sec-WebSocket-Accept for a key that
// CheckUpgrade has returned, RFC 6455 §4.2.2.
func AppendAccept(dst, key []byte) []byte {
	var in [keyLen + len(guid)]byte
	n := copy(in[:keyLen], key)
	n += copy(in[n:], guid)
	sum := sha1.Sum(in[:n])
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// AppendAnswer appends the field lines with which a 101 answers a handshake,
// without the empty line: protocol and extensions are left out if empty.
func AppendAnswer(dst, key []byte, protocol, extensions string) []byte {
	dst = append(dst, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = append(AppendAccept(dst, key), "\r\n"...)
	dst = appendLine(dst, "Sec-WebSocket-Protocol: ", protocol)
	return appendLine(dst, "Sec-WebSocket-Extensions: ", extensions)
}

// AppendAsk appends the field lines of a client's handshake over HTTP/1.1, but
// for Host: protocols are a comma-separated list, left out if empty, as are
// extensions.
func AppendAsk(dst, key []byte, protocols, extensions string) []byte {
	dst = append(dst, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "+Version+"\r\nSec-WebSocket-Key: "...)
	dst = append(append(dst, key...), "\r\n"...)
	dst = appendLine(dst, "Sec-WebSocket-Protocol: ", protocols)
	return appendLine(dst, "Sec-WebSocket-Extensions: ", extensions)
}

func appendLine(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(append(dst, name...), value...)
	return append(dst, "\r\n"...)
}

// CheckAnswer judges the fields of a 101 that answers a client's handshake with
// that key, RFC 6455 §4.1. Its extensions are CheckDeflate's to judge.
func CheckAnswer(fields []field.Field, key []byte) error {
	if !lists(fields, "upgrade", "websocket") || !lists(fields, "connection", "upgrade") {
		return errAnswerUpgrade
	}
	var want [acceptLen]byte
	AppendAccept(want[:0], key)
	got, _ := field.Get(fields, "sec-websocket-accept")
	if field.Count(fields, "sec-websocket-accept") != 1 || !bytes.Equal(got, want[:]) {
		return errAnswerAccept
	}
	return nil
}

// NegotiateProtocol returns the first of the subprotocols that the client lists
// ("ordered by preference", RFC 6455 §4.1) which we speak, "" if none: then the
// answer has no Sec-WebSocket-Protocol. Case counts.
func NegotiateProtocol(fields []field.Field, spoken []string) string {
	for i := range fields {
		if !field.EqualFold(fields[i].Name, "sec-websocket-protocol") {
			continue
		}
		l := field.List(fields[i].Value)
		for item, ok := l.Next(); ok; item, ok = l.Next() {
			for _, protocol := range spoken {
				if string(item) == protocol {
					return protocol
				}
			}
		}
	}
	return ""
}
