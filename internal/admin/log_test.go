package admin

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/privilege"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/recordtest"
)

// entries are what the tests of filters choose from.
func entries() []record.Entry {
	e := func(ago time.Duration, reason record.Reason, client, user, key, request, detail string) record.Entry {
		return record.Entry{Time: at(ago), Reason: reason, ClientIP: client, User: user, Key: key, Request: request, Bytes: len(request), Detail: detail, Ref: "00000000", Rule: "r"}
	}
	all := []record.Entry{
		e(100*day, record.NoRule, "192.0.2.7", "deploy", "ci", "reboot now", ""),
		e(2*day, record.NeedsShell, "198.51.100.9", "deploy", "ci", "ls; id", "';' at byte 3"),
		e(day, record.Matched, "192.0.2.7", "backup", "borg", "borg serve", ""),
		e(3*time.Hour, record.PolicyInvalid, "2001:db8::7", "deploy", "partner", "", "/etc/ssh-gate/keys/partner.toml:3:1: unknown key"),
		e(2*time.Hour, record.NoRule, "fe80::1%eth0", "deploy", "", "id", ""),
		e(time.Hour, record.ControlCharacter, "::ffff:192.0.2.8", "root", "ci", "a\nb", "0x0a at byte 2"),
		e(0, record.NoRule, "", "deploy", "CI", `say "hi" \ é`, ""),
	}
	for i := range all {
		all[i].Ref = fmt.Sprint(i)
	}
	return all
}

func (d *desk) writeEntries() {
	d.Helper()
	text := ""
	for _, e := range entries() {
		text += string(e.Append(nil))
	}
	d.write("log", text)
}

func TestFilters(t *testing.T) {
	d := newDesk(t)
	d.writeEntries()
	for options, want := range map[string]string{
		"":                                   "0 1 2 3 4 5 6",
		"--key ci":                           "0 1 5", // exactly
		"--key CI":                           "6",
		"--key ci,borg":                      "0 1 2 5",
		"--key ci --key borg":                "0 1 2 5",
		"--key nobody":                       "",
		"--key=":                             "4", // the records without one
		"--user root":                        "5",
		"--user root,backup":                 "2 5",
		"--event denied":                     "0 1 4 5 6",
		"--event allowed":                    "2",
		"--event error,allowed":              "2 3",
		"--reason no-rule":                   "0 4 6",
		"--reason no-rule,needs-shell":       "0 1 4 6",
		"--reason unheard-of":                "",
		"--client 192.0.2.7":                 "0 2",
		"--client 192.0.2.0/24":              "0 2 5", // an IPv4 address in its IPv6 form is that address
		"--client 2001:db8::/32":             "3",
		"--client 0.0.0.0/0":                 "0 1 2 5",
		"--client ::/0":                      "3 4",
		"--client fe80::1":                   "4", // whatever its zone
		"--client fe80::/10":                 "4",
		"--client 192.0.2.7,2001:db8::7":     "0 2 3",
		"--since 90d":                        "1 2 3 4 5 6",
		"--since 1d":                         "2 3 4 5 6", // from then on
		"--until 1d":                         "0 1",       // before then
		"--since 2d --until 1d":              "1",
		"--since 1d --until 2d":              "",
		"--since today":                      "3 4 5 6",
		"--since yesterday --until today":    "2",
		"--since 2026-11-22T10:00:00Z":       "4 5 6",
		"--since now":                        "6",
		"--grep ^reboot":                     "0",
		"--grep byte":                        "1 5",
		"--grep unknown":                     "3",
		`--grep a\\x0ab`:                     "5",
		`--grep \\xc3\\xa9`:                  "6",
		"--grep (?i)BORG":                    "2",
		"--grep ^$":                          "0 2 3 4 6", // an empty detail or request
		"--key ci --event denied --since 1d": "5",
		"-n 2":                               "5 6",
		"-n 7":                               "0 1 2 3 4 5 6",
		"-n 10000":                           "0 1 2 3 4 5 6",
		"-n 1 --key ci":                      "5",
		"-n 2 --event denied --user deploy":  "4 6",
	} {
		args := append([]string{"log", "--json", "--file", "$DIR/log"}, strings.Fields(options)...)
		got := d.run(args...)
		var refs []string
		for text := range strings.Lines(got.out) {
			r, err := record.Parse([]byte(strings.TrimSuffix(text, "\n")))
			if err != nil {
				t.Fatalf("%s: %v", options, err)
			}
			refs = append(refs, r.Ref)
		}
		if got.status != exitOK || got.errs != "" && !strings.Contains(options, "unheard-of") || strings.Join(refs, " ") != want {
			t.Errorf("%s: %q, want %q; %+v", options, strings.Join(refs, " "), want, got)
		}
	}
}

