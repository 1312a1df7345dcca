package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/keyline"
	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// TestInit goes the way of the first five minutes: a key, one call of init as root, and logins with that key.
func TestInit(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	server := testhost.NewServer(t)
	key := server.Key(t, "ci")
	initKey := func(args ...string) outcome {
		return run(t, command([]string{"PATH=/usr/bin:/bin"}, append([]string{"/usr/bin/ssh-gate", "init", "ci", "--public-key", key + ".pub", "--install", "deploy"}, args...)...))
	}
	const keys = "/home/deploy/.ssh/authorized_keys"
	o := initKey()
	if o.status != 0 || !strings.HasPrefix(o.stdout, `restrict,command="/usr/bin/ssh-gate --key ci" ssh-ed25519 `) || strings.Contains(o.stderr, "warning") {
		t.Fatalf("%+v", o)
	}
	text, err := os.ReadFile(keys)
	check(t, err)
	if string(text) != o.stdout {
		t.Errorf("%q, printed was %q", text, o.stdout)
	}
	policy, err := os.Stat("/etc/ssh-gate/keys/ci.toml")
	check(t, err)
	if policy.Mode() != 0o644 {
		t.Error(policy.Mode())
	}
	if o := run(t, server.Login(t, m.deploy, key, "uptime")); o.status != 0 || !strings.Contains(o.stdout, "load average") {
		t.Errorf("uptime: %+v", o)
	}
	if o, e := one(t, func() outcome { return run(t, server.Login(t, m.deploy, key, "id")) }); o.status != 77 || o.stdout != "" || e.Key != "ci" || e.Reason != "no-rule" {
		t.Errorf("id: %+v, %+v", o, e)
	}
	if o := run(t, exec.Command("ssh", append([]string{"-N", "-L", "1234:127.0.0.1:22", "-o", "ExitOnForwardFailure=yes", "-W", "127.0.0.1:22"}, server.SSH(m.deploy, key)[1:]...)...)); o.status != 255 {
		t.Errorf("forwarding: %+v", o)
	}

	// Again, as the account itself, and from an address that sshd holds the key to.
	before, err := os.Stat(keys)
	check(t, err)
	if o := initKey(); o.status != 0 || !strings.Contains(o.stderr, "nothing was changed") || !strings.Contains(o.stderr, "stays as it is") {
		t.Errorf("again: %+v", o)
	}
	if after, err := os.Stat(keys); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the same line again wrote the file: %v", err)
	}
	if o := initKey("--from", "192.0.2.9"); o.status != 1 || !strings.Contains(o.stderr, `line 1, for the policy "ci" with other options`) || !strings.Contains(o.stderr, "--replace") {
		t.Errorf("another line: %+v", o)
	}
	if o := initKey("--from", "192.0.2.9", "--replace"); o.status != 0 {
		t.Errorf("--replace: %+v", o)
	}
	if o := run(t, server.Login(t, m.deploy, key, "uptime")); o.status != 255 {
		t.Errorf("from another address: %+v", o)
	}
	if kept, err := filepath.Glob(keys + ".ssh-gate-*"); err != nil || len(kept) != 1 {
		t.Errorf("%v, %v", kept, err)
	}
	if o := initKey("--expires", "2099-12-31", "--replace"); o.status != 0 {
		t.Errorf("--expires: %+v", o)
	}
	if o := run(t, server.Login(t, m.deploy, key, "uptime")); o.status != 0 {
		t.Errorf("before it expires: %+v", o)
	}

	// What the account puts in the way of root.
	check(t, os.RemoveAll("/home/deploy/.ssh"))
	check(t, os.Symlink("/etc", "/home/deploy/.ssh"))
	if o := initKey(); o.status != 1 || o.stdout != "" || !strings.Contains(o.stderr, `"/home/deploy/.ssh" is a link`) {
		t.Errorf(".ssh is a link: %+v", o)
	}
	check(t, os.Remove("/etc/ssh-gate/keys/ci.toml"))
	if o := initKey(); o.status != 1 {
		t.Errorf(".ssh is a link: %+v", o)
	}
	if _, err := os.Lstat("/etc/ssh-gate/keys/ci.toml"); err == nil {
		t.Error("there is a policy for a key line that was refused")
	}
	if _, err := os.Lstat("/etc/authorized_keys"); err == nil {
		t.Error("it wrote through the link")
	}
	check(t, os.Remove("/home/deploy/.ssh"))

	// The account for itself, with a policy of its own; and not for others.
	public := filepath.Join("/home/deploy", "ci.pub")
	line, err := os.ReadFile(key + ".pub")
	check(t, err)
	m.deploy.Write(t, "ci.pub", string(line))
	testhost.Run(t, "install", "-d", "-o", "deploy", "/home/deploy/policies")
	own := []string{"init", "ci", "--public-key", public, "--policy-dir", "/home/deploy/policies", "--install"}
	if o := m.gate(t, nil, append(own, "deploy")...); o.status != 0 {
		t.Errorf("for itself: %+v", o)
	}
	if o := run(t, server.Login(t, m.deploy, key, "uptime")); o.status != 0 {
		t.Errorf("by its own policy: %+v", o)
	}
	if o := m.gate(t, nil, append(own, "root")...); o.status != 1 || !strings.Contains(o.stderr, "only root and root itself") {
		t.Errorf("for root: %+v", o)
	}

	// A file that sshd_config names.
	server.Configure(t, "AuthorizedKeysFile /etc/ssh/keys/%u")
	testhost.Run(t, "install", "-d", "/etc/ssh/keys")
	if o := initKey("--authorized-keys", "/etc/ssh/keys/deploy"); o.status != 0 {
		t.Errorf("--authorized-keys: %+v", o)
	}
	if o := run(t, server.Login(t, m.deploy, key, "uptime")); o.status != 0 {
		t.Errorf("by the named file: %+v", o)
	}
}

