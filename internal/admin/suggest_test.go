package admin

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/suggest"
)

// input puts a text in the place of standard input.
func (d *desk) input(text string) {
	d.Helper()
	d.write("input", text)
	f, err := os.Open(d.path("input"))
	check(d, err)
	old := os.Stdin
	os.Stdin = f
	d.Cleanup(func() {
		os.Stdin = old
		f.Close()
	})
}

// rulesFor is what the verb has to print for these requests.
func rulesFor(requests ...string) string {
	var r suggest.Requests
	for _, text := range requests {
		r.Add(text)
	}
	return r.Rules().Text
}

func TestSuggestArguments(t *testing.T) {
	d := newDesk(t)
	d.input("never read\n")
	d.want(exitOK, rulesFor("uptime", "ls -l"), "", "suggest", "uptime", "ls -l")
	d.want(exitOK, rulesFor("-x", "uptime"), "", "suggest", "--", "-x", "uptime")
	d.want(exitOK, rulesFor(""), "", "suggest", "")
	d.want(exitOK, rulesFor("a; b"), "", "suggest", "a; b")
	d.want(exitFindings, rulesFor("\x1b"), "ssh-gate: warning: there is no request for which a rule could be suggested\n", "suggest", "\x1b")
}

func TestSuggestInput(t *testing.T) {
	long := strings.Repeat("x", argv.MaxRequest)
	for text, requests := range map[string][]string{
		"uptime\nls -l\n":             {"uptime", "ls -l"},
		"uptime\nls -l":               {"uptime", "ls -l"},
		"\nuptime\n":                  {"", "uptime"},
		"a\x00b\r\nuptime":            {"a\x00b\r", "uptime"},
		long + "\nuptime\n":           {long, "uptime"},
		long + "yz\nuptime":           {long + "y", "uptime"},
		"uptime\n" + long + "y" + "z": {"uptime", long + "y"},
	} {
		d := newDesk(t)
		for _, args := range [][]string{{"suggest"}, {"suggest", "-"}} {
			d.input(text)
			d.want(exitOK, rulesFor(requests...), "", args...)
		}
	}
	d := newDesk(t)
	d.input("")
	d.want(exitFindings, rulesFor(), "ssh-gate: warning: there is no request for which a rule could be suggested\n", "suggest")
	d.input(strings.Repeat("uptime\n", maxLines+1))
	if got := d.run("suggest"); got.errs != "ssh-gate: warning: only the first 1000000 lines were read\n" || !strings.Contains(got.out, "# Seen 1000000 times: ") {
		t.Errorf("%+v", got)
	}
	d.want(exitOK, rulesFor("uptime", "-"), "", "suggest", "uptime", "-")
}

// TestSuggestInputFails: an error in the middle is told, and nothing is suggested of the half.
func TestSuggestInputFails(t *testing.T) {
	d := newDesk(t)
	f, err := os.Open(d.dir) // a folder opens, and cannot be read
	check(t, err)
	old := os.Stdin
	os.Stdin = f
	defer func() { os.Stdin = old; f.Close() }()
	if got := d.run("suggest"); got.status != exitFindings || got.out != "" || !strings.Contains(got.errs, "is a directory") {
		t.Errorf("%+v", got)
	}
}

// refused is a line of the log with a reason, and a request that may be longer than a record has it.
func refused(when time.Time, key string, reason record.Reason, request string) string {
	e := record.Entry{Time: when, Reason: reason, ClientIP: "192.0.2.7", User: "deploy", Key: key, Ref: "k3v9t2ma", PID: 7, Host: "web1", Request: request, Bytes: len(request)}
	return string(e.Append(nil))
}

// TestSuggestLog: the denied requests of one key, but for those that were denied for another reason than their words.
func TestSuggestLog(t *testing.T) {
	d := newDesk(t)
	d.write("log.1", refused(at(40*day), "ci", record.NoRule, "old"))
	d.write("log", refused(at(3*day), "ci", record.NoRule, "uptime")+refused(at(3*day), "other", record.NoRule, "reboot")+
		refused(at(2*day), "ci", record.NeedsShell, "a; b")+refused(at(2*day), "ci", record.NoCommand, "")+
		refused(at(2*day), "ci", record.ControlCharacter, "\x1b")+refused(at(2*day), "ci", record.NotUTF8, "\xff")+
		refused(at(2*day), "ci", record.WrongAddress, "from-elsewhere")+refused(at(2*day), "ci", record.WrongUser, "as-another")+
		refused(at(2*day), "ci", record.Expired, "late")+refused(at(2*day), "ci", record.KeyNotProved, "unproved")+
		refused(at(2*day), "ci", record.WrongKey, "stolen")+refused(at(2*day), "ci", record.PolicyMissing, "error")+
		refused(at(day), "ci", record.NoRule, "long "+strings.Repeat("x", record.MaxRequest))+
		permit(at(day), "ci", "up")+"damage\n"+refused(at(time.Hour), "ci", record.NoRule, "ls -l"))
	const told = "ssh-gate: warning: requests passed over of which the log has the first 4096 bytes only: 1\nssh-gate: warning: damaged lines passed over: 1\n"
	all := rulesFor("old", "uptime", "a; b", "", "\x1b", "\xff", "ls -l")
	d.want(exitOK, all, told, "suggest", "--key", "ci", "--config", "$DIR/config.toml")
	d.want(exitOK, all, told, "suggest", "--key", "ci", "--file", "$DIR/log")
	d.want(exitOK, rulesFor("uptime"), "ssh-gate: warning: damaged lines passed over: 1\n",
		"suggest", "--key", "ci", "--file", "$DIR/log", "--since", "5d", "--until", "60h")
	d.want(exitFindings, rulesFor(), "ssh-gate: warning: damaged lines passed over: 1\nssh-gate: warning: there is no request for which a rule could be suggested\n",
		"suggest", "--key", "nobody", "--file", "$DIR/log")
	if got := d.run("suggest", "--key", "ci", "--file", "$DIR/nolog"); got.status != exitFindings || got.out != "" || !strings.Contains(got.errs, "there is no log of that name") {
		t.Errorf("%+v", got)
	}
}

