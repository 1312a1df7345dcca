package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/lint"
	"example.org/ssh-gate/internal/policy"
)

// checked is what check --json says.
func (d *desk) checked(args ...string) (report, int) {
	d.Helper()
	got := d.run(append([]string{"check", "--json"}, args...)...)
	var r report
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		d.Fatalf("%q: %v: %+v", args, err, got)
	}
	return r, got.status
}

// ids are the findings, without what there is to say of any policy.
func (r *report) ids() string {
	var ids []string
	for _, f := range r.Findings {
		if !slices.Contains([]string{"no-tests", "never-expires"}, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	return strings.Join(ids, " ")
}

// TestCheckBroken: each fault of the corpus of broken policies is told, by itself and at its place.
func TestCheckBroken(t *testing.T) {
	d := newDesk(t)
	place := regexp.MustCompile(`(?m)^\S+?\.toml:(\d+):(\d+): (.*)$`)
	for _, corpus := range []struct{ dir, kind, id string }{
		{"../policy/testdata/broken", "policy", "policy-invalid"}, {"../policy/testdata/broken/config", "config", "config-invalid"},
	} {
		files, err := filepath.Glob(corpus.dir + "/*.toml")
		check(t, err)
		if len(files) < 10 {
			t.Fatalf("%s has %d files", corpus.dir, len(files))
		}
		for _, file := range files {
			golden, err := os.ReadFile(strings.TrimSuffix(file, ".toml") + ".golden")
			check(t, err)
			var want []string
			for _, m := range place.FindAllStringSubmatch(string(golden), -1) {
				want = append(want, m[1]+":"+m[2]+" "+m[3])
			}
			r, status := d.checked("--kind", corpus.kind, file)
			var got []string
			for _, f := range r.Findings {
				if f.ID != corpus.id || f.Severity != lint.Error || f.Fix == "" || f.Why == "" {
					t.Errorf("%s: %+v", file, f)
				}
				got = append(got, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Message))
			}
			if status != exitFindings || !slices.Equal(got, want) {
				t.Errorf("%s: status %d\n%q, want\n%q", file, status, got, want)
			}
			text := d.run("check", "--kind", corpus.kind, file)
			for _, at := range want {
				where, message, _ := strings.Cut(at, " ")
				if text.status != exitFindings || text.errs != "" || !strings.Contains(text.out, ":"+where+": error: "+message+" ["+corpus.id+"]\n") {
					t.Errorf("%s: no %q in %+v", file, at, text)
				}
			}
			if !strings.HasSuffix(text.out, counted(len(want), "error")+map[string]string{"policy": " in 1 policy", "config": ""}[corpus.kind]+"\n") {
				t.Errorf("%s ends with %q", file, text.out[max(0, len(text.out)-80):])
			}
		}
	}
}

// TestCheckFiles: what is no file, or none that can be read, is said to be so, and nothing waits or reads without end.
func TestCheckFiles(t *testing.T) {
	d := newDesk(t)
	check(t, unix.Mkfifo(d.path("fifo.toml"), 0o600))
	check(t, os.Mkdir(d.path("folder.toml"), 0o755))
	check(t, os.Symlink("nowhere", d.path("dangling.toml")))
	check(t, os.Symlink("loop.toml", d.path("loop.toml")))
	d.write("sparse.toml", "")
	check(t, os.Truncate(d.path("sparse.toml"), 1<<30))
	d.write("empty.toml", "")
	for file, want := range map[string]string{
		"$DIR/fifo.toml": "policy-unreadable the file is a FIFO, not a regular file", "$DIR/folder.toml": "policy-unreadable the file is a folder, not a regular file",
		"/dev/zero": "policy-unreadable the file is a device, not a regular file", "/dev/null": "policy-unreadable the file is a device, not a regular file",
		"$DIR/dangling.toml": "policy-missing the file does not exist", "$DIR/none.toml": "policy-missing the file does not exist",
		"$DIR/empty.toml/x": "policy-missing the file lies below a file", "$DIR/loop.toml": "policy-unreadable the file cannot be read: too many levels of symbolic links",
		"$DIR/sparse.toml": "policy-invalid the file is longer than the 1 MiB that are read",
		"/proc/self/maps":  "policy-invalid expected '.' or '=', but got",
	} {
		r, status := d.checked(file)
		if status != exitFindings || len(r.Findings) != 1 || !strings.HasPrefix(r.Findings[0].ID+" "+r.Findings[0].Message, want) {
			t.Errorf("%s: status %d, %+v, want %s", file, status, r.Findings, want)
		}
		// The configuration is read by the same hand.
		if r, status := d.checked("--kind", "config", file); status != exitFindings || len(r.Findings) != 1 || !strings.HasPrefix(r.Findings[0].ID, "config-") {
			t.Errorf("%s: status %d, %+v", file, status, r.Findings)
		}
	}
	if r, status := d.checked("$DIR/empty.toml"); status != exitOK || r.ids() != "no-rules" {
		t.Errorf("%d, %+v", status, r)
	}
	if os.Geteuid() != 0 {
		check(t, os.Chmod(d.path("empty.toml"), 0))
		if r, status := d.checked("$DIR/empty.toml"); status != exitFindings || r.Findings[0].Message != "the file cannot be read: permission denied" {
			t.Errorf("%d, %+v", status, r)
		}
	}
}

// TestCheckPlaces: a policy where the gate reads it is judged by who may write it; a copy elsewhere by its text alone, as before it is put in place.
func TestCheckPlaces(t *testing.T) {
	d := newDesk(t)
	const good = "expires = 2027-01-01T00:00:00Z\n[[allow]]\ncommand = \"ls\"\n"
	d.write("keys/ci.toml", good)
	check(t, os.Chmod(d.path("keys/ci.toml"), 0o666))
	for _, name := range []string{"ci", "$DIR/keys/ci.toml"} {
		if r, status := d.checked("--policy-dir", "$DIR/keys", name); status != exitFindings || r.ids() != "policy-unsafe" || r.Policies != 1 || !strings.Contains(r.Findings[0].Fix, "chmod go-w") {
			t.Errorf("%s: %d, %+v", name, status, r)
		}
	}
	copied := filepath.Join(t.TempDir(), "tmp.x17")
	check(t, os.WriteFile(copied, []byte(good), 0o666))
	if r, status := d.checked(copied); status != exitOK || r.ids() != "" || r.Policies != 1 {
		t.Errorf("%d, %+v", status, r)
	}
	check(t, os.Chmod(d.path("keys/ci.toml"), 0o644))
	d.write("keys/..ci.toml", "")
	d.write("keys/\x1b[31m.toml", "")
	d.write("keys/README", "")
	if r, status := d.checked("--policy-dir", "$DIR/keys"); status != exitFindings || r.ids() != "stray-file stray-file stray-file" || r.Policies != 1 {
		t.Errorf("%d, %+v", status, r)
	}
	if r, status := d.checked("--policy-dir", "$DIR/none"); status != exitFindings || !strings.Contains(r.Findings[0].Message, "no such file") {
		t.Errorf("%d, %+v", status, r)
	}
	d.write("bad.toml", "pth = []\n")
	if r, status := d.checked("--policy-dir", "$DIR/keys", "--config", "$DIR/bad.toml", "ci"); status != exitFindings || r.ids() != "config-invalid" {
		t.Errorf("%d, %+v", status, r)
	}
	for _, args := range [][]string{{""}, {"--json", "--sarif"}, {"--level", "fatal"}, {"--kind", "x"}, {"--why", "nothing"}, {"-q"}} {
		if got := d.run(append([]string{"check"}, args...)...); got.status != exitUsage || got.out != "" || !strings.Contains(got.errs, "hint: ssh-gate check --help") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	if got := d.run("check", "--level", "error", "--policy-dir", "$DIR/keys"); got.status != exitOK || got.out != "nothing found in 1 policy\n" {
		t.Errorf("%+v", got)
	}
}

// TestCheckTests: what a [[test]] expects, and what is said where it gets something else.
func TestCheckTests(t *testing.T) {
	d := newDesk(t)
	d.write("config.toml", "path = [\"/usr/bin\"]\n")
	const rules = `users = ["deploy", "ci"]
from = ["192.0.2.0/24"]
help = true
EXPIRES
[[allow]]
name = "list"
command = "ls {what}"
args.what = ["a b", "c"]
[[allow]]
command = "gone"
[[allow]]
raw = "a; b"
run = "/nowhere/ab"
[[test]]
`
	for _, c := range []struct{ test, want string }{
		{`request = "ls c"` + "\n" + `expect = "allow"`, ""},
		{`request = "ls c"` + "\n" + `expect = "list"`, ""},
		{`request = "ls 'a b'"` + "\n" + `expect = ["/usr/bin/ls", "a b"]`, ""},
		{`request = "ls d"` + "\n" + `expect = "deny"`, ""},
		{`request = ""` + "\n" + `expect = "deny"`, ""},
		{`request = "a; b"` + "\n" + `expect = ["/nowhere/ab"]`, ""},
		{`request = "help"` + "\n" + `expect = "allow"`, ""},
		{`request = "gone"` + "\n" + `expect = "allow"`, ""}, // a rule describes it, though the host has no such program yet
		{`request = "ls c"` + "\n" + `expect = "allow"` + "\n" + `user = "ci"`, ""},
		{`request = "ls c"` + "\n" + `expect = "deny"` + "\n" + `user = "root"`, ""},
		{`request = "ls c"` + "\n" + `expect = "deny"` + "\n" + `client_ip = "203.0.113.1"`, ""},
		{`request = "ls c"` + "\n" + `expect = "allow"` + "\n" + `client_ip = "192.0.2.255"`, ""},
		{`request = "ls c"` + "\n" + `expect = "deny"` + "\n" + `time = 2026-01-01T00:00:00Z`, ""},
		{`request = "ls c"` + "\n" + `expect = "allow"` + "\n" + `time = 2025-12-31T23:59:59Z`, ""},

		{`request = "ls c"` + "\n" + `expect = "deny"`, "the test expects deny, and gets the rule list | -- 'ls c'"},
		{`request = "ls c"` + "\n" + `expect = "lists"`, "the test expects the rule lists, which there is not, and gets the rule list | " + policy.ExpectHint},
		{`request = "ls d"` + "\n" + `expect = "denied"`, "the test expects the rule denied, which there is not, and gets deny: no-rule, "},
		{`request = "help"` + "\n" + `expect = "deny"`, "the test expects deny, and gets the list of what the key may run | -- 'help'"},
		{`request = "help"` + "\n" + `expect = "list"`, "the test expects the rule list, and gets the list of what the key may run | -- 'help'"},
		{`request = "gone"` + "\n" + `expect = "deny"`, "the test expects deny, and gets the rule #2, whose program does not exist: \"gone\" is in no folder of the search path | -- 'gone'"},
		{`request = "gone"` + "\n" + `expect = "list"`, "the test expects the rule list, and gets the rule #2, whose program does not exist: \"gone\" is in no folder of the search path | -- 'gone'"},
		{`request = "ls d"` + "\n" + `expect = "allow"`, "the test expects allow, and gets deny: no-rule, nearest rule list: word 2, \"d\", is not one of \"a b\", \"c\" | -- 'ls d'"},
		{`request = "ls 'a b'"` + "\n" + `expect = ["/usr/bin/ls", "a", "b"]`, "the test expects \"/usr/bin/ls\" \"a\" \"b\", and gets \"/usr/bin/ls\" \"a b\", by the rule list | -- 'ls '\\''a b'\\'''"},
		{`request = "ls c"` + "\n" + `expect = ["/bin/ls", "c"]`, "the test expects \"/bin/ls\" \"c\", and gets \"/usr/bin/ls\" \"c\", by the rule list | -- 'ls c'"},
		{`request = "ls c"` + "\n" + `expect = "allow"` + "\n" + `user = "root"`, "the test expects allow, and gets deny: wrong-user, the login user \"root\" is not one of the policy's users | --user 'root' -- 'ls c'"},
		{`request = "ls c"` + "\n" + `expect = "allow"` + "\n" + `client_ip = "203.0.113.1"`, "the test expects allow, and gets deny: wrong-address, the client address \"203.0.113.1\" is in none of the policy's networks | --from '203.0.113.1' -- 'ls c'"},
		{`request = "x \u202e\u001b"` + "\n" + `expect = "allow"`, "the test expects allow, and gets deny: control-character, "},
	} {
		for _, expires := range []string{"", "expires = 2026-01-01T00:00:00Z"} {
			if expires == "" && strings.Contains(c.test, "time = 2026") {
				continue
			}
			text := strings.Replace(rules, "EXPIRES", expires, 1) + c.test + "\n"
			d.write("keys/ci.toml", text)
			r, _ := d.checked("--config", "$DIR/config.toml", "--policy-dir", "$DIR/keys", "ci")
			r.Findings = slices.DeleteFunc(r.Findings, func(f reported) bool { return f.ID != "test-failed" })
			got := ""
			if len(r.Findings) > 0 {
				f := r.Findings[0]
				when := ""
				if expires != "" { // a policy that has expired is tested as it was
					when = "--at 2025-12-31T23:59:59Z "
				}
				got = strings.Replace(f.Message+" | "+strings.TrimPrefix(f.Fix, "ssh-gate explain --policy '$DIR/keys/ci.toml' "), when, "", 1)
				if f.Line != 15+strings.Count(c.test[:strings.Index(c.test, "expect")], "\n") || f.Column != 10 {
					t.Errorf("%s: at %d:%d", c.test, f.Line, f.Column)
				}
			}
			if got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want) || strings.Contains(c.want, "|")) || r.Tests != 1 {
				t.Errorf("%s (%s)\ngot  %s\nwant %s", c.test, expires, got, c.want)
			}
		}
	}
}

