package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// journaled is an entry as journalctl shows it.
type journaled struct {
	Message    string `json:"MESSAGE"`
	Facility   string `json:"SYSLOG_FACILITY"`
	Identifier string `json:"SYSLOG_IDENTIFIER"`
	Priority   string `json:"PRIORITY"`
	Key        string `json:"SSH_GATE_KEY"`
	Reason     string `json:"SSH_GATE_REASON"`
	Ref        string `json:"SSH_GATE_REF"`
	ClientIP   string `json:"SSH_GATE_CLIENT_IP"`
	UID        string `json:"_UID"` // by the kernel's word
}

// TestJournal: the real systemd-journald has each record whole, as the file has it, however long and hostile the request.
func TestJournal(t *testing.T) {
	journald := testsshd.RequireTool(t, "systemd-journald", "systemd")
	journalctl := testsshd.RequireTool(t, "journalctl", "systemd")
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	startJournal(t, journald)
	check(t, os.WriteFile("/etc/ssh-gate/config.toml", []byte("log.journal = true\n"), 0o644))
	requests := []string{
		"id;", "a\nMESSAGE=forged\nSSH_GATE_KEY=forged", "\x1b[31m\u202e\u0085", "\xff\xfe", `{"event":"allowed"}`, "cat /dev/null",
		strings.Repeat("\xff", record.MaxRequest), strings.Repeat("\x01", 100_000),
	}
	for _, request := range requests {
		m.gate(t, remote(request), "--key", "deploy")
	}
	lines := strings.Split(strings.TrimSuffix(readLog(t), "\n"), "\n")
	if len(lines) != len(requests) {
		t.Fatalf("the file has %d records", len(lines))
	}
	var entries []journaled
	await(t, "the journal has all", func() bool {
		entries = readJournal(t, journalctl)
		return len(entries) >= len(requests)
	})
	for i, e := range entries {
		r, err := record.Parse([]byte(lines[i]))
		check(t, err)
		if e.Message != lines[i] || e.Facility != "10" || e.Identifier != "ssh-gate" || e.Key != "deploy" || e.Reason != string(r.Reason) || e.Ref != r.Ref || e.ClientIP != "192.0.2.7" {
			t.Errorf("%.200q: %+v", requests[i], e)
		}
		want := "4"
		if r.Event == record.Allowed {
			want = "6"
		}
		if e.Priority != want || e.UID == "0" {
			t.Errorf("%.200q: priority %s of user %s", requests[i], e.Priority, e.UID)
		}
	}
	for _, line := range commandsOf(t, "ssh-gate.toml.5") { // the one command of the page, which shows them all
		if out := testhost.Run(t, "sh", "-c", line); out != readLog(t) {
			t.Errorf("%s prints\n%s\nof\n%s", line, out, readLog(t))
		}
	}
}

// TestJournalGone: a journal that does not answer is told, and counts as a place that took no record.
func TestJournalGone(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	check(t, unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"))
	check(t, os.WriteFile("/etc/ssh-gate/config.toml", []byte("log = { file = \"\", journal = true, required = true }\n"), 0o644))
	if o := m.gate(t, remote("cat /etc/hostname"), "--key", "deploy"); o.status != 74 || o.stdout != "" {
		t.Errorf("%+v", o)
	}
	if o := m.gate(t, byHand("id;"), "--key", "deploy"); o.status != 77 || !strings.Contains(o.stderr, `journal "/run/systemd/journal/socket"`) {
		t.Errorf("%+v", o)
	}
	if o := m.gate(t, byHand(""), "doctor"); o.status != 1 || !strings.Contains(o.stdout, "the journal does not listen on /run/systemd/journal/socket") {
		t.Errorf("%+v", o)
	}
}

func startJournal(t *testing.T, journald string) {
	t.Helper()
	check(t, unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { unix.Unmount("/run", unix.MNT_DETACH) })
	check(t, os.MkdirAll("/run/systemd/journal", 0o755))
	check(t, os.MkdirAll("/run/log/journal", 0o755))
	check(t, os.WriteFile("/etc/machine-id", []byte("0123456789abcdef0123456789abcdef\n"), 0o444))
	check(t, os.WriteFile("/etc/systemd/journald.conf", []byte("[Journal]\nStorage=volatile\nReadKMsg=no\nForwardToSyslog=no\n"), 0o644))
	daemon := exec.Command(journald)
	check(t, daemon.Start())
	t.Cleanup(func() {
		daemon.Process.Signal(unix.SIGTERM)
		daemon.Wait()
	})
	await(t, "journald listens", func() bool {
		_, err := os.Stat(record.JournalSocket)
		return err == nil
	})
}

func readJournal(t *testing.T, journalctl string) []journaled {
	t.Helper()
	// --all: without it JSON has null in place of what is longer than 4,096 bytes.
	out, err := exec.Command(journalctl, "--directory=/run/log/journal", "--identifier=ssh-gate", "--output=json", "--all", "--quiet").Output()
	check(t, err)
	var entries []journaled
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var e journaled
		check(t, d.Decode(&e))
		entries = append(entries, e)
	}
	return entries
}

// await polls until something is so, and fails the test if that takes tooLong.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(tooLong); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
