package peer

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// Versions of the protocol that this release speaks.
const (
	oldest = 1
	newest = 1
)

const (
	magic     = "HFPL"
	helloHead = len(magic) + 4 // oldest and newest version, length of the rest
	maxHello  = 2 << 10
	maxName   = 256
	nonceSize = 32

	tagInstance = 1
	tagName     = 2
	tagAddress  = 3
	tagRelease  = 4
	tagNonce    = 5
	tagWanted   = 6
)

// hello is how an end of a new connection presents itself.
type hello struct {
	oldest, newest uint8
	Node
	release string
	nonce   [nonceSize]byte
	wanted  uint64 // the instance that the dialler means to reach
}

// helloBytes is what each end sends first.
func helloBytes(h *hello) []byte {
	b := append([]byte(magic), h.oldest, h.newest, 0, 0)
	b = appendNumber(b, tagInstance, h.Instance)
	b = appendText(b, tagName, []byte(h.Name))
	b = appendText(b, tagAddress, []byte(h.Address))
	b = appendText(b, tagRelease, []byte(h.release))
	b = appendText(b, tagNonce, h.nonce[:])
	b = appendNumber(b, tagWanted, h.wanted)
	binary.BigEndian.PutUint16(b[helloHead-2:], uint16(len(b)-helloHead))
	return b
}

// helloSize reads a hello's head: how many bytes follow it. What is no hello shows in its first bytes.
func helloSize(head []byte) (int, error) {
	if string(head[:len(magic)]) != magic {
		return 0, faulty(BadMagic, "not a node of a cluster")
	}
	n := int(binary.BigEndian.Uint16(head[helloHead-2:]))
	if n > maxHello {
		return 0, faulty(BadHello, "a hello longer than they are")
	}
	return n, nil
}

// parseHello reads a whole hello.
func parseHello(b []byte) (h hello, err error) {
	h.oldest, h.newest = b[len(magic)], b[len(magic)+1]
	if h.oldest > h.newest {
		return h, faulty(BadVersion, "versions that end before they begin")
	}
	f := fields{rest: b[helloHead:]}
	fresh := false
	for f.next() {
		switch f.tag {
		case tagInstance:
			h.Instance = f.num
		case tagName:
			h.Name = string(f.txt)
		case tagAddress:
			h.Address = string(f.txt)
		case tagRelease:
			h.release = string(f.txt)
		case tagNonce:
			fresh = len(f.txt) == nonceSize
			copy(h.nonce[:], f.txt)
		case tagWanted:
			h.wanted = f.num
		}
	}
	if f.bad || h.Instance == 0 || !fresh || len(h.Name) > maxName || len(h.Address) > maxName || len(h.release) > maxName {
		return h, faulty(BadHello, "a hello without instance or nonce, or with names longer than names are")
	}
	return h, nil
}

// common is the version that two ends speak.
func common(a, b *hello) (uint8, error) {
	v := min(a.newest, b.newest)
	if v < max(a.oldest, b.oldest) {
		return 0, faulty(BadVersion, "no version of the protocol in common: bring this cluster's nodes within one release")
	}
	return v, nil
}

// roles of the ends in their proofs: one end's proof is none for the other, so nothing can be sent back as one's own.
const (
	asDialler  = "dialler"
	asAcceptor = "acceptor"
)

// deriveKey makes the key of proofs from the cluster's secret.
func deriveKey(secret []byte) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "holdfast peer link 1", sha256.Size)
	if err != nil {
		panic("peer: " + err.Error()) // only a length beyond 255 hashes fails
	}
	return key
}

// prove shows that one knows the secret, in this role and for this very connection: both hellos are in it as they were
// sent, so both instances, nonces and version ranges are, and so is what TLS alone knows of the connection.
func prove(key []byte, role string, dialler, acceptor, channel []byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte(role), dialler, acceptor, channel} {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(part)))
		mac.Write(size[:])
		mac.Write(part)
	}
	return mac.Sum(nil)
}
