package gateway

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bytedance/sonic"

	"holdfast/engine/mem"
)

// itemJSON validates strings and copies them: what comes from outside must not carry raw control bytes, nor point into
// a buffer that is used again. A member that we do not know is a mistake that the publisher should hear of.
var itemJSON = sonic.Config{ValidateString: true, CopyString: true, DisallowUnknownFields: true}.Froze()

// item is one message of a JSON stream or batch. Data is a string, or any other JSON value, which is then sent as the
// JSON text that it is, save null, which is an empty message; Base64 carries what is no text. One of them must be there.
type item struct {
	Key    string   `json:"key"`
	Keys   []string `json:"keys"`
	ID     string   `json:"id"`
	Event  string   `json:"event"`
	Type   string   `json:"type"`
	Data   rawJSON  `json:"data"`
	Base64 *string  `json:"base64"`
	TTL    rawJSON  `json:"ttl"`
}

// rawJSON is a JSON value left as it is.
type rawJSON []byte

// UnmarshalJSON keeps the value's text.
func (r *rawJSON) UnmarshalJSON(b []byte) error {
	*r = append((*r)[:0], b...)
	return nil
}

var (
	errItem    = &refusal{400, "the item is not a JSON object like {\"key\":\"alice\",\"data\":\"hello\"}"}
	errMember  = &refusal{400, "the item has a member that is none of key, keys, id, event, type, data, base64 and ttl"}
	errNoData  = &refusal{400, "the item has no message: give it data or base64, which may be empty"}
	errTwoData = &refusal{400, "the item has two messages: data and base64"}
	errNoKey   = &refusal{400, "the item names no key"}
	errText    = &refusal{400, "the item is not valid UTF-8, or escapes half a surrogate pair; send other bytes as base64"}
	errBase64  = &refusal{400, "the item's base64 is malformed"}
	errArray   = &refusal{400, "the batch is not a JSON array of items like {\"key\":\"alice\",\"data\":\"hello\"}"}
)

// decodeItem reads one item. Text that the decoder would change silently is refused: what is delivered is what was sent.
func decodeItem(line []byte) (*item, error) {
	if !utf8.Valid(line) || unpaired(line) {
		return nil, errText
	}
	it := new(item)
	if err := itemJSON.Unmarshal(line, it); err != nil {
		if strings.Contains(err.Error(), "unknown field") { // the decoder has no error of its own for it
			return nil, errMember
		}
		return nil, errItem
	}
	return it, nil
}

// unpaired reports whether a JSON text escapes one half of a surrogate pair without the other: no UTF-8 can hold it
// (RFC 8259 §8.2).
func unpaired(b []byte) bool {
	for {
		at := bytes.IndexByte(b, '\\')
		if at < 0 {
			return false
		}
		b = b[at:]
		first := codeUnit(b)
		switch {
		case !utf16.IsSurrogate(first):
			b = b[min(2, len(b)):]
		case utf16.DecodeRune(first, codeUnit(b[6:])) == utf8.RuneError:
			return true
		default:
			b = b[12:]
		}
	}
}

// codeUnit is the UTF-16 code unit that b begins to escape, or 0.
func codeUnit(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0
	}
	n, _ := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n)
}

// payload makes the item's message.
func (it *item) payload(most int) (*mem.Payload, error) {
	data, isJSON, err := it.data()
	switch {
	case err != nil:
		return nil, err
	case len(data) > most:
		return nil, errPayload
	case it.ID != "" && !validName([]byte(it.ID)), it.Event != "" && !validName([]byte(it.Event)),
		it.Type != "" && !validName([]byte(it.Type)):
		return nil, errName
	}
	p := mem.NewPayload(len(data))
	p.Append(data)
	p.SetID([]byte(it.ID))
	p.SetEvent([]byte(it.Event))
	switch {
	case it.Type != "":
		p.SetType([]byte(it.Type))
	case isJSON:
		p.SetType([]byte(jsonType))
	default:
		p.SetType([]byte(textType))
	}
	return p, nil
}

func (it *item) data() (data []byte, isJSON bool, err error) {
	switch {
	case it.Data == nil && it.Base64 == nil:
		return nil, false, errNoData
	case it.Data != nil && it.Base64 != nil:
		return nil, false, errTwoData
	case it.Base64 != nil:
		data, err = base64.StdEncoding.DecodeString(*it.Base64)
		if err != nil {
			return nil, false, errBase64
		}
		return data, false, nil
	case string(it.Data) == "null":
		return nil, false, nil
	case it.Data[0] == '"':
		var text string
		if err := itemJSON.Unmarshal(it.Data, &text); err != nil {
			return nil, false, errItem
		}
		return []byte(text), false, nil
	}
	return it.Data, true, nil
}
