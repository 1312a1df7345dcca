package decide

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/argv"
)

// Whatever a client sends, no program gets a value that its type rules out: wherever the value stood in the request and wherever
// run puts it.
func TestAllowedValuesHoldNothingForbidden(t *testing.T) {
	policy := mustParse(t, `
[args]
c = { chars = "a./é-", len = [0, 20] }
p = { path = "/a" }
g = { glob = "/b/*/?*" }
t = { text = [0, 20] }
e = ["", "-", "--x="]
r = { regex = '-?' }
[[allow]]
command = ["p {c}", "p v={c}", "p {e}{c}", "p {r}{c}", "p {c}:{e}", "p {e} {c}"]
run     = "/opt/show {c} dir={c}"
[[allow]]
command = ["p {p}", "p v={p}", "p {e}{p}", "p {p}{e}"]
run     = "/opt/show {p} dir={p}"
cwd     = "/a"
[[allow]]
command = ["p {g}", "p v={g}", "p {e}{g}"]
run     = "/opt/show {g} dir={g}"
[[allow]]
command = ["p -- {t}", "p v={t}", "p {e}{t}"]
run     = "/opt/show {t} dir={t}"
`)
	rng := rand.New(rand.NewPCG(21, 22))
	pieces := []string{".", "..", "/", "a", "-", "--", "é", "/a", "/a/", "/../", "/./", "//", ":", "\u202e", " ", "*", "v=", "--x=", "-x", "/.a", "/b/a/x", "/b/a"}
	perRule := map[int]int{}
	for range 60_000 {
		words := []string{"p"}
		for range 1 + rng.IntN(2) {
			var b strings.Builder
			for range rng.IntN(5) {
				b.WriteString(pieces[rng.IntN(len(pieces))])
			}
			words = append(words, b.String())
		}
		d := Decide(Input{Policy: policy, Files: host{}, Request: argv.Quote(words)})
		if !d.Allowed {
			continue
		}
		perRule[d.Rule.Number]++
		value := d.Argv[1]
		if "dir="+value != d.Argv[2] {
			t.Fatalf("%q runs %q", words, d.Argv)
		}
		if strings.HasPrefix(value, "-") {
			t.Fatalf("%q gives an argument that begins with a dash: %q", words, d.Argv)
		}
		components := strings.Split(value, "/")
		if d.Rule.Number < 4 && (slices.Contains(components, "..") || slices.Contains(components, ".")) {
			t.Fatalf("%q gives a value that leads elsewhere: %q", words, d.Argv)
		}
		if d.Rule.Number == 2 && value != "/a" && !strings.HasPrefix(value, "/a/") && strings.HasPrefix(value, "/") {
			t.Fatalf("%q gives a path elsewhere: %q", words, d.Argv)
		}
		if (d.Rule.Number == 1 || d.Rule.Number == 4) && strings.Contains(value, "\u202e") {
			t.Fatalf("%q gives text that is not printable: %q", words, d.Argv)
		}
	}
	for n := 1; n <= 4; n++ {
		if perRule[n] < 50 {
			t.Errorf("rule %d was met %d times only", n, perRule[n])
		}
	}
}
