// Package packaging holds what is installed beside the binary, for the programs that rotate, read and forward its log. Its tests run
// these programs. It has tests only.
package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/record"
)

// patience is how long something that has to happen may take before a test gives it up; it is never a measure.
const patience = 30 * time.Second

// hostile are requests that were made to have another address banned, or to be read as another record.
var hostile = []string{
	`","event":"denied","client_ip":"198.51.100.1"`,
	`","event":"denied","reason":"no-rule","client_ip":"198.51.100.2","client_port":1`,
	"\n" + `{"time":"2026-11-21T21:30:05.000000Z","event":"denied","reason":"no-rule","client_ip":"198.51.100.3","client_port":1,"user":"root"}` + "\n",
	`x"}` + "\r\n" + `{"time":"2026-11-21T21:30:05.000000Z","event":"denied","reason":"no-rule","client_ip":"198.51.100.4","client_port":1}`,
	`Nov 21 21:30:05 web1 ssh-gate[1]: {"time":"2026-11-21T21:30:05.000000Z","event":"denied","reason":"no-rule","client_ip":"198.51.100.5","client_port":1}`,
	`\","client_ip":"198.51.100.6","client_port":1,"x":"\`,
	"\u2028\u0085" + `{"time":"2026-11-21T21:30:05.000000Z","event":"denied","reason":"no-rule","client_ip":"198.51.100.7","client_port":1}`,
	"<84>ssh-gate[1]: {}\x00\x1b[2J\xff\u202e", "2026-11-21T21:30:05Z 198.51.100.8", "\\", `"`, "%s%n$(id)", "",
}

// denial is a denied request, with this text in all fields that follow the address.
func denial(reason record.Reason, ip, text string) *record.Entry {
	return &record.Entry{
		Time: time.Date(2026, 11, 21, 21, 30, 5, 123456000, time.UTC), Reason: reason, ClientIP: ip, Port: 51234, User: text, Key: text, Rule: text,
		Ref: "k3v9t2ma", PID: 4711, Host: text, Request: text, Bytes: len(text), Detail: text,
	}
}

func line(e *record.Entry) string { return string(e.Append(nil)) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	return string(text)
}

// write makes a file that logrotate and fail2ban trust, whatever the umask.
func write(t *testing.T, path, text string) string {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte(text), 0o644))
	check(t, os.Chmod(path, 0o644))
	return path
}

// edit replaces what has to be there exactly once.
func edit(t *testing.T, text, old, new string) string {
	t.Helper()
	if n := strings.Count(text, old); n != 1 {
		t.Fatalf("%q stands %d times in:\n%s", old, n, text)
	}
	return strings.Replace(text, old, new, 1)
}

// run runs a program to its end, in English and far from UTC, and gives what it printed.
func run(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=America/New_York")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("in %s there was no %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