// TestInitFull: on a full or read-only home nothing is lost, and the message says what to do.
func TestInitFull(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	install(t)
	testhost.Run(t, "mount", "-t", "tmpfs", "-o", "size=64k,mode=755,uid=deploy,gid=deploy", "tmpfs", "/home/deploy")
	t.Cleanup(func() { testhost.Run(t, "umount", "-l", "/home/deploy") })
	key := testsshd.NewKey(t, filepath.Join(t.TempDir(), "ci"))
	const keys = "/home/deploy/.ssh/authorized_keys"
	testhost.Run(t, "install", "-d", "-m", "700", "-o", "deploy", "-g", "deploy", "/home/deploy/.ssh")
	old := strings.Repeat("# a line\n", 3000)
	check(t, os.WriteFile(keys, []byte(old), 0o600))
	testhost.Run(t, "chown", "deploy:", keys)
	const policy = "/etc/ssh-gate/keys/ci.toml"
	attempt := func(name string, want ...string) {
		t.Helper()
		o := run(t, command([]string{"PATH=/usr/bin:/bin"}, "/usr/bin/ssh-gate", "init", "ci", "--public-key", key+".pub", "--install", "deploy"))
		for _, text := range want {
			if o.status != 1 || !strings.Contains(o.stderr, text) {
				t.Errorf("%s: no %q in %+v", name, text, o)
			}
		}
		if nothing := strings.Contains(o.stderr, "nothing was changed"); nothing != strings.HasPrefix(want[0], "error: \"") {
			t.Errorf("%s: what was written is not told: %+v", name, o)
		}
		if text, err := os.ReadFile(keys); err != nil || string(text) != old {
			t.Errorf("%s: the file has changed: %v", name, err)
		}
		if entries, err := os.ReadDir(filepath.Dir(keys)); err != nil || len(entries) != 1 {
			t.Errorf("%s: left behind: %v, %v", name, entries, err)
		}
	}
	testhost.Run(t, "chmod", "0", keys)
	attempt("of mode 000", "error: \""+keys+"\" cannot be read: permission denied; nothing was changed\n", "hint: ls -l "+keys+"; chmod u+rw "+keys+"\n")
	if _, err := os.Stat(policy); err == nil {
		t.Error("a policy was written for nothing")
	}
	testhost.Run(t, "chmod", "600", keys)
	const half = "; they are as they were\n"
	stands := "note: the policy " + policy + " stands, and no key line names it yet: mend that, and repeat this\n"
	attempt("full", half, stands, "hint: the file system or the quota is full: df -h /home/deploy")
	testhost.Run(t, "mount", "-o", "remount,ro", "/home/deploy")
	attempt("read-only", half, stands, "hint: the file system is mounted read-only: findmnt -T /home/deploy")
}

