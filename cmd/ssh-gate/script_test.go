package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"example.org/ssh-gate/internal/testsshd"
)

// TestScripts runs testdata/script. In a script $WORK is the host's folder, below the home folder; its .toml files may name it.
// The log is $WORK/log, probe is in $WORK/bin, and $ESC is the control character. Beside testscript's own commands there are:
//
//	gate STATUS [REQUEST]    the gate for the key "deploy", by hand or, where SSH_CONNECTION is set, as sshd starts it;
//	                         without REQUEST no command was requested
//	exits STATUS PROGRAM...  a program that ends with this status
//	records N                the log holds so many records
//	record KEY=VALUE...      what the last record says; a VALUE that begins with ~ is a regular expression
//	sameref                  standard error names the reference of the last record
//
// and the condition [root].
func TestScripts(t *testing.T) {
	for _, tool := range [][2]string{{"uptime", "procps"}, {"whoami", "coreutils"}, {"mkfifo", "coreutils"}, {"setpriv", "util-linux"}} {
		testsshd.RequireTool(t, tool[0], tool[1])
	}
	testscript.Run(t, testscript.Params{
		Dir:         "testdata/script",
		WorkdirRoot: testsshd.SafeDir(t),
		Setup:       setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"gate": scriptGate, "exits": scriptExits, "records": scriptRecords, "record": scriptRecord, "sameref": scriptSameRef,
		},
		Condition: func(condition string) (bool, error) {
			if condition != "root" {
				return false, fmt.Errorf("unknown condition %q", condition)
			}
			return os.Geteuid() == 0, nil
		},
		RequireUniqueNames: true,
	})
}

// defaultConfig is that of a script that brings none.
const defaultConfig = `
path = ["$WORK/bin", "/usr/local/bin", "/usr/bin", "/bin"]
log.file = "$WORK/log"
`

func setUpScript(e *testscript.Env) error {
	e.Setenv("PATH", built+":"+os.Getenv("PATH"))
	e.Setenv("ESC", "\x1b")
	config := filepath.Join(e.WorkDir, "config.toml")
	if _, err := os.Stat(config); err != nil {
		if err := os.WriteFile(config, []byte(defaultConfig), 0o644); err != nil {
			return err
		}
	}
	bin := filepath.Join(e.WorkDir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	if err := os.Symlink(probeProgram(), filepath.Join(bin, "probe")); err != nil {
		return err
	}
	return filepath.WalkDir(e.WorkDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".toml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "$WORK", e.WorkDir)), 0o644)
	})
}

func scriptGate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: gate STATUS [REQUEST]")
	}
	work := ts.Getenv("WORK")
	words := []string{args[0], gateProgram(), "--key", "deploy", "--policy-dir", work + "/keys", "--config", work + "/config.toml"}
	if len(args) == 1 {
		words = append([]string{args[0], "env", "-u", "SSH_ORIGINAL_COMMAND"}, words[1:]...)
	} else {
		ts.Setenv("SSH_ORIGINAL_COMMAND", args[1])
	}
	scriptExits(ts, false, words)
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARGUMENT...]")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("status %s, want %s", got, args[0])
	}
}

func logLines(ts *testscript.TestScript) []string {
	f, err := os.Open(filepath.Join(ts.Getenv("WORK"), "log"))
	if os.IsNotExist(err) {
		return nil
	}
	ts.Check(err)
	defer f.Close()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}

func lastLine(ts *testscript.TestScript) string {
	lines := logLines(ts)
	if len(lines) == 0 {
		ts.Fatalf("there is no record")
	}
	return lines[len(lines)-1]
}

func scriptRecords(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: records N")
	}
	if got := strconv.Itoa(len(logLines(ts))); got != args[0] {
		ts.Fatalf("%s records, want %s", got, args[0])
	}
}

func scriptRecord(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: record KEY=VALUE...")
	}
	line := lastLine(ts)
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		got, ok := field(line, key)
		if !ok {
			ts.Fatalf("the record has no %s: %s", key, line)
		}
		if pattern, ok := strings.CutPrefix(value, "~"); ok {
			re, err := regexp.Compile(pattern)
			ts.Check(err)
			if !re.MatchString(got) {
				ts.Fatalf("%s is %s, want a match of %s", key, got, pattern)
			}
		} else if got != value {
			ts.Fatalf("%s is %s, want %s", key, got, value)
		}
	}
}

// field is the value of a record's key as the log spells it, but for the quotes around it: scripts show what stands in the file.
func field(line, key string) (string, bool) {
	m := regexp.MustCompile(`"` + regexp.QuoteMeta(key) + `":(?:"((?:[^"\\]|\\.)*)"|([0-9]+))`).FindStringSubmatch(line)
	if m == nil {
		return "", false
	}
	return m[1] + m[2], true
}

func scriptSameRef(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: sameref")
	}
	ref, _ := field(lastLine(ts), "ref")
	if !strings.Contains(ts.ReadFile("stderr"), "(ref "+ref+")") {
		ts.Fatalf("standard error does not name the reference %s of the last record", ref)
	}
}
