package ws

import "math/bits"

const (
	maxBits    = 15  // bits of the longest code, RFC 1951 §3.2.1
	fastBits   = 9   // bits that are looked up at once
	maxSymbols = 288 // of literals and lengths, the two without a meaning included
)

// huffman decodes one prefix code of RFC 1951 §3.2.2. Codes of up to fastBits
// take one lookup; longer ones, which are rare, are counted through, so that
// building a code costs the same whatever it is: a block of twenty bytes can
// ask for a new one.
type huffman struct {
	fast   [1 << fastBits]uint16 // symbol<<4 | length by the next bits; 0: longer, or none
	count  [maxBits + 1]uint16   // how many codes have a length
	symbol [maxSymbols]uint16    // the symbols in the order of their codes
}

// build makes the code whose lengths are given, 0 for a symbol without one. It
// is false for lengths that make no code: too many for their bits, or too few,
// except for none or a single one of one bit.
func (h *huffman) build(lengths []uint8) bool {
	h.count = [maxBits + 1]uint16{}
	for _, n := range lengths {
		h.count[n]++
	}
	h.count[0] = 0
	var next, at [maxBits + 2]uint16 // by length: its next code, and that one's place in symbol
	left, used := 1, 0
	for n := 1; n <= maxBits; n++ {
		left = left<<1 - int(h.count[n])
		if left < 0 {
			return false
		}
		used += int(h.count[n])
		next[n+1] = (next[n] + h.count[n]) << 1
		at[n+1] = at[n] + h.count[n]
	}
	single := used == 1 && h.count[1] == 1
	if left > 0 && used > 0 && !single {
		return false
	}
	h.fast = [1 << fastBits]uint16{}
	for s, n := range lengths {
		if n == 0 {
			continue
		}
		h.symbol[at[n]] = uint16(s)
		at[n]++
		if n > fastBits {
			continue // counted through by next
		}
		// Codes stand in the stream with their first bit lowest.
		code := int(bits.Reverse16(next[n]) >> (16 - n))
		next[n]++
		for i := code; i < len(h.fast); i += 1 << n {
			h.fast[i] = uint16(s)<<4 | uint16(n)
		}
	}
	return true
}

// next reads one symbol; -1 is a code that does not exist or is cut off. Its
// caller has refilled r.
func (h *huffman) next(r *bitSource) int {
	if e := h.fast[r.acc&(1<<fastBits-1)]; e != 0 {
		if n := uint(e & 15); n <= r.n {
			r.acc >>= n
			r.n -= n
			return int(e >> 4)
		}
		return -1
	}
	// Of each length, the codes are consecutive numbers from first on.
	code, first, place, acc := 0, 0, 0, r.acc
	for n := uint(1); n <= min(maxBits, r.n); n++ {
		code |= int(acc & 1)
		acc >>= 1
		count := int(h.count[n])
		if code-first < count {
			r.acc >>= n
			r.n -= n
			return int(h.symbol[place+code-first])
		}
		place += count
		first = (first + count) << 1
		code <<= 1
	}
	return -1
}

// fixedCodes are those of RFC 1951 §3.2.6.
func fixedCodes() (literals, distances huffman) {
	var n [maxSymbols]uint8
	for i := range n {
		switch {
		case i < 144:
			n[i] = 8
		case i < 256:
			n[i] = 9
		case i < 280:
			n[i] = 7
		default:
			n[i] = 8
		}
	}
	literals.build(n[:])
	for i := range 32 {
		n[i] = 5
	}
	distances.build(n[:32])
	return literals, distances
}
