package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/policy"
)

func TestKindsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for i := range Kinds {
		k := &Kinds[i]
		if !policy.IsName(k.ID) || seen[k.ID] {
			t.Errorf("%q is no id, or stands twice", k.ID)
		}
		seen[k.ID] = true
		if rank(k) < 0 {
			t.Errorf("%s has the severity %q", k.ID, k.Severity)
		}
		for _, text := range []string{k.Title, k.Why, k.Fix} {
			if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%s has the text %q", k.ID, text)
			}
		}
		if strings.HasSuffix(k.Title, ".") || !strings.HasSuffix(k.Why, ".") {
			t.Errorf("%s: a title has no full stop, a reason has one", k.ID)
		}
		if found, ok := Of(k.ID); !ok || found != k {
			t.Errorf("Of(%q) is another", k.ID)
		}
	}
	for _, id := range append(strings.Fields(ofPolicy), verbs...) {
		if !seen[id] {
			t.Errorf("%s is no kind", id)
		}
	}
	if _, ok := Of("no-such-kind"); ok {
		t.Error("there is a kind that there is not")
	}
}

// TestIDs holds the ids in the source, each a string beside a call of add or say, against the kinds.
func TestIDs(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\b(?:add|say)\("([^"]+)"`).FindAllSubmatch(text, -1) {
			found++
			if _, ok := Of(string(m[1])); !ok || byVerb(string(m[1])) {
				t.Errorf("%s finds %q, which is no kind of a policy", file, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d calls were found", found)
	}
}

// TestPrograms holds what the table of programs relies on.
func TestPrograms(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range programs {
		for _, name := range strings.Fields(p.names) {
			if id := name + " " + p.with; seen[id] || p.with != "" && seen[name+" "] {
				t.Errorf("%s stands twice, or behind the entry that holds for all its arguments", id)
			} else {
				seen[id] = true
			}
		}
		if p.operands != "" && !slices.Contains([]string{"r", "w", "rw", "x"}, p.operands) {
			t.Errorf("%s: the operands are %q", p.names, p.operands)
		}
		for _, list := range []string{p.code, p.loads, p.runs, p.obeys, p.writes, p.reads, p.stdin} {
			for _, word := range strings.Fields(list) {
				if strings.Trim(word, "*!") == "" || strings.ContainsAny(strings.TrimRight(word, "*!"), "*!") {
					t.Errorf("%s: %q is no option", p.names, word)
				}
			}
		}
		if p.code != "" && p.style != interpreter || (p.style == pager || p.pagerWith != "") && p.closed == "" {
			t.Errorf("%s: its fields do not go together", p.names)
		}
	}
}