// TestCheckRaces: a file that is replaced while it is read is never found wrong, and one that is rewritten or removed never breaks anything.
func TestCheckRaces(t *testing.T) {
	const good = "expires = 2099-01-01T00:00:00Z\n[[allow]]\ncommand = \"ls\"\n[[test]]\nrequest = \"ls\"\nexpect = \"allow\"\n"
	versions := []string{good, good + strings.Repeat("# "+strings.Repeat("x", 70)+"\n", 3000)}
	const rounds = 150
	for name, write := range map[string]func(d *desk, text string) error{
		"replaced": func(d *desk, text string) error {
			if err := os.WriteFile(d.path("new"), []byte(text), 0o644); err != nil {
				return err
			}
			return os.Rename(d.path("new"), d.path("keys/ci.toml"))
		},
		"rewritten": func(d *desk, text string) error { return os.WriteFile(d.path("keys/ci.toml"), []byte(text), 0o644) },
		"removed": func(d *desk, text string) error {
			if err := os.Remove(d.path("keys/ci.toml")); err != nil {
				return err
			}
			return os.WriteFile(d.path("keys/ci.toml"), []byte(text), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.write("keys/ci.toml", good)
			stop := make(chan struct{})
			var writer sync.WaitGroup
			writer.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					if err := write(d, versions[i%2]); err != nil {
						t.Error(err)
						return
					}
				}
			})
			for i := range rounds {
				args := []string{"--policy-dir", "$DIR/keys"}
				if i%2 == 1 {
					args = []string{"$DIR/keys/ci.toml"}
				}
				r, _ := d.checked(args...)
				for _, f := range r.Findings {
					if f.ID == "changed-while-read" || name == "removed" && slices.Contains([]string{"policy-missing", "no-policies", "no-rules", "policy-invalid"}, f.ID) ||
						name == "rewritten" && slices.Contains([]string{"no-rules", "policy-invalid"}, f.ID) || f.ID == "no-tests" && name != "replaced" {
						continue // as it was at that moment
					}
					t.Errorf("%q: %+v", args, f)
				}
			}
			close(stop)
			writer.Wait()
		})
	}
}

