package admin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/address"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// explained is what explain --json says.
func (d *desk) explained(args ...string) (explanation, int) {
	d.Helper()
	got := d.run(append([]string{"explain", "--json", "--config", "$DIR/config.toml", "--policy-dir", "$DIR/keys"}, args...)...)
	var e explanation
	if err := json.Unmarshal([]byte(got.out), &e); err != nil || got.errs != "" {
		d.Fatalf("%q: %v: %+v", args, err, got)
	}
	return e, got.status
}

// logged puts one denied record into the log, as the gate writes it.
func (d *desk) logged(ref string, change func(*record.Entry)) {
	d.Helper()
	e := record.Entry{Time: at(time.Hour), Reason: record.NoRule, ClientIP: "192.0.2.7", Port: 1, User: "deploy", Key: "ci", Ref: ref, PID: 7, Host: "web1", Request: "ls"}
	change(&e)
	e.Bytes = len(e.Request)
	if e.Bytes > record.MaxRequest {
		e.Request = e.Request[:record.MaxRequest]
	}
	d.add("log", string(e.Append(nil)))
}

const (
	oneKey   = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	otherKey = "SHA256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"
)

// TestExplainRecord: what a record tells of the login holds, and what it does not know is not assumed.
func TestExplainRecord(t *testing.T) {
	d := newDesk(t)
	d.write("keys/ci.toml", "users = [\"deploy\"]\nfrom = [\"192.0.2.0/24\"]\nexpires = 2026-11-22T11:30:00Z\nfingerprints = [\""+oneKey+"\"]\n[[allow]]\ncommand = \"/bin/ls\"\n")
	const allowed, expired, wrongUser, wrongAddress, notProved, wrongKey, noRule = record.Matched, record.Expired, record.WrongUser, record.WrongAddress, record.KeyNotProved, record.WrongKey, record.NoRule
	for ref, c := range map[string]struct {
		change func(*record.Entry)
		args   []string
		want   record.Reason
	}{
		"aaaaaaa0": {func(e *record.Entry) { e.Request = "/bin/ls" }, nil, allowed},
		"aaaaaaa1": {func(e *record.Entry) { e.Request = "/bin/ls"; e.Time = at(0) }, nil, expired},
		"aaaaaaa2": {func(e *record.Entry) { e.Request = "/bin/ls"; e.User = "root" }, nil, wrongUser},
		"aaaaaaa3": {func(e *record.Entry) { e.Request = "/bin/ls"; e.ClientIP = "" }, nil, wrongAddress},
		"aaaaaaa4": {func(e *record.Entry) { e.Request = "/bin/ls"; e.ClientIP = "203.0.113.1" }, nil, wrongAddress},
		"aaaaaaa5": {func(e *record.Entry) {
			e.Request, e.Reason, e.Detail = "/bin/ls", record.KeyNotProved, "it is not known which key was used"
		}, nil, notProved},
		"aaaaaaa6": {func(e *record.Entry) {
			e.Request, e.Reason, e.Detail = "/bin/ls", record.WrongKey, `the login used "`+otherKey+`"`
		}, nil, wrongKey},
		"aaaaaaa7": {func(e *record.Entry) {
			e.Request, e.Reason, e.Detail = "/bin/ls", record.WrongKey, `the login used "`+otherKey+`", "`+oneKey+`"`
		}, nil, allowed}, // since then the policy has taken the second
		"aaaaaaa8": {func(e *record.Entry) { e.Request = "rm" }, nil, noRule},
		// What is given wins.
		"aaaaaaa9": {func(e *record.Entry) { e.Request = "/bin/ls"; e.User, e.ClientIP = "root", "" }, []string{"--user", "deploy", "--from", "192.0.2.1"}, allowed},
		"aaaaaab0": {func(e *record.Entry) { e.Request = "/bin/ls"; e.Time = at(0) }, []string{"--at", "2h"}, allowed},
		"aaaaaab1": {func(e *record.Entry) {
			e.Request, e.Reason, e.Detail = "/bin/ls", record.WrongKey, `the login used "`+otherKey+`"`
		}, []string{"--fingerprint", oneKey}, allowed},
	} {
		d.logged(ref, c.change)
		e, status := d.explained(append(c.args, ref)...)
		if e.Reason != c.want || (status == exitOK) != (c.want == allowed) {
			t.Errorf("%s: %s, %s, status %d, want %s", ref, e.Reason, e.Detail, status, c.want)
		}
	}
	// Nothing of a login is known where the request is made up: the policy says what is assumed, but for the time.
	if e, _ := d.explained("--key", "ci", "--", "/bin/ls"); e.Reason != expired {
		t.Errorf("%+v", e)
	}
	e, status := d.explained("--key", "ci", "--at", "2h", "--", "/bin/ls")
	if e.Reason != allowed || status != exitOK || e.User != "deploy" || e.IP != "192.0.2.1" {
		t.Errorf("%+v", e)
	}
}

