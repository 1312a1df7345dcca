// Package record is the evidence: one event as one line of JSON, written with one call, and read back to the exact bytes.
package record

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Event says which of three things happened.
type Event string

const (
	Denied  Event = "denied"  // the request was refused
	Allowed Event = "allowed" // its program was started
	Error   Event = "error"   // it could not be judged or served; nothing ran
)

const (
	MaxRequest = 4096 // bytes of the request that a record holds; request_bytes tells how many there were
	maxField   = 1024 // bytes of any other text in it

	// RefBytes is how many random bytes a reference is made of.
	RefBytes = 5
)

// Entry is what a record tells.
type Entry struct {
	Time     time.Time
	Reason   Reason
	ClientIP string
	Port     uint16
	User     string
	UID      int // by the kernel's word
	Key      string
	Rule     string
	Ref      string
	PID      int
	Host     string
	Request  string // what was requested; its first MaxRequest bytes are recorded
	Bytes    int    // how many bytes were requested
	Detail   string
}

// timeFormat is RFC 3339 in UTC with microseconds.
const timeFormat = "2006-01-02T15:04:05.000000Z07:00"

// Append appends the entry's line, with its end, to b: an object of JSON whose keys always stand in this order. What the
// client chose comes last, so that a reader with a regular expression meets the address before anything forged.
func (e *Entry) Append(b []byte) []byte {
	b = append(b, `{"time":"`...)
	b = e.Time.UTC().AppendFormat(b, timeFormat)
	b = append(b, '"')
	b = appendText(b, "event", string(Of(e.Reason).Event), maxField)
	b = appendText(b, "reason", string(e.Reason), maxField)
	b = appendText(b, "client_ip", e.ClientIP, maxField)
	b = appendNumber(b, "client_port", int(e.Port))
	b = appendText(b, "user", e.User, maxField)
	b = appendNumber(b, "uid", e.UID)
	b = appendText(b, "key", e.Key, maxField)
	b = appendText(b, "rule", e.Rule, maxField)
	b = appendText(b, "ref", e.Ref, maxField)
	b = appendNumber(b, "pid", e.PID)
	b = appendText(b, "host", e.Host, maxField)
	b = appendText(b, "request", e.Request, MaxRequest)
	b = appendNumber(b, "request_bytes", e.Bytes)
	b = appendText(b, "detail", e.Detail, maxField)
	return append(b, "}\n"...)
}

func appendText(b []byte, name, value string, limit int) []byte {
	b = append(appendName(b, name), '"')
	return append(appendEscaped(b, value, limit), '"')
}

func appendNumber(b []byte, name string, n int) []byte {
	return strconv.AppendInt(appendName(b, name), int64(n), 10)
}

func appendName(b []byte, name string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	return append(b, `":`...)
}

const hexDigits = "0123456789abcdef"

// appendEscaped writes the first limit bytes of a text, escaped, and once more for JSON, where a backslash and a quote take a backslash
// before them.
func appendEscaped(b []byte, s string, limit int) []byte {
	text := Escape(s[:min(len(s), limit)])
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return b
}

// Escape makes any text printable ASCII: a backslash as \\ and every byte outside 0x20-0x7e as \xNN. encoding/json and slog would let C1
// controls and bidirectional overrides pass and would lose invalid bytes.
func Escape(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '\\' }) {
		return s
	}
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
			b = append(b, `\\`...)
		case c < 0x20 || c > 0x7e:
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// ASCII spells a JSON text without bytes outside 0x20-0x7e but line ends, for a terminal that it may end up on. It stays the same JSON: such
// bytes stand in strings only.
func ASCII(text []byte) []byte {
	b := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case r < 0x7f:
			b = append(b, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = appendUnit(appendUnit(b, high), low)
		default:
			b = appendUnit(b, r)
		}
	}
	return b
}

func appendUnit(b []byte, unit rune) []byte {
	return append(b, '\\', 'u', hexDigits[unit>>12&15], hexDigits[unit>>8&15], hexDigits[unit>>4&15], hexDigits[unit&15])
}

// Unescape gives back the bytes of a text of a record, after JSON's own decoding. It refuses what appendEscaped does not write.
func Unescape(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c < 0x20 || c > 0x7e:
			return "", false
		case c != '\\':
			b = append(b, c)
		case i+1 < len(s) && s[i+1] == '\\':
			b = append(b, '\\')
			i++
		case i+3 < len(s) && s[i+1] == 'x':
			hi, lo := strings.IndexByte(hexDigits, s[i+2]), strings.IndexByte(hexDigits, s[i+3])
			n := hi<<4 | lo
			if hi < 0 || lo < 0 || n >= 0x20 && n <= 0x7e {
				return "", false
			}
			b = append(b, byte(n))
			i += 3
		default:
			return "", false
		}
	}
	return string(b), true
}

// NewRef makes the id that a record shares with the message to the client: eight letters and digits, of 40 bits from random.
// They are Crockford's base32, in small letters, without i, l, o and u.
func NewRef(random [RefBytes]byte) string {
	const digits = "0123456789abcdefghjkmnpqrstvwxyz"
	var n uint64
	for _, c := range random {
		n = n<<8 | uint64(c)
	}
	ref := make([]byte, 8)
	for i := range ref {
		ref[i] = digits[n>>(35-5*i)&31]
	}
	return string(ref)
}
