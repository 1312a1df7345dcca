package lint

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/examples"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/safefile"
)

var update = flag.Bool("update", false, "write what is found into testdata")

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// host has all programs, paths and accounts but those that are absent, and no links but these.
type host struct {
	absent []string
	unsafe []string
	links  map[string]string
	astray []string // that the gate would not follow
	abi    int
}

var full = host{abi: 6}

func (h host) Lookup(name string) (string, bool) {
	return "/usr/bin/" + name, !slices.Contains(h.absent, name)
}

func (h host) Resolve(path string) (string, int, error) {
	for from, to := range h.links {
		if rest, ok := strings.CutPrefix(path, from); ok && (rest == "" || rest[0] == '/') {
			return to + rest, 0, nil
		}
	}
	return path, 0, nil
}

func (h host) Program(path string) error {
	switch {
	case slices.Contains(h.absent, path):
		return &safefile.Error{Fault: safefile.Missing, Path: path, Problem: "does not exist"}
	case slices.Contains(h.unsafe, path):
		return &safefile.Error{Fault: safefile.Unsafe, Path: path, Problem: "may be written by others (mode 0777)", Hint: `chmod go-w "` + path + `"`}
	}
	return nil
}

func (h host) Astray(path string) error {
	if slices.Contains(h.astray, path) {
		return fmt.Errorf("%+q is a link that others than root can have made", path)
	}
	return nil
}

func (h host) Script(path string) error { return h.Program(path) }

func (h host) Exists(path string) (bool, error) { return !slices.Contains(h.absent, path), nil }
func (h host) Account(name string) bool         { return !slices.Contains(h.absent, name) }
func (h host) Homes() []string                  { return []string{"/root", "/data/people/u"} }
func (h host) LandlockABI() int                 { return h.abi }

// troubled is the host of the cases in testdata.
var troubled = host{
	absent: []string{"missing", "/opt/missing", "nobody-here", "/srv/missing"}, unsafe: []string{"/opt/unsafe"}, abi: 3,
	astray: []string{"/srv/theirs", "/srv/missing"}, links: map[string]string{"/usr/bin/mysh": "/usr/bin/dash", "/srv/link": "/etc"},
}

func parse(t testing.TB, name, text string) *policy.Policy {
	t.Helper()
	p, faults := policy.Parse("k", name, []byte(text))
	if faults != nil {
		t.Fatal(faults.Render())
	}
	return p
}

// quiet are findings that most small policies have; the cases leave them out unless they are about them.
var quiet = []string{"no-tests", "never-expires", "path-without-access"}

func show(findings []Finding, about string) string {
	var b strings.Builder
	for _, f := range findings {
		if slices.Contains(quiet, f.Kind.ID) && f.Kind.ID != about {
			continue
		}
		fmt.Fprintf(&b, "%d:%d %s %s", f.Line, f.Col, f.Kind.Severity, f.Kind.ID)
		if f.Rule != "" {
			fmt.Fprintf(&b, " [%s]", f.Rule)
		}
		fmt.Fprintf(&b, ": %s\n", f.Message)
		if f.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", f.Hint)
		}
	}
	return b.String()
}

// TestKinds: each file of testdata is named after a kind, and has policies with what is found in each. "-- has --" begins one that has
// the kind, "-- has not --" the nearest that has not, "-- found --" what is found in the one before.
func TestKinds(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, file := range files {
		id := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(id, func(t *testing.T) {
			if _, ok := Of(id); !ok {
				t.Fatal("there is no such kind")
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for _, part := range strings.Split(string(text), "-- has")[1:] {
				head, rest, _ := strings.Cut(part, "--\n")
				source, want, _ := strings.Cut(rest, "-- found --\n")
				findings := Policy(parse(t, file, source), source, troubled, now)
				got := show(findings, id)
				has := slices.ContainsFunc(findings, func(f Finding) bool { return f.Kind.ID == id })
				if has != (head == " ") {
					t.Errorf("found:\n%s\nin the policy that has%sthe kind:\n%s", got, head, source)
				}
				shown[id] = shown[id] || has
				if got != want && !*update {
					t.Errorf("got\n%s\nwant\n%s\nof\n%s", got, want, source)
				}
				out.WriteString("-- has" + head + "--\n" + source + "-- found --\n" + got)
			}
			if *update {
				if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	for _, k := range Kinds {
		if !byVerb(k.ID) && !shown[k.ID] {
			t.Errorf("no case has %s", k.ID)
		}
	}
}

func TestExamples(t *testing.T) {
	entries, err := examples.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "config.toml" {
			continue
		}
		text, err := examples.Files.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range Policy(parse(t, e.Name(), string(text)), string(text), full, now) {
			if f.Kind.Severity != Note {
				t.Errorf("%s: %s: %s", e.Name(), f.Kind.ID, f.Render())
			} else {
				t.Logf("%s: %s: %s", e.Name(), f.Kind.ID, f.Message)
			}
		}
	}
}

func BenchmarkPolicy(b *testing.B) {
	text, err := examples.Files.ReadFile("deploy.toml")
	if err != nil {
		b.Fatal(err)
	}
	p := parse(b, "deploy.toml", string(text))
	b.ReportAllocs()
	for b.Loop() {
		Policy(p, string(text), full, now)
	}
}

// TestWorstAreKept: where there is more than is told, the errors are among it.
func TestWorstAreKept(t *testing.T) {
	var b strings.Builder
	for i := range 3 * maxFindings {
		fmt.Fprintf(&b, "[[allow]]\ncommand = \"a%d {x}\"\nargs.x = { regex = '.*' }\n", i)
	}
	b.WriteString("[[allow]]\ncommand = \"/opt/unsafe\"\n")
	findings := Policy(parse(t, "many", b.String()), b.String(), troubled, now)
	if len(findings) != maxFindings || findings[maxFindings-1].Kind.ID != "program-unsafe" {
		t.Errorf("%d findings, the last %s", len(findings), findings[len(findings)-1].Error())
	}
}

func TestAccepts(t *testing.T) {
	p := parse(t, "k", `accept = ["key-line-unrestricted", "test-failed"]`)
	for id, want := range map[string]bool{"key-line-unrestricted": true, "test-failed": false, "policy-without-key-line": false} {
		k, _ := Of(id)
		if got := Accepts(p, k); got != want {
			t.Errorf("%s is accepted: %v", id, got)
		}
	}
}
