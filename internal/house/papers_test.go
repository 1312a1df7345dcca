package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/record"
)

const top = "../.."

func paper(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPapersNameWhatExists holds links and make targets against the tree.
func TestPapersNameWhatExists(t *testing.T) {
	makefile := paper(t, "Makefile")
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"} {
		text := paper(t, name)
		for _, m := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(top, m[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
		for _, m := range regexp.MustCompile("(?m)(?:^    |`)make ([a-z]+)").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s says make %s, which the Makefile does not know", name, m[1])
			}
		}
	}
}

// TestExitStatuses holds the README's table against the list of reasons.
func TestExitStatuses(t *testing.T) {
	text := paper(t, "README.md")
	for _, m := range record.Reasons {
		if m.Status != 0 && !strings.Contains(text, fmt.Sprintf("\n| %d | ", m.Status)) {
			t.Errorf("the README's table lacks the exit status %d of %s", m.Status, m.Reason)
		}
	}
}

// TestRoomsInArchitecture holds the architecture page against the list of rooms.
func TestRoomsInArchitecture(t *testing.T) {
	text, at := paper(t, "ARCHITECTURE.md"), 0
	for _, room := range rooms {
		next := strings.Index(text, "| `"+room+"` |")
		if next < at {
			t.Errorf("ARCHITECTURE.md lacks the room %s, or has it in another place", room)
		}
		at = max(at, next)
	}
	for _, tool := range workshop {
		if strings.HasPrefix(tool, "internal/") && !strings.Contains(text, "`"+tool+"`") {
			t.Errorf("ARCHITECTURE.md does not mention %s", tool)
		}
	}
}
