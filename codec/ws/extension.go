package ws

import "holdfast/codec/field"

// What we say of permessage-deflate, RFC 7692 §7.1. Neither end may refer to an
// earlier message, so neither keeps a window of up to 32 KiB per connection,
// and a message compressed once is fit for all.
const (
	// DeflateOffer is a client's offer.
	DeflateOffer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

	deflateAnswer = DeflateOffer
	// An offer with a window is accepted by naming one, RFC 7692 §7.1.2.1.
	deflateAnswer15 = deflateAnswer + "; server_max_window_bits=15"
)

const maxWindow = 15 // bits, the most that a window parameter may say, and all that Deflater makes

// NegotiateDeflate returns the value of Sec-WebSocket-Extensions that accepts
// the first offer of permessage-deflate that can be kept, "" if there is none.
// An offer is declined, as RFC 7692 §7.1 has it, if a parameter is unknown, is
// there twice or has a value that it cannot have. One that wants of us a window
// of less than 15 bits is declined too: Deflater makes no smaller one. An error
// is a *HandshakeError: the lines do not conform to the grammar, with which
// "the recipient of such malformed data MUST immediately _Fail the WebSocket
// Connection_" (RFC 6455 §9.1).
func NegotiateDeflate(fields []field.Field) (answer string, err error) {
	for i := range fields {
		if !field.EqualFold(fields[i].Name, "sec-websocket-extensions") {
			continue
		}
		s := extensions{rest: fields[i].Value}
		for s.next() {
			var offer deflateParams
			for s.param() {
				offer.add(&s)
			}
			if s.bad || answer != "" || !s.deflate || offer.bad || offer.serverBits != 0 && offer.serverBits != maxWindow {
				continue
			}
			answer = deflateAnswer
			if offer.serverBits == maxWindow {
				answer = deflateAnswer15
			}
		}
		if s.bad {
			return "", errExtensions
		}
	}
	return answer, nil
}

// CheckDeflate judges the extensions of a server's answer to a client that has
// sent DeflateOffer, or nothing: on says whether messages may be compressed. An
// error is a *HandshakeError.
func CheckDeflate(fields []field.Field, offered bool) (on bool, err error) {
	for i := range fields {
		if !field.EqualFold(fields[i].Name, "sec-websocket-extensions") {
			continue
		}
		s := extensions{rest: fields[i].Value}
		for s.next() {
			var p deflateParams
			for s.param() {
				p.add(&s)
			}
			// "client_max_window_bits" may answer only an offer that has it,
			// and the server must say that it keeps no context, RFC 7692 §7.1.1.1.
			if !s.deflate || on || !offered || p.bad || p.clientWindow || !p.serverFresh {
				return false, errAnswerExtension
			}
			on = true
		}
		if s.bad {
			return false, errAnswerExtension
		}
	}
	return on, nil
}

// deflateParams are the parameters of one permessage-deflate, RFC 7692 §7.1.
type deflateParams struct {
	serverBits   uint8 // server_max_window_bits; 0: absent
	serverFresh  bool  // server_no_context_takeover
	clientFresh  bool  // client_no_context_takeover
	clientWindow bool  // client_max_window_bits, whatever its value
	bad          bool  // unknown, doubled, or with a wrong value
}

// add takes the parameter that s has just read.
func (p *deflateParams) add(s *extensions) {
	switch string(s.name) {
	case "server_no_context_takeover":
		p.bad = p.bad || p.serverFresh || s.hasValue
		p.serverFresh = true
	case "client_no_context_takeover":
		p.bad = p.bad || p.clientFresh || s.hasValue
		p.clientFresh = true
	case "server_max_window_bits":
		bits := s.windowBits()
		p.bad = p.bad || p.serverBits != 0 || bits == 0
		p.serverBits = bits
	case "client_max_window_bits":
		p.bad = p.bad || p.clientWindow || s.hasValue && s.windowBits() == 0
		p.clientWindow = true
	default:
		p.bad = true
	}
}

// extensions walks one Sec-WebSocket-Extensions line, RFC 6455 §9.1:
//
//	extension-list  = 1#( token *( ";" extension-param ) )
//	extension-param = token [ "=" ( token / quoted-string ) ]
//
// With blanks anywhere between these, and empty elements, as in other lists.
type extensions struct {
	rest     []byte
	name     []byte  // of the parameter
	value    [2]byte // the beginning of its value, without quotes and backslashes
	length   int     // of the value
	hasValue bool
	deflate  bool // the extension is permessage-deflate
	begun    bool
	bad      bool // the line does not conform
}

// next reads the name of the next extension. False is the line's end, or bad.
func (s *extensions) next() bool {
	s.blanks()
	if s.begun && len(s.rest) > 0 && s.rest[0] != ',' {
		s.bad = true
	}
	s.begun = true
	for len(s.rest) > 0 && s.rest[0] == ',' {
		s.rest = s.rest[1:]
		s.blanks()
	}
	if s.bad || len(s.rest) == 0 {
		return false
	}
	s.deflate = string(s.token()) == "permessage-deflate"
	return !s.bad
}

// param reads the next parameter of the extension. False is its end, or bad.
func (s *extensions) param() bool {
	if s.bad || !s.skip(';') {
		return false
	}
	s.blanks()
	s.name = s.token()
	s.length, s.hasValue = 0, false
	if !s.bad && s.skip('=') {
		s.hasValue = true
		s.blanks()
		if len(s.rest) > 0 && s.rest[0] == '"' {
			s.quoted()
		} else {
			token := s.token()
			copy(s.value[:], token)
			s.length = len(token)
		}
	}
	return !s.bad
}

// quoted reads a quoted string, of which "the value after quoted-string
// unescaping MUST conform to the 'token' ABNF".
func (s *extensions) quoted() {
	for i := 1; i < len(s.rest); i++ {
		c := s.rest[i]
		if c == '"' {
			s.rest, s.bad = s.rest[i+1:], s.length == 0
			return
		}
		if c == '\\' {
			if i++; i == len(s.rest) {
				break
			}
			c = s.rest[i]
		}
		if !field.IsTokenByte(c) {
			break
		}
		if s.length < len(s.value) {
			s.value[s.length] = c
		}
		s.length++
	}
	s.bad = true
}

// token reads a token; none is bad.
func (s *extensions) token() []byte {
	n := field.TokenRun(s.rest)
	token := s.rest[:n]
	s.rest, s.bad = s.rest[n:], s.bad || n == 0
	return token
}

// skip drops blanks and then c, if it is next.
func (s *extensions) skip(c byte) bool {
	s.blanks()
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *extensions) blanks() {
	for len(s.rest) > 0 && field.IsOWS(s.rest[0]) {
		s.rest = s.rest[1:]
	}
}

// windowBits is the value as "a decimal integer value without leading zeroes
// between 8 to 15 inclusive", RFC 7692 §7.1.2.1; 0 if it is none.
func (s *extensions) windowBits() uint8 {
	switch {
	case s.length == 1 && s.value[0] >= '8' && s.value[0] <= '9':
		return s.value[0] - '0'
	case s.length == 2 && s.value[0] == '1' && s.value[1] >= '0' && s.value[1] <= '5':
		return 10 + s.value[1] - '0'
	}
	return 0
}
