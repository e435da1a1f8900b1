package ws

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// "Octet i of the transformed data ("transformed-octet-i") is the XOR of octet
// i of the original data ("original-octet-i") with octet at index i modulo 4 of
// the masking key ("masking-key-octet-j")." RFC 6455 §5.3
func TestMaskModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for n := range 200 {
		key := []byte{byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32())}
		in, want := make([]byte, n), make([]byte, n)
		for i := range in {
			in[i] = byte(rnd.Uint32())
			want[i] = in[i] ^ key[i%4]
		}
		got := bytes.Clone(in)
		if maskOf(key).Apply(got); !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
		if maskOf(key).Apply(got); !bytes.Equal(got, in) {
			t.Fatalf("%d bytes: twice is not once", n)
		}
		for cut := range n + 1 { // the mask goes on where a piece ends
			got := bytes.Clone(in)
			mask := maskOf(key).Apply(got[:cut])
			if mask.Apply(got[cut:]); !bytes.Equal(got, want) {
				t.Fatalf("%d bytes cut at %d: %x, want %x", n, cut, got, want)
			}
		}
	}
}

// Nothing beside the bytes given is touched.
func TestMaskBounds(t *testing.T) {
	for n := range 70 {
		b := bytes.Repeat([]byte{7}, 100)
		testKey.Apply(b[15 : 15+n])
		if !bytes.Equal(b[:15], b[85:]) || bytes.Count(b, []byte{7}) != 100-n {
			t.Fatalf("%d bytes: %x", n, b)
		}
	}
}
