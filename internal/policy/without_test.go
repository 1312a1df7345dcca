package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// without takes the rules of a policy, which has no fault, out of it.
func without(t *testing.T, text string, rules ...int) (string, error) {
	t.Helper()
	p, faults := Parse("k", "k.toml", []byte(text))
	if faults != nil {
		t.Fatalf("%s\n%s", faults.Render(), text)
	}
	got, err := p.Without([]byte(text), rules)
	return string(got), err
}

// TestWithout: what goes is the rule with its comment and its tables; all else stays, byte by byte.
func TestWithout(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		rules []int
		want  string
	}{
		"none":   {"# top\nlog = \"all\"\n[[allow]]\ncommand = \"a\"\n# end", nil, "# top\nlog = \"all\"\n[[allow]]\ncommand = \"a\"\n# end"},
		"first":  {"log = \"all\"\n\n[[allow]]\ncommand = \"a\"\n\n[[allow]]\ncommand = \"b\"\n", []int{1}, "log = \"all\"\n\n[[allow]]\ncommand = \"b\"\n"},
		"last":   {"[[allow]]\ncommand = \"a\"\n\n[[allow]]\ncommand = \"b\"", []int{2}, "[[allow]]\ncommand = \"a\"\n\n"},
		"middle": {"[[allow]]\ncommand = \"a\"\n[[allow]]\ncommand = \"b\"\n[[allow]]\ncommand = \"c\"\n", []int{2}, "[[allow]]\ncommand = \"a\"\n[[allow]]\ncommand = \"c\"\n"},
		"all":    {"log = \"all\"\n[[allow]]\ncommand = \"a\"\n[[allow]]\ncommand = \"b\"\n", []int{1, 2}, "log = \"all\"\n"},
		"in any order": {
			"[[allow]]\ncommand = \"a\"\n[[allow]]\ncommand = \"b\"\n[[allow]]\ncommand = \"c\"\n", []int{3, 1}, "[[allow]]\ncommand = \"b\"\n",
		},
		"its comment goes, that of the next stays": {
			"# top\n\n# of a\n  # still of a\n[[allow]] # a\ncommand = \"a\" # a\n# of b\n[[allow]]\ncommand = \"b\"\n", []int{1},
			"# top\n\n# of b\n[[allow]]\ncommand = \"b\"\n",
		},
		"its tables go with it": {
			"[[allow]]\ncommand = \"a {n}\"\n[allow.args.n]\nint = [1, 2]\n# kept by a\n[allow.env]\nA = \"1\"\n[[allow]]\ncommand = \"b\"\n[allow.env]\nB = \"2\"\n", []int{1},
			"[[allow]]\ncommand = \"b\"\n[allow.env]\nB = \"2\"\n",
		},
		"the tables of the others stay": {
			"[[allow]]\ncommand = \"a\"\n[allow.env]\nA = \"1\"\n[[allow]]\ncommand = \"b\"\n[allow.env]\nB = \"2\"\n", []int{2},
			"[[allow]]\ncommand = \"a\"\n[allow.env]\nA = \"1\"\n",
		},
		"a table of the policy between": {
			"[[allow]]\ncommand = \"a\"\n[env]\nX = \"1\"\n[[allow]]\ncommand = \"b\"\n", []int{1}, "[env]\nX = \"1\"\n[[allow]]\ncommand = \"b\"\n",
		},
		"spelt otherwise": {
			"[[ \"allow\" ]]\ncommand = \"a\"\n [[allow]]\ncommand = \"b\"\n\t[['allow']]\ncommand = \"c\"\n", []int{1, 3}, " [[allow]]\ncommand = \"b\"\n",
		},
		"lines end as Windows ends them": {
			"log = \"all\"\r\n# of a\r\n[[allow]]\r\ncommand = \"a\"\r\n# of b\r\n[[allow]]\r\ncommand = \"b\"\r\n", []int{1},
			"log = \"all\"\r\n# of b\r\n[[allow]]\r\ncommand = \"b\"\r\n",
		},
		"a text that looks like a rule": {
			"[[allow]]\nraw = '''\n# x\n[[allow]]\ncommand = \"no\"\n'''\nrun = \"/bin/a\"\n[[allow]]\ncommand = \"b\"\n[[allow]]\nraw = \"\"\"\n[[allow]]\n\"\"\"\nrun = \"/bin/c\"\n", []int{2},
			"[[allow]]\nraw = '''\n# x\n[[allow]]\ncommand = \"no\"\n'''\nrun = \"/bin/a\"\n[[allow]]\nraw = \"\"\"\n[[allow]]\n\"\"\"\nrun = \"/bin/c\"\n",
		},
		"a text that looks like a rule goes whole": {
			"[[allow]]\nraw = '''\n[[allow]]\ncommand = \"no\"\n'''\nrun = \"/bin/a\"\n[[allow]]\ncommand = \"b\"\n", []int{1}, "[[allow]]\ncommand = \"b\"\n",
		},
		"a text whose last line looks like a comment": {
			"[[allow]]\nrun = \"/bin/a\"\nraw = \"\"\"\na\n# b\"\"\"\n# of b\n[[allow]]\ncommand = \"b\"\n[[allow]]\ncommand = \"c\"\n", []int{2},
			"[[allow]]\nrun = \"/bin/a\"\nraw = \"\"\"\na\n# b\"\"\"\n[[allow]]\ncommand = \"c\"\n",
		},
		"nothing between that text and the next rule": {
			"[[allow]]\nrun = \"/bin/a\"\nraw = '''\n# a\n# b'''\n[[allow]]\ncommand = \"b\"\n", []int{2}, "[[allow]]\nrun = \"/bin/a\"\nraw = '''\n# a\n# b'''\n",
		},
	} {
		got, err := without(t, c.text, c.rules...)
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n%q\nwant\n%q", name, err, got, c.want)
		}
	}
}

