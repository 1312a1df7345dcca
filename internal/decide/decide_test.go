package decide

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/address"
	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// host is a file system for tests. Every program lies in /usr/bin but those that are named absent; everything exists, and is no
// link but what links names. A link to "!" cannot be looked at.
type host struct {
	absent []string
	links  map[string]string
}

func (h host) Lookup(name string) (string, bool) {
	if slices.Contains(h.absent, name) {
		return "", false
	}
	return "/usr/bin/" + name, true
}

func (h host) Resolve(path string) (string, int, error) {
	for range 40 {
		next := h.step(path)
		if next == path {
			return path, 0, nil
		}
		path = next
	}
	return "", 0, errors.New("cannot be looked at")
}

func (h host) step(path string) string {
	if path == "!" {
		return "!!"
	}
	if path == "!!" {
		return "!"
	}
	for at, target := range h.links {
		if path == at {
			return target
		}
		if rest, ok := strings.CutPrefix(path, at+"/"); ok {
			if target == "!" {
				return target
			}
			return target + "/" + rest
		}
	}
	return path
}

func mustParse(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, faults := policy.Parse("k", "policy.toml", []byte(text))
	if faults != nil {
		t.Fatalf("%s\n%s", faults.Render(), text)
	}
	return p
}

// TestVectors reads testdata/*.txtar: a policy, perhaps a file system, then one request a line and what becomes of it.
//
//	tail -n 5 /var/log/a => tail -n 5 /var/log/a       allowed, with this argv, quoted as a shell would read it
//	tail -n => deny no-rule word 3 is missing          this reason, and this text somewhere in the detail
//	go:"a\nb" => deny control-character                the request as a string of Go
//	@user deploy                                       holds from here on; so do @ip, @now, @proved and @unproved
//
// In the file system "absent NAME" takes a program away, and "/a -> /b" makes a link.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, rest, ok1 := strings.Cut(string(text), "-- policy.toml --\n")
			before, vectors, ok2 := strings.Cut(rest, "-- vectors --\n")
			if !ok1 || !ok2 {
				t.Fatal("a section is missing")
			}
			source, tree, _ := strings.Cut(before, "-- files --\n")
			runVectors(t, file, strings.Count(string(text), "\n")-strings.Count(vectors, "\n"),
				Input{Policy: mustParse(t, source), Files: readHost(t, tree), Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}, vectors)
		})
	}
}

func readHost(t *testing.T, tree string) host {
	h := host{links: map[string]string{}}
	for line := range strings.Lines(tree) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "absent "); ok {
			h.absent = append(h.absent, name)
		} else if at, target, ok := strings.Cut(line, " -> "); ok {
			h.links[at] = target
		} else if line != "" {
			t.Fatalf("what is %q", line)
		}
	}
	return h
}

func runVectors(t *testing.T, file string, line int, in Input, vectors string) {
	tried := 0
	for text := range strings.Lines(vectors) {
		line++
		text = strings.TrimSuffix(text, "\n")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if strings.HasPrefix(text, "@") {
			set(t, &in, text[1:])
			continue
		}
		i := strings.LastIndex(text, "=> ")
		if i < 0 {
			t.Fatalf("%s:%d: no => in %q", file, line, text)
		}
		in.Request = request(t, strings.TrimSuffix(text[:i], " "))
		tried++
		if problem := differs(Decide(in), in, text[i+3:]); problem != "" {
			t.Errorf("%s:%d: %s\n%s", file, line, text, problem)
		}
	}
	if tried == 0 {
		t.Error("no request was tried")
	}
}

func request(t *testing.T, text string) string {
	quoted, ok := strings.CutPrefix(text, "go:")
	if !ok {
		return text
	}
	plain, err := strconv.Unquote(quoted)
	if err != nil {
		t.Fatalf("%s is no string of Go", quoted)
	}
	return plain
}

