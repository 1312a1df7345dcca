// Package man holds the manual pages, which are the specification of what people see; its tests hold them against the product.
package man

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/record"
)

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReasons(t *testing.T) {
	text := page(t, "ssh-gate.toml.5")
	_, table, _ := strings.Cut(text, ".Ss Reasons")
	var listed []string
	for _, line := range strings.Split(table, "\n") {
		if row, ok := strings.CutPrefix(line, ".It "); ok && !strings.HasPrefix(row, ".Sy") && !strings.HasPrefix(row, "Sy") {
			listed = append(listed, row)
		}
	}
	for i, m := range record.Reasons {
		status := fmt.Sprint(m.Status)
		if m.Reason == record.Matched {
			status = "the program's"
		}
		want := fmt.Sprintf("%s Ta %s Ta %s", m.Reason, m.Event, status)
		if i >= len(listed) || listed[i] != want {
			t.Errorf("row %d of the reasons should read %q", i+1, want)
		}
	}
	if len(listed) != len(record.Reasons) {
		t.Errorf("the page has %d reasons, the product %d", len(listed), len(record.Reasons))
	}
}

func TestLint(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("mandoc is missing: apt-get install mandoc")
		}
		t.Skip("mandoc is missing: apt-get install mandoc")
	}
	// Which other pages are installed is none of the page's business.
	out, _ := exec.Command("mandoc", "-Tlint", "-Wwarning", "ssh-gate.8", "ssh-gate.toml.5").Output()
	if len(out) > 0 {
		t.Errorf("mandoc -Tlint:\n%s", out)
	}
}
