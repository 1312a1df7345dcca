package man

import (
	"fmt"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/lint"
)

// TestChecks holds the list of what check finds against the product, in its order.
func TestChecks(t *testing.T) {
	_, text, _ := strings.Cut(page(t, "ssh-gate.toml.5"), "\n.Sh CHECKS\n")
	_, text, _ = strings.Cut(text, "\n.Bl -tag -width Ds\n")
	text, _, _ = strings.Cut(text, ".El\n")
	for _, k := range lint.Kinds {
		want := fmt.Sprintf(".It Ic %s Pq %s\n%s%s.\n", k.ID, k.Severity, strings.ToUpper(k.Title[:1]), k.Title[1:])
		rest, ok := strings.CutPrefix(text, want)
		if !ok {
			t.Fatalf("the page should go on with\n%snot with\n%.200s", want, text)
		}
		text = rest
	}
	if text != "" {
		t.Errorf("the page has what check does not find:\n%s", text)
	}
}
