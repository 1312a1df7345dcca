package main

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// TestPrivileges: sudo, and every other program with a setuid or setgid bit, works where the rule says so and nowhere else.
func TestPrivileges(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	testsshd.RequireTool(t, "sudo", "sudo")
	m := install(t)
	testhost.Run(t, "install", "-d", "-m", "755", "/etc/sudoers.d")
	check(t, os.WriteFile("/etc/sudoers.d/deploy", []byte("deploy ALL=(root) NOPASSWD: /usr/bin/id\n"), 0o440))
	testhost.Run(t, "install", "-m", "4755", "/usr/bin/id", "/usr/bin/id-setuid")
	testhost.Run(t, "install", "-m", "2755", "-g", "ssh-gate", "/usr/bin/id", "/usr/bin/id-setgid")
	const rules = `
[[allow]]
command = "status"
run = "/bin/cat /proc/self/status"
[[allow]]
command = "sudo -n id -u"
[[allow]]
command = "id-setuid"
[[allow]]
command = "id-setgid"
[[allow]]
name = "other"
command = "other"
run = "/bin/cat /proc/self/status"
`
	lent := "egid="
	for _, c := range []struct {
		policy              string
		status, other, sudo string
	}{
		{rules, "1", "1", ""},
		{"privileges = \"keep\"\n" + rules, "0", "0", "0\n"},
		{rules + "privileges = \"keep\"\n", "1", "0", ""},
		{"privileges = \"keep\"\n" + rules + "privileges = \"drop\"\n", "0", "1", "0\n"},
	} {
		check(t, os.WriteFile("/etc/ssh-gate/keys/deploy.toml", []byte(c.policy), 0o644))
		ask := func(request string) outcome { return m.gate(t, remote(request), "--key", "deploy") }
		for request, want := range map[string]string{"status": c.status, "other": c.other} {
			if o := ask(request); strings.TrimSpace(statusLine(o.stdout, "NoNewPrivs")) != want {
				t.Errorf("%s: want %s: %+v\n%s", request, want, o, readLog(t))
			}
		}
		o := ask("sudo -n id -u")
		if o.stdout != c.sudo || c.sudo == "" && (o.status == 0 || !strings.Contains(o.stderr, "no new privileges")) {
			t.Errorf("sudo: %+v, want %q", o, c.sudo)
		}
		kept := c.sudo != ""
		if o := ask("id-setuid"); o.status != 0 || strings.Contains(o.stdout, "euid=0(root)") != kept {
			t.Errorf("setuid: %+v", o)
		}
		if o := ask("id-setgid"); o.status != 0 || strings.Contains(o.stdout, lent) != kept {
			t.Errorf("setgid: %+v", o)
		}
	}
}

// TestPrivilegesAndLimits: what the kernel takes off at a setuid program is its parent's end; rlimits, niceness and the timer stay.
func TestPrivilegesAndLimits(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	testsshd.RequireTool(t, "sudo", "sudo")
	m := install(t)
	testhost.Run(t, "install", "-d", "-m", "755", "/etc/sudoers.d")
	check(t, os.WriteFile("/etc/sudoers.d/deploy", []byte("deploy ALL=(root) NOPASSWD: /usr/bin/cat, /usr/bin/sleep\n"), 0o440))
	check(t, os.WriteFile("/etc/ssh-gate/keys/deploy.toml", []byte(`
privileges = "keep"
limits = { file_size = "1M", nice = 3, timeout = "2s", cpu = "100s" }
[[allow]]
command = "sudo -n cat /proc/self/limits"
[[allow]]
command = "sudo -n sleep 1000"
`), 0o644))
	o := m.gate(t, remote("sudo -n cat /proc/self/limits"), "--key", "deploy")
	if o.status != 0 || row(t, o.stdout, "Max file size") != [2]string{"1048576", "1048576"} || row(t, o.stdout, "Max cpu time") != [2]string{"100", "101"} {
		t.Errorf("%+v", o)
	}
	if o := m.gate(t, remote("sudo -n sleep 1000"), "--key", "deploy"); o.signal != unix.SIGALRM && o.status == 0 {
		t.Errorf("%+v", o)
	}
}