func set(t *testing.T, in *Input, directive string) {
	name, value, _ := strings.Cut(directive, " ")
	switch name {
	case "user":
		in.User = value
	case "ip":
		in.ClientIP = value
		in.ClientAddr, _ = address.Parse(value)
	case "now":
		at, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			t.Fatal(err)
		}
		in.Now = at
	case "proved":
		in.Fingerprints = func() ([]string, error) { return strings.Fields(value), nil }
	case "unproved":
		in.Fingerprints = func() ([]string, error) { return nil, errors.New(value) }
	default:
		t.Fatalf("what is @%s", directive)
	}
}

// differs says how a decision is not what a vector wants.
func differs(d Decision, in Input, want string) string {
	if denial, ok := strings.CutPrefix(want, "deny "); ok {
		reason, detail, _ := strings.Cut(denial, " ")
		if d.Allowed || string(d.Reason) != reason || !strings.Contains(d.Detail, detail) {
			return "got " + describeDecision(d)
		}
		if d.Program != "" || d.Reason != record.ProgramMissing && d.Rule != nil {
			return "a denial names a program or a rule: " + describeDecision(d)
		}
		return ""
	}
	if !d.Allowed || d.Reason != record.Matched || argv.Quote(d.Argv) != want {
		return "got " + describeDecision(d)
	}
	program := d.Argv[0]
	if !strings.HasPrefix(program, "/") {
		program, _ = in.Files.Lookup(program)
	}
	if d.Program != program || d.Rule == nil || d.Detail != "" {
		return "got the program " + d.Program + ", " + describeDecision(d)
	}
	return ""
}

func describeDecision(d Decision) string {
	if d.Allowed {
		return d.Rule.Label() + " => " + argv.Quote(d.Argv)
	}
	return "deny " + string(d.Reason) + " " + d.Detail
}

// A policy without fingerprints must not ask for them: the answer costs a file, and may not be had.
func TestFingerprintsAreAskedForOnlyWhereNamed(t *testing.T) {
	in := Input{Policy: mustParse(t, "[[allow]]\ncommand = \"uptime\"\n"), Files: host{}, Request: "uptime"}
	in.Fingerprints = func() ([]string, error) {
		t.Error("fingerprints were asked for")
		return nil, nil
	}
	if d := Decide(in); !d.Allowed {
		t.Error(describeDecision(d))
	}
}

// The program is looked up only for the rule whose name the request gives.
func TestOnlyTheRequestedProgramIsLookedUp(t *testing.T) {
	var asked lookups
	in := Input{Policy: mustParse(t, "[[allow]]\ncommand = [\"a\", \"b\", \"c\"]\n[[allow]]\ncommand = \"/opt/d\"\n"), Files: &asked}
	for request, want := range map[string]string{"a": "a", "b": "b", "/bin/c": "c", "/opt/d": "", "x": "", "": "", "/bin/x": ""} {
		asked = nil
		in.Request = request
		Decide(in)
		if strings.Join(asked, " ") != want {
			t.Errorf("for %q the lookups were %q", request, asked)
		}
	}
}

type lookups []string

func (l *lookups) Lookup(name string) (string, bool) {
	*l = append(*l, name)
	return "/bin/" + name, true
}
func (l *lookups) Resolve(path string) (string, int, error) { return path, 0, nil }

// TestHelp: where the policy has help, two requests ask for it, a rule wins, and the policy's conditions come first.
func TestHelp(t *testing.T) {
	const rules = "[[allow]]\ncommand = \"uptime\"\n"
	for _, c := range []struct {
		text, request string
		reason        record.Reason
		listing       Listing
	}{
		{"help = true\n" + rules, "help", record.Helped, ListingText},
		{"help = true\n" + rules, " 'help' --json ", record.Helped, ListingJSON},
		{"help = true\n" + rules, "", record.NoCommand, ListingText},
		{"help = true\n" + rules, "help --text", record.NoRule, NoListing},
		{"help = true\n" + rules, "help; id", record.NeedsShell, NoListing},
		{"help = true\nusers = [\"other\"]\n" + rules, "help", record.WrongUser, NoListing},
		{"help = true\nexpires = 2000-01-01T00:00:00Z\n" + rules, "", record.Expired, NoListing},
		{"help = true\n[[allow]]\ncommand = \"help\"\nrun = \"/bin/true\"\n", "help", record.Matched, NoListing},
		{rules, "help", record.NoRule, NoListing},
		{rules, "help --json", record.NoRule, NoListing},
		{rules, "", record.NoCommand, NoListing},
	} {
		p, faults := policy.Parse("test", "test.toml", []byte(c.text))
		if faults != nil {
			t.Fatal(faults.Render())
		}
		d := Decide(Input{Policy: p, Files: host{}, Request: c.request, User: "deploy", Now: time.Now()})
		if d.Reason != c.reason || d.Listing != c.listing || d.Allowed != (c.reason == record.Matched) {
			t.Errorf("%q under\n%s: %s, listing %d, allowed %v", c.request, c.text, d.Reason, d.Listing, d.Allowed)
		}
	}
}