// TestExplainNoRecord: which record is meant, and what cannot be taken from one.
func TestExplainNoRecord(t *testing.T) {
	d := newDesk(t)
	d.write("keys/ci.toml", "[[allow]]\ncommand = \"/bin/ls\"\n")
	d.write("other.toml", "[[allow]]\ncommand = \"/bin/ls\"\n")
	d.logged("aaaaaaaa", func(e *record.Entry) { e.Request = "first" })
	d.logged("bbbbbbbb", func(e *record.Entry) { e.Request, e.Key = "second", "db" })
	d.logged("cccccccc", func(e *record.Entry) { e.Request, e.Key, e.Reason = "third", "ci", record.Matched })
	d.logged("dddddddd", func(e *record.Entry) { e.Request = strings.Repeat("x", record.MaxRequest+1) })
	d.logged("eeeeeeee", func(e *record.Entry) { e.Key, e.Detail = "", "\x1b[2J" })
	for args, want := range map[string]string{
		"aaaaaaaa": "", "AAAAAAAA": "", "--last --key db": "no-policy", "--last --policy $DIR/other.toml": "the log has no refused request",
		"dddddddd": "the record has only the first 4096 bytes of the request's 4097", "eeeeeeee": "the record names no key", "ffffffff": `no record with the reference "ffffffff"`,
	} {
		got := d.run(append([]string{"explain", "--config", "$DIR/config.toml"}, strings.Fields(args)...)...)
		if want == "" || want == "no-policy" { // found; the policies of this host are not the desk's
			want = "first"
			if strings.Contains(args, "db") {
				want = "second"
			}
			if !strings.Contains(got.out, want) {
				t.Errorf("%s: %+v", args, got)
			}
		} else if got.status != exitFindings || !strings.Contains(got.errs, want) || strings.ContainsRune(got.errs, '\x1b') {
			t.Errorf("%s: %+v, want %s", args, got, want)
		}
	}
}

