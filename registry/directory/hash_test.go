package directory

import (
	"encoding/hex"
	"fmt"
	"testing"
)

// The sums are on the wire of the store: nodes of two releases must agree on them.
func TestHashStaysTheSame(t *testing.T) {
	f := func(secret, key, want string) {
		t.Helper()
		sum := NewHasher([]byte(secret)).Sum([]byte(key))
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("Sum(%q) under %q = %s, want %s", key, secret, got, want)
		}
	}
	f("secret", "", "8309f60d95051a0547e42c28c2759bed")
	f("secret", "alice", "597400343a2e5bf4ba893f9b5d2126d3")
	f("secret", "alice/phone", "31c4449bdb8e0351b75b21cf6c351572")
	f("other", "alice", "acd74a0129c019b347f92f9c015f1818")
	f("", "alice", "1fc78311d5c84374dae4267cc733cf0a")
}

func TestHashTellsKeysApart(t *testing.T) {
	h := NewHasher([]byte("secret"))
	seen := make(map[Hash]string)
	for i := range 20_000 {
		key := fmt.Sprint("user-", i)
		sum := h.Sum([]byte(key))
		if other, taken := seen[sum]; taken {
			t.Fatalf("%s and %s have the same hash", key, other)
		}
		seen[sum] = key
	}
}

func TestHashAllocatesNothing(t *testing.T) {
	h, key := NewHasher([]byte("secret")), []byte("a key of ordinary length, user 1234567")
	if n := testing.AllocsPerRun(100, func() { h.Sum(key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHash(b *testing.B) {
	h, key := NewHasher([]byte("secret")), []byte("user-1234567/phone")
	for b.Loop() {
		h.Sum(key)
	}
}
