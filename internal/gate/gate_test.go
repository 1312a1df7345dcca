package gate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/testsshd"
)

// A panic would end the gate with a stack trace for the client, exit status 2, and no record.
func TestPanicIsRecorded(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	g := &gate{now: time.Now(), config: &policy.Config{Log: policy.LogConfig{File: log, Facility: -1}}}
	if status := g.guarded(func() int { panic("out of order") }); status != record.ExitSoftware {
		t.Errorf("the exit status is %d", status)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"event":"error"`, `"reason":"internal-error"`, "out of order"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the record lacks %s:\n%s", want, text)
		}
	}
}

// So would one that comes from the record itself.
func TestPanicOfTheRecord(t *testing.T) {
	g := &gate{now: time.Now()} // without a configuration there is no log
	if status := g.guarded(func() int { panic("out of order") }); status != record.ExitSoftware {
		t.Errorf("the exit status is %d", status)
	}
}

// A link in place of the configuration that led to nothing counted as no configuration: required records were no longer required.
func TestDanglingConfigRegression(t *testing.T) {
	dir := testsshd.SafeDir(t)
	link := filepath.Join(dir, "config.toml")
	if err := os.Symlink(filepath.Join(dir, "not-mounted/config.toml"), link); err != nil {
		t.Fatal(err)
	}
	g := &gate{options: &options{config: link}}
	if end := g.loadConfig(); end == nil {
		t.Error("the built-in values hold")
	}
	g = &gate{options: &options{config: "/no-such-file-of-ssh-gate.toml"}}
	if end := g.loadConfig(); end != nil {
		t.Errorf("without a file: %v", end.err)
	}
}
