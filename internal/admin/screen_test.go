package admin

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"example.org/ssh-gate/internal/lint"
	"example.org/ssh-gate/internal/policy"
)

// TestFold: no line is wider than the screen unless one word is, no word is lost, and a pipe gets the text as it is.
func TestFold(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	for range 3000 {
		words := make([]string, 1+random.IntN(30))
		for i := range words {
			words[i] = strings.Repeat("é", 1+random.IntN(18))
		}
		text := strings.Join(words, " ")
		width, indent := leastWidth+random.IntN(80), random.IntN(40)
		got := fold(text, width, indent)
		if strings.Join(strings.Fields(got), " ") != text {
			t.Fatalf("%d, %d: %q became %q", width, indent, text, got)
		}
		for i, line := range strings.Split(got, "\n") {
			n := utf8.RuneCountInString(line)
			if i == 0 {
				n += indent
			}
			if n > width && (i > 0 && strings.Contains(strings.TrimLeft(line, " "), " ") || i == 0 && line != "") {
				t.Fatalf("%d, %d: a line of %d columns: %q in %q", width, indent, n, line, got)
			}
		}
		if fold(text, 0, indent) != text {
			t.Fatal("a pipe gets a folded text")
		}
	}
}

// TestCaret: whatever the width and the place, the caret stands below the character, and no line is wider than the screen.
func TestCaret(t *testing.T) {
	for _, width := range []int{0, 20, 24, 40, 80, 200} {
		for _, col := range []int{1, 2, 10, 19, 20, 21, 39, 75, 79, 80, 159, 160, 161, 399, 400, 401} {
			for _, length := range []int{1, 5, 100, 500} {
				for _, line := range []int{1, 99999} {
					source := strings.Repeat("é", col-1) + strings.Repeat("X", 401-col)
					c := &call{width: width}
					lines := strings.Split(c.source(&policy.Fault{Line: line, Col: col, Len: length, Source: source}, ""), "\n")
					what := fmt.Sprintf("width %d, column %d, length %d\n%s", width, col, length, strings.Join(lines, "\n"))
					if len(lines) != 3 || lines[2] != "" {
						t.Fatal(what)
					}
					above, below := []rune(lines[0]), []rune(lines[1])
					if limit := width; limit > 0 && (len(above) > limit || len(below) > limit) {
						t.Error("too wide: ", what)
					}
					for i, r := range below {
						if r == '^' && i < len(above) && above[i] != 'X' {
							t.Error("the caret is off: ", what)
							break
						}
					}
					if first := strings.IndexByte(lines[1], '^'); first < 0 || col < 401 && first >= len(above) {
						t.Error("no caret below the text: ", what)
					}
				}
			}
		}
	}
}

// TestFindingFits: findings, the list of them and explanations fit the screen.
func TestFindingFits(t *testing.T) {
	d := newDesk(t)
	d.write("config.toml", "path = [\"/usr/bin\"]\n")
	d.write("p.toml", "expires = 2020-01-01T00:00:00Z\nfrom = [\"0.0.0.0/0\"]\n[[allow]]\ncommand = \"tail -n {n} {f*}\"\nargs.n = { int = [1, 5] }\nargs.f = { path = \"/var/log\", access = \"read\" }\n[[test]]\nrequest = \"ls\"\nexpect = \"allow\"\n")
	d.write("b.toml", "description = \"a long line that is wider than any of these terminals\"; usres = [\"a\"]\n")
	for _, width := range []int{20, 24, 40, 49, 50, 80} {
		for _, args := range [][]string{
			{"check", d.path("p.toml")}, {"check", d.path("b.toml")}, {"check", "--list"}, {"check", "--why", "takes-anything"}, {"check", "--help"}, {"explain", "-h"}, {"log", "-h"},
			{"explain", "--config", d.path("config.toml"), "--policy", d.path("p.toml"), "--at", "2019-01-01", "--", "tail -n 3 /var/log/a"},
			{"explain", "--config", d.path("config.toml"), "--policy", d.path("b.toml"), "--", "ls"},
			{"explain", "--config", d.path("config.toml"), "--policy", d.path("p.toml"), "--", "ls"},
		} {
			var out, errs bytes.Buffer
			c := &call{verb: args[0], args: args[1:], env: map[string]string{}, out: &out, errs: &errs, now: now, zone: d.zone, width: width}
			v, _ := find(args[0])
			v.run(c)
			for line := range strings.Lines(out.String()) {
				line = strings.TrimSuffix(line, "\n")
				words := strings.Fields(line)
				long := false // a word that is too long stays whole, with its label
				for _, w := range words {
					long = long || utf8.RuneCountInString(w) > width-11
				}
				if n := utf8.RuneCountInString(line); n > width && !long && !strings.HasPrefix(line, "  ssh-gate ") && !strings.HasPrefix(line, "  --") {
					t.Errorf("%d columns, %q: a line of %d: %q", width, args, n, line)
				}
			}
		}
	}
}

