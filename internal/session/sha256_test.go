package session

import (
	reference "crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
)

// The vectors are those of FIPS 180-2, appendix B, and of NIST's examples for the algorithm.
func TestSHA256Vectors(t *testing.T) {
	for message, want := range map[string]string{
		"":    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq":                                                         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
		"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu": "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
		strings.Repeat("a", 1000000): "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
	} {
		if sum := sha256([]byte(message)); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%.20q: %x, want %s", message, sum, want)
		}
	}
}

func TestSHA256AsLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	for length := range 301 {
		message := make([]byte, length)
		for i := range message {
			message[i] = byte(r.Uint32())
		}
		if got, want := sha256(message), reference.Sum256(message); got != want {
			t.Errorf("%d bytes, %x: %x, want %x", length, message, got, want)
		}
	}
}

func FuzzSHA256(f *testing.F) {
	f.Add([]byte("abc"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if got, want := sha256(message), reference.Sum256(message); got != want {
			t.Errorf("%x: %x, want %x", message, got, want)
		}
	})
}
