package record

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// sample has something in every field.
var sample = Entry{
	Time: time.Date(2026, 11, 21, 23, 30, 5, 123456789, time.FixedZone("", 2*60*60)), Reason: NeedsShell, ClientIP: "192.0.2.1", Port: 51234,
	User: "deploy", UID: 1001, Key: "ci", Rule: "restart", Ref: "0a1b2c3d", PID: 4711, Host: "web1", Request: `ls "a\b" | wc` + "\x1b\xff", Bytes: 9999, Detail: "'|' at byte 10",
}

func TestAppend(t *testing.T) {
	const want = `{"time":"2026-11-21T21:30:05.123456Z","event":"denied","reason":"needs-shell","client_ip":"192.0.2.1","client_port":51234,` +
		`"user":"deploy","uid":1001,"key":"ci","rule":"restart","ref":"0a1b2c3d","pid":4711,"host":"web1","request":"ls \"a\\\\b\" | wc\\x1b\\xff","request_bytes":9999,` +
		`"detail":"'|' at byte 10"}` + "\n"
	if got := string(sample.Append([]byte("before "))); got != "before "+want {
		t.Errorf("%s want %s", got, want)
	}
}

// TestAppendOrder: these keys in this order, in every record, whether or not there is something to tell.
func TestAppendOrder(t *testing.T) {
	want := []string{"time", "event", "reason", "client_ip", "client_port", "user", "uid", "key", "rule", "ref", "pid", "host", "request", "request_bytes", "detail"}
	forged := sample
	forged.User, forged.Request, forged.Detail = `","client_ip":"10.0.0.1`, `","client_ip":"10.0.0.1"}`+"\n{", `\","x":"`
	for _, e := range []Entry{{}, sample, forged} {
		line := e.Append(nil)
		var keys []string
		d := json.NewDecoder(bytes.NewReader(line))
		for i := 0; ; i++ {
			token, err := d.Token()
			if err != nil {
				break
			}
			if key, ok := token.(string); ok && i%2 == 1 {
				keys = append(keys, key)
			}
		}
		if !slices.Equal(keys, want) {
			t.Errorf("%s has the keys %q", line, keys)
		}
	}
}

func TestAppendEveryByte(t *testing.T) {
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	e := Entry{Request: string(all), Detail: string(all), User: string(all)}
	checkRecord(t, &e)
	for c := range 256 {
		checkRecord(t, &Entry{Request: string([]byte{byte(c)}), Key: string([]byte{'x', byte(c), 'x'})})
	}
}

