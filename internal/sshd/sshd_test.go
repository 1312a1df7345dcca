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
		"Match User *,!root,!nobody\n  PermitUserRC no\nMatch User daemon\n  AuthorizedKeysFile none\n  ExposeAuthInfo yes\n  ForceCommand /usr/bin/ssh-gate --key x\n"
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
	for user, want := range map[string]string{"root": "yes", "nobody": "yes", "bin": "no"} {
		if s, err := Effective(user); err != nil || s.Value("permituserrc") != want {
			t.Errorf("! for %s: %v, %v", user, s.Value("permituserrc"), err)
		}
	}
	if s, err = Effective("daemon"); err != nil || s.KeyFiles("daemon", "/", 1) != nil || s.Value("exposeauthinfo") != "yes" || s.Value("forcecommand") != "/usr/bin/ssh-gate --key x" {
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

// TestKeyFiles: what stands in AuthorizedKeysFile comes to what sshd opens, auth2-pubkey.c and percent_expand of misc.c.
func TestKeyFiles(t *testing.T) {
	for _, c := range []struct {
		value, user, home string
		want              []string
	}{
		{"none", "u", "/h", nil},
		{"None NONE", "u", "/h", nil},
		{"none a", "u", "/h", []string{"/h/a"}},
		{".ssh/authorized_keys .ssh/authorized_keys2", "u", "/h", []string{"/h/.ssh/authorized_keys", "/h/.ssh/authorized_keys2"}},
		{"/k/%u /k/%U.%%u %h/x", "u", "/h", []string{"/k/u", "/k/7.%u", "/h/x"}},
		{"/k/%%%u%%", "u", "/h", []string{"/k/%u%"}},
		{"%h/%u", "u", "/", []string{"//u"}},
		{"a", "u", "/", []string{"/a"}},
		{"a %h/b", "u", "/h/", []string{"/h/a", "/h//b"}},
		{"%h/%u", "%h", "/h%u/%U", []string{"/h%u/%U/%h"}}, // what is put in holds no tokens
		{"/k/%u", "!u", "/h", []string{"/k/!u"}},
		{"!a", "u", "/h", []string{"/h/!a"}},
		{"a/%u", "u", "/h", []string{"/h/a/u"}},
		{"a %x b", "u", "/h", []string{"/h/a"}}, // the login ends there
		{"a b%", "u", "/h", []string{"/h/a"}},
	} {
		if got := (Settings{"authorizedkeysfile": {c.value}}).KeyFiles(c.user, c.home, 7); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
