package policy

import (
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/address"
)

func TestParseHead(t *testing.T) {
	p := mustParse(t, `
description  = "CI: restarts the app"
users        = ["deploy", "www-data"]
from         = ["203.0.113.0/24", "2001:db8::/32", "192.0.2.7"]
expires      = 2027-01-01T00:00:00+02:00
fingerprints = ["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+/"]
log          = "all"
messages     = "full"
`)
	if p.Name != "k" || p.File != "k.toml" || p.Description != "CI: restarts the app" || !p.LogAll || !p.Full || len(p.Rules) != 0 {
		t.Errorf("got %+v", p)
	}
	if want := []string{"deploy", "www-data"}; !reflect.DeepEqual(p.Users, want) {
		t.Errorf("users %q", p.Users)
	}
	if want := time.Date(2026, 12, 31, 22, 0, 0, 0, time.UTC); !p.Expires.Equal(want) {
		t.Errorf("expires %v, want %v", p.Expires, want)
	}
	if len(p.Fingerprints) != 1 || len(p.Fingerprints[0]) != 50 {
		t.Errorf("fingerprints %q", p.Fingerprints)
	}
	for text, want := range map[string]bool{"203.0.113.255": true, "2001:db8:1::5": true, "192.0.2.7": true, "::ffff:192.0.2.7": true, "192.0.2.8": false, "203.0.114.0": false, "2001:db9::": false} {
		a, ok := address.Parse(text)
		if !ok {
			t.Fatal(text)
		}
		if got := len(p.From) == 3 && (p.From[0].Contains(a) || p.From[1].Contains(a) || p.From[2].Contains(a)); got != want {
			t.Errorf("from has %s: %v", text, got)
		}
	}
}

func TestParseDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "allow = []\n", "[args]\n", "log = \"denied\"\nmessages = \"brief\"\n"} {
		p := mustParse(t, text)
		if p.LogAll || p.Full || p.Users != nil || p.From != nil || !p.Expires.IsZero() || p.Fingerprints != nil || len(p.Rules) != 0 {
			t.Errorf("%q is read as %+v", text, p)
		}
	}
}

func TestParseNil(t *testing.T) {
	if p, faults := Parse("k", "k.toml", nil); p == nil || faults != nil {
		t.Errorf("got %v, %v", p, faults)
	}
}

// shown spells a list of elements as a policy does.
func shown(elements []Element) string {
	words := make([]string, len(elements))
	for i, e := range elements {
		for _, p := range e.Parts {
			if p.Name != "" {
				words[i] += "<" + strings.Trim(spelled(p.Name, e.Repeat), "{}") + ">"
			} else {
				words[i] += p.Text
			}
		}
	}
	return strings.Join(words, "|")
}

func TestPatterns(t *testing.T) {
	for command, want := range map[string]string{
		"uptime":                           "uptime",
		" uptime\t now ":                   "uptime|now",
		"p {x}":                            "p|<x>",
		"p --since={x}":                    "p|--since=<x>",
		"p {x},{y}":                        "p|<x>,<y>",
		"p {x}{y}{x}":                      "p|<x><y><x>",
		"p {x?} {y*} {z+}":                 "p|<x?>|<y*>|<z+>",
		"p 'a b' \"c d\"":                  "p|a b|c d",
		"p 'a {x} b'":                      "p|a <x> b",
		`p "{x}"'{y}'{x}`:                  "p|<x><y><x>",
		"p {{x}}":                          "p|{x}",
		"p {{{x}}}":                        "p|{<x>}",
		"p '{{' }} {{}}":                   "p|{|}|{}",
		"p '{{x}}{y}'":                     "p|{x}<y>",
		`p \* '\*' "\\*" a\ b`:             `p|*|\*|\*|a b`,
		"p '$HOME' ';' '~' \\#":            "p|$HOME|;|~|#",
		"p a#b a~b":                        "p|a#b|a~b",
		"p '' \"\" ''{x}":                  "p|||<x>",
		"p é 漢字":                           "p|é|漢字",
		"/opt/a/b --now":                   "/opt/a/b|--now",
		"p {x_1}":                          "p|<x_1>",
		"p -{x}":                           "p|-<x>",
		"\"program with blanks\" {x}":      "program with blanks|<x>",
		"p '{x' }":                         "",
		"p {x}=~":                          "",
		"p 'a\tb'":                         "p|a\tb",
		"p " + strings.Repeat("{x}", 200):  "p|" + strings.Repeat("<x>", 200),
		"p " + strings.Repeat("{{", 2000):  "p|" + strings.Repeat("{", 2000),
		"p " + strings.Repeat("'", 2000):   "p|",
		"p " + strings.Repeat("{x} ", 255): "p" + strings.Repeat("|<x>", 255),
	} {
		text := fmt.Sprintf("[args]\nx = [\"1\"]\ny = [\"1\"]\nz = [\"1\"]\nx_1 = [\"1\"]\n[[allow]]\ncommand = %q\n", command)
		p, faults := Parse("k", "k.toml", []byte(text))
		switch {
		case want == "" && faults == nil:
			t.Errorf("%q is accepted", command)
		case want == "":
		case faults != nil:
			t.Errorf("%q is refused: %v", command, faults)
		case shown(p.Rules[0].Patterns[0].Elements) != want:
			t.Errorf("%.100q is read as %.100q, want %.100q", command, shown(p.Rules[0].Patterns[0].Elements), want)
		case p.Rules[0].Patterns[0].Text != command:
			t.Errorf("the text of %q is %q", command, p.Rules[0].Patterns[0].Text)
		}
	}
}

