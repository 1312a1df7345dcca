package decide

import (
	"os"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/argv"
)

// dear is what a policy and a client can do to make one request cost the most.
var dear = []struct {
	name, args, command, request string
	beyond                       bool // what may be done for one request
}{
	{"colons against a large expression, cut four ways", `r = { regex = '(a?:?){400}' }`, "p {r}:{r}:{r}:{r}", "p " + strings.Repeat(":", 400), false},
	{"and one word", `r = { regex = '(a?:?)*(a?:?){400}' }`, "p {r}", "p " + strings.Repeat("a", 60<<10), true},
	{"words against an expression that repeats inside", `r = { regex = '([a-z]{1,200}){1,4}[0-9]?' }`, "p {r*} {r*} {r*} {r*} {r*} {r*} z", "p" + strings.Repeat(" "+strings.Repeat("a", 400), 160), true},
	{"one step of the backtracker", `r = { regex = '(a|aa|aaa)*b' }`, "p {r*} {r*} {r*} z", "p" + strings.Repeat(" "+strings.Repeat("a", 2000), 32), false},
	{"the largest expression", `r = { regex = '(([a-z]?b?c?d?){1,30}){1,30}' }`, "p {r*} {r*} z", "p" + strings.Repeat(" "+strings.Repeat("a", 3000), 20), false},
	{"letters in every class", `r = { regex = '(\pL?\pN?\PZ?){100}' }`, "p {r*} {r*} {r*} z", "p" + strings.Repeat(" "+strings.Repeat("é", 200), 160), true},
	{"letters and a search for each", "r = { regex = '(?s)(?:.|" + strings.Repeat(`\pL?`, 1000) + ")*Q' }", "p {r}", "p " + strings.Repeat("!", 32_000), true},
	{"letters of both cases", "r = { regex = '(?is)(?:.|" + strings.Repeat("é?", 1350) + ")*Q' }", "p {r}", "p " + strings.Repeat("a", 23_500), true},
	{"cuts at nothing", `e = ["", "z"]`, "p " + strings.Repeat("{e}", 200) + "z", "p " + strings.Repeat("a", 60<<10), true},
	{"cuts of text", `t = { text = [0, 65536] }`, "p {t}{t}{t}{t}z", "p " + strings.Repeat("a", 60<<10), true},
	{"cuts of paths", `t = { path = "/a" }`, "p {t}{t}{t}{t}z", "p " + strings.Repeat("/a", 30<<10), true},
	{"cuts of numbers", `n = { int = [0, 9] }`, "p {n}{n}{n}{n}z", "p " + strings.Repeat("1", 60<<10), false},
	{"stars against stars", `g = { glob = "/` + strings.Repeat("*a", 1000) + `*b" }`, "p {g*} {g*} z", "p" + strings.Repeat(" /"+strings.Repeat("a", 4000), 16), false},
	{"a long list", "l = [" + strings.Repeat(`"x",`, 9_999) + `"a"]`, "p {l*} {l*} {l*} {l*} z", "p" + strings.Repeat(" a", 32_000), true},
	{"two hundred repetitions", `a = { chars = "a" }`, "p " + strings.Repeat("{a*} ", 200) + "z", "p" + strings.Repeat(" a", 32_000), true},
	{"many options", `o = { options = ["b` + strings.Repeat(`", "b`, 62) + `", "a"], repeat = true }`, "p {o*} {o*} {o*} {o*} z", "p" + strings.Repeat(" a", 32_000), true},
	{"ranges beyond ASCII", `c = { chars = "` + ranges() + `", len = [0, 255] }`, "p {c*} {c*} {c*} z", "p" + strings.Repeat(" "+strings.Repeat("é", 120), 250), true},
}

func ranges() string {
	var b strings.Builder
	for r := rune(0x4e00); r < 0x4e00+3000; r += 2 {
		b.WriteRune(r)
	}
	return b.String() + "é"
}

// What one request costs is bounded by what is counted, whatever a policy and a client do together: beyond it nothing is asked of a type
// any more, and no later rule is tried.
func TestWorkIsBounded(t *testing.T) {
	for _, c := range dear {
		t.Run(c.name, func(t *testing.T) {
			found := searched(t, "[args]\nlater = { text = [0, 65536] }\n"+c.args+"\n[[allow]]\ncommand = \""+c.command+"\"\n[[allow]]\ncommand = \"p {later*}\"\n", c.request)
			if spent := found.work > maxWork; spent != c.beyond || spent != (found.rule == nil) || spent != strings.Contains(found.nearest, "more work") {
				t.Errorf("after %d steps: rule %v, %q", found.work, found.rule, found.nearest)
			}
		})
	}
}

