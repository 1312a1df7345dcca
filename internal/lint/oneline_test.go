package lint

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// oneTypes are the types of the placeholders in testdata/programs.txt, by their names: what a line does not say.
var oneTypes = map[string]string{
	"t": `{ text = [1, 99] }`, "c": `{ chars = "a-z0-9._-" }`, "s": `{ chars = "a-z/._-" }`, "r": `{ regex = '[^ ]{1,40}' }`, "p": `{ path = "/srv" }`,
	"i": `{ int = [1, 9] }`, "v": `{ regex = '-v[a-zA-Z]*' }`, "l": `["a", "b"]`, "o": `["-xo", "-v"]`, "g": `{ glob = "/var/log/*.log" }`, "d": `{ regex = 'v[0-9]+\.[0-9]+' }`,
}

// beside are findings about types, and those that most of these policies have.
var beside = append([]string{"takes-anything", "needs-privileges", "placeholder-ambiguous"}, quiet...)

// TestOneRule: policies of one rule, a line each, with what is found of its program: ids, or "none" for those that are harmless, then the
// command, and what else is in the rule, a line each.
func TestOneRule(t *testing.T) {
	const file = "testdata/programs.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	placeholder := regexp.MustCompile(`\{([a-z])[*+?]?\}`)
	var out strings.Builder
	count := map[bool]int{}
	for line := range strings.Lines(string(text)) {
		want, rule, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " | ")
		if !ok {
			out.WriteString(line)
			continue
		}
		command, more, _ := strings.Cut(rule, " ;; ")
		source := "[[allow]]\ncommand = " + strconv.Quote(command) + "\n" + strings.ReplaceAll(more, " ;; ", "\n") + "\n"
		typed := map[string]bool{}
		for _, m := range placeholder.FindAllStringSubmatch(command, -1) {
			if name := m[1]; oneTypes[name] != "" && !typed[name] {
				typed[name] = true
				source += "args." + name + " = " + oneTypes[name] + "\n"
			}
		}
		var ids []string
		for _, f := range Policy(parse(t, "k.toml", source), source, full, now) {
			if id := f.Kind.ID; !slices.Contains(beside, id) && !strings.HasPrefix(id, "regex-") && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		if ids == nil {
			ids = []string{"none"}
		}
		slices.Sort(ids)
		got := strings.Join(ids, " ")
		if got != want && !*update {
			t.Errorf("%s: found %s, want %s", rule, got, want)
		}
		count[got == "none"]++
		out.WriteString(got + " | " + rule + "\n")
	}
	if count[true] < 100 || count[false] < 100 {
		t.Errorf("only %d harmless rules and %d that are not", count[true], count[false])
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