// TestSuggestReasons: a reason that is new has to be sorted.
func TestSuggestReasons(t *testing.T) {
	others := []record.Reason{record.WrongUser, record.WrongAddress, record.Expired, record.KeyNotProved, record.WrongKey, record.NoUserPolicy}
	known := map[string]bool{}
	for _, code := range aboutRequests() {
		known[code] = true
	}
	for _, r := range others {
		known[string(r)] = true
	}
	for _, m := range record.Reasons {
		if m.Event == record.Denied && !known[string(m.Reason)] && m.Status == record.ExitDenied {
			t.Errorf("%s: is a request that was denied so one to suggest a rule for?", m.Reason)
		}
	}
}

func TestSuggestMisuse(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct{ args, problem string }{
		{"suggest --bogus", "unknown option --bogus"},
		{"suggest --key ../ci", `--key "../ci" is no name of a key`},
		{"suggest --key a,b", `--key "a,b" is no name of a key`},
		{"suggest --since 1d", `options read the log, so the key whose denials are wanted is missing: --key NAME`},
		{"suggest --file x", `options read the log, so the key whose denials are wanted is missing: --key NAME`},
		{"suggest --key ci uptime", "options read the log, and requests are given, too; leave one of the two out"},
		{"suggest --key ci -", "options read the log, and requests are given, too; leave one of the two out"},
		{"suggest --since soon --key ci", `--since "soon": "soon" is no point in time; write 90d, 12h, 30m, today, yesterday, 2026-11-22 or "2026-11-22 10:00"`},
	} {
		d.want(exitUsage, "", "ssh-gate: error: "+c.problem+"\nssh-gate: hint: ssh-gate suggest --help\n", strings.Fields(c.args)...)
	}
}

func TestSuggestHelp(t *testing.T) {
	d := newDesk(t)
	got := d.run("suggest", "-h")
	example, _, _ := strings.Cut(got.out, "\n\nssh-gate suggest [REQUEST...]")
	if got.status != exitOK || got.errs != "" || !strings.Contains(example, "\n  ssh-gate suggest -- '") {
		t.Errorf("%+v", got)
	}
	for _, option := range []string{"--config", "--file", "--key", "--since", "--until"} {
		if !strings.Contains(got.out, "\n  "+option+" ") {
			t.Errorf("does not name %s:\n%s", option, got.out)
		}
	}
}

// TestSuggestSpeaksToNoTerminal: whatever is in the log or given, no byte outside 0x20-0x7e but the line end reaches anybody.
func TestSuggestSpeaksToNoTerminal(t *testing.T) {
	d := newDesk(t)
	d.write("log", hostileLog())
	var every []string
	for i := range 256 {
		every = append(every, fmt.Sprintf("a%cb %s", rune(i), string([]byte{byte(i)})), "x; "+string(rune(0x2000+i)))
	}
	for _, args := range [][]string{{"--key", "deploy", "--file", "$DIR/log"}, {"--key", "ci", "--file", "$DIR/log"}, {"--key", "\x1b[2J"}, {"--\x1b[2J"}, append([]string{"--"}, every...)} {
		got := d.run(append([]string{"suggest"}, args...)...)
		for i, char := range []byte(got.out + got.errs) {
			if (char < 0x20 || char > 0x7e) && char != '\n' {
				t.Fatalf("%.80q: byte %#02x at %d", args, char, i)
			}
		}
	}
}

func TestSuggestFullDisk(t *testing.T) {
	var errs bytes.Buffer
	c := &call{verb: "suggest", args: []string{"uptime"}, out: full{}, errs: &errs, now: now, zone: time.UTC}
	if status := suggestRules(c); status != exitFindings || !strings.Contains(errs.String(), "no space left on device") {
		t.Errorf("status %d: %s", status, errs.String())
	}
}
