package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"hash/fnv"
)

// Generated keys are version, node, 128 random bits and a MAC over them, so that a key that was not made here is told
// from one that was, and nobody can guess one.
const (
	keyVersion  = 1
	keyNode     = 4
	keyRandom   = 16
	keyMAC      = 8
	keyRawBytes = 1 + keyNode + keyRandom + keyMAC
)

type keyMaker struct {
	node   [keyNode]byte
	secret [sha256.Size]byte // of this process
	prefix []byte            // of the push ids that this process makes up
}

func newKeyMaker(node string) *keyMaker {
	m := new(keyMaker)
	h := fnv.New32a()
	h.Write([]byte(node))
	h.Sum(m.node[:0])
	rand.Read(m.secret[:]) // never fails: crypto/rand
	m.prefix = []byte(rand.Text()[:8])
	return m
}

// appendKey makes a new key; its bytes need no encoding anywhere.
func (m *keyMaker) appendKey(dst []byte) []byte {
	var raw [keyRawBytes]byte
	raw[0] = keyVersion
	copy(raw[1:], m.node[:])
	rand.Read(raw[1+keyNode : 1+keyNode+keyRandom])
	mac := hmac.New(sha256.New, m.secret[:])
	mac.Write(raw[:keyRawBytes-keyMAC])
	var sum [sha256.Size]byte
	copy(raw[keyRawBytes-keyMAC:], mac.Sum(sum[:0]))
	return base64.RawURLEncoding.AppendEncode(dst, raw[:])
}
