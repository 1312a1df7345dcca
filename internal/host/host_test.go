package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/safefile"
	"example.org/ssh-gate/internal/testsshd"
)

func TestMain(m *testing.M) {
	unix.Umask(0o022) // no file is trusted that a wider one makes
	os.Exit(m.Run())
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place makes one file of each kind that cannot be trusted or read, in a folder that can.
func place(t *testing.T, good, bad string) string {
	t.Helper()
	dir := testsshd.SafeDir(t)
	write := func(name, text string, mode os.FileMode) {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		check(t, os.Chmod(filepath.Join(dir, name), mode))
	}
	write("good", good, 0o644)
	write("bad", bad, 0o644)
	write("open", good, 0o664)
	write("large", strings.Repeat("#", policy.MaxBytes+1), 0o644)
	write("closed", good, 0)
	check(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	check(t, os.Mkdir(filepath.Join(dir, "wide"), 0o777))
	check(t, os.Chmod(filepath.Join(dir, "wide"), 0o777))
	write("wide/good", good, 0o644)
	check(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	check(t, os.Symlink("good", filepath.Join(dir, "link")))
	check(t, os.Symlink("wide/good", filepath.Join(dir, "widelink")))
	check(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	check(t, os.Symlink("circle", filepath.Join(dir, "circle")))
	return dir
}

// faults are the files of place, with what is wrong with each.
var faults = []struct {
	name  string
	fault safefile.Fault
}{
	{"none", safefile.Missing}, {"folder/none", safefile.Missing}, {"dangling", safefile.Astray}, {"good/below", safefile.Astray},
	{"open", safefile.Unsafe}, {"wide/good", safefile.Unsafe}, {"widelink", safefile.Unsafe}, {"fifo", safefile.Unsafe}, {"folder", safefile.Unsafe}, {"circle", safefile.Unsafe},
	{"closed", safefile.Unreadable}, {"large", safefile.TooLarge},
}

// TestPolicy: each fault has its reason, for a policy that an option points to; a text with a fault has another.
func TestPolicy(t *testing.T) {
	dir := place(t, "description = \"x\"\n", "x = 1\n")
	reasons := map[safefile.Fault]record.Reason{safefile.Missing: record.PolicyMissing, safefile.Astray: record.PolicyMissing, safefile.Unsafe: record.PolicyUnsafe,
		safefile.Unreadable: record.PolicyUnreadable, safefile.TooLarge: record.PolicyInvalid}
	for _, c := range faults {
		if c.name == "closed" && os.Geteuid() == 0 {
			continue
		}
		for _, account := range []bool{false, true} {
			want := reasons[c.fault]
			if account && c.fault == safefile.Missing {
				want = record.NoUserPolicy
			}
			p, problem := (&Source{Key: "k", File: filepath.Join(dir, c.name), Pointed: true, Account: account}).Policy()
			if p != nil || problem == nil || problem.Reason != want || problem.Hint() == "" || problem.Error() == "" || faultOf(problem.Err) != c.fault && want != record.NoUserPolicy {
				t.Errorf("%s, account %t: %v, %+v, want %s", c.name, account, p, problem, want)
			}
		}
	}
	if _, problem := (&Source{Key: "k", File: filepath.Join(dir, "bad"), Pointed: true}).Policy(); problem == nil || problem.Reason != record.PolicyInvalid || !errors.As(problem, new(policy.Faults)) {
		t.Errorf("%+v", problem)
	}
	for _, name := range []string{"good", "link"} {
		p, problem := (&Source{Key: "k", File: filepath.Join(dir, name), Pointed: true}).Policy()
		if problem != nil {
			t.Errorf("%s: %v", name, problem)
		} else if p.Description != "x" || string(p.Text) != "description = \"x\"\n" || p.Own != (os.Geteuid() != 0) {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// TestPointed: what belongs to who runs this is trusted only where an option points to it, and whoever else owns a file is not.
func TestPointed(t *testing.T) {
	dir := place(t, "", "")
	file := filepath.Join(dir, "good")
	root := os.Geteuid() == 0
	_, problem := (&Source{Key: "k", File: file}).Policy()
	if trusted := problem == nil; trusted != root || !trusted && problem.Reason != record.PolicyUnsafe {
		t.Errorf("a policy of one's own that nothing points to: %+v", problem)
	}
	if _, problem := Config(file, false); (problem == nil) != root || !root && problem.Reason != record.ConfigUnsafe {
		t.Errorf("a configuration of one's own that nothing points to: %+v", problem)
	}
	if Owner(false) != safefile.RootOnly || Owner(true) != safefile.Owner(os.Getuid()) {
		t.Errorf("%d, %d", Owner(false), Owner(true))
	}
	if !root {
		return
	}
	check(t, os.Chown(file, 12345, 12345))
	for _, pointed := range []bool{false, true} {
		if _, problem := (&Source{Key: "k", File: file, Pointed: pointed}).Policy(); problem == nil || problem.Reason != record.PolicyUnsafe || !strings.Contains(problem.Hint(), "chown root") {
			t.Errorf("%t: %+v", pointed, problem)
		}
	}
}

// TestConfig: only a configuration that nothing points to, and that plainly is not there, means the built-in values.
func TestConfig(t *testing.T) {
	dir := place(t, "path = [\"/opt\"]\n", "pth = 1\n")
	reasons := map[safefile.Fault]record.Reason{safefile.Missing: record.ConfigMissing, safefile.Astray: record.ConfigMissing, safefile.Unsafe: record.ConfigUnsafe,
		safefile.Unreadable: record.ConfigUnreadable, safefile.TooLarge: record.ConfigInvalid}
	for _, c := range faults {
		if c.name == "closed" && os.Geteuid() == 0 {
			continue
		}
		config, problem := Config(filepath.Join(dir, c.name), true)
		if config != nil || problem == nil || problem.Reason != reasons[c.fault] || problem.Hint() == "" {
			t.Errorf("%s: %v, %+v, want %s", c.name, config, problem, reasons[c.fault])
		}
		if os.Geteuid() != 0 {
			continue
		}
		config, problem = Config(filepath.Join(dir, c.name), false)
		if builtIn := c.fault == safefile.Missing; builtIn != (problem == nil) || builtIn && len(config.Path) == 0 || !builtIn && problem.Reason != reasons[c.fault] {
			t.Errorf("%s, not pointed to: %v, %+v", c.name, config, problem)
		}
	}
	if _, problem := Config(filepath.Join(dir, "bad"), true); problem == nil || problem.Reason != record.ConfigInvalid {
		t.Errorf("%+v", problem)
	}
	if config, problem := Config(filepath.Join(dir, "good"), true); problem != nil || config.Path[0] != "/opt" {
		t.Errorf("%+v, %+v", config, problem)
	}
}

// TestProgram: a program of one's own is for policies of one's own.
func TestProgram(t *testing.T) {
	dir := place(t, "", "")
	for name, want := range map[string]record.Reason{"none": record.ProgramMissing, "dangling": record.ProgramMissing, "good/below": record.ProgramMissing,
		"open": record.ProgramUnsafe, "wide/good": record.ProgramUnsafe, "fifo": record.ProgramUnsafe, "folder": record.ProgramUnsafe, "circle": record.ProgramUnsafe, "good": record.ProgramUnsafe} {
		if problem := Program(filepath.Join(dir, name), true); problem == nil || problem.Reason != want || problem.Hint() == "" {
			t.Errorf("%s: %+v, want %s", name, problem, want)
		}
	}
	check(t, os.Chmod(filepath.Join(dir, "good"), 0o755))
	if problem := Program(filepath.Join(dir, "link"), true); problem != nil {
		t.Error(problem)
	}
	if problem := Program(filepath.Join(dir, "link"), false); (problem == nil) != (os.Geteuid() == 0) {
		t.Errorf("%+v", problem)
	}
}

// TestHint: what went wrong knows best what to do; else the reason says it.
func TestHint(t *testing.T) {
	one := Problem{record.PolicyUnsafe, &safefile.Error{Fault: safefile.Unsafe, Path: "/p", Problem: "is", Hint: "do this"}}
	other := Problem{record.PolicyMissing, &safefile.Error{Fault: safefile.Missing, Path: "/p", Problem: "is"}}
	if one.Hint() != "do this" || other.Hint() != record.Of(record.PolicyMissing).Next || !errors.Is(&one, one.Err) {
		t.Errorf("%q, %q", one.Hint(), other.Hint())
	}
}