func TestParseRules(t *testing.T) {
	p := mustParse(t, `
[args]
unused = { text = [1, 2] }
version = ["top"]

[[allow]]
name    = "first"
command = ["deploy {version}", "ship {version} now"]
args.version = ["own"]
run     = "/opt/deploy --to {version} {version} done"

[[allow]]
command = "deploy {version}"

[[allow]]
raw = "cd /srv && git pull"
run = "/usr/local/bin/update"

[[allow]]
command = ""
run     = "/usr/local/bin/status"

[[allow]]
command = ["", "status {o*} {words?}"]
args.o = { options = ["-v", "-n {n}"], repeat = true }
args.n = { int = [1, 2] }
args.words = { text = [1, 2] }
run     = "/usr/local/bin/status"
`)
	if len(p.Rules) != 5 {
		t.Fatalf("%d rules", len(p.Rules))
	}
	first := &p.Rules[0]
	if first.Number != 1 || first.Label() != "first" || p.Rules[1].Label() != "#2" || p.Rules[4].Number != 5 {
		t.Errorf("labels %q %q", first.Label(), p.Rules[1].Label())
	}
	if shown(first.Patterns[0].Elements) != "deploy|<version>" || shown(first.Patterns[1].Elements) != "ship|<version>|now" {
		t.Errorf("patterns %v", first.Patterns)
	}
	if shown(first.Run.Elements) != "/opt/deploy|--to|<version>|<version>|done" || first.Run.Program() != "/opt/deploy" {
		t.Errorf("run %v", first.Run)
	}
	for i, want := range []string{"own", "top"} {
		typ := p.Rules[i].Patterns[0].Elements[1].Parts[0].Type
		if !typ.Accepts(want) || typ.Accepts("other") {
			t.Errorf("rule %d has not the type %s", i+1, want)
		}
	}
	if raw := &p.Rules[2]; raw.Raw != "cd /srv && git pull" || raw.Patterns != nil || raw.Run.Program() != "/usr/local/bin/update" {
		t.Errorf("raw %+v", raw)
	}
	if empty := &p.Rules[3]; len(empty.Patterns) != 1 || len(empty.Patterns[0].Elements) != 0 {
		t.Errorf("empty %+v", empty)
	}
	options, ok := p.Rules[4].Patterns[1].Elements[1].Parts[0].Type.(*Options)
	if !ok || !options.Repeat || len(options.List) != 2 || options.List[1].Elements[1].Parts[0].Type == nil {
		t.Errorf("options %+v", options)
	}
}

// Every placeholder of an accepted policy has a type: the decision relies on it.
func TestEveryPlaceholderHasAType(t *testing.T) {
	p := mustParse(t, `
[args]
o = { options = ["-a {n}", "--b={n}{m}"] }
n = { int = [1, 2] }
m = ["x"]
[[allow]]
command = ["a {o*} {n}", "c --n={n}{m} {m*}"]
[[allow]]
command = "d {o+}"
args.n  = ["own"]
`)
	var look func(elements []Element)
	look = func(elements []Element) {
		for _, e := range elements {
			for _, part := range e.Parts {
				if part.Name == "" {
					continue
				}
				if part.Type == nil {
					t.Errorf("{%s} has no type", part.Name)
				}
				if o, ok := part.Type.(*Options); ok {
					for _, option := range o.List {
						look(option.Elements)
					}
				}
			}
		}
	}
	for i := range p.Rules {
		for _, pattern := range p.Rules[i].Patterns {
			look(pattern.Elements)
		}
	}
	// A placeholder inside options of the top has its type from each rule, and none from the other.
	for i, want := range []string{"1", "own"} {
		inside := p.Rules[i].Patterns[0].Elements[1].Parts[0].Type.(*Options).List[0].Elements[1].Parts[0].Type
		if !inside.Accepts(want) || inside.Accepts([]string{"own", "1"}[i]) {
			t.Errorf("inside the options of rule %d {n} is %s", i+1, inside)
		}
	}
}

