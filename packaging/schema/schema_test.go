package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/recordtest"
	"example.org/ssh-gate/packaging/schema"
)

// entry is one that the gate could write, with this in all places that somebody else has a say in.
func entry(reason record.Reason, text string) *record.Entry {
	return &record.Entry{
		Time: time.Date(2026, 11, 21, 23, 30, 5, 123456789, time.FixedZone("", 2*60*60)), Reason: reason, ClientIP: "192.0.2.1", Port: 51234,
		User: text, Key: text, Rule: text, Ref: "k3v9t2ma", PID: 4711, Host: text, Request: text, Bytes: len(text), Detail: text,
	}
}

// nasty texts were made to break out of a field, a line, a terminal or a decoder.
var nasty = []string{
	"", " ", "uptime", "\x00", "\n", "\r\n", "\x1b[2J\x1b]0;title\a", "\u009b31m", "\u202egnp.exe\u2066", "\ufeff", "\u2028\u2029", "\ufffd", "\x7f",
	"\xff\xfe", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", `"`, `\`, `\\`, `\"`, `\x41`, `\x1b`, `\u0041`, `\n`, "\\\n", `\x`, "'", "`", "<script>&amp;",
	`","event":"denied","client_ip":"198.51.100.1"`, `","detail":""}` + "\n" + `{"time":"2026-01-01T00:00:00.000000Z","event":"denied"`, `"}`, `\","x":"`, "${jndi:ldap://x}", "%s%n",
}

func TestEveryRecordIsValid(t *testing.T) {
	texts := slices.Clone(nasty)
	for c := range 256 {
		texts = append(texts, string([]byte{byte(c)}), strings.Repeat(string([]byte{byte(c)}), 100_000))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		text := make([]byte, random.IntN(6000))
		for i := range text {
			text[i] = byte(random.Uint32())
		}
		texts = append(texts, string(text))
	}
	for i, text := range texts {
		recordtest.Validate(t, entry(record.Reasons[i%len(record.Reasons)].Reason, text).Append(nil))
	}
}

func TestEveryReasonAndAddressIsValid(t *testing.T) {
	for _, m := range record.Reasons {
		for _, ip := range []string{"", "192.0.2.1", "::1", "2001:db8::7", "2001:0db8:0000:0000:0000:0000:255.255.255.255", "fe80::1%eth0.42", "::ffff:192.0.2.1"} {
			e := entry(m.Reason, "x")
			e.ClientIP = ip
			recordtest.Validate(t, e.Append(nil))
		}
	}
	e := entry(record.NoRule, "")
	e.Port, e.Bytes, e.PID = 65535, 1<<40, 1<<22
	recordtest.Validate(t, e.Append(nil))
}

// parsed is what the tests read in the schema.
type parsed struct {
	Required   []string
	Properties map[string]any
	Defs       map[record.Event]struct{ Enum []record.Reason } `json:"$defs"`
	Examples   []json.RawMessage
}