func TestAppendBounds(t *testing.T) {
	for _, text := range []string{"a", "\\", `"`, "\xff", "é", "\x00"} {
		for _, n := range []int{maxField - 1, maxField, maxField + 1, MaxRequest - 1, MaxRequest, MaxRequest + 1, 128 << 10} {
			long := strings.Repeat(text, n)
			checkRecord(t, &Entry{Request: long, Detail: long, User: long, Key: long, Rule: long, Ref: long, Host: long, ClientIP: long, Bytes: n})
		}
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("ls", "deploy", "", uint16(22), int64(0))
	f.Add("\x1b[2J\u202e\u009b\xff\\x41\"", `"}`, "a\nb", uint16(65535), int64(1<<33))
	f.Fuzz(func(t *testing.T, request, user, detail string, port uint16, unix int64) {
		checkRecord(t, &Entry{Time: time.Unix(unix&(1<<37-1), 0), Request: request, User: user, Detail: detail, ClientIP: user + detail, Port: port, PID: int(port), Bytes: len(request)})
	})
}

// checkRecord holds what is true of every record: one line of printable ASCII that decodes to the exact bytes.
func checkRecord(t *testing.T, e *Entry) {
	t.Helper()
	line := e.Append(nil)
	for i, c := range line {
		if (c < 0x20 || c > 0x7e) && !(c == '\n' && i == len(line)-1) {
			t.Fatalf("byte %d of %q is not printable ASCII", i, line)
		}
	}
	if line[len(line)-1] != '\n' {
		t.Fatalf("%q does not end with a newline", line)
	}
	r := decode(t, line)
	for _, field := range []struct {
		name, got, want string
		limit           int
	}{
		{"client_ip", r.ClientIP, e.ClientIP, maxField}, {"user", r.User, e.User, maxField}, {"key", r.Key, e.Key, maxField}, {"rule", r.Rule, e.Rule, maxField},
		{"ref", r.Ref, e.Ref, maxField}, {"host", r.Host, e.Host, maxField}, {"request", r.Request, e.Request, MaxRequest}, {"detail", r.Detail, e.Detail, maxField},
	} {
		got, ok := Unescape(field.got)
		if want := field.want[:min(len(field.want), field.limit)]; !ok || got != want {
			t.Errorf("%s is %.99q, %t; want %.99q", field.name, got, ok, want)
		}
	}
	if r.Port != int(e.Port) || r.PID != e.PID || r.Bytes != e.Bytes {
		t.Errorf("port %d, pid %d, %d bytes; want %d, %d, %d", r.Port, r.PID, r.Bytes, e.Port, e.PID, e.Bytes)
	}
	if at, err := time.Parse(time.RFC3339Nano, r.Time); err != nil || !at.Equal(e.Time.Truncate(time.Microsecond)) || !strings.HasSuffix(r.Time, "Z") {
		t.Errorf("time %q, %v; want %v", r.Time, err, e.Time)
	}
}

// read is a record as a program reads it.
type read struct {
	Time, Event, Reason string
	ClientIP            string `json:"client_ip"`
	Port                int    `json:"client_port"`
	UID                 int
	User, Key, Rule     string
	Ref, Host, Request  string
	PID                 int
	Bytes               int `json:"request_bytes"`
	Detail              string
}

func decode(t *testing.T, line []byte) (r read) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return r
}

func TestUnescape(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "a b": "a b", `\\`: `\`, `\\x41`: `\x41`, `\x00\x1b\xff`: "\x00\x1b\xff", `\\\\`: `\\`, `\xc3\xa9`: "é", `"`: `"`, `a\x0ab`: "a\nb",
	} {
		if got, ok := Unescape(s); !ok || got != want {
			t.Errorf("Unescape(%q) = %q, %t; want %q", s, got, ok, want)
		}
	}
}

func TestUnescapeRefuses(t *testing.T) {
	for _, s := range []string{`\`, `a\`, `\\\`, `\n`, `\"`, `\u0041`, `\x`, `\x1`, `\x1g`, `\x+1`, `\x 1`, `\x_1`, `\X1b`, "\n", "é", "\xff", "\x7f", "a\tb"} {
		if got, ok := Unescape(s); ok {
			t.Errorf("Unescape(%q) = %q", s, got)
		}
	}
}

// TestUnescapeOneSpelling: what Append would have written otherwise was written by somebody else.
func TestUnescapeOneSpelling(t *testing.T) {
	for _, s := range []string{`\x41`, `\x20`, `\x7e`, `\x5c`, `\x22`, `\xFF`, `\x1B`} {
		if got, ok := Unescape(s); ok {
			t.Errorf("Unescape(%q) = %q", s, got)
		}
	}
}

func TestNewRef(t *testing.T) {
	for random, want := range map[[RefBytes]byte]string{
		{}:                             "00000000",
		{0xff, 0xff, 0xff, 0xff, 0xff}: "zzzzzzzz",
		{0, 0, 0, 0, 1}:                "00000001",
		{0x80}:                         "g0000000",
		{0x00, 0x44, 0x32, 0x14, 0xc7}: "01234567",
		{0x42, 0x54, 0xb6, 0x35, 0xcf}: "89abcdef",
		{0x84, 0x65, 0x3a, 0x56, 0xd7}: "ghjkmnpq",
		{0xc6, 0x75, 0xbe, 0x77, 0xdf}: "rstvwxyz",
	} {
		if got := NewRef(random); got != want {
			t.Errorf("NewRef(%x) = %s, want %s", random, got, want)
		}
	}
}
