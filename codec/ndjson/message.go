package ndjson

import (
	"bytes"
	"unicode/utf8"

	"holdfast/codec/field"
)

// ContentType is the media type of a stream of lines.
const ContentType = "application/x-ndjson"

// AppendMessage appends one message as the line {"id":"…","event":"…","data":…} with its LF. An empty id or event is
// left out. Data of a JSON type is embedded as the value it is, compacted; other text, and what only claims to be JSON,
// becomes a string. ok is false, and dst is returned as it was, when a part is not valid UTF-8: JSON cannot carry it.
func AppendMessage(dst, id, event, typ, data []byte) (out []byte, ok bool) {
	if !utf8.Valid(id) || !utf8.Valid(event) || !utf8.Valid(data) {
		return dst, false
	}
	out = append(dst, '{')
	if len(id) > 0 {
		out = appendString(append(out, `"id":`...), id)
		out = append(out, ',')
	}
	if len(event) > 0 {
		out = appendString(append(out, `"event":`...), event)
		out = append(out, ',')
	}
	out = append(out, `"data":`...)
	embedded := false
	if IsJSON(typ) {
		out, embedded = appendCompact(out, data)
	}
	if !embedded {
		out = appendString(out, data)
	}
	return append(out, "}\n"...), true
}

// Carries says whether a line can hold data: it must be valid UTF-8.
func Carries(data []byte) bool { return utf8.Valid(data) }

// IsJSON says whether a Content-Type value names JSON: application/json, or a type with the suffix +json (RFC 6839
// §3.1). Parameters do not matter: application/json has none that change its meaning.
func IsJSON(typ []byte) bool {
	const suffix = "+json"
	if i := bytes.IndexByte(typ, ';'); i >= 0 {
		typ = typ[:i]
	}
	typ = field.TrimOWS(typ)
	return field.EqualFold(typ, "application/json") ||
		len(typ) > len(suffix) && field.EqualFold(typ[len(typ)-len(suffix):], suffix)
}
