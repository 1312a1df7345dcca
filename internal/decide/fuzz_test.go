package decide

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// rich has every kind of rule and type.
const rich = `
[args]
n     = { int = [-5, 500] }
unit  = ["app", "", "-x"]
name  = { chars = "A-Za-z0-9./_-", len = [0, 20] }
tag   = { regex = 'v[0-9]+(\.[0-9]+)*|é' }
file  = { path = "/srv" }
below = { path = "/srv", itself = false }
blind = { path = "/srv", links = "ignore" }
log   = { glob = "/var/*/?.log" }
any   = { text = [0, 50] }
last  = { chars = "a-z-", len = [0, 9] }
opts  = { options = ["-v", "--n={n}", "-f {file}", "{tag}:{name}"] }
more  = { options = ["-q", "-l {log}", "--{name}={any}"], repeat = true }

[[allow]]
command = ["uptime", "a {n}", "b {unit}", "c {name}", "d {tag}", "e {file}", "f {below} {blind}", "g {log}", "h {any}"]
[[allow]]
command = "i {n?} {unit*} {name+}"
[[allow]]
command = "j {name}:{any}{tag}-{n}"
[[allow]]
command = "k {opts*} {more+} {any?}"
[[allow]]
command = "/opt/l {name*} -- {any*}"
[[allow]]
command = "missing {any*}"
[[allow]]
command = ["m {name}={any} {n?} {file*}", "m {n?} {name},{any} {file*}"]
run     = "/opt/m {any}{name} --n {n?} {file*} {name}"
[[allow]]
command = "n {opts+} v={last}"
run     = "/opt/n {last} {opts+}"
[[allow]]
raw = "o; p"
run = "/opt/raw"
[[allow]]
command = ["", "'' x"]
run     = "/opt/none"
`

var richHost = host{absent: []string{"missing"}, links: map[string]string{"/srv/out": "/etc", "/srv/shut": "!", "/srv/in": "/srv/a", "/var/log/x.log": "/etc/shadow"}}

// FuzzDecide holds what every decision has, whatever the request.
func FuzzDecide(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, vectors, _ := strings.Cut(string(text), "-- vectors --\n")
		for line := range strings.Lines(vectors) {
			request, _, _ := strings.Cut(line, " => ")
			f.Add(request)
		}
	}
	for _, request := range []string{
		"a 5", "b ''", "c a/b", "d v1.2", "e /srv/a", "e /srv/out/x", "f /srv/a /srv/out", "g /var/log/a.log", "h 'a b'", "i 1 app -x a b", "j a:bv1-5",
		"k -v --n=3 -f /srv/a v1:x -q -l /var/log/a.log --a=b c", "/opt/l a b -- c", "missing x", "m a=b 5 /srv/a /srv/b", "m a,b", "n -v v=a", "o; p", "", "'' x", "m -=- ",
	} {
		f.Add(request)
	}
	p, q := mustParse(f, rich), mustParse(f, rich)
	f.Fuzz(func(t *testing.T, request string) {
		in := Input{Policy: p, Files: richHost, Request: request}
		d := Decide(in)
		checkDecision(t, in, d)
		in.Policy = q
		again := Decide(in)
		if (d.Rule == nil) != (again.Rule == nil) || d.Rule != nil && d.Rule.Number != again.Rule.Number ||
			d.Allowed != again.Allowed || d.Program != again.Program || !slices.Equal(d.Argv, again.Argv) || d.Detail != again.Detail {
			t.Fatalf("first %s, then %s", describeDecision(d), describeDecision(again))
		}
	})
}

// checkDecision holds what the gate relies on, and what the types promise.
func checkDecision(t *testing.T, in Input, d Decision) {
	t.Helper()
	if !slices.ContainsFunc(record.Reasons[:], func(m record.Meaning) bool { return m.Reason == d.Reason }) {
		t.Fatalf("the reason %q is not in the list", d.Reason)
	}
	if d.Allowed != (d.Reason == record.Matched) {
		t.Fatalf("allowed %v for the reason %s", d.Allowed, d.Reason)
	}
	if strings.ContainsFunc(d.Detail, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		t.Fatalf("the detail is not printable ASCII: %q", d.Detail)
	}
	if !d.Allowed {
		if d.Detail == "" {
			t.Fatal("a denial says nothing")
		}
		return
	}
	if d.Rule == nil || !strings.HasPrefix(d.Program, "/") || len(d.Argv) == 0 || d.Detail != "" {
		t.Fatalf("allowed, but %+v", d)
	}
	for _, word := range d.Argv {
		if strings.ContainsRune(word, 0) {
			t.Fatalf("%q holds a NUL", d.Argv)
		}
	}
	words, problem := argv.Split(in.Request)
	if problem != nil && (d.Rule.Raw == "" || d.Rule.Raw != in.Request) {
		t.Fatalf("%q is no plain words, and rule %s takes it", in.Request, d.Rule.Label())
	}
	if d.Rule.Run != nil {
		checkTemplate(t, in, d)
		return
	}
	if !slices.Equal(words, d.Argv) {
		t.Fatalf("%q runs %q", in.Request, d.Argv)
	}
	if described := slices.ContainsFunc(d.Rule.Patterns, func(p policy.Pattern) bool { return literalsMatch(p, words) }); !described {
		t.Fatalf("%q is described by no pattern of rule %s", words, d.Rule.Label())
	}
}

// checkTemplate holds that run alone decides the program, and the words of run that have no placeholder.
func checkTemplate(t *testing.T, in Input, d Decision) {
	t.Helper()
	if d.Program != d.Rule.Run.Program() || d.Argv[0] != d.Program {
		t.Fatalf("%q runs %s as %q", in.Request, d.Program, d.Argv)
	}
	for i, e := range d.Rule.Run.Elements {
		if e.Repeat != policy.One {
			return
		}
		if literal, ok := e.Literal(); ok && (i >= len(d.Argv) || d.Argv[i] != literal) {
			t.Fatalf("%q runs %q, where word %d is %q", in.Request, d.Argv, i, literal)
		}
	}
}

// literalsMatch is a weak description: the literal words of a pattern, in their order, each element taking at least its one word.
func literalsMatch(p policy.Pattern, words []string) bool {
	i, floating := 1, false
	for _, e := range p.Elements[1:] {
		literal, ok := e.Literal()
		switch {
		case !ok && e.Repeat == policy.One:
			i++
		case !ok:
			floating = true
		case !floating:
			if i >= len(words) || words[i] != literal {
				return false
			}
			i++
		case !slices.Contains(words[min(i, len(words)):], literal):
			return false
		}
	}
	return i <= len(words) && (floating || i == len(words))
}