// hostilePolicy holds what a terminal would obey, or show as something else, wherever a policy may hold text.
const hostilePolicy = `description = "\u202e\u009b31m\u001b"
help = true
messages = "full"
[[allow]]
command = ["cat {x} '` + "\u202e" + `'", "\u202e {x}"]
args.x = { path = "/srv/\u202e", access = "read" }
env = { K = "\u202e" }
cwd = "/\u202e"
confine = { read = ["/\u202e\u2066"], write = ["/\u202ea"] }
run = "/\u202e {x} '` + "\u202e" + `'"
[[allow]]
raw = "\u202e\u009b\u001b"
run = "/\u202e"
[[allow]]
command = "a {y}"
args.y = ["\u202e"]
[[allow]]
command = "b {y}"
args.y = { regex = '` + "\u202e" + `' }
[[test]]
request = "\u202e\u009b\u001b"
expect = "deny"
[[test]]
request = "a \u202e"
expect = ["/\u202e", "\u202e"]
`

// TestNoPolicySpeaksToTheTerminal: nor does what a client asks, in any mode of check and explain.
func TestNoPolicySpeaksToTheTerminal(t *testing.T) {
	d := newDesk(t)
	d.write("keys/bad.toml", hostilePolicy)
	d.write("keys/broken.toml", "descr\u202eiption = \"\u009b\"\n\"\\u202e\" = 1\nusers = [\"\u202e\\u001b\"]\n")
	files, err := filepath.Glob("../policy/testdata/broken/*.toml")
	check(t, err)
	for i, file := range files {
		text, err := os.ReadFile(file)
		check(t, err)
		d.write(fmt.Sprintf("keys/b%d.toml", i), string(text))
	}
	if r, _ := d.checked("--policy-dir", "$DIR/keys", "bad"); strings.Contains(r.ids(), "policy-invalid") {
		t.Fatalf("%+v", r)
	}
	calls := [][]string{{"check", "--policy-dir", "$DIR/keys"}, {"check", "--policy-dir", "$DIR/keys/\x1b\u202e"}, {"check", "$DIR/\u202e\x9b"}, {"check", "--why", "\u202e"}, {"explain", "--key", "\u202e"},
		{"explain", "--key", "x", "--from", "\x1b"}, {"explain", "\x1b\u202e"}, {"explain", "--policy", "$DIR/\u202e\x9b.toml", "--", "\x1b"}}
	for _, request := range append([]string{"help", "help --json", "", "a \u202e", "cat /srv/\u202e/x \u202e", "\u202e\u009b\x1b", "cat /srv/\u202e/x \u202e \u009b", "cat /srv/\u202e/x '\u202e' '\u009b'", "\u202e", "\u202e\u009b", "b \u202e"}, hostile...) {
		for _, key := range []string{"bad", "broken"} {
			calls = append(calls, []string{"explain", "--policy-dir", "$DIR/keys", "--key", key, "--", request},
				[]string{"explain", "--policy-dir", "$DIR/keys", "--key", "bad", "--user", request, "--fingerprint", request, "--", request})
		}
	}
	for _, args := range calls {
		got := d.run(args...)
		for _, r := range got.out + got.errs {
			if r != '\n' && !unicode.IsPrint(r) || !utf8.ValidString(got.out+got.errs) {
				t.Errorf("%.200q: %U in %.900q", args, r, got.out+got.errs)
				break
			}
		}
		if got.out+got.errs == "" {
			t.Errorf("%q says nothing", args)
		}
		for _, form := range []string{"--json", "--sarif"} {
			if args[0] == "explain" && form == "--sarif" {
				continue
			}
			got := d.run(append([]string{args[0], form}, args[1:]...)...)
			for i, c := range []byte(got.out + got.errs) {
				if (c < 0x20 || c > 0x7e) && c != '\n' {
					t.Errorf("%.200q %s: byte %#02x in %.200q", args, form, c, (got.out + got.errs)[max(0, i-100):])
					break
				}
			}
			if (got.out != "" || got.errs == "") && !json.Valid([]byte(got.out)) {
				t.Errorf("%.200q %s: no JSON: %.200q", args, form, got.out)
			}
		}
	}
}