// TestReportIsWhole: what a terminal is told is all that the finding has, and what is the same for a kind is told once.
func TestReportIsWhole(t *testing.T) {
	var out bytes.Buffer
	c := &call{out: &out}
	kind, _ := lint.Of("takes-anything")
	c.tellFinding(&lint.Finding{Kind: kind, Rule: "up", Fault: &policy.Fault{File: "/p\x1b.toml", Line: 3, Col: 5, Len: 2, Message: "m\x9b", Hint: "h\u202e", Source: "abc\tdefg\x00"}}, true)
	if got, want := out.String(), "/p?.toml:3:5: warning: rule up: m\ufffd [takes-anything]\n  3 | abc defg?\n    |     ^^\n  means: "+kind.Why+"\n  hint: h?\n\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	out.Reset()
	c.tellFinding(&lint.Finding{Kind: kind, Fault: &policy.Fault{File: "/p.toml", Message: "m"}}, false)
	if got, want := out.String(), "/p.toml: warning: m [takes-anything]\n  hint: "+kind.Fix+"\n\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestProgress: a long examination tells how far it is, on a terminal alone, and wipes that away at its end.
func TestProgress(t *testing.T) {
	for _, c := range []struct {
		on   bool
		of   int
		want string
	}{
		{true, progressFrom, "\r0 of 200 policies checked\r\x1b[K"}, {true, progressFrom - 1, ""}, {false, progressFrom, ""},
	} {
		var errs bytes.Buffer
		p := progress{c: &call{errs: &errs}, on: c.on}
		p.step(0, c.of)
		p.step(1, c.of) // too soon for another
		p.done()
		if got := errs.String(); got != c.want {
			t.Errorf("%d policies, on a terminal %v: %q, want %q", c.of, c.on, got, c.want)
		}
	}
	if p := (&call{errs: &bytes.Buffer{}}).newProgress(); p.on {
		t.Error("what is no terminal is told of progress")
	}
}

// TestUnusedFits: where the table is wider than the terminal, its rows are broken before the command, and nothing is lost.
func TestUnusedFits(t *testing.T) {
	d := newDesk(t)
	d.write("keys/ci.toml", "[[allow]]\nname = \"a-rule-with-a-name\"\ncommand = \"systemctl restart app.service worker.service\"\n[[allow]]\nname = \"used\"\ncommand = \"uptime\"\n")
	d.write("log", permit(at(100*day), "ci", "used")+permit(at(day), "ci", "used"))
	for width, want := range map[int]string{
		0:   "\nKEY              RULE                 LAST MATCHED     COMMAND\nci               a-rule-with-a-name   never            systemctl restart app.service worker.service\n",
		100: "\nKEY              RULE                 LAST MATCHED     COMMAND\nci               a-rule-with-a-name   never            systemctl restart app.service worker.service\n",
		80:  "\nKEY              RULE                 LAST MATCHED     COMMAND\nci, a-rule-with-a-name, last matched: never\n    systemctl restart app.service worker.service\n",
		40:  "1 of 2 rules not matched since\n2026-08-24 12:00\n\nci, a-rule-with-a-name, last matched:\nnever\n    systemctl restart app.service\n    worker.service\n",
	} {
		if got := d.runWide(width, false, "unused", "--config", "$DIR/config.toml", "--policy-dir", "$DIR/keys"); !strings.HasSuffix(got.out, want) {
			t.Errorf("%d columns:\n%s%s", width, got.out, got.errs)
		}
	}
}

// TestMessagesFit: what is told on standard error is folded by the width of the terminal that it is told on, and help fits as well.
func TestMessagesFit(t *testing.T) {
	master, slave := terminal(t, 40)
	c := &call{errs: slave}
	c.tell("error", "name the policy with --key NAME or --policy FILE; or give the reference of a record")
	text := make([]byte, 1000)
	n, err := master.Read(text)
	check(t, err)
	if got, want := string(text[:n]), "ssh-gate: error: name the policy with\r\n                 --key NAME or --policy\r\n                 FILE; or give the\r\n                 reference of a record\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	d := newDesk(t)
	for _, width := range []int{24, 40, 80} {
		for line := range strings.Lines(d.runWide(width, false, "help").out) {
			if n := len(strings.TrimSuffix(line, "\n")); n > width && !strings.Contains(line, "ssh-gate --key deploy") && !strings.HasSuffix(line, ":\n") && !strings.Contains(line, "/etc/ssh-gate/") {
				t.Errorf("%d columns: %q", width, line)
			}
		}
	}
}
