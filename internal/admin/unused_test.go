package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/logbook"
	"example.org/ssh-gate/internal/policy"

	"example.org/ssh-gate/internal/recordtest"
)

const onlyDenied = "log = { file = \"$DIR/log\", events = \"denied\" }\n"

func (d *desk) unused(args ...string) answer {
	d.Helper()
	return d.run(append([]string{"unused", "--config", "$DIR/config.toml", "--policy-dir", "$DIR/keys"}, args...)...)
}

// rulesOf is a policy of rules with these names; "" is one without.
func rulesOf(names ...string) string {
	text := ""
	for i, name := range names {
		text += "[[allow]]\n"
		if name != "" {
			text += "name = \"" + name + "\"\n"
		}
		text += fmt.Sprintf("command = \"cmd%d\"\n", i+1)
	}
	return text
}

func TestUnused(t *testing.T) {
	d := newDesk(t)
	d.zone = zone(t, "Europe/Berlin")
	d.write("keys/a.toml", rulesOf("used", "old", "never", ""))
	d.write("keys/b.toml", rulesOf("x", "y"))
	d.write("keys/c.toml", rulesOf("single"))
	d.write("keys/d.toml", rulesOf("all", "are", "used"))
	d.write("keys/e.toml", "")
	d.write("keys/f.toml", rulesOf("one", "was"))
	d.write("keys/not a key.toml", "garbage")
	d.write("keys/.hidden.toml", "garbage")
	d.write("keys/notes.txt", "garbage")
	text := permit(at(200*day), "a", "old") + permit(at(120*day), "f", "one")
	for _, rule := range []string{"all", "are", "used"} {
		text += permit(at(2*day), "d", rule)
	}
	text += permit(at(day), "a", "used") + permit(at(time.Hour), "a", "used") +
		denial(at(time.Hour), "a", "192.0.2.7", "cmd3") + permit(at(time.Hour), "b", "used") + permit(at(time.Hour), "c", "#1") + permit(at(time.Hour), "z", "never")
	d.write("log", text)
	want := answer{exitFindings, `8 of 12 rules not matched since 2026-08-24 14:00

KEY              RULE                 LAST MATCHED     COMMAND
a                old                  2026-05-06 14:00 cmd2
a                never                never            cmd3
a                #4                   never            cmd4
b                all 2 of them        never
c                single               never            cmd1
f                one                  2026-07-25 14:00 cmd1
f                was                  never            cmd2
`, ""}
	if got := d.unused(); got != want {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
}

// TestUnusedSince: a match at that moment counts, one before does not.
func TestUnusedSince(t *testing.T) {
	d := newDesk(t)
	d.write("keys/a.toml", rulesOf("r"))
	d.write("log", permit(at(100*day), "z", "z")+permit(at(10*day), "a", "r"))
	for since, unused := range map[string]int{"90d": 0, "11d": 0, "10d": 0, "9d": 1, "1s": 1, "now": 1, "2026-11-12T12:00:00Z": 0, "2026-11-12T12:00:01Z": 1, "2w": 0, "1w": 1, "yesterday": 1} {
		got := d.unused("--since", since)
		if got.errs != "" || !strings.HasPrefix(got.out, fmt.Sprintf("%d of 1 rules not matched since ", unused)) || got.status != unused {
			t.Errorf("%s: %+v, want %d", since, got, unused)
		}
	}
}

// TestUnusedUnknown: where the host records denials only, nothing is said of a rule that the log has not seen, and that is said.
func TestUnusedUnknown(t *testing.T) {
	d := newDesk(t)
	d.write("config.toml", strings.ReplaceAll(onlyDenied, "$DIR", d.dir))
	d.write("keys/host.toml", rulesOf("x", "seen"))
	d.write("keys/own.toml", "log = \"all\"\n"+rulesOf("x", "seen"))
	d.write("keys/empty.toml", "")
	d.write("log", permit(at(100*day), "own", "x")+permit(at(day), "own", "seen")+permit(at(day), "host", "seen"))
	want := answer{exitFindings, `1 of 4 rules not matched since 2026-08-24 12:00, and 1 of which the log cannot tell

KEY              RULE                 LAST MATCHED     COMMAND
host             x                    not recorded     cmd1
own              x                    2026-08-14 12:00 cmd1
`, "ssh-gate: warning: $DIR/keys/host.toml: what the key host is allowed is not recorded; write log = \"all\" into the policy, or events = \"all\" into the configuration\n"}
	if got := d.unused(); got != want {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	// What is only unknown is no finding.
	check(t, os.Remove(d.path("keys/own.toml")))
	if got := d.unused(); got.status != exitOK || !strings.HasPrefix(got.out, "0 of 2 rules") {
		t.Errorf("%+v", got)
	}
	if got := d.unused("--without", "host"); got.status != exitFindings || got.out != "" ||
		got.errs != "ssh-gate: error: $DIR/keys/host.toml: what this key is allowed is not recorded, so no rule can be called unused\n"+
			"ssh-gate: hint: write log = \"all\" into the policy, and ask again when the log has seen enough\n" {
		t.Errorf("%+v", got)
	}
}

const tooShort = "the log does not reach back so far"

// TestUnusedReach: a log that begins later says little, and a policy is not cut by it.
func TestUnusedReach(t *testing.T) {
	d := newDesk(t)
	d.write("keys/a.toml", rulesOf("x", "y"))
	since := at(90 * day)
	for name, c := range map[string]struct {
		log     string
		reaches bool
	}{
		"empty":                {"", false},
		"damage":               {"damage\n", false},
		"begins later":         {permit(since.Add(time.Second), "a", "x"), false},
		"begins then":          {permit(since, "a", "x"), true},
		"a denial before, too": {denial(since.Add(-day), "z", "", "x") + permit(since, "a", "x"), true},
		// A clock that once stood at 1970 makes no log old.
		"the clock was once wrong": {permit(at(5*day), "a", "x") + denial(time.Unix(60, 0), "a", "", "x") + permit(at(day), "a", "x"), false},
	} {
		d.write("log", c.log)
		got := d.unused()
		if strings.Contains(got.errs, "ssh-gate: warning: "+tooShort+": what was matched before its first record is listed as unused\n") == c.reaches || got.status != exitFindings {
			t.Errorf("%s: %+v", name, got)
		}
		got = d.unused("--without", "a")
		if refused := strings.HasPrefix(got.errs, "ssh-gate: error: "+tooShort+", so a rule that it has not seen matched may be in use\nssh-gate: hint: ask with a later --since\n"); refused == c.reaches ||
			(got.out == "") == c.reaches {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// All files of the log count.
	d.write("log.1.gz", recordtest.Zip(t, permit(at(100*day), "a", "y")))
	if got := d.unused(); strings.Contains(got.errs, tooShort) {
		t.Errorf("%+v", got)
	}
}

// TestUnusedFaulty: a policy that cannot be read is a finding, and the others are judged.
func TestUnusedFaulty(t *testing.T) {
	d := newDesk(t)
	d.write("log", permit(at(100*day), "a", "x")+permit(at(day), "a", "x"))
	d.write("keys/a.toml", rulesOf("x"))
	d.write("keys/b.toml", "[[allow]]\ncommand = \"x\"\ncwdd = \"/\"\n")
	d.write("keys/c.toml", rulesOf("x"))
	check(t, os.Chmod(d.path("keys/c.toml"), 0o666))
	check(t, os.Mkdir(d.path("keys/d.toml"), 0o755))
	check(t, os.Symlink("nowhere", d.path("keys/e.toml")))
	got := d.unused()
	if got.status != exitFindings || !strings.HasPrefix(got.out, "0 of 1 rules") || strings.Count(got.errs, "\n") != 4 {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{
		"warning: $DIR/keys/b.toml cannot be judged: $DIR/keys/b.toml:3:1: unknown key \"cwdd\"", "warning: $DIR/keys/c.toml cannot be judged: \"$DIR/keys/c.toml\" may be written by others (mode 0666)\n",
		"warning: $DIR/keys/d.toml cannot be judged: \"$DIR/keys/d.toml\" is a folder, not a regular file\n", "warning: $DIR/keys/e.toml cannot be judged: ",
	} {
		if !strings.Contains(got.errs, want) {
			t.Errorf("%s\ndoes not say: %s", got.errs, want)
		}
	}
	if got := d.unused("--without", "b"); got.status != exitFindings || got.out != "" || !strings.HasPrefix(got.errs, "ssh-gate: error: $DIR/keys/b.toml:3:1: ") {
		t.Errorf("%+v", got)
	}
	d.want(exitFindings, "", "ssh-gate: error: there is no policy \"nobody.toml\" in \"$DIR/keys\"\nssh-gate: hint: ls $DIR/keys\n", "unused", "--config", "$DIR/config.toml", "--policy-dir", "$DIR/keys", "--without", "nobody")
	d.want(exitFindings, "", "ssh-gate: error: open $DIR/nokeys: no such file or directory\nssh-gate: hint: name the folder with --policy-dir DIR\n",
		"unused", "--config", "$DIR/config.toml", "--policy-dir", "$DIR/nokeys")
}

func TestUnusedJSON(t *testing.T) {
	d := newDesk(t)
	d.write("config.toml", strings.ReplaceAll(onlyDenied, "$DIR", d.dir))
	d.write("keys/a.toml", "log = \"all\"\n"+rulesOf("used", "")+"[[allow]]\nname = \"raw\"\nraw = \"a <b> && \\u0007\"\nrun = \"/bin/true\"\n")
	d.write("keys/b.toml", rulesOf("x"))
	d.write("log", permit(at(100*day), "a", "#2")+permit(at(2*day), "a", "used")+permit(at(day), "a", "used"))
	got := d.unused("--json")
	want := `{
  "since": "2026-08-24T12:00:00Z",
  "log_from": "2026-08-14T12:00:00Z",
  "rules": [
    {
      "key": "a",
      "policy": "$DIR/keys/a.toml",
      "number": 1,
      "rule": "used",
      "command": "cmd1",
      "state": "used",
      "matched": 2,
      "last_matched": "2026-11-21T12:00:00Z"
    },
    {
      "key": "a",
      "policy": "$DIR/keys/a.toml",
      "number": 2,
      "rule": "#2",
      "command": "cmd2",
      "state": "unused",
      "matched": 0,
      "last_matched": "2026-08-14T12:00:00Z"
    },
    {
      "key": "a",
      "policy": "$DIR/keys/a.toml",
      "number": 3,
      "rule": "raw",
      "command": "a \u003cb\u003e \u0026\u0026 \u0007",
      "state": "unused",
      "matched": 0,
      "last_matched": null
    },
    {
      "key": "b",
      "policy": "$DIR/keys/b.toml",
      "number": 1,
      "rule": "x",
      "command": "cmd1",
      "state": "unknown",
      "matched": 0,
      "last_matched": null
    }
  ],
  "notes": [
    "$DIR/keys/b.toml: what the key b is allowed is not recorded; write log = \"all\" into the policy, or events = \"all\" into the configuration"
  ]
}
`
	if got != (answer{exitFindings, want, ""}) {
		t.Errorf("%+v\nwant\n%s", got, want)
	}
	// Where there is nothing to tell the shape is the same.
	check(t, os.RemoveAll(d.path("keys")))
	check(t, os.Mkdir(d.path("keys"), 0o755))
	d.write("log", "")
	got = d.unused("--json")
	var shape map[string]any
	if err := json.Unmarshal([]byte(got.out), &shape); err != nil || got.status != exitOK || got.errs != "" {
		t.Errorf("%v, %+v", err, got)
	}
	if rules, ok := shape["rules"].([]any); !ok || len(rules) != 0 || shape["log_from"] != nil || len(shape["notes"].([]any)) != 1 || len(shape) != 4 {
		t.Errorf("%v", shape)
	}
}

// TestUnusedWithout: the policy that is left allows exactly the rest, and may be put in the old one's place.
func TestUnusedWithout(t *testing.T) {
	d := newDesk(t)
	const text = `# The key of the CI.
description = "CI"

# Restarts the app.
[[allow]]
name = "restart"
command = "systemctl restart {unit}"
args.unit = ["app.service"]

# Nobody knows any more.
[[allow]]
name = "old" # 2019
command = "old.sh"
[allow.env]
LEGACY = "1"

[[allow]]
command = "uptime"
`
	d.write("keys/ci.toml", text)
	log := permit(at(100*day), "z", "z") + permit(at(day), "ci", "restart")
	for _, c := range []struct{ log, want string }{
		{log + permit(at(day), "ci", "old") + permit(at(day), "ci", "#3"), text},
		{log + permit(at(day), "ci", "#3"), strings.Replace(text, text[strings.Index(text, "# Nobody"):strings.LastIndex(text, "[[allow]]")], "", 1)},
		{log, text[:strings.Index(text, "# Nobody")]},
		{permit(at(100*day), "z", "z"), "# The key of the CI.\ndescription = \"CI\"\n\n"},
	} {
		d.write("log", c.log)
		got := d.unused("--without", "ci")
		if got != (answer{exitOK, c.want, ""}) {
			t.Errorf("%+v\nwant\n%s", got, c.want)
		}
		if _, faults := policy.Parse("ci", "ci.toml", []byte(got.out)); faults != nil {
			t.Error(faults.Render())
		}
	}
	d.write("keys/ci.toml", "allow = [{ command = \"uptime\" }]\n")
	if got := d.unused("--without", "ci"); got != (answer{exitFindings, "", "ssh-gate: error: rule #1 has no [[allow]] of its own, so it has to be taken out by hand\nssh-gate: hint: take the rules out by hand; ssh-gate unused names them\n"}) {
		t.Errorf("%+v", got)
	}
}

// TestUnusedRecordedLatelyRegression: a log of denials reaches back far, and says nothing of what was allowed before that was recorded; and
// a policy that has changed may have had other numbers for its rules. Rules in use were taken away.
func TestUnusedRecordedLatelyRegression(t *testing.T) {
	d := newDesk(t)
	d.write("keys/ci.toml", "[[allow]]\ncommand = \"uptime\"\n")
	d.write("log", denial(at(100*day), "ci", "", "x"))
	refused := func() {
		t.Helper()
		if got := d.unused("--without", "ci"); got.status != exitFindings || got.out != "" || !strings.Contains(got.errs, "a rule that is not seen matched may be in use") {
			t.Errorf("%+v", got)
		}
	}
	refused()
	d.write("log", permit(at(100*day), "z", "z"))
	if got := d.unused("--without", "ci"); got.status != exitOK {
		t.Errorf("%+v", got)
	}
	check(t, os.Chtimes(d.path("keys/ci.toml"), time.Time{}, at(day)))
	refused()
}

// TestUnusedWithoutWholeLog: a log of which a part cannot be read is no ground to take a rule away; damage is said.
func TestUnusedWithoutWholeLog(t *testing.T) {
	d := newDesk(t)
	d.write("keys/ci.toml", rulesOf("x"))
	d.write("log", permit(at(100*day), "z", "z")+"damage\n")
	d.write("log.1.gz", recordtest.Zip(t, permit(at(2*day), "ci", "x"))[:20])
	got := d.unused("--without", "ci")
	if got != (answer{exitFindings, "", "ssh-gate: error: a part of the log cannot be read, so a rule that is not seen matched may be in use: \"$DIR/log.1.gz\": unexpected EOF\n" +
		"ssh-gate: hint: mend it, or move it away\n"}) {
		t.Errorf("%+v", got)
	}
	if got := d.unused(); got.status != exitFindings || !strings.Contains(got.errs, "warning: \"$DIR/log.1.gz\": unexpected EOF\n") || !strings.Contains(got.errs, "damaged lines passed over: 1") {
		t.Errorf("%+v", got)
	}
	check(t, os.Remove(d.path("log.1.gz")))
	if got := d.unused("--without", "ci"); got != (answer{exitOK, "", "ssh-gate: warning: damaged lines passed over: 1\n"}) {
		t.Errorf("%+v", got)
	}
}

// TestUnusedFlood: a log full of made-up names takes no more memory than the policies do.
func TestUnusedFlood(t *testing.T) {
	d := newDesk(t)
	var text bytes.Buffer
	const flood = 20_000
	for n := range flood {
		text.WriteString(permit(at(day), fmt.Sprintf("%d%s", n, strings.Repeat("k", 1000)), "x"))
	}
	d.write("keys/ci.toml", rulesOf("x"))
	d.write("log", permit(at(100*day), "z", "z")+text.String()+permit(at(day), "ci", "x"))
	book, err := logbook.Open(d.path("log"))
	check(t, err)
	defer book.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	u := seen(book, map[use]bool{{"ci", "x"}: true}, at(90*day))
	runtime.GC()
	runtime.ReadMemStats(&after)
	if len(u.last) != 1 || len(u.matched) != 1 || u.matched[use{"ci", "x"}] != 1 {
		t.Errorf("%d rules are held", len(u.last))
	}
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 4<<20 {
		t.Errorf("%d bytes are held", held)
	}
	runtime.KeepAlive(u)
	if got := d.unused(); got.status != exitOK || !strings.HasPrefix(got.out, "0 of 1 rules") {
		t.Errorf("%+v", got)
	}
}

// TestUnusedEveryRule: numbers beyond nine, in the order of the policy.
func TestUnusedEveryRule(t *testing.T) {
	d := newDesk(t)
	d.write("keys/a.toml", rulesOf(make([]string, 12)...))
	d.write("log", permit(at(100*day), "a", "x")+permit(at(day), "a", "#1"))
	var rules []string
	for line := range strings.Lines(d.unused().out) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "a" {
			rules = append(rules, f[1])
		}
	}
	if want := strings.Fields("#2 #3 #4 #5 #6 #7 #8 #9 #10 #11 #12"); !slices.Equal(rules, want) {
		t.Errorf("%v, want %v", rules, want)
	}
}