// TestCheckSummary counts.
func TestCheckSummary(t *testing.T) {
	d := newDesk(t)
	for i := range 3 {
		d.write("keys/k"+strconv.Itoa(i)+".toml", "usres = 1\n")
	}
	if got := d.run("check", "--policy-dir", "$DIR/keys"); !strings.HasSuffix(got.out, "\n3 errors in 3 policies\n") || strings.Count(got.out, "  means: ") != 1 || strings.Count(got.out, "  hint: ") != 3 {
		t.Errorf("%s", got.out)
	}
}

// TestListed: every kind of finding is listed, and explained by its id.
func TestListed(t *testing.T) {
	d := newDesk(t)
	list := d.run("check", "--list")
	for _, k := range lint.Kinds {
		if !strings.Contains(list.out, k.ID+" ") {
			t.Errorf("the list has no %s", k.ID)
		}
		if got := d.run("check", "--why", k.ID); got.status != exitOK || !strings.HasPrefix(got.out, k.ID+"\n") || !strings.Contains(got.out, k.Why) || !strings.Contains(got.out, k.Fix) {
			t.Errorf("%s: %+v", k.ID, got)
		}
	}
	var kinds []struct{ ID, Severity, Title, Why, Fix string }
	if err := json.Unmarshal([]byte(d.run("check", "--list", "--json").out), &kinds); err != nil || len(kinds) != len(lint.Kinds) {
		t.Errorf("%v, %d", err, len(kinds))
	}
}

