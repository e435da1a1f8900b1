package directory

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/dchest/siphash"
)

// hashLabel binds the derived key to this use: the same secret serves the links between nodes too.
const hashLabel = "holdfast directory key hash v1"

// Hasher turns keys into hashes. All nodes of a cluster have the same secret, so they agree; who reads the store without
// it learns no key, and cannot choose keys that collide. Immutable: any goroutine may use it.
type Hasher struct {
	k0, k1 uint64
}

// NewHasher derives the hash's key from the cluster's secret.
func NewHasher(secret []byte) *Hasher {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(hashLabel))
	key := mac.Sum(nil)
	return &Hasher{k0: binary.LittleEndian.Uint64(key), k1: binary.LittleEndian.Uint64(key[8:])}
}

// Sum is the key's SipHash-2-4-128. It allocates nothing.
func (h *Hasher) Sum(key []byte) (sum Hash) {
	lo, hi := siphash.Hash128(h.k0, h.k1, key)
	binary.LittleEndian.PutUint64(sum[:8], lo)
	binary.LittleEndian.PutUint64(sum[8:], hi)
	return sum
}
