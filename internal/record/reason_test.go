package record

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestReasonsComplete: every code that is declared has its meaning, and only those.
func TestReasonsComplete(t *testing.T) {
	var listed []Reason
	for _, m := range Reasons {
		if slices.Contains(listed, m.Reason) {
			t.Errorf("%s stands twice", m.Reason)
		}
		listed = append(listed, m.Reason)
	}
	for _, reason := range declared(t) {
		if !slices.Contains(listed, reason) {
			t.Errorf("%s has no meaning", reason)
		}
		listed = slices.DeleteFunc(listed, func(r Reason) bool { return r == reason })
	}
	if len(listed) > 0 {
		t.Errorf("%s have no constant", listed)
	}
}

// declared reads the constants of type Reason from the source.
func declared(t *testing.T) []Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []Reason
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Reason" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, Reason(value))
		}
		return true
	})
	if len(found) == 0 {
		t.Fatal("reason.go declares no reason")
	}
	return found
}

func TestMeanings(t *testing.T) {
	statuses := map[Event][]int{Allowed: {0}, Denied: {ExitDenied, ExitTempfail}, Error: {ExitUsage, ExitUnavailable, ExitSoftware, ExitIO, ExitConfig}}
	for _, m := range Reasons {
		if m.Reason == "" || strings.Trim(string(m.Reason), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("%q is no code of small letters, digits and hyphens", m.Reason)
		}
		if !slices.Contains(statuses[m.Event], m.Status) {
			t.Errorf("%s: status %d is not for the event %q", m.Reason, m.Status, m.Event)
		}
		if !strings.HasSuffix(m.Text, ".") || strings.Count(m.Text, ". ") > 0 {
			t.Errorf("%s: the text %q is not one sentence", m.Reason, m.Text)
		}
		if m.Event != Allowed && (m.Brief == "" || m.Next == "") {
			t.Errorf("%s: nothing to tell, or nothing to do: %q, %q", m.Reason, m.Brief, m.Next)
		}
		for _, text := range []string{m.Brief, m.Text, m.Next} {
			if strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7e }) || strings.TrimSpace(text) != text {
				t.Errorf("%s: %q is not plain text", m.Reason, text)
			}
		}
	}
}

// TestStatuses holds the exit statuses against sysexits(3); scripts rely on them.
func TestStatuses(t *testing.T) {
	for reason, want := range map[Reason]int{
		Matched: 0, NoCommand: 77, NeedsShell: 77, NoRule: 77, Expired: 77, WrongKey: 77, PolicyMissing: 78, ConfigInvalid: 78, AccountUnknown: 78,
		ProgramMissing: 69, ProgramUnsafe: 69, FolderUnavailable: 69, RecordFailed: 74, InternalError: 70, Usage: 64,
	} {
		if m := Of(reason); m.Reason != reason || m.Status != want {
			t.Errorf("%s: %s, %d; want %d", reason, m.Reason, m.Status, want)
		}
	}
}

// TestOfUnknown: a code that is not in the list allows nothing.
func TestOfUnknown(t *testing.T) {
	for _, reason := range []Reason{"", "matched ", "MATCHED", "no-such-reason"} {
		if m := Of(reason); m.Reason != Usage || m.Event != Error {
			t.Errorf("Of(%q) = %+v", reason, m)
		}
	}
}
