package main

import (
	"os"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/testhost"
)

// TestLoginShell: the gate as login shell decides everything that sshd hands it, and no shell's start-up file runs.
func TestLoginShell(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	testhost.Run(t, "chsh", "-s", "/usr/bin/ssh-gate", "deploy")
	server := testhost.NewServer(t)
	forced, own := server.Key(t, "forced"), server.Key(t, "own")
	for _, name := range []string{".bashrc", ".bash_profile", ".profile", ".zshenv", ".login", ".kshrc", ".ssh/rc"} {
		check(t, os.MkdirAll("/home/deploy/.ssh", 0o755))
		check(t, os.WriteFile("/home/deploy/"+name, []byte("touch /home/deploy/pwned\n"), 0o755))
	}
	server.Authorize(t, m.deploy, `command="/usr/bin/ssh-gate --key deploy"`, forced)
	if o := run(t, server.Login(t, m.deploy, forced, "cat /etc/hostname")); o.status != 0 || o.stdout == "" {
		t.Errorf("%+v\n%s", o, readLog(t))
	}
	if o := run(t, server.Login(t, m.deploy, forced, "reboot;")); o.status != 77 {
		t.Errorf("%+v", o)
	}
	server.Authorize(t, m.deploy, "", own)
	for _, request := range []string{"id", "log", "help", "version", "doctor", "--key deploy", "--key=deploy", "-c id", "/usr/bin/ssh-gate --key deploy", "ssh-gate log", ""} {
		o := run(t, server.Login(t, m.deploy, own, strings.Fields(request)...))
		if o.status != 77 || o.stdout != "" {
			t.Errorf("%q: %+v", request, o)
		}
	}
	if o := run(t, server.Interactive(t, m.deploy, own)); o.status != 77 {
		t.Errorf("%+v", o)
	}
	if _, err := os.Lstat("/home/deploy/pwned"); err == nil {
		t.Error("a start-up file ran")
	}
}