// searched holds a request of plain words against a policy.
func searched(t *testing.T, source, request string) found {
	t.Helper()
	words, problem := argv.Split(request)
	if problem != nil {
		t.Fatal(problem)
	}
	f := search(Input{Policy: mustParse(t, source), Files: host{}, Request: request}, words, nil)
	t.Logf("%d steps of %d", f.work, maxWork)
	return f
}

func BenchmarkDear(b *testing.B) {
	for _, c := range dear {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			words, _ := argv.Split(c.request)
			work := 0
			for b.Loop() {
				b.StopTimer()
				policy := mustParse(b, "[args]\n"+c.args+"\n[[allow]]\ncommand = \""+c.command+"\"\n")
				b.StartTimer()
				work = search(Input{Policy: policy, Files: host{}, Request: c.request}, words, nil).work
			}
			b.ReportMetric(float64(work), "steps")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(work), "ns/step")
		})
	}
}

// What people write, and what their clients send, stays far below the bound, also where a client sends as much as it may.
func TestOrdinaryWork(t *testing.T) {
	const image = `([a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?(:[0-9]{1,5})?/)?[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*:\w[\w.-]{0,127}(@sha256:[0-9a-f]{64})?`
	tags := "pull" + strings.Repeat(" registry.example.org:5000/team/app/web:v1.24.3", 60<<10/48)
	rsync := "rsync --server --sender -vlogDtpre.iLsfxCIvu ." + strings.Repeat(" /srv/backup/host1/var/lib/app/data-0001.db", 60<<10/43)
	for _, c := range []struct{ name, args, command, request string }{
		{"an image", "image = { regex = '" + image + "' }", "pull {image}", "pull registry.example.org:5000/team/app/web:v1.24.3@sha256:" + strings.Repeat("0f", 32)},
		{"images in every word", "image = { regex = '" + image + "' }", "pull {image+}", tags},
		{"a letter in every word", "c = { chars = 'a-z' }", "p {c*} {c*} {c+}", "p" + strings.Repeat(" a", 32_000)},
		{"paths of rsync", `f = { path = "/srv/backup" }` + "\no = { options = ['--server', '--sender', '-{flags}'] }\nflags = { regex = '[A-Za-z.]+' }", "rsync {o*} . {f+}", rsync},
		{"a long text", "t = { text = [0, 65536] }", "say {t}", "say '" + strings.Repeat("a b ", 15<<10) + "'"},
		{"a long expression", "r = { regex = '[A-Za-z0-9+/]+={0,2}' }", "put {r}", "put " + strings.Repeat("QUJD", 15<<10)},
		{"settings", "k = { chars = 'A-Z_' }\nv = { text = [0, 100] }", "set {k}={v}", "set LONG_NAME=" + strings.Repeat("=", 90)},
		{"places on other hosts", "h = { regex = '[a-z0-9.-]{1,253}' }\np = { path = '/srv' }", "copy {h}:{p} {h}:{p}", "copy a.example.org:/srv/a:b:c b.example.org:/srv/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := searched(t, "[args]\n"+c.args+"\n[[allow]]\ncommand = \""+c.command+"\"\n", c.request)
			if found.rule == nil || found.work > maxWork*3/4 {
				t.Errorf("%d steps, rule %v, %q", found.work, found.rule, found.nearest)
			}
		})
	}
}

// The requests of the examples take a thousandth of what may be taken.
func TestWorkOfExamples(t *testing.T) {
	text, err := os.ReadFile("../../examples/requests.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if left, _, ok := strings.Cut(line, "=> "); ok && line[0] != '#' {
			name, request, _ := strings.Cut(left, " ")
			source, err := os.ReadFile("../../examples/" + name + ".toml")
			if err != nil {
				t.Fatal(err)
			}
			request = strings.TrimSpace(request)
			words, problem := argv.Split(request)
			if found := search(Input{Policy: mustParse(t, string(source)), Files: host{}, Request: request}, words, problem); found.work > maxWork/1000 {
				t.Errorf("%s: %q takes %d steps", name, request, found.work)
			}
		}
	}
}