// TestObserve: the steps tell of each attempt in order, and end with the one that matched; what is decided does not depend on them.
func TestObserve(t *testing.T) {
	const rules = `
[[allow]]
raw = "ls | wc"
run = "/bin/true"
[[allow]]
command   = ["systemctl restart {unit}", "restart {unit}"]
args.unit = ["app", "worker"]
run       = "/bin/true {unit}"
[[allow]]
command = "uptime"
`
	p, faults := policy.Parse("test", "test.toml", []byte(rules))
	if faults != nil {
		t.Fatal(faults.Render())
	}
	for request, want := range map[string]string{
		"restart app": "#1/-1 the request is not exactly its raw text; #2/0 word 1, \"restart\", is not \"systemctl\"; #2/1 matched",
		"systemctl restart postgres": "#1/-1 the request is not exactly its raw text; #2/0 word 3, \"postgres\", is not one of \"app\", \"worker\"; " +
			"#2/1 word 1, \"systemctl\", is not \"restart\"; #3/0 word 1, \"systemctl\", is not \"uptime\"",
		"ls | wc":   "#1/-1 matched",
		"ls | wc x": "#1/-1 the request is not exactly its raw text",
		"uptime -p": "#1/-1 the request is not exactly its raw text; #2/0 word 1, \"uptime\", is not \"systemctl\"; " +
			"#2/1 word 1, \"uptime\", is not \"restart\"; #3/0 nothing may follow word 1; it goes on with \"-p\"",
		"": "#1/-1 the request is not exactly its raw text; #2/0 no command was requested; #2/1 no command was requested; #3/0 no command was requested",
	} {
		var steps []string
		in := Input{Policy: p, Files: host{}, Request: request, Now: time.Now()}
		plain := Decide(in)
		in.Observe = func(s Step) {
			text := s.Rule.Label() + "/" + strconv.Itoa(s.Pattern) + " " + s.Why
			if s.Matched {
				text += "matched"
			}
			steps = append(steps, text)
		}
		d := Decide(in)
		if got := strings.Join(steps, "; "); got != want {
			t.Errorf("%q:\n%s\nwant\n%s", request, got, want)
		}
		if d.Allowed != plain.Allowed || d.Reason != plain.Reason || d.Detail != plain.Detail || !slices.Equal(d.Argv, plain.Argv) {
			t.Errorf("%q is decided otherwise when watched: %+v, %+v", request, d, plain)
		}
	}
}

// TestTook: a step that matched tells what each placeholder took.
func TestTook(t *testing.T) {
	const rules = `
[[allow]]
command   = "sync --from={src}:{n} {opts*} {files+} {last?}"
args.src  = { chars = "a-z", len = [1, 9] }
args.n    = { int = [1, 9] }
args.opts = { options = ["-v", "--depth {n}"] }
args.files = { path = "/srv" }
args.last = ["now"]
`
	p, faults := policy.Parse("test", "test.toml", []byte(rules))
	if faults != nil {
		t.Fatal(faults.Render())
	}
	var got []Value
	Decide(Input{Policy: p, Files: host{}, Request: "sync --from=web:3 -v --depth 2 /srv/a /srv/b now", Now: time.Now(),
		Observe: func(s Step) { got = s.Took }})
	want := []Value{{"src", []string{"web"}}, {"n", []string{"3"}}, {"opts", []string{"-v", "--depth", "2"}}, {"files", []string{"/srv/a", "/srv/b"}}, {"last", []string{"now"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