// TestExplainSteps: each command of each rule is told, in order, with what it took or where it failed.
func TestExplainSteps(t *testing.T) {
	d := newDesk(t)
	d.write("keys/ci.toml", `[[allow]]
name = "two"
command = ["/bin/ls {a}", "/bin/ls -l {a*}"]
args.a = { chars = "a-z" }
[[allow]]
raw = "/bin/ls; id"
run = "/bin/echo raw"
[[allow]]
command = "/bin/ls {a} {b?}"
args.a = ["-l"]
args.b = ["x y"]
run = "/bin/echo {b?} {a}"
`)
	states := func(e explanation) string {
		var list []string
		for _, s := range e.Steps {
			took := ""
			for _, v := range s.Took {
				took += " " + v.Name + "=" + strings.Join(v.Words, "|")
			}
			list = append(list, s.Rule+" "+s.State+took)
		}
		return strings.Join(list, ", ")
	}
	for request, want := range map[string]string{
		"/bin/ls abc":       "two matched a=abc, two untried, #2 untried, #3 untried",
		"/bin/ls -l b c":    "two failed, two matched a=b|c, #2 untried, #3 untried",
		"/bin/ls -l":        "two failed, two matched a=, #2 untried, #3 untried",
		"/bin/ls; id":       "two untried, two untried, #2 matched, #3 untried",
		"/bin/ls -l 'x y'":  "two failed, two failed, #2 failed, #3 matched a=-l b=x y",
		"/bin/ls 'x y' -l ": "two failed, two failed, #2 failed, #3 failed",
	} {
		e, _ := d.explained("--key", "ci", "--", request)
		if got := states(e); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
		for _, s := range e.Steps {
			if (s.State == stepMatched) != (s.Why == "") {
				t.Errorf("%s: %+v", request, s)
			}
		}
		if strings.Contains(want, "matched") != (e.Runs != nil) {
			t.Errorf("%s: %+v", request, e)
		}
	}
	e, _ := d.explained("--key", "ci", "--", "/bin/ls", "-l", "'x y'")
	if !slices.Equal(e.Runs.Argv, []string{"/bin/echo", "x y", "-l"}) {
		t.Errorf("%q", e.Runs.Argv)
	}
}

// TestExplainUntried: a rule that was not tried is told for what reason, and for no other.
func TestExplainUntried(t *testing.T) {
	d := newDesk(t)
	d.write("keys/ci.toml", `[[allow]]
name = "ls"
command = "/bin/ls {a} {a}"
args.a = { regex = '(a?:?)*(a?:?){400}' }
[[allow]]
name = "raw"
raw = "/bin/ls; id"
run = "/bin/echo raw"
[[allow]]
name = "df"
command = "/bin/df"
`)
	d.write("keys/plain.toml", "users = [\"deploy\"]\n[[allow]]\ncommand = \"/bin/ls\"\n")
	const words, first, gaveUp = "not tried: the request is no plain words", "not tried: the first rule that matches wins", "not tried: what was given up before could have been the first that matches"
	for _, c := range []struct{ request, ls, raw, df string }{
		{"/bin/ls; id", words, "matches", first},
		{"/bin/ls; di", words, "the request is not exactly its raw text", words},
		{"/bin/df", "no", "the request is not exactly its raw text", "matches"},
		{"/bin/ls a a", "matches", first, first},
		{"/bin/ls a " + strings.Repeat("a", 60_000), "to hold the request against it takes more work than is done for one", gaveUp, gaveUp},
	} {
		got := d.run("explain", "--config", "$DIR/config.toml", "--policy-dir", "$DIR/keys", "--key", "ci", "--", c.request)
		for rule, want := range map[string]string{"ls": c.ls, "raw": c.raw, "df": c.df} {
			told := ""
			for _, line := range strings.Split(got.out, "\n") {
				if left, right, _ := strings.Cut(line, " "); left == rule {
					told = strings.TrimSpace(right)
				}
			}
			if want != "no" && told != want && !strings.HasPrefix(told, want+": ") {
				t.Errorf("%.40s: %s is told %q, not %q", c.request, rule, told, want)
			}
		}
	}
	// Where no rule was tried, none is told, and none has a reason.
	for _, args := range [][]string{{"--key", "plain", "--", "/bin/ls; id"}, {"--key", "plain", "--user", "root", "--", "/bin/ls"}} {
		if e, _ := d.explained(args...); len(e.Steps) != 1 || e.Steps[0].State != stepUntried || e.Steps[0].Why != "" {
			t.Errorf("%q: %+v", args, e.Steps)
		}
	}
}

