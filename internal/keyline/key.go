package keyline

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"strings"

	"example.org/ssh-gate/internal/session"
)

// PublicKey is a key as sshd compares it.
type PublicKey struct {
	Type    string // as the line spells it
	Blob    []byte // the wire format of RFC 4253 6.6 in its one canonical spelling, so equal keys have equal blobs
	Comment string
	Bits    int // as ssh-keygen -l tells them

	certificate bool
}

// String is the key as it stands in a line, without options.
func (k *PublicKey) String() string {
	text := k.Type + " " + base64.StdEncoding.EncodeToString(k.Blob)
	if k.Comment != "" {
		text += " " + k.Comment
	}
	return text
}

// Same says whether two keys are one to sshd, whatever their lines call them.
func (k *PublicKey) Same(other *PublicKey) bool { return bytes.Equal(k.Blob, other.Blob) }

// Fingerprint is what ssh-keygen -l prints.
func (k *PublicKey) Fingerprint() string {
	print, _ := session.Fingerprint(k.Blob)
	return print
}

const (
	minSSHDBits = 1024  // RSA keys below are none to sshd, sshd(8)
	maxBits     = 16384 // of a number in a key, SSHBUF_MAX_BIGNUM
)

// types are the names that begin a key, and what the key in base64 then calls itself. Those of signatures pass for names of keys as well.
var types = [...]struct{ name, inner, short string }{
	{"ssh-ed25519", "ssh-ed25519", "ED25519"},
	{"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", "ED25519-SK"},
	{"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", ""},
	{"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", ""},
	{"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", ""},
	{"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK"},
	{"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", ""},
	{"ssh-rsa", "ssh-rsa", "RSA"},
	{"rsa-sha2-256", "ssh-rsa", ""},
	{"rsa-sha2-512", "ssh-rsa", ""},
	{"ssh-dss", "ssh-dss", "DSA"},
}

// innerOf is the canonical name of a type at the beginning of a line.
func innerOf(name string) string {
	for _, t := range types {
		if t.name == name {
			return t.inner
		}
	}
	return ""
}

func isCertificate(name string) bool { return strings.Contains(name, "-cert-v0") }

// readKey reads "type base64 comment". why is empty where sshd takes it for a key; where it has no type it does not even look like one.
func readKey(text string) (k PublicKey, why string) {
	end := strings.IndexAny(text, blanks)
	if end < 0 {
		return k, "it holds no key"
	}
	name := text[:end]
	inner := innerOf(name)
	if inner == "" && !isCertificate(name) {
		return k, "it begins with no type of a key and no option of sshd's"
	}
	k.Type = name
	text = strings.TrimLeft(text[end:], blanks)
	spelled, comment := text, ""
	if end := strings.IndexAny(text, blanks); end >= 0 {
		spelled, comment = text[:end], strings.Trim(text[end:], blanks+"\r")
	}
	k.Comment = comment
	blob, ok := decode(spelled)
	switch {
	case !ok:
		return k, "its key is no base64"
	case inner == "":
		k.certificate = true
		return k, ""
	}
	k.Blob, k.Bits, why = canonical(inner, blob)
	return k, why
}

// decode reads base64 as sshd does, which passes over white space.
func decode(spelled string) ([]byte, bool) {
	spelled = strings.Map(func(r rune) rune {
		if r == '\r' || r == '\v' || r == '\f' {
			return -1
		}
		return r
	}, spelled)
	blob, err := base64.StdEncoding.Strict().DecodeString(spelled)
	return blob, err == nil && len(blob) > 0
}

// canonical checks the fields of a key and writes them again.
func canonical(inner string, blob []byte) (key []byte, size int, why string) {
	r := wire{rest: blob}
	if name := string(r.next()); !r.ok() || !names(name, inner) {
		return nil, 0, "its key is of another type than it says"
	}
	out := appendField(nil, []byte(inner))
	switch inner {
	case "ssh-ed25519", "sk-ssh-ed25519@openssh.com":
		point := r.next()
		size, r.bad = 256, r.bad || len(point) != 32
		out = appendField(out, point)
	case "ssh-rsa":
		exponent, modulus := r.number(), r.number()
		out = appendNumber(appendNumber(out, exponent), modulus)
		if size = bitLen(modulus); r.ok() && size < minSSHDBits {
			return nil, size, "its key is too short for sshd"
		}
	case "ssh-dss":
		for i := range 4 {
			n := r.number()
			if i == 0 {
				size = bitLen(n)
			}
			out = appendNumber(out, n)
		}
	default:
		curve, point := string(r.next()), r.next()
		var coordinate int
		switch curve {
		case "nistp256":
			size, coordinate = 256, 32
		case "nistp384":
			size, coordinate = 384, 48
		case "nistp521":
			size, coordinate = 521, 66
		}
		const uncompressed = 4 // SEC 1, 2.3.3
		r.bad = r.bad || size == 0 || !strings.Contains(inner, curve) || len(point) != 1+2*coordinate || point[0] != uncompressed
		out = appendField(appendField(out, []byte(curve)), point)
	}
	if strings.HasPrefix(inner, "sk-") {
		out = appendField(out, r.next()) // the application
	}
	if !r.ok() || len(r.rest) > 0 {
		return nil, 0, "its key is broken: part of it is missing, or too much"
	}
	return out, size, ""
}

// names says whether sshd takes what a key calls itself for this type. Short names pass, too.
func names(name, inner string) bool {
	if innerOf(name) == inner {
		return true
	}
	for _, t := range types {
		if t.inner == inner && t.short != "" && strings.EqualFold(t.short, name) {
			return true
		}
	}
	return false
}

// wire reads the SSH wire format, RFC 4251 5.
type wire struct {
	rest []byte
	bad  bool
}

func (w *wire) ok() bool { return !w.bad }

func (w *wire) next() []byte {
	if w.bad || len(w.rest) < 4 || uint64(binary.BigEndian.Uint32(w.rest)) > uint64(len(w.rest)-4) {
		w.bad = true
		return nil
	}
	end := 4 + int(binary.BigEndian.Uint32(w.rest))
	value := w.rest[4:end]
	w.rest = w.rest[end:]
	return value
}

// number reads an mpint that is not negative, without its leading zeros.
func (w *wire) number() []byte {
	n := w.next()
	if len(n) > 0 && n[0] >= 0x80 {
		w.bad = true
	}
	n = bytes.TrimLeft(n, "\x00")
	if len(n) > maxBits/8 {
		w.bad = true
	}
	return n
}

func bitLen(n []byte) int {
	if len(n) == 0 {
		return 0
	}
	return 8*(len(n)-1) + bits.Len8(n[0])
}

func appendField(b, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(value))), value...)
}

func appendNumber(b, n []byte) []byte {
	if len(n) > 0 && n[0] >= 0x80 {
		n = append([]byte{0}, n...)
	}
	return appendField(b, n)
}
