package field

// Bounds of a negotiation. They keep an Accept of thousands of ranges, sent to
// make every request slow, as cheap as an honest one; browsers send about ten.
const (
	MaxOffers = 16 // offers beyond these are never chosen
	maxRanges = 64 // media ranges beyond these are not read
)

// How closely a media range names an offer. The closest range decides the
// offer's quality, RFC 9110 §12.5.1.
const (
	matchNone   uint8 = iota
	matchAny          // */*
	matchType         // text/*
	matchParams       // text/html;level=1: our offers carry no parameters
	matchExact        // text/html
)

// Negotiate returns the index of the offer that the Accept lines among fields
// like best, or -1 when they accept none; exact says that a range named it
// without a wildcard. Offers are lower-case type/subtype. Among offers of equal
// quality an exactly named one wins, then the earlier one. Without an Accept
// line anything goes and the first offer is returned, not exact.
//
// Parameters other than q are not compared: a range with some still names its
// type. A range that is malformed is ignored.
func Negotiate(fields []Field, offers []string) (best int, exact bool) {
	var match [MaxOffers]uint8
	var quality [MaxOffers]int16
	offers = offers[:min(len(offers), MaxOffers)]
	asked := false
	left := maxRanges
	for i := range fields {
		if !EqualFold(fields[i].Name, "accept") {
			continue
		}
		asked = true
		l := List(fields[i].Value)
		for item, ok := l.Next(); ok && left > 0; item, ok = l.Next() {
			left--
			name, params, q := mediaRange(item)
			if q < 0 {
				continue
			}
			for o, offer := range offers {
				if m := nameMatch(name, params, offer); m > match[o] {
					match[o], quality[o] = m, q
				}
			}
		}
	}
	if !asked && len(offers) > 0 {
		return 0, false
	}
	best = -1
	for o := range offers {
		if quality[o] == 0 {
			continue
		}
		sharp := match[o] >= matchParams
		if best < 0 || quality[o] > quality[best] || quality[o] == quality[best] && sharp && !exact {
			best, exact = o, sharp
		}
	}
	return best, exact
}

// mediaRange splits an element of Accept into its name, whether it has
// parameters of its own, and its quality in thousandths, -1 if malformed.
func mediaRange(item []byte) (name []byte, params bool, q int16) {
	q = 1000
	i := indexUnquoted(item, ';')
	if i < 0 {
		return item, false, q
	}
	name, rest := TrimOWS(item[:i]), item[i+1:]
	for len(rest) > 0 {
		param := rest
		if i := indexUnquoted(rest, ';'); i >= 0 {
			param, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		param = TrimOWS(param)
		if len(param) >= 2 && lowered[param[0]] == 'q' && param[1] == '=' {
			// What follows the weight is an extension, not a parameter.
			return name, params, weight(param[2:])
		}
		params = params || len(param) > 0
	}
	return name, params, q
}

// weight reads a qvalue of RFC 9110 §12.4.2 as thousandths, -1 if it is none.
func weight(b []byte) int16 {
	if len(b) == 0 || len(b) > 5 || b[0] != '0' && b[0] != '1' || len(b) > 1 && b[1] != '.' {
		return -1
	}
	q, unit := int16(b[0]-'0')*1000, int16(100)
	for _, c := range b[min(2, len(b)):] {
		if c < '0' || c > '9' {
			return -1
		}
		q, unit = q+int16(c-'0')*unit, unit/10
	}
	if q > 1000 {
		return -1
	}
	return q
}

// nameMatch says how closely a media range's name fits an offer.
func nameMatch(name []byte, params bool, offer string) uint8 {
	if EqualFold(name, offer) {
		if params {
			return matchParams
		}
		return matchExact
	}
	if len(name) < 3 || name[len(name)-1] != '*' || name[len(name)-2] != '/' {
		return matchNone
	}
	kind := len(name) - 1 // the type with its slash
	if kind < len(offer) && EqualFold(name[:kind], offer[:kind]) {
		return matchType
	}
	if kind == 2 && name[0] == '*' {
		return matchAny
	}
	return matchNone
}
