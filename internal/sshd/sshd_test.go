package sshd

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// TestEffective asks the real sshd, on a machine whose configuration matches one user.
func TestEffective(t *testing.T) {
	testsshd.RequireTool(t, "sshd", "openssh-server")
	if !testhost.Enter(t) {
		return
	}
	for _, err := range []error{
		os.MkdirAll("/run/sshd", 0o755),
		unix.Mount("tmpfs", "/etc/ssh", "tmpfs", 0, "mode=755"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	testsshd.NewKey(t, "/etc/ssh/ssh_host_ed25519_key")
	const config = "HostKey /etc/ssh/ssh_host_ed25519_key\nAuthorizedKeysFile .ssh/authorized_keys /etc/keys/%u.%U%%\nAcceptEnv LANG\nAcceptEnv LC_*\n" +
		"Match User daemon\n  ExposeAuthInfo yes\n  ForceCommand /usr/bin/ssh-gate --key x\n"
	if err := os.WriteFile("/etc/ssh/sshd_config", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Effective("root")
	if err != nil {
		t.Fatal(err)
	}
	if s.Value("exposeauthinfo") != "no" || s.Value("forcecommand") != "none" || s.Value("no-such-setting") != "" {
		t.Errorf("for root: %v", s)
	}
	if got := s["acceptenv"]; !slices.Equal(got, []string{"LANG", "LC_*"}) {
		t.Errorf("AcceptEnv: %q", got)
	}
	if got := s.KeyFiles("daemon", "/home/d", 7); !slices.Equal(got, []string{"/home/d/.ssh/authorized_keys", "/etc/keys/daemon.7%"}) {
		t.Errorf("AuthorizedKeysFile: %q", got)
	}
	if s, err = Effective("daemon"); err != nil || s.Value("exposeauthinfo") != "yes" || s.Value("forcecommand") != "/usr/bin/ssh-gate --key x" {
		t.Errorf("for daemon: %v, %v", s, err)
	}
	if err := os.WriteFile("/etc/ssh/sshd_config", []byte("Misspelt yes\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := Effective("root"); err == nil {
		t.Errorf("a faulty configuration: %v", s)
	}
	for _, name := range []string{"", "a,b", "a b", "-x y", "x=y"} {
		if _, err := Effective(name); err == nil {
			t.Errorf("%q is asked about", name)
		}
	}
}