// TestInitFormats hands what init prints for other tools to these tools, which write the very key line that init prints itself.
func TestInitFormats(t *testing.T) {
	dir := testsshd.SafeDir(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	testsshd.Keygen(t, "-q", "-t", "ed25519", "-N", "", "-C", "it's {{ me }}", "-f", in("key"))
	initKey := func(format string) string {
		o := run(t, command(nil, gateProgram(), "init", "ci", "--public-key", in("key.pub"), "--policy-dir", dir, "--from", "203.0.113.0/24,2001:db8::1", "--expires", "2099-12-31",
			"--format", format, "--install", account().name, "--print"))
		if format == "text" { // which would write
			o = run(t, command(nil, gateProgram(), "init", "ci", "--public-key", in("key.pub"), "--policy-dir", dir, "--from", "203.0.113.0/24,2001:db8::1", "--expires", "2099-12-31"))
			return o.stdout
		}
		_, text, ok := strings.Cut(o.stdout, "\n# authorized_keys\n")
		if o.status != 0 || !ok {
			t.Fatalf("%s: %+v", format, o)
		}
		return text
	}
	lines, err := keyline.Parse([]byte(initKey("text")))
	check(t, err)
	want := lines[0]
	apply := func(t *testing.T, tool string, words ...string) {
		t.Helper()
		cmd := command(append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8"), words...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", tool, err, out)
		}
		text, err := os.ReadFile(in(tool))
		check(t, err)
		lines, err := keyline.Parse(text)
		check(t, err)
		last := lines[len(lines)-1]
		if last.Kind != keyline.Key || keyline.JoinOptions(last.Options) != keyline.JoinOptions(want.Options) || !last.Public.Same(&want.Public) {
			t.Errorf("%s wrote %s, want %s", tool, last.Text, want.Text)
		}
	}
	t.Run("ansible", func(t *testing.T) {
		testsshd.RequireTool(t, "ansible-playbook", "ansible")
		play := "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
		for line := range strings.Lines(initKey("ansible")) {
			play += "    " + line
		}
		check(t, os.WriteFile(in("play.yml"), []byte(play+"        path: "+in("ansible")+"\n        manage_dir: false\n"), 0o600))
		apply(t, "ansible", "ansible-playbook", "-i", "localhost,", in("play.yml"))
	})
	t.Run("puppet", func(t *testing.T) {
		testsshd.RequireTool(t, "puppet", "puppet-agent")
		if _, err := os.Stat("/usr/share/puppet/modules/sshkeys_core"); err != nil {
			const missing = "puppet's sshkeys_core is missing: apt-get install puppet-module-puppetlabs-sshkeys-core"
			if os.Getenv("CI") == "true" {
				t.Fatal(missing)
			}
			t.Skip(missing)
		}
		check(t, os.MkdirAll(in(".puppet/cache"), 0o755)) // which puppet does not make for an ordinary user
		resource := strings.Replace(initKey("puppet"), "\n}\n", "\n  target  => '"+in("puppet")+"',\n}\n", 1)
		check(t, os.WriteFile(in("site.pp"), []byte(resource), 0o600))
		apply(t, "puppet", "puppet", "apply", "--confdir", in("conf"), "--vardir", in("var"), in("site.pp"))
	})
}
