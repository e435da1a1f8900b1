package gateway

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/dchest/siphash"
)

// Generated keys are version, instance, 128 random bits and a MAC over them: nobody can guess one, one that was not made
// here or by another node with our secret is told from one that was, and it says where its holder is.
const (
	keyVersion  = 1
	keyInstance = 8
	keyRandom   = 16
	keyMAC      = 8
	keySigned   = 1 + keyInstance + keyRandom
	keyRaw      = keySigned + keyMAC
)

// keyLen is the length of a generated key as it is written.
var keyLen = base64.RawURLEncoding.EncodedLen(keyRaw)

type keyMaker struct {
	instance uint64
	secret   [2]uint64
	prefix   []byte // of the push ids that this process makes up
}

func newKeyMaker() *keyMaker {
	m := &keyMaker{prefix: []byte(rand.Text()[:8])}
	var random [16]byte
	rand.Read(random[:]) // never fails: crypto/rand
	m.be(binary.LittleEndian.Uint64(random[:]), random[:])
	return m
}

// be takes the identity that the maker's keys carry, and the secret that makes them ours.
func (m *keyMaker) be(instance uint64, secret []byte) {
	m.instance = instance
	sub, err := hkdf.Key(sha256.New, secret, nil, "holdfast generated keys", 16)
	if err != nil {
		panic(err) // only for lengths that no hash can make
	}
	m.secret = [2]uint64{binary.LittleEndian.Uint64(sub), binary.LittleEndian.Uint64(sub[8:])}
}

// appendKey makes a new key; its bytes need no encoding anywhere.
func (m *keyMaker) appendKey(dst []byte) []byte {
	var raw [keyRaw]byte
	raw[0] = keyVersion
	binary.LittleEndian.PutUint64(raw[1:], m.instance)
	rand.Read(raw[1+keyInstance : keySigned])
	binary.LittleEndian.PutUint64(raw[keySigned:], m.mac(raw[:keySigned]))
	return base64.RawURLEncoding.AppendEncode(dst, raw[:])
}

func (m *keyMaker) mac(b []byte) uint64 { return siphash.Hash(m.secret[0], m.secret[1], b) }

// maker is the instance that made a key; false for a key that nobody with our secret made.
func (m *keyMaker) maker(key []byte) (instance uint64, ok bool) {
	if len(key) != keyLen {
		return 0, false
	}
	var raw [keyRaw + 3]byte // the decoder writes whole groups
	n, err := base64.RawURLEncoding.Strict().Decode(raw[:], key)
	if err != nil || n != keyRaw || raw[0] != keyVersion ||
		binary.LittleEndian.Uint64(raw[keySigned:]) != m.mac(raw[:keySigned]) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(raw[1:]), true
}

// Identify gives the process its identity in the cluster: keys that it makes name the instance and are signed with the
// secret. Before any loop runs.
func (s *Shared) Identify(instance uint64, secret []byte) { s.keys.be(instance, secret) }

// Maker is the instance that generated a key, if one with our secret did. It allocates nothing.
func (s *Shared) Maker(key []byte) (instance uint64, ok bool) { return s.keys.maker(key) }