// TestQuestion: what is given is never replaced, and an assumed login is one that the policy admits.
func TestQuestion(t *testing.T) {
	p, faults := policy.Parse("k", "k.toml", []byte("users = [\"a\", \"b\"]\nfrom = [\"2001:db8::/32\", \"192.0.2.0/24\"]\nfingerprints = [\""+oneKey+"\"]\nexpires = 2020-01-01T00:00:00Z\n"))
	if faults != nil {
		t.Fatal(faults.Render())
	}
	var q question
	q.complete(p, now)
	if q.user != "a" || !p.From[0].Contains(q.input(p, nil, nil).ClientAddr) || q.fingerprint != oneKey || !q.at.Before(p.Expires) || !q.assumed.user || !q.assumed.ip || !q.assumed.fingerprint {
		t.Errorf("%+v", q)
	}
	given := question{user: "x", ip: "203.0.113.9", fingerprint: otherKey, at: now}
	given.complete(p, now)
	if given.user != "x" || given.ip != "203.0.113.9" || given.fingerprint != otherKey || !given.at.Equal(now) || given.assumed.user || given.assumed.ip || given.assumed.fingerprint {
		t.Errorf("%+v", given)
	}
	happened := question{happened: true}
	happened.complete(p, now)
	if happened.user != "" || happened.ip != "" || happened.input(p, nil, nil).ClientAddr != (address.Addr{}) {
		t.Errorf("%+v", happened)
	}
}

// TestExplainAccount: users/NAME is the policy of an account, whose login it then is.
func TestExplainAccount(t *testing.T) {
	o := &explainOptions{key: "users/deploy"}
	s, err := o.source()
	if err != nil || !s.Account || s.File != filepath.Join(policy.UsersDir, "deploy.toml") || o.user != "deploy" || s.Key != "users/deploy" {
		t.Errorf("%+v, %v, %+v", s, err, o)
	}
	for _, key := range []string{"", "..", "users/", "users/../x", "a/b", "users/users/a", ".x"} {
		if _, err := (&explainOptions{key: key}).source(); err == nil {
			t.Errorf("%q is a key", key)
		}
	}
}

// TestExplainStart: a program that the kernel would not start is told as the gate records it, with what to do, and what cannot be seen is told.
func TestExplainStart(t *testing.T) {
	d := newDesk(t)
	d.write("keys/ci.toml", "[[allow]]\ncommand = \"x\"\nrun = \""+d.path("program")+"\"\nlimits.sessions = 1\n")
	program := func(text string, mode os.FileMode) {
		d.write("program", text)
		check(t, os.Chmod(d.path("program"), mode))
	}
	program("#!/bin/sh\necho\n", 0o755)
	e, status := d.explained("--key", "ci", "--", "x")
	if status != exitOK || len(e.Unknown) != 1 || !strings.HasPrefix(e.Unknown[0], "whether a limit of sessions or rate") {
		t.Errorf("%d, %+v", status, e.Unknown)
	}
	for text, want := range map[string]string{"echo hello\n": "exec format error", "#!/none/sh\n": "no such file or directory"} {
		program(text, 0o755)
		if text[0] != '#' && otherFormats() {
			t.Log("this kernel has other formats")
			continue
		}
		e, status := d.explained("--key", "ci", "--", "x")
		if status != exitFindings || e.Reason != record.ProgramFailed || e.Rule != "#1" || e.Detail != `"$DIR/program": `+want || e.Unknown != nil || *e.Status != 69 {
			t.Errorf("%q: %d, %+v", text, status, e)
		}
	}
	got := d.run("explain", "--config", "$DIR/config.toml", "--policy-dir", "$DIR/keys", "--key", "ci", "--", "x")
	if !strings.Contains(got.out, "\nerror        program-failed: The kernel refused to start the program.\n") || !strings.Contains(got.out, "\nhint         ") || strings.Contains(got.out, "not known") {
		t.Error(got.out)
	}
	program("#!/bin/sh\n", 0o700)
	if os.Geteuid() == 0 { // the account is another than the owner, who alone may execute it
		if e, _ := d.explained("--key", "ci", "--user", "daemon", "--", "x"); e.Reason != record.ProgramFailed || !strings.HasSuffix(e.Detail, "permission denied") {
			t.Errorf("%+v", e)
		}
	}
	if e, status := d.explained("--key", "ci", "--user", "root", "--", "x"); os.Geteuid() == 0 && status != exitOK {
		t.Errorf("%+v", e)
	}
}
