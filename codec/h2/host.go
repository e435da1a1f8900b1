package h2

import "bytes"

// The rules of hosts are those of codec/h1, to the letter, and a test holds the two together: what one protocol refuses
// must not come in by the other.

// hostByte marks what a registered name may be made of, RFC 3986 §3.2.2, but
// for '%', which is checked by itself, and the comma: a hop before us may have
// joined two Host lines with it.
var hostByte [256]bool

func init() {
	for c := range 256 {
		b := byte(c)
		hostByte[c] = b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9'
	}
	for _, c := range []byte("-._~!$&'()*+;=") {
		hostByte[c] = true
	}
}

// validHost checks uri-host [ ":" port ], RFC 9110 §7.2. An empty value is
// valid: a target without an authority has it. A port alone is not.
func validHost(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		return end > 0 && validIPv6(b[1:end]) && validPort(b[end+1:])
	}
	i := hostRun(b)
	for i < len(b) && b[i] == '%' {
		if len(b) < i+3 || !isHex(b[i+1]) || !isHex(b[i+2]) {
			return false
		}
		i += 3
		i += hostRun(b[i:])
	}
	return i > 0 && validPort(b[i:])
}

// hostRun returns the length of the run of host bytes b begins with.
func hostRun(b []byte) int {
	for i, c := range b {
		if !hostByte[c] {
			return i
		}
	}
	return len(b)
}

// validPort takes nothing, or a colon and a port of 0–65535 that may be empty.
func validPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != ':' || len(b) > 6 {
		return false
	}
	port := 0
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			return false
		}
		port = port*10 + int(c-'0')
	}
	return port <= 65535
}

// validEndpoint checks CONNECT's target: a host and a port, both present.
func validEndpoint(b []byte) bool {
	colon := bytes.LastIndexByte(b, ':')
	return colon > 0 && colon < len(b)-1 && validHost(b) &&
		(b[0] != '[' || b[colon-1] == ']')
}

// validIPv6 checks an IPv6address of RFC 3986 §3.2.2, without a zone: eight
// groups, fewer around one "::", the last two perhaps an IPv4 address.
func validIPv6(b []byte) bool {
	groups, compressed := 0, false
	if bytes.HasPrefix(b, []byte("::")) {
		compressed, b = true, b[2:]
	}
	for len(b) > 0 {
		n := 0
		for n < len(b) && n < 5 && isHex(b[n]) {
			n++
		}
		if n < len(b) && b[n] == '.' {
			if !validIPv4(b) {
				return false
			}
			groups += 2
			break
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		if b = b[n:]; len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return false
		}
		if b = b[1:]; b[0] == ':' {
			if compressed {
				return false
			}
			compressed, b = true, b[1:]
		}
	}
	return groups <= 8 && compressed == (groups < 8)
}

// validIPv4 checks dotted decimal, without leading zeros.
func validIPv4(b []byte) bool {
	for part := range 4 {
		n, v := 0, 0
		for n < len(b) && n < 4 && b[n] >= '0' && b[n] <= '9' {
			v = v*10 + int(b[n]-'0')
			n++
		}
		if n == 0 || v > 255 || n > 1 && b[0] == '0' {
			return false
		}
		if b = b[n:]; part == 3 {
			break
		}
		if len(b) == 0 || b[0] != '.' {
			return false
		}
		b = b[1:]
	}
	return len(b) == 0
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// sameHost compares two valid hosts, blind to the case of letters, RFC 3986 §3.2.2.
func sameHost(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if d := b[i]; c != d && (c^d != 0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}
