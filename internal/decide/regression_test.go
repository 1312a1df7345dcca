package decide

import (
	"fmt"
	"strings"
	"testing"
)

// Each test opens with what a client, or a careless caller, could once do.

// A word that can be cut in very many ways used up what matching may cost; the rule that describes it was then passed over, and a
// broader one after it ran.
func TestSpentBudgetRegression(t *testing.T) {
	policy := mustParse(t, `
[[allow]]
name    = "checked"
command = "put {a}:{b}"
args.a  = { text = [1, 65536] }
args.b  = { regex = '[0-9]:*' }
run     = "/opt/checked {a} {b}"

[[allow]]
name     = "broad"
command  = "put {any}"
args.any = { text = [1, 65536] }
run      = "/opt/broad {any}"
`)
	for _, colons := range []int{3, 3000, 30_000, 60_000} {
		d := Decide(Input{Policy: policy, Files: host{}, Request: "put x:5" + strings.Repeat(":", colons)})
		if d.Allowed && d.Rule.Name != "checked" {
			t.Errorf("%d colons: the rule %s runs %s", colons, d.Rule.Name, d.Program)
		}
	}
}

// Names that cannot be looked at came into the detail as they stood.
func TestDetailIsASCIIRegression(t *testing.T) {
	policy := mustParse(t, "[[allow]]\ncommand = \"cat {file}\"\nargs.file = { path = \"/\" }\nrun = \"/opt/cat\"\n")
	d := Decide(Input{Policy: policy, Files: realHost{}, Request: "cat /" + strings.Repeat("é", 200)})
	if d.Allowed || d.Detail == "" || strings.ContainsFunc(d.Detail, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		t.Errorf("got %s", describeDecision(d))
	}
}

// A file system that names a path and says that there is no such program had that path executed.
func TestPathOfAMissingProgramRegression(t *testing.T) {
	policy := mustParse(t, "[[allow]]\ncommand = \"ghost\"\n")
	if d := Decide(Input{Policy: policy, Files: ghosts{}, Request: "ghost"}); d.Allowed {
		t.Errorf("%s is executed", d.Program)
	}
}

type ghosts struct{ host }

func (ghosts) Lookup(name string) (string, bool) { return "/usr/bin/" + name, false }

// A counted repetition without anchors made every byte begin a thousand states, for as many cuts of the word as the budget let
// through: minutes for one request. It hangs if that comes back.
func TestCountedRepetitionRegression(t *testing.T) {
	policy := mustParse(t, `
[[allow]]
command   = "fetch {host}:{name}"
run       = "/opt/fetch"
args.host = { regex = '[a-z0-9:-]{1,253}\.example\.org' }
args.name = { regex = '[a-z0-9-]+' }
`)
	for range 50 {
		if d := Decide(Input{Policy: policy, Files: host{}, Request: "fetch " + strings.Repeat("a:", 32_000)}); d.Allowed {
			t.Fatal("allowed")
		}
	}
}

// The search for the next literal was charged like a comparison, so long values used up what many rules together may cost, and a
// later rule that describes the request exactly was never tried.
func TestManyRulesAndALongValueRegression(t *testing.T) {
	var text strings.Builder
	text.WriteString("args.v = { text = [0, 65536] }\n")
	for i := range 120 {
		fmt.Fprintf(&text, "[[allow]]\ncommand = \"put {k}={v}\"\nargs.k = [\"k%d\"]\nrun = \"/opt/put\"\n", i)
	}
	policy := mustParse(t, text.String())
	if d := Decide(Input{Policy: policy, Files: host{}, Request: "put k119=" + strings.Repeat("x", 60_000)}); !d.Allowed || d.Rule.Number != 120 {
		t.Errorf("got %s", describeDecision(d))
	}
}