// TestLogView is what people see.
func TestLogView(t *testing.T) {
	d := newDesk(t)
	d.zone = zone(t, "Europe/Berlin")
	d.writeEntries()
	d.want(exitOK, `2026-08-14 14:00:00  denied   deploy     ci           192.0.2.7        "reboot now"  no-rule (ref 0)
2026-11-20 13:00:00  denied   deploy     ci           198.51.100.9     "ls; id"  needs-shell: ';' at byte 3 (ref 1)
2026-11-21 13:00:00  allowed  backup     borg         192.0.2.7        "borg serve"  rule r (ref 2)
2026-11-22 10:00:00  error    deploy     partner      2001:db8::7      (no command)  policy-invalid: /etc/ssh-gate/keys/partner.toml:3:1: unknown key (ref 3)
2026-11-22 11:00:00  denied   deploy     -            fe80::1%eth0     "id"  no-rule (ref 4)
2026-11-22 12:00:00  denied   root       ci           ::ffff:192.0.2.8  "a\x0ab"  control-character: 0x0a at byte 2 (ref 5)
2026-11-22 13:00:00  denied   deploy     CI           -                "say \"hi\" \\ \xc3\xa9"  no-rule (ref 6)
`, "", "log", "--config", "$DIR/config.toml")
}

// TestShown: a request stays between its quotes, whatever it is, and long ones are cut.
func TestShown(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		request string
		bytes   int
		want    string
	}{
		{"", 0, "(no command)"},
		{"(no command)", 12, `"(no command)"`},
		{" ", 1, `" "`},
		{`a"  no-rule (ref 00000000)`, 26, `"a\"  no-rule (ref 00000000)"`},
		{`\"`, 2, `"\\\""`},
		{"\x1b", 1, `"\x1b"`},
		{`\x1b`, 4, `"\\x1b"`},
		{long[:200], 200, `"` + long[:200] + `"`},
		{long[:201], 201, `"` + long[:200] + `..." (201 bytes)`},
		{"cut", 5000, `"cut..." (5000 bytes)`},
	} {
		if got := shown(&record.Record{Entry: record.Entry{Request: c.request, Bytes: c.bytes}}); got != c.want {
			t.Errorf("%.30q: %s, want %s", c.request, got, c.want)
		}
	}
	// Columns are parted by blanks, so no text may look like two.
	for text, want := range map[string]string{"": "-", "a b": `a\x20b`, "ci": "ci", "a\tb": `a\x09b`, "  ": `\x20\x20`} {
		if got := orDash(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestColour: a terminal gets it around whole words, and nothing else has ESC in it.
func TestColour(t *testing.T) {
	c := &call{zone: time.UTC, colour: true}
	if got := c.paint(red, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
	if c.colour = false; c.paint(red, "x") != "x" {
		t.Error("painted without a terminal")
	}
}

// TestJSONPassesThrough: the very bytes of the log, also of a version that this one does not know.
func TestJSONPassesThrough(t *testing.T) {
	d := newDesk(t)
	newer := `{"v":2, "time":"2026-11-22T11:00:00.5+01:00","event":"throttled","reason":"too-often","key":"ci","more":{"a":["\u001b"]}}` + "\n"
	good := denial(at(time.Hour), "ci", "192.0.2.7", "id")
	d.write("log.1", newer+"damage\n"+good)
	d.write("log", newer)
	d.want(exitOK, newer+good+newer, "ssh-gate: warning: damaged lines passed over: 1\n", "log", "--json", "--file", "$DIR/log")
	d.want(exitOK, good, "ssh-gate: warning: damaged lines passed over: 1\n", "log", "--json", "--file", "$DIR/log", "--event", "denied")
	d.want(exitOK, "2026-11-22 10:00:00  throttled  -          ci           -                (no command)  too-often (ref -)\n", "ssh-gate: warning: damaged lines passed over: 1\n",
		"log", "--reason", "too-often", "-n", "1", "--file", "$DIR/log")
}

// TestLogVolumes: all files of the log, the oldest first; what cannot be read is a warning.
func TestLogVolumes(t *testing.T) {
	d := newDesk(t)
	a, b, c := denial(at(3*day), "a", "", "x"), denial(at(2*day), "b", "", "x"), denial(at(day), "c", "", "x")
	d.write("log.2.gz", recordtest.Zip(t, a))
	d.write("log.1", b)
	d.write("log", c)
	d.want(exitOK, a+b+c, "", "log", "--json", "--file", "$DIR/log")
	d.write("log.3.gz", recordtest.Zip(t, a)[:30])
	d.write("log.4.gz", "no gzip at all\n")
	d.want(exitOK, a+b+c, "ssh-gate: warning: \"$DIR/log.4.gz\": gzip: invalid header (is it gzip?)\nssh-gate: warning: \"$DIR/log.3.gz\": unexpected EOF\n", "log", "--json", "--file", "$DIR/log")
	d.write("log.4.gz", "")
	if got := d.run("log", "--top", "--file", "$DIR/log"); got.status != exitOK || !strings.HasPrefix(got.out, "3 records\n") || strings.Count(got.errs, "warning") != 2 {
		t.Errorf("%+v", got)
	}
}

// TestClockSteppedBack: the order is that of the log, whatever the clock said.
func TestClockSteppedBack(t *testing.T) {
	d := newDesk(t)
	d.write("log", denial(at(day), "a", "", "x")+denial(time.Unix(0, 0), "b", "", "x")+denial(at(2*day), "c", "", "x"))
	var keys []string
	for text := range strings.Lines(d.run("log", "--file", "$DIR/log").out) {
		keys = append(keys, strings.Fields(text)[4])
	}
	if got := strings.Join(keys, ""); got != "abc" {
		t.Error(got)
	}
}

func TestTop(t *testing.T) {
	d := newDesk(t)
	text := ""
	for n := range 30 {
		text += denial(at(time.Hour), []string{"ci", "ci", "partner"}[n%3], fmt.Sprintf("192.0.2.%d", n%2), fmt.Sprintf("cmd %d", n%12))
	}
	d.write("log", text+permit(at(time.Hour), "borg", "r"))
	d.want(exitOK, `30 records

   count  key
      20  ci
      10  partner

   count  client
      15  192.0.2.0
      15  192.0.2.1

   count  request
       3  "cmd 0"
       3  "cmd 1"
`, "", "log", "--top", "-n", "2", "--file", "$DIR/log")
	if got := d.run("log", "--top", "--file", "$DIR/log").out; strings.Count(got, `"cmd `) != 10 {
		t.Errorf("not ten lines:\n%s", got)
	}
	if got := d.run("log", "--top", "--event", "allowed", "--file", "$DIR/log").out; !strings.HasPrefix(got, "1 records\n") || !strings.Contains(got, "       1  borg\n") {
		t.Error(got)
	}
	d.want(exitOK, "0 records\n\n   count  key\n\n   count  client\n\n   count  request\n", "", "log", "--top", "--key", "none", "--file", "$DIR/log")
}

// TestTallyFlood: more different texts than are held; what is frequent stays, and its count is off by no more than is said.
func TestTallyFlood(t *testing.T) {
	var tally tally
	const frequent, flood = 40_000, 120_000
	for n := range flood {
		tally.add(fmt.Sprintf("made up %d", n))
		if n < frequent {
			tally.add("frequent")
		}
		if len(tally.counts) > maxTally {
			t.Fatalf("%d texts are held", len(tally.counts))
		}
	}
	top := tally.most(3)
	if top[0].text != "frequent" || top[0].count > frequent || top[0].count < frequent-tally.missed {
		t.Errorf("%+v, off by at most %d, want %d", top, tally.missed, frequent)
	}
	if tally.missed == 0 || tally.missed > (frequent+flood)/maxTally {
		t.Errorf("off by %d", tally.missed)
	}
}

// TestTallyTurnover: what comes late and often drives out what came before.
func TestTallyTurnover(t *testing.T) {
	var tally tally
	for n := range 2 * maxTally {
		tally.add(fmt.Sprint(n % maxTally))
	}
	for range 100 {
		tally.add("late")
	}
	if top := tally.most(1); top[0].text != "late" || top[0].count != 100-tally.missed || tally.missed != 2 {
		t.Errorf("%+v, off by at most %d", top, tally.missed)
	}
}

// TestTallyExact up to the bound.
func TestTallyExact(t *testing.T) {
	var tally tally
	for range 2 {
		for n := range maxTally {
			tally.add(fmt.Sprint(n))
		}
	}
	if rows := tally.most(maxTally + 1); len(rows) != maxTally || tally.missed != 0 || rows[0] != (row{"0", 2}) || rows[maxTally-1].count != 2 {
		t.Errorf("%d rows, %d missed, %+v", len(rows), tally.missed, rows[:2])
	}
}

// TestTallyLongTexts: made-up names of keys may be as long as a line; they are not held whole.
func TestTallyLongTexts(t *testing.T) {
	var tally tally
	tally.add(strings.Repeat("k", record.MaxLine))
	for text := range tally.counts {
		if len(text) > 2*maxTallied {
			t.Errorf("%d bytes are held", len(text))
		}
	}
}

// TestTopFlood tells that the counts are not exact.
func TestTopFlood(t *testing.T) {
	d := newDesk(t)
	var text strings.Builder
	for n := range maxTally + 1 {
		text.WriteString(denial(at(time.Hour), "ci", "", fmt.Sprintf("made up %d", n)))
	}
	d.write("log", text.String())
	got := d.run("log", "--top", "--file", "$DIR/log")
	const note = "          (so many different ones that each count may be too low, by at most 1)\n"
	if got.status != exitOK || strings.Count(got.out, note) != 1 || !strings.HasSuffix(got.out, note) || !strings.HasPrefix(got.out, "10001 records\n") {
		t.Errorf("%+v", got)
	}
}

func TestRing(t *testing.T) {
	for n := range 8 {
		r := ring{size: 3}
		var all []string
		for i := range n {
			all = append(all, fmt.Sprint(i))
			r.add(fmt.Sprint(i))
		}
		for range 2 {
			if got, want := strings.Join(r.all(), " "), strings.Join(all[max(0, n-3):], " "); got != want {
				t.Errorf("of %d: %s, want %s", n, got, want)
			}
		}
	}
}

const noRoomLeft = "ssh-gate: error: standard output: no space left on device\nssh-gate: hint: see where it goes: a full disk (df -h), or a program behind | that has ended\n"

// TestFullDisk: what cannot be written ends the verb, also one that follows.
func TestFullDisk(t *testing.T) {
	d := newDesk(t)
	d.write("log", strings.Repeat(denial(at(time.Hour), "ci", "", "x"), 100))
	for _, mode := range []string{"--json", "--top", "-f"} {
		var errs strings.Builder
		c := &call{verb: "log", args: []string{mode, "--file", d.path("log")}, out: full{}, errs: &errs, now: now, zone: time.UTC}
		if status := log(c); status != exitFindings || errs.String() != noRoomLeft {
			t.Errorf("%s: status %d, %s", mode, status, errs.String())
		}
	}
}

// TestFullDiskLater: the disk fills up while the verb follows.
func TestFullDiskLater(t *testing.T) {
	d := newDesk(t)
	d.write("log", denial(at(time.Hour), "ci", "", "x"))
	var errs strings.Builder
	first := true
	out := writer(func(b []byte) (int, error) {
		if !first {
			return full{}.Write(b)
		}
		first = false
		d.add("log", denial(at(time.Hour), "ci", "", "x"))
		return len(b), nil
	})
	c := &call{verb: "log", args: []string{"-f", "--file", d.path("log")}, out: out, errs: &errs, now: now, zone: time.UTC}
	if status := log(c); status != exitFindings || errs.String() != noRoomLeft {
		t.Errorf("status %d, %s", status, errs.String())
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left on device") }

// runWide calls a verb as on a terminal of so many columns.
func (d *desk) runWide(width int, colour bool, args ...string) answer {
	d.Helper()
	var out, errs bytes.Buffer
	v, known := find(args[0])
	if !known {
		d.Fatalf("no verb: %q", args)
	}
	c := &call{verb: v.name(), env: map[string]string{}, out: &out, errs: &errs, lent: privilege.Held(), now: now, zone: d.zone, width: width, colour: colour}
	for _, arg := range args[1:] {
		c.args = append(c.args, strings.ReplaceAll(arg, "$DIR", d.dir))
	}
	return answer{v.run(c), out.String(), errs.String()}
}

// TestLogFits: on a terminal no line is wider than it unless one word is, and nothing of a record is lost; what fits is one line as in a pipe.
func TestLogFits(t *testing.T) {
	d := newDesk(t)
	d.writeEntries()
	long := denial(at(time.Hour), strings.Repeat("k", 64), "2001:db8:1111:2222:3333:4444:5555:6666", strings.Repeat("word ", 60))
	d.add("log", strings.Replace(long, `"ref":"k3v9t2ma"`, `"ref":"zzzzzzzz"`, 1))
	piped := d.run("log", "--file", "$DIR/log").out
	if got := d.runWide(1000, false, "log", "--file", "$DIR/log"); got.out != piped || got.errs != "" {
		t.Errorf("a wide terminal: %+v", got)
	}
	for _, width := range []int{20, 24, 40, 60, 80, 100, 132} {
		for _, options := range []string{"", "--top"} {
			got := d.runWide(width, false, append([]string{"log", "--file", "$DIR/log"}, strings.Fields(options)...)...)
			if options == "" && strings.Join(strings.Fields(got.out), " ") != strings.Join(strings.Fields(piped), " ") {
				t.Errorf("%d columns: something is lost or made up:\n%s", width, got.out)
			}
			for line := range strings.Lines(got.out) {
				line = strings.TrimSuffix(line, "\n")
				if strings.HasSuffix(line, " ") && options == "" {
					t.Errorf("%d columns, %q: blanks at the end of %q", width, options, line)
				}
				words := strings.Fields(line)
				if tooLong := slices.ContainsFunc(words, func(w string) bool { return len(w) > width-12 }); len(line) > width && !tooLong {
					t.Errorf("%d columns, %q: a line of %d: %q", width, options, len(line), line)
				}
			}
		}
		for _, ref := range []string{"(ref 1)", "(ref 6)", "(ref zzzzzzzz)"} {
			if got := d.runWide(width, false, "log", "--file", "$DIR/log"); !strings.Contains(got.out, ref) {
				t.Errorf("%d columns: %s is torn", width, ref)
			}
		}
	}
	want := "2026-11-20 12:00:00  denied   deploy     ci           198.51.100.9\n    \"ls; id\"  needs-shell: ';' at byte 3 (ref 1)\n"
	if got := d.runWide(80, false, "log", "--file", "$DIR/log", "--reason", "needs-shell"); got.out != want {
		t.Errorf("%q", got.out)
	}
	want = "2026-11-20 12:00:00 \x1b[31mdenied\x1b[0m deploy ci\n198.51.100.9\n"
	if got := d.runWide(40, true, "log", "--file", "$DIR/log", "--reason", "needs-shell"); !strings.HasPrefix(strings.ReplaceAll(got.out, "\n  ", "\n"), want) {
		t.Errorf("%q", got.out)
	}
}

// TestLogTail: a terminal is shown the end of a long log, and told so; a pipe, --json and -n are not touched by that.
func TestLogTail(t *testing.T) {
	d := newDesk(t)
	fill := func(n int) {
		var text strings.Builder
		for i := range n {
			text.WriteString(strings.Replace(denial(at(time.Hour), "ci", "192.0.2.7", "x"), "k3v9t2ma", fmt.Sprintf("%08d", i), 1))
		}
		d.write("log", text.String())
	}
	count := func(got answer) int { return strings.Count(got.out, "00:00") }
	fill(screenTail + 5)
	got := d.runWide(200, false, "log", "--file", "$DIR/log")
	if count(got) != screenTail || !strings.Contains(got.out, "(ref 00000005)") || strings.Contains(got.out, "(ref 00000004)") ||
		got.errs != "ssh-gate: note: the last 200 of 205 records; for more: -n 1000; for all: the same call with | less behind it\n" {
		t.Errorf("%d records, %q", count(got), got.errs)
	}
	for _, c := range []struct {
		width int
		args  string
		want  int
	}{{0, "", screenTail + 5}, {200, "--json", screenTail + 5}, {200, "-n 202", 202}, {200, "-n 200", 200}, {200, "--until 2020-01-01", 0}} {
		if got := d.runWide(c.width, false, append([]string{"log", "--file", "$DIR/log"}, strings.Fields(c.args)...)...); count(got) != c.want || got.errs != "" {
			t.Errorf("%q: %d records, want %d, and %q", c.args, count(got), c.want, got.errs)
		}
	}
	fill(screenTail)
	if got := d.runWide(200, false, "log", "--file", "$DIR/log"); count(got) != screenTail || got.errs != "" {
		t.Errorf("%d records, and %q", count(got), got.errs)
	}
}
