package packages

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/testhost"
)

const readme = "../../README.md"

// section is what the README says under a heading, up to a mark.
func section(t *testing.T, text, heading, end string) string {
	t.Helper()
	_, text, found := strings.Cut(text, "\n"+heading+"\n")
	text, _, ended := strings.Cut(text, end)
	if !found || !ended {
		t.Fatalf("the README has no section %q up to %q", heading, end)
	}
	return text
}

// commands are the indented lines of a text.
func commands(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			found = append(found, strings.TrimSuffix(command, "\n"))
		}
	}
	return found
}

// TestReadme goes the README's way from the package to a restricted key, command by command, and asks of a policy what it says to ask.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(readme)
	check(t, err)
	if !enter(t) {
		return
	}
	testhost.StartSSHD(t)
	write(t, "/etc/ssh/ssh_config", `Host server
	HostName 127.0.0.1
	UserKnownHostsFile `+testhost.KnownHosts+`
	IdentitiesOnly yes
	IdentityAgent none
	BatchMode yes
	LogLevel ERROR
`)
	check(t, os.MkdirAll("/root/work", 0o755))
	check(t, os.Chdir("/root/work"))
	check(t, os.Symlink(first.dir, "dist"))
	run := func(command string, status int) {
		t.Helper()
		cmd := exec.Command("sh", "-c", command)
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != status {
			t.Fatalf("%s: status %d, want %d: %v\n%s", command, got, status, err, out)
		}
	}
	way := commands(section(t, string(text), "## The first key in five minutes", "\n### "))
	if len(way) < 12 {
		t.Fatalf("the way has only %d commands", len(way))
	}
	// No systemd runs here: the signal that a reload sends, and its end, which is the file that sshd writes when it listens again.
	const reload = `sshd -t && old=$(stat -c %y /run/sshd.pid) && kill -HUP "$(cat /run/sshd.pid)" &&
		until [ -s /run/sshd.pid ] && [ "$(stat -c %y /run/sshd.pid)" != "$old" ]; do sleep 0.05; done`
	for _, command := range way {
		if strings.HasPrefix(command, "sshd -t && systemctl reload ssh ") {
			command = reload
		}
		switch _, comment, _ := strings.Cut(command, "# "); {
		case command == "make packages": // they were made before this machine was
		case strings.HasPrefix(comment, "denied"):
			run(command, 77)
		case strings.HasPrefix(comment, "refused"):
			run(command, 255) // ssh's own
		case strings.HasPrefix(comment, "no:"), command == "ssh-gate explain --last":
			run(command, 1)
		default:
			run(command, 0)
		}
	}

	policy := section(t, string(text), "## A policy", "\nAn account without rights")
	_, policy, _ = strings.Cut(policy, "```toml\n")
	policy, _, _ = strings.Cut(policy, "```")
	policy = strings.ReplaceAll(policy, "2027-", "9999-") // the README's day comes
	for _, file := range []string{"deploy.toml", "/etc/ssh-gate/keys/deploy.toml"} {
		write(t, file, policy)
	}
	check(t, os.MkdirAll("/opt/deploy", 0o755))
	check(t, os.WriteFile("/opt/deploy/run.sh", []byte("#!/bin/sh\n"), 0o755))
	asked := commands(section(t, string(text), "## A policy", "\n## "))
	if len(asked) < 3 {
		t.Fatalf("of a policy only %q is asked", asked)
	}
	for _, command := range asked {
		status := 0
		if strings.Contains(command, " explain ") {
			status = 1
		}
		run(command, status)
	}
}