func TestSettings(t *testing.T) {
	p := mustParse(t, `
env      = { A = "top", B = "top" }
pass_env = ["GIT_PROTOCOL"]
cwd      = "/srv"
umask    = "027"
stdin    = "none"

[[allow]]
command = "a"

[[allow]]
command  = "b"
env      = { B = "own", C = "" }
pass_env = []
cwd      = "/"
umask    = "0022"
stdin    = "inherit"

[[allow]]
command = "c"
[allow.env]
Z = "1"
_x9 = "é"
`)
	mode := func(m fs.FileMode) *fs.FileMode { return &m }
	for i, want := range []Settings{
		{Env: []EnvVar{{"A", "top"}, {"B", "top"}}, PassEnv: []string{"GIT_PROTOCOL"}, Dir: "/srv", Umask: mode(0o027), StdinNone: true},
		{Env: []EnvVar{{"A", "top"}, {"B", "own"}, {"C", ""}}, PassEnv: []string{}, Dir: "/", Umask: mode(0o022)},
		{Env: []EnvVar{{"A", "top"}, {"B", "top"}, {"Z", "1"}, {"_x9", "é"}}, PassEnv: []string{"GIT_PROTOCOL"}, Dir: "/srv", Umask: mode(0o027), StdinNone: true},
	} {
		if got := p.Rules[i].Settings; !reflect.DeepEqual(got, want) {
			t.Errorf("rule %d: got %+v, want %+v", i+1, got, want)
		}
	}
	if bare := mustParse(t, "[[allow]]\ncommand = \"a\"\n").Rules[0].Settings; !reflect.DeepEqual(bare, Settings{}) {
		t.Errorf("nothing set, got %+v", bare)
	}
}

// What the gate sets, and what makes a loader or an interpreter run other code, never comes from a client.
func TestPassedVariables(t *testing.T) {
	for name, want := range map[string]bool{
		"GIT_PROTOCOL": true, "TZ": true, "_": true, "a1": true, strings.Repeat("A", 256): true,
		"LD_PRELOAD": false, "LD_LIBRARY_PATH": false, "LD_": false, "PATH": false, "HOME": false, "USER": false, "LOGNAME": false, "SHELL": false,
		"SSH_CONNECTION": false, "SSH_CLIENT": false, "SSH_TTY": false, "BASH_ENV": false, "TERM": false, "LANG": false, "LC_ALL": false, "GIT_SSH_COMMAND": false, "RSYNC_RSH": false, "PERL5LIB": false, "PYTHONPATH": false, "GLIBC_TUNABLES": false, "ENV": false, "IFS": false, "NODE_OPTIONS": false,
		"": false, "1A": false, "A=B": false, "A B": false, "É": false, "A-B": false, "BASH_FUNC_ls%%": false, strings.Repeat("A", 257): false,
	} {
		if got := checkPassed(name) == nil; got != want {
			t.Errorf("%.40q may be passed: %v", name, got)
		}
	}
}

func TestIsName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "0": true, "deploy-1.x_y": true, strings.Repeat("a", 64): true, "a..b": true,
		"": false, ".": false, "..": false, "-a": false, "_a": false, ".a": false, "a/b": false, "a b": false, "é": false, "a\x00": false, "a\n": false, strings.Repeat("a", 65): false,
	} {
		if IsName(name) != want {
			t.Errorf("IsName(%q) = %v", name, !want)
		}
	}
}

// TOML's ways to write the same thing mean the same thing.
func TestSpellingsOfTOML(t *testing.T) {
	const want = "p|<n>|<unit>"
	for _, text := range []string{
		"[[allow]]\ncommand = \"p {n} {unit}\"\nargs.n = { int = [1, 5] }\nargs.unit = [\"a\"]\n",
		"[[allow]]\ncommand = 'p {n} {unit}'\nargs = { n.int = [1, 5], unit = ['a'] }\n",
		"[[allow]]\r\ncommand = \"\"\"\r\np {n} {unit}\"\"\"\r\n[allow.args]\r\nn.int = [\r\n1,\r\n5,\r\n]\r\nunit = [\"\\u0061\"]\r\n",
		"[[allow]]\n\"command\" = ['p {n} {unit}']\n[allow.args.n]\nint = [1, 5]\n[allow.args]\n'unit' = [\"a\"]\n",
		"allow = [{ command = \"p {n} {unit}\", args = { n = { int = [0x1, +5] }, unit = [\"a\"] } }]",
		"[args]\nn.int = [1, 5]\nunit = [\"a\"]\n[[allow]]\ncommand = \"p {n} {unit}\"",
	} {
		p := mustParse(t, text)
		if len(p.Rules) != 1 || len(p.Rules[0].Patterns) != 1 || shown(p.Rules[0].Patterns[0].Elements) != want {
			t.Fatalf("%q is read as %+v", text, p.Rules)
		}
		n, unit := p.Rules[0].Patterns[0].Elements[1].Parts[0].Type, p.Rules[0].Patterns[0].Elements[2].Parts[0].Type
		if !n.Accepts("5") || n.Accepts("6") || !unit.Accepts("a") || unit.Accepts("b") {
			t.Errorf("%q gives other types", text)
		}
	}
}
