package admin

import (
	"os"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/forced"
)

func called(t *testing.T, command string) forced.Call {
	t.Helper()
	call, ok := forced.Command(command)
	if !ok {
		t.Fatalf("%s is no call", command)
	}
	return call
}

// TestReadPlain: the bound is kept to the byte, and one byte more tells that it was passed.
func TestReadPlain(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct{ size, max, want int }{{0, 10, 0}, {9, 10, 9}, {10, 10, 10}, {11, 10, 11}, {5000, 10, 11}, {5000, 5000, 5000}, {100_000, 99_999, 100_000}} {
		d.write("file", strings.Repeat("x", c.size))
		if text, err := readPlain(d.path("file"), c.max); err != nil || len(text) != c.want {
			t.Errorf("%+v: %d, %v", c, len(text), err)
		}
	}
	// A file that says it has no bytes, and has some.
	if text, err := readPlain("/proc/self/status", 1<<20); err != nil || !strings.HasPrefix(string(text), "Name:") {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := readPlain(d.path("none"), 10); !os.IsNotExist(err) {
		t.Error(err)
	}
}