// TestWithoutNumbers: rule 1 is not the beginning of rule 10.
func TestWithoutNumbers(t *testing.T) {
	var text strings.Builder
	for n := range 120 {
		fmt.Fprintf(&text, "[[allow]]\ncommand = \"c%d\"\n[allow.env]\nN = \"%d\"\n", n+1, n+1)
	}
	for _, drop := range [][]int{{1}, {10}, {1, 10, 100}, {12, 11}, {120}} {
		got, err := without(t, text.String(), drop...)
		if err != nil {
			t.Errorf("%v: %v", drop, err)
			continue
		}
		left, _ := Parse("k", "k.toml", []byte(got))
		n := 0
		for i := range 120 {
			if slices.Contains(drop, i+1) {
				continue
			}
			r := left.Rules[n]
			n++
			if want := fmt.Sprint(i + 1); r.Patterns[0].Text != "c"+want || r.Settings.Env[0].Value != want {
				t.Errorf("%v: rule %d is %q with %v, want %s", drop, n, r.Patterns[0].Text, r.Settings.Env, want)
			}
		}
	}
}

// TestWithoutRefuses: rules in one inline list have no lines of their own.
func TestWithoutRefuses(t *testing.T) {
	const inline = "allow = [{ command = \"a\" }, { name = \"second\", command = \"b\" }]\n"
	for rule, want := range map[int]string{
		1: "rule #1 has no [[allow]] of its own, so it has to be taken out by hand",
		2: "rule second has no [[allow]] of its own, so it has to be taken out by hand",
	} {
		if got, err := without(t, inline, rule); got != "" || err == nil || err.Error() != want {
			t.Errorf("rule %d: %q, %v; want %s", rule, got, err, want)
		}
	}
	if got, err := without(t, inline); err != nil || got != inline {
		t.Errorf("without none: %q, %v", got, err)
	}
}

// FuzzWithout holds that what is left parses, and has the other rules in their order.
func FuzzWithout(f *testing.F) {
	f.Add("[[allow]]\nraw = '''\n# a\n# b'''\nrun = \"/bin/a\"\n# c\n[[allow]]\ncommand = \"b\"\n[[allow]]\ncommand = \"c {n}\"\nargs.n = [\"1\"]\n", uint16(2))
	f.Add("[env]\nA = \"1\"\n[[allow]]\r\ncommand = \"a\"\r\n[allow.env]\r\nB = \"2\"\r\n[[\"allow\"]]\ncommand = \"\"\"\nb\"\"\"\n", uint16(1))
	f.Add("allow = [{ command = \"a\" }]\n", uint16(1))
	f.Fuzz(func(t *testing.T, text string, mask uint16) {
		if len(text) > 4096 {
			return
		}
		p, _ := Parse("k", "k.toml", []byte(text))
		if p == nil {
			return
		}
		var drop []int
		var want []string
		for i := range p.Rules {
			if mask>>(i%16)&1 == 1 {
				drop = append(drop, i+1)
			} else {
				want = append(want, outline(&p.Rules[i]))
			}
		}
		result, err := p.Without([]byte(text), drop)
		if err != nil {
			return
		}
		left, faults := Parse("k", "k.toml", result)
		if faults != nil {
			t.Fatalf("%v: %s\n%q\nof\n%q", drop, faults.Render(), result, text)
		}
		var got []string
		for i := range left.Rules {
			got = append(got, outline(&left.Rules[i]))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("without %v the rules are %q, want %q:\n%q\nof\n%q", drop, got, want, result, text)
		}
	})
}

// outline is what a rule is but for its number.
func outline(r *Rule) string {
	s := fmt.Sprintf("%q %q %+v", r.Name, r.Raw, r.Settings.Env)
	for _, p := range r.Patterns {
		s += fmt.Sprintf(" %q", p.Text)
	}
	if r.Run != nil {
		s += " " + r.Run.Text
	}
	return s
}
