package decide

import (
	"fmt"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/argv"
)

// What a client may send at most, 64 KiB in one-letter words or in one word, ends in time against every pattern that could make
// it dear. There is no clock here: a matcher that is not bounded would outlast the deadline of the test itself.
func TestLargestRequests(t *testing.T) {
	const words, letters = 32_768, 60 << 10
	short := "p" + strings.Repeat(" a", words-1)
	colons := "p " + strings.Repeat(":", letters)
	equal := "p " + strings.Repeat("a", letters)
	for _, c := range []struct {
		name, command, args, request string
		allowed                      bool
	}{
		{"three repetitions", "p {a*} {b*} {c*}", "", short, true},
		{"three repetitions and a word", "p {a*} {b*} {c*} z", "", short, false},
		{"one each at least", "p {a+} {b+} {c+}", "", short, true},
		{"one each at least and a word", "p {a+} {b+} {c+} z", "", short, false},
		{"a word between", "p {a*} z {b*} z {c*}", "", short, false},
		{"thirty repetitions", "p " + strings.Repeat("{a*} ", 30) + "z", "", short, false},
		{"two hundred optional words", "p " + strings.Repeat("{a?} ", 200) + "z", "", short, false},
		{"options of many lengths", "p {o*} {a*} {o+} z", "o = { options = ['a', 'a a', 'a a a', 'a {a} a'], repeat = true }", short, false},
		{"options once", "p {a*} {o*} {b*} {o+} z", "o = { options = ['a', 'a a', 'a a a', 'a {a} a'] }", short, false},
		{"four cuts", "p {t}:{u}:{v}:{w}", "", colons, true},
		{"four cuts and no end", "p {t}:{u}:{v}:{w}x", "", colons, false},
		{"four cuts and the wrong end", "p {t}:{u}:{v}:{n}", "", colons, false},
		{"cuts without anything between", "p {t}{u}{v}{w}z", "", equal, false},
		{"two hundred cuts", "p " + strings.Repeat("{t}", 200) + "z", "", equal, false},
		{"two hundred cuts at nothing", "p " + strings.Repeat("{e}", 200) + "z", "", equal, false},
		{"many cuts of which few fit", "p " + strings.Repeat("{ones}", 40), "", "p " + strings.Repeat("1", 50), true},
		{"a regular expression at every cut", "p {r}:{r}z", "", colons, false},
		{"cuts in every word", "p {two*} z", "", short, false},
		{"cuts inside options", "p {o*} z", "o = { options = ['{t}:{u}:{v}:{w}x', '{t}:{u}:{n}'], repeat = true }", colons, false},
		{"a component of a path for every letter", "p {path}", "", "p " + strings.Repeat("/a", letters/2), false},
		{"stars against one component", "p {glob}", "", "p /" + strings.Repeat("a", 4000), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			policy := mustParse(t, `
[args]
a = { chars = "a" }
b = { chars = "a" }
c = { chars = "a" }
t = { text = [0, 65536] }
u = { text = [0, 65536] }
v = { text = [0, 65536] }
w = { text = [0, 65536] }
n = { int = [1, 2] }
e = ["", "z"]
r = { regex = '(a|:|::)*' }
two = ["a", "b"]
ones = ["1", "11"]
path = { path = "/a" }
glob = { glob = "/*a*a*a*a*a*a*a*a*a*b" }
`+c.args+"\n[[allow]]\ncommand = \""+c.command+"\"\n")
			d := Decide(Input{Policy: policy, Files: host{}, Request: c.request})
			if d.Allowed != c.allowed {
				t.Fatalf("got %.200s", describeDecision(d))
			}
			if len(d.Detail) > maxDetail+100 {
				t.Errorf("the detail has %d bytes", len(d.Detail))
			}
		})
	}
}

// Many rules that each look at every cut share one budget.
func TestManyRulesShareTheBudget(t *testing.T) {
	var rules strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&rules, "[[allow]]\ncommand = \"p {t}:{t}:{t}:%d\"\n", i)
	}
	policy := mustParse(t, "[args]\nt = { text = [0, 65536] }\n"+rules.String())
	if d := Decide(Input{Policy: policy, Files: host{}, Request: "p " + strings.Repeat(":", 60<<10) + "x"}); d.Allowed {
		t.Error(describeDecision(d))
	}
}

func TestLongestRequest(t *testing.T) {
	policy := mustParse(t, "[[allow]]\ncommand = \"p {t*}\"\nargs.t = { text = [0, 65536] }\n")
	for size, want := range map[int]string{argv.MaxRequest: "matched", argv.MaxRequest + 1: "too-long", 131_050: "too-long"} {
		d := Decide(Input{Policy: policy, Files: host{}, Request: "p " + strings.Repeat("a", size-2)})
		if string(d.Reason) != want {
			t.Errorf("%d bytes: %s", size, d.Reason)
		}
	}
	raw := strings.Repeat("a;", 40_000)
	policy = mustParse(t, "[[allow]]\nraw = \""+raw+"\"\nrun = \"/opt/raw\"\n")
	if d := Decide(Input{Policy: policy, Files: host{}, Request: raw}); !d.Allowed {
		t.Errorf("a raw text may be longer: %s", describeDecision(d))
	}
}