// TestCalledPolicy: sshd starts the gate in the home of the account. cmd/ssh-gate holds the key lines of real accounts.
func TestCalledPolicy(t *testing.T) {
	for command, want := range map[string]string{
		"ssh-gate --key ci":                       filepath.Join(policy.KeysDir, "ci.toml"),
		"/usr/bin/ssh-gate --key=ci":              filepath.Join(policy.KeysDir, "ci.toml"),
		"ssh-gate --key ci --policy-dir /srv//p/": "/srv/p/ci.toml",
		"ssh-gate --key ci --policy-dir p":        "/home/a/p/ci.toml",
		"ssh-gate --policy /srv//x.toml":          "/srv/x.toml",
		"ssh-gate --policy x.toml":                "/home/a/x.toml",
		"ssh-gate --key-from fingerprint":         "",
	} {
		call := called(t, command)
		if got := calledPolicy(&call, "/home/a"); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
}

// TestAstray: links that the gate follows and those that it does not, and no descriptor is left.
func TestAstray(t *testing.T) {
	d := newDesk(t)
	check(t, os.Mkdir(d.path("theirs"), 0o755))
	check(t, errors.Join(os.Symlink("keys", d.path("own")), os.Symlink("../keys", d.path("theirs/link")), os.Symlink("none", d.path("theirs/dangling"))))
	if os.Geteuid() == 0 {
		check(t, os.Chown(d.path("theirs"), nobody, nobody))
	}
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		check(t, err)
		return len(entries)
	}
	before := open()
	h := newLintHost(nil)
	for name, want := range map[string]bool{"keys": false, "own": os.Geteuid() != 0, "none": false, "theirs": false, "theirs/link": true, "theirs/link/x": true, "theirs/dangling": true} {
		if err := h.Astray(d.path(name)); (err != nil) != want || want && !strings.Contains(err.Error(), "that others than root can have made") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := open(); after != before {
		t.Errorf("%d descriptors became %d", before, after)
	}
}
