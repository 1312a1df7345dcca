package record

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// nasty are texts that somebody might hope to get past a reader of the log.
var nasty = []string{
	"", " ", "-", "a b", `"`, `\`, `\\`, `\"`, `\x1b`, `\u001b`, "\x00", "\n", "\r\n", "\x1b[2J\x1b]0;x\a", "\x7f", "\x9b31m", "\xc2\x9b31m", "\u202e\u2066", "\xff\xfe",
	"\xed\xa0\x80", "\xef\xbb\xbf", "{}", `","event":"allowed","x":"`, "\"}\n{\"event\":\"allowed\"}\n", "é", "\U0001f511", "null", "%s%n", "<script>&amp;", "\u2028\u2029",
	strings.Repeat("\x1b", maxField), strings.Repeat("\\", MaxRequest), strings.Repeat(`"`, MaxRequest+1), strings.Repeat("\xff", MaxRequest),
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

// checkParse holds that an entry comes back from its line as it was, but for what Append cuts.
func checkParse(t *testing.T, e *Entry) {
	t.Helper()
	line := bytes.TrimSuffix(e.Append(nil), []byte{'\n'})
	r, err := Parse(line)
	if err != nil {
		t.Fatalf("%v: %.300q", err, line)
	}
	want := *e
	want.Time = e.Time.Truncate(time.Microsecond)
	for _, text := range []*string{&want.ClientIP, &want.User, &want.Key, &want.Rule, &want.Ref, &want.Host, &want.Detail} {
		*text = cut(*text, maxField)
	}
	want.Request = cut(e.Request, MaxRequest)
	if !r.Time.Equal(want.Time) {
		t.Errorf("the time is %v, want %v", r.Time, want.Time)
	}
	r.Time, want.Time = time.Time{}, time.Time{}
	if r.Entry != want || r.Event != Of(e.Reason).Event {
		t.Errorf("read back as %s,\n%.500q, want\n%.500q", r.Event, fmt.Sprint(r.Entry), fmt.Sprint(want))
	}
}

func TestParse(t *testing.T) {
	checkParse(t, &sample)
	for _, text := range nasty {
		for _, m := range Reasons {
			checkParse(t, &Entry{Time: sample.Time, Reason: m.Reason, ClientIP: text, Port: 65535, User: text, Key: text, Rule: text, Ref: text, PID: 1 << 30, Host: text,
				Request: text, Bytes: len(text), Detail: text})
		}
	}
}

// TestParseRandom: any bytes, and those that escaping is about more often than others.
func TestParseRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		b := make([]byte, random.IntN(40))
		for i := range b {
			if b[i] = byte(random.UintN(256)); random.IntN(2) == 0 {
				b[i] = `\"x0f{}:,`[random.IntN(9)]
			}
		}
		return string(b)
	}
	for range 20_000 {
		checkParse(t, &Entry{Time: time.UnixMicro(random.Int64N(1 << 55)), Reason: Reasons[random.IntN(len(Reasons))].Reason, ClientIP: text(), Port: uint16(random.UintN(1 << 16)),
			User: text(), Key: text(), Rule: text(), Ref: text(), PID: random.IntN(1 << 31), Host: text(), Request: text(), Bytes: random.IntN(1 << 31), Detail: text()})
	}
}

const minimal = `{"time":"2026-11-21T21:30:05Z","event":"denied","reason":"no-rule"}`