func parse(t *testing.T) (s parsed) {
	t.Helper()
	if err := json.Unmarshal(schema.Text(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestReasons: a reason that the product has and the schema has not, or the other way round, or with another event.
func TestReasons(t *testing.T) {
	s := parse(t)
	for _, event := range []record.Event{record.Allowed, record.Denied, record.Error} {
		var want []record.Reason
		for _, m := range record.Reasons {
			if m.Event == event {
				want = append(want, m.Reason)
			}
		}
		if got := s.Defs[event].Enum; !slices.Equal(got, want) {
			t.Errorf("the schema has the reasons %q for %s, the product %q", got, event, want)
		}
	}
}

func TestKeys(t *testing.T) {
	s := parse(t)
	d := json.NewDecoder(bytes.NewReader(entry(record.NoRule, "x").Append(nil)))
	var written []string
	for i := 0; d.More() || i == 0; i++ {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			written = append(written, token.(string))
		}
	}
	if !slices.Equal(s.Required, written) {
		t.Errorf("the schema requires %q, a record has %q", s.Required, written)
	}
	for _, name := range written {
		if s.Properties[name] == nil {
			t.Errorf("the schema does not describe %s", name)
		}
	}
	if len(s.Properties) != len(written) {
		t.Errorf("the schema describes %d keys, a record has %d", len(s.Properties), len(written))
	}
}

func TestExamples(t *testing.T) {
	examples := parse(t).Examples
	if len(examples) == 0 {
		t.Error("the schema has no example")
	}
	for _, example := range examples {
		var line bytes.Buffer
		if err := json.Compact(&line, example); err != nil {
			t.Fatal(err)
		}
		recordtest.Validate(t, line.Bytes())
	}
}

// TestUnknownKeys: a reader with this schema takes the records of a later version.
func TestUnknownKeys(t *testing.T) {
	line := bytes.Replace(entry(record.NoRule, "x").Append(nil), []byte(`,"detail"`), []byte(`,"session":7,"detail"`), 1)
	if err := recordtest.Schema(line); err != nil {
		t.Error(err)
	}
	if recordtest.Check(line) == nil {
		t.Error("this version does not write such a key, and Check does not mind")
	}
}

// TestSchemaRefuses: what the schema alone tells a reader from a record.
func TestSchemaRefuses(t *testing.T) {
	line := string(entry(record.NoRule, "x").Append(nil))
	type fields = map[string]any
	change := func(name string, value any) string {
		var f fields
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		f[name] = value
		if value == nil {
			delete(f, name)
		}
		changed, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(changed)
	}
	if err := recordtest.Schema([]byte(change("user", "other"))); err != nil {
		t.Fatalf("a change that does no harm: %v", err)
	}
	bad := map[string]string{"half a line": line[:len(line)/2], "no object": "[]", "two objects": line + line, "null": "null"}
	for _, name := range parse(t).Required {
		bad[name+" missing"] = change(name, nil)
		bad[name+" is a boolean"] = change(name, true)
		bad[name+" is a list"] = change(name, []string{"x"})
	}
	for _, name := range []string{"user", "key", "rule", "host", "request", "detail"} {
		bad[name+" is a number"] = change(name, 1)
		for _, text := range []string{"\n", "\x00", "\x7f", "é", "\u009b", "\u202e", `\`, `\\\`, `\n`, `\"`, `\x`, `\x4`, `\x41`, `\x5c`, `\x7e`, `\xFF`, `\xgg`, `\X00`, "ok\n"} {
			bad[fmt.Sprintf("%s is %q", name, text)] = change(name, text)
		}
		bad[name+" too long"] = change(name, strings.Repeat("x", 16385))
	}
	for name, values := range map[string][]any{
		"time":          {"", "2026-11-21", "2026-11-21T21:30:05Z", "2026-11-21T21:30:05.123456+00:00", "2026-02-30T21:30:05.123456Z", "2026-11-21T21:30:05.123456Z\n", 1795296605},
		"event":         {"", "Denied", "maybe"},
		"reason":        {"", "no-such-reason", "matched", "policy-missing", "No-Rule"},
		"client_ip":     {"localhost", "web1.example.org", "192.0.2.1 ", "192.0.2.1\",\"x", "%eth0", "fe80::1%", "fe80::1%a b", strings.Repeat("1", 46)},
		"client_port":   {-1, 65536, "22", 1.5},
		"ref":           {"", "k3v9t2m", "k3v9t2maa", "K3V9T2MA", "k3v9t2mi", "k3v9t2m\n"},
		"pid":           {0, -1, "4711", 1.5},
		"request_bytes": {-1, "1", 0.5},
	} {
		for _, value := range values {
			bad[fmt.Sprintf("%s is %#v", name, value)] = change(name, value)
		}
	}
	for what, text := range bad {
		if recordtest.Schema([]byte(text)) == nil {
			t.Errorf("taken for a record: %s: %.300s", what, text)
		}
	}
}

// TestCheckRefuses: what Append never writes, though the schema cannot say so.
func TestCheckRefuses(t *testing.T) {
	line := string(entry(record.NoRule, "xyz").Append(nil))
	recordtest.Validate(t, []byte(line))
	replace := func(old, new string) string {
		if !strings.Contains(line, old) {
			t.Fatalf("%s has no %s", line, old)
		}
		return strings.Replace(line, old, new, 1)
	}
	for what, text := range map[string]string{
		"a raw control character":    replace("xyz", "x\x1bz"),
		"a raw byte above ASCII":     replace("xyz", "x\xffz"),
		"a letter spelt \\u":         replace("xyz", `x\u0079z`),
		"a slash with a backslash":   replace("xyz", `x\/z`),
		"a tab spelt \\t":            replace("xyz", `x\tz`),
		"a blank":                    replace(`,"user"`, `, "user"`),
		"a key twice":                replace(`,"user"`, `,"event":"denied","user"`),
		"another order":              replace(`"event":"denied","reason":"no-rule"`, `"reason":"no-rule","event":"denied"`),
		"another key":                replace(`,"detail"`, `,"more":1,"detail"`),
		"two line ends":              line + "\n",
		"two records":                line + line,
		"request_bytes too small":    replace(`"request_bytes":3`, `"request_bytes":2`),
		"a request that is too long": replace(`"request":"xyz","request_bytes":3`, `"request":"`+strings.Repeat("x", 4097)+`","request_bytes":5000`),
		"a detail that is too long":  replace(`"detail":"xyz"`, `"detail":"`+strings.Repeat("x", 1025)+`"`),
		"a line that is too long":    replace(`"detail":"xyz"`, `"detail":"`+strings.Repeat("x", 64<<10)+`"`),
		"nothing":                    "",
	} {
		if recordtest.Check([]byte(text)) == nil {
			t.Errorf("taken for a record: %s: %.300s", what, text)
		}
	}
}
