package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"example.org/ssh-gate/internal/policy"
)

// FuzzPolicy holds that whatever is a policy can be examined: findings lie in the text, in order, and can be shown.
func FuzzPolicy(f *testing.F) {
	for _, pattern := range []string{"testdata/*.txtar", "../../examples/*.toml", "../policy/testdata/*.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: no files (%v)", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			for _, part := range strings.Split(string(text), "-- has") {
				_, source, cut := strings.Cut(part, "--\n")
				if !cut {
					source = part
				}
				source, _, _ = strings.Cut(source, "-- found")
				f.Add([]byte(source))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, faults := policy.Parse("k", "k.toml", text)
		if faults != nil || len(text) > 16<<10 {
			return
		}
		lines := strings.Split(string(text), "\n")
		before := 0
		for _, found := range Policy(p, string(text), troubled, now) {
			if found.Line < before || found.Line > len(lines) || found.Col < 1 || found.Col > 1+utf8.RuneCountInString(lines[found.Line-1]) || found.Len < 1 {
				t.Fatalf("%s at %d:%d+%d, behind line %d", found.Kind.ID, found.Line, found.Col, found.Len, before)
			}
			before = found.Line
			if found.Message == "" || strings.ContainsFunc(found.Message+found.Hint+found.Rule, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("%s: %q, %q", found.Kind.ID, found.Message, found.Hint)
			}
		}
	})
}