// TestParseNewer: a newer version may add keys and know other reasons and events; it may leave out what it cannot tell.
func TestParseNewer(t *testing.T) {
	for line, want := range map[string]Record{
		minimal: {Event: Denied, Entry: Entry{Reason: NoRule}},
		`{"schema":7,"time":"2026-11-21T21:30:05Z","event":"throttled","reason":"too-often","limits":{"per_minute":[1,2,{"x":null}]},"key":"ci","session":"\u001b"}`: {
			Event: "throttled", Entry: Entry{Reason: "too-often", Key: "ci"},
		},
		`{"time":"2026-11-21T22:30:05.000000000+01:00","event":"allowed","reason":"matched","user":null}`: {Event: Allowed, Entry: Entry{Reason: Matched}},
		// Of a key that stands twice the last counts, as for jq.
		`{"time":"2026-11-21T21:30:05Z","event":"allowed","event":"denied","reason":"matched","reason":"no-rule"}`: {Event: Denied, Entry: Entry{Reason: NoRule}},
		// JSON's own spellings of a character are JSON's matter.
		`{"time":"2026-11-21T21:30:05Z","event":"\u0064enied","reason":"no-rule","request":"\u0061\/\u005c\\x1b"}`: {Event: Denied, Entry: Entry{Reason: NoRule, Request: `a/\x1b`}},
	} {
		r, err := Parse([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if !r.Time.Equal(time.Date(2026, 11, 21, 21, 30, 5, 0, time.UTC)) {
			t.Errorf("%s: %v", line, r.Time)
		}
		if r.Time = (time.Time{}); *r != want {
			t.Errorf("%s: %+v, want %+v", line, *r, want)
		}
	}
}

// TestParseRefuses names what is wrong with each line that no version writes.
func TestParseRefuses(t *testing.T) {
	with := func(pair string) string { return strings.TrimSuffix(minimal, "}") + "," + pair + "}" }
	for line, want := range map[string]string{
		"":                                      "unexpected end of JSON input",
		"{":                                     "unexpected end of JSON input",
		"null":                                  "tells no event and reason",
		"{}":                                    "tells no event and reason",
		"[]":                                    "cannot unmarshal array",
		`"x"`:                                   "cannot unmarshal string",
		"garbage":                               "invalid character 'g'",
		minimal + minimal:                       "invalid character '{' after top-level value",
		minimal + ",":                           "invalid character ',' after top-level value",
		minimal[:40]:                            "unexpected end of JSON input",
		minimal + "\n":                          "has the byte 0x0a at 68",
		"\ufeff" + minimal:                      "has the byte 0xef at 1",
		with(`"x":"` + "\x1b\""):                "has the byte 0x1b at 73",
		with(`"x":"` + "\u009b\""):              "has the byte 0xc2 at 73",
		with(`"x":"` + "\u202e\""):              "has the byte 0xe2 at 73",
		with(`"x":"` + "\x7f\""):                "has the byte 0x7f at 73",
		with("\"x\":\t1"):                       "has the byte 0x09 at 72",
		with(`"user":"\u001b"`):                 `has a text that is not escaped as a record's: "\x1b"`,
		with(`"user":"\n"`):                     `has a text that is not escaped as a record's: "\n"`,
		with(`"key":"\u202e"`):                  `has a text that is not escaped as a record's: "\u202e"`,
		with(`"rule":"\u009b"`):                 `has a text that is not escaped as a record's: "\u009b"`,
		with(`"ref":"\ud800"`):                  `has a text that is not escaped as a record's: "\ufffd"`,
		with(`"host":"\\"`):                     `has a text that is not escaped as a record's: "\\"`,
		with(`"request":"\\n"`):                 `has a text that is not escaped as a record's: "\\n"`,
		with(`"detail":"\\x41"`):                `has a text that is not escaped as a record's: "\\x41"`,
		with(`"client_ip":"\\xFF"`):             `has a text that is not escaped as a record's: "\\xFF"`,
		with(`"user":7`):                        "cannot unmarshal number",
		with(`"client_port":65536`):             "cannot unmarshal number 65536",
		with(`"client_port":-1`):                "cannot unmarshal number -1",
		with(`"pid":1.5`):                       "cannot unmarshal number 1.5",
		with(`"pid":99999999999999999999`):      "cannot unmarshal number 99999999999999999999",
		with(`"event":""`):                      "tells no event and reason",
		with(`"reason":""`):                     "tells no event and reason",
		with(`"event":"\u001b[31m"`):            "tells no event and reason",
		with(`"event":"a\\x1bb"`):               "tells no event and reason",
		with(`"reason":"a\\x1bb"`):              "tells no event and reason",
		with(`"reason":"a\\\\b"`):               "tells no event and reason",
		with(`"time":""`):                       "cannot parse",
		with(`"time":"yesterday"`):              "cannot parse",
		with(`"time":"2026-13-01T00:00:00Z"`):   "month out of range",
		with(`"time":"2026-11-21T21:30:05"`):    "cannot parse",
		`{"event":"denied","reason":"no-rule"}`: "cannot parse",
		with(`"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)): "exceeded max depth",
		with(`"x":"` + strings.Repeat("x", MaxLine) + `"`):                       fmt.Sprintf("is %d bytes long, more than %d", len(with(`"x":""`))+MaxLine, MaxLine),
	} {
		if _, err := Parse([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100q: %v, want %s", line, err, want)
		}
	}
}

// TestParseBound: the longest line that Append writes is far from too long, and one of exactly MaxLine bytes is read.
func TestParseBound(t *testing.T) {
	long := strings.Repeat("\xff", MaxRequest)
	e := Entry{Time: sample.Time, Reason: FolderUnavailable, ClientIP: long, Port: 65535, User: long, Key: long, Rule: long, Ref: long, PID: 1 << 30, Host: long, Request: long,
		Bytes: 1 << 30, Detail: long}
	if n := len(e.Append(nil)); n > MaxLine*7/8 {
		t.Errorf("Append writes %d bytes, and %d are read", n, MaxLine)
	}
	frame := strings.TrimSuffix(minimal, "}") + `,"x":""}`
	line := strings.Replace(frame, `""`, `"`+strings.Repeat("x", MaxLine-len(frame))+`"`, 1)
	if _, err := Parse([]byte(line)); err != nil || len(line) != MaxLine {
		t.Errorf("%d bytes: %v", len(line), err)
	}
}

// TestParseKeepsNothing: the line's memory belongs to the caller, who reuses it.
func TestParseKeepsNothing(t *testing.T) {
	line := sample.Append(nil)
	r, err := Parse(line[:len(line)-1])
	if err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(*r)
	for i := range line {
		line[i] = 'X'
	}
	if got := fmt.Sprint(*r); got != before {
		t.Errorf("the record became %s", got)
	}
}

// FuzzParse: whatever is accepted can be shown when it is escaped, and comes back from the line that Append makes of it.
func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add(bytes.TrimSuffix(sample.Append(nil), []byte{'\n'}))
	for _, text := range nasty {
		e := Entry{Time: sample.Time, Reason: NoRule, User: text, Key: text, Request: text, Bytes: len(text), Detail: text}
		f.Add(bytes.TrimSuffix(e.Append(nil), []byte{'\n'}))
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"time":"9999-12-31T23:59:60Z","EVENT":"denied","reason":"\u0061"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := Parse(line)
		if err != nil {
			return
		}
		for _, text := range []string{string(r.Event), string(r.Reason), r.ClientIP, r.User, r.Key, r.Rule, r.Ref, r.Host, r.Request, r.Detail} {
			shown := Escape(text)
			for i := range len(shown) {
				if shown[i] < 0x20 || shown[i] > 0x7e {
					t.Fatalf("%q is shown as %q", text, shown)
				}
			}
			if back, ok := Unescape(shown); !ok || back != text {
				t.Fatalf("%q is shown as %q, which means %q, %t", text, shown, back, ok)
			}
		}
		again, err := Parse(bytes.TrimSuffix(r.Append(nil), []byte{'\n'}))
		if err != nil {
			t.Fatalf("%q: its own line: %v", line, err)
		}
		if len(r.Request) <= MaxRequest && again.Request != r.Request || len(r.User) <= maxField && again.User != r.User || again.Bytes != r.Bytes {
			t.Fatalf("%q: read back as %+v", line, again)
		}
	})
}
