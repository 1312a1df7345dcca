// Package ansible holds a role that rolls out the product. It has tests only: they run it, by Debian's Ansible and sshd, on a machine of
// their own that ends with the test.
package ansible

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

const (
	site       = testhost.Carried + "/site"
	policyFile = "/etc/ssh-gate/keys/deploy.toml"
	keyFile    = "/home/deploy/.ssh/authorized_keys"
	version    = "999.1"
)

// carry makes the folder that the machine gets: the example as it is, and the package that it installs.
func carry(t *testing.T) string {
	t.Helper()
	for tool, debianPackage := range map[string]string{"ansible-playbook": "ansible-core", "ansible-community": "ansible", "sshd": "openssh-server", "ssh": "openssh-client",
		"sudo": "sudo", "useradd": "passwd", "dpkg": "dpkg"} {
		testsshd.RequireTool(t, tool, debianPackage)
	}
	t.Parallel()
	dir, err := os.MkdirTemp("", "ssh-gate-ansible-")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	check(t, os.CopyFS(filepath.Join(dir, "site"), os.DirFS(".")))
	cmd := exec.CommandContext(t.Context(), "sh", "packaging/packages/build", filepath.Join(dir, "packages"), runtime.GOARCH)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH=1800000000")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func TestRollOut(t *testing.T) {
	if !testhost.EnterMachine(t, func() string { return carry(t) }) {
		return
	}
	forget(t)
	testhost.StartSSHD(t)
	deploy, rest := testsshd.NewKey(t, "/tmp/deploy"), testsshd.NewKey(t, "/tmp/rest")
	operator(t)
	configure(t, deploy)

	play(t, "--check", "--diff").ends(t, "a dry run of the first", 0)
	if _, err := os.Stat("/usr/bin/ssh-gate"); err == nil || exec.Command("id", "deploy").Run() == nil {
		t.Error("a dry run has changed the host")
	}
	first := play(t)
	first.ends(t, "the first run", 0)
	if first.changed == 0 {
		t.Errorf("the first run changes nothing:\n%s", first.out)
	}
	rolledOut(t, deploy)
	again := play(t)
	again.ends(t, "the second run", 0)
	if again.changed != 0 {
		t.Errorf("the second run changes something:\n%s", again.out)
	}

	// What somebody has changed on the host comes back to what it was.
	write(t, keyFile, read(t, keyFile)+read(t, rest+".pub"))
	write(t, keyFile+"2", read(t, rest+".pub"))
	testhost.Run(t, "usermod", "--shell", "/bin/sh", "deploy")
	check(t, os.Chmod(policyFile, 0o666))
	if out, status := login(rest, "id", "-u"); status != 0 {
		t.Fatalf("the other key does not let in: %d, %s", status, out)
	}
	play(t, "--start-at-task", "ssh_gate : Make the accounts").ends(t, "after changes on the host", 0)
	rolledOut(t, deploy)
	if out, status := login(rest, "id", "-u"); status != 255 {
		t.Errorf("the other key lets in: %d, %s", status, out)
	}

	// A faulty policy does not land.
	landed, written := read(t, policyFile), read(t, site+"/policies/deploy.toml")
	for name, change := range map[string]*strings.Replacer{
		"error: unknown key":      strings.NewReplacer(`command = "uptime"`, `comand = "uptime"`),
		"error: the test expects": strings.NewReplacer(`"worker.service"]`, `"worker.service"]`, `expect  = "deny"`, `expect  = "allow"`),
		"warning: rule uptime":    strings.NewReplacer(`command = "uptime"`, `command = "not-installed-here"`),
	} {
		faulty := change.Replace(written)
		if faulty == written {
			t.Fatalf("%s: the change does not fit the example any more", name)
		}
		write(t, site+"/policies/deploy.toml", faulty)
		p := play(t, "--start-at-task", "ssh_gate : Write the policies")
		p.ends(t, "with a faulty policy", 2)
		if !strings.Contains(p.out, "failed to validate") || !strings.Contains(p.out, name) || read(t, policyFile) != landed {
			t.Errorf("%s: the policy is now\n%s\n%s", name, read(t, policyFile), p.out)
		}
	}
	write(t, site+"/policies/deploy.toml", written)
	rolledOut(t, deploy)

	// Names that would be more than names.
	p := play(t, "--extra-vars", `{"ssh_gate_keys": [{"name": "../up", "account": "up", "public_keys": []}, {"name": "own", "account": "root", "public_keys": []},
		{"name": "quote", "account": "quote", "public_keys": [], "from": ["127.0.0.1\",command=\"/bin/sh"]}, {"name": "newline\n", "account": "line", "public_keys": []},
		{"name": "late", "account": "late", "public_keys": [], "expiry_time": "tomorrow"}, {"name": "nowhere", "account": "nowhere", "public_keys": [], "from": []},
		{"name": "one", "account": "both", "public_keys": []}, {"name": "two", "account": "both", "public_keys": []}]}`)
	p.ends(t, "with names that are none", 2)
	if refused := strings.Count(p.out, "failed: [host] (item="); refused != 8 || p.changed != 0 {
		t.Errorf("%d of 8 are refused:\n%s", refused, p.out)
	}

	// A key is taken away.
	entry := regexp.MustCompile(`public_keys:\n +- .*\n`)
	write(t, site+"/group_vars/gates.yml", entry.ReplaceAllString(read(t, site+"/group_vars/gates.yml"), "public_keys: []\n"))
	play(t, "--start-at-task", "ssh_gate : Write the key lines").ends(t, "without the key", 0)
	if out, status := login(deploy, "uptime"); status != 255 || read(t, keyFile) != "" {
		t.Errorf("the key lets in: %d, %s", status, out)
	}

	// What the role has not written is found all the same.
	write(t, "/etc/ssh-gate/keys/other.toml", "[[allow]]\ncomand = \"uptime\"\n")
	check(t, os.Chmod("/usr/bin/ssh-gate", 0o755))
	p = play(t, "--start-at-task", "ssh_gate : See that the host is in order")
	p.ends(t, "with faults elsewhere", 2)
	if !strings.Contains(p.out, "/etc/ssh-gate/keys/other.toml:2") || !strings.Contains(p.out, "/usr/bin/ssh-gate is not setgid") {
		t.Errorf("nobody is told of the faults:\n%s", p.out)
	}
}

// rolledOut holds the host against what the role has to make of it, the last of it by logins.
func rolledOut(t *testing.T, key string) {
	t.Helper()
	var st unix.Stat_t
	check(t, unix.Stat(policyFile, &st))
	if got := fmt.Sprintf("%d:%d %o", st.Uid, st.Gid, st.Mode); got != "0:0 100644" {
		t.Errorf("%s: %s", policyFile, got)
	}
	if got := testhost.Run(t, "getent", "shadow", "deploy"); !strings.HasPrefix(got, "deploy:*:") {
		t.Errorf("the password is %s", got)
	}
	if got := testhost.Run(t, "getent", "passwd", "deploy"); !strings.HasSuffix(got, ":/usr/bin/ssh-gate\n") {
		t.Errorf("the account is %s", got)
	}
	// The key line is the one that init prints, but for the quotes that YAML wants around it there.
	initialised := testhost.Run(t, "/usr/bin/ssh-gate", "init", "deploy", "--public-key", key+".pub", "--from", "127.0.0.1", "--expires", "2099-12-31T23:59:00Z",
		"--format", "ansible", "--install", "deploy", "--print")
	options := regexp.MustCompile(`(?m)^    key_options: '(.*)'$`).FindStringSubmatch(initialised)
	if options == nil || read(t, keyFile) != options[1]+" "+read(t, key+".pub") {
		t.Errorf("the key lines are\n%swant what init prints:\n%s", read(t, keyFile), initialised)
	}
	if out, status := login(key, "uptime"); status != 0 || !strings.Contains(out, "load average") {
		t.Errorf("uptime: status %d, %s", status, out)
	}
	for _, words := range []string{"id", "uptime; id", ""} {
		if out, status := login(key, words); status != 77 || !strings.Contains(out, "ssh-gate: denied") {
			t.Errorf("%q: status %d, %s", words, status, out)
		}
	}
}

// login asks for these words as deploy.
func login(key string, words ...string) (out string, status int) {
	cmd := exec.Command("ssh", append(append(testhost.ClientArguments(key), "deploy@127.0.0.1"), words...)...)
	text, _ := cmd.CombinedOutput()
	return string(text), cmd.ProcessState.ExitCode()
}

// played is what became of a run.
type played struct {
	out             string
	status, changed int
}

// play runs the playbook, over ssh as everybody does.
func play(t *testing.T, args ...string) played {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ansible-playbook", append([]string{"-i", "/tmp/inventory", "site.yml"}, args...)...)
	cmd.Dir = site
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_NOCOWS=1", "ANSIBLE_PIPELINING=1", "ANSIBLE_SSH_ARGS=-o ControlMaster=auto -o ControlPersist=60s "+strings.Join(testhost.ClientArguments("/tmp/ops"), " "))
	out, _ := cmd.CombinedOutput()
	p := played{out: string(out), status: cmd.ProcessState.ExitCode()}
	recap := regexp.MustCompile(`(?m)^host +: ok=\d+ +changed=(\d+) +unreachable=0 `).FindStringSubmatch(p.out)
	if recap == nil {
		t.Fatalf("status %d\n%s", p.status, p.out)
	}
	fmt.Sscan(recap[1], &p.changed)
	return p
}

func (p played) ends(t *testing.T, name string, status int) {
	t.Helper()
	if p.status != status {
		t.Fatalf("%s ends with %d, want %d:\n%s", name, p.status, status, p.out)
	}
	if strings.Contains(p.out, "[WARNING]") || strings.Contains(p.out, "[DEPRECATION") {
		t.Errorf("%s warns:\n%s", name, p.out)
	}
}

// forget removes what the machine that is copied may bring along.
func forget(t *testing.T) {
	t.Helper()
	exec.Command("dpkg", "--purge", "ssh-gate").Run()
	for _, path := range []string{"/usr/bin/ssh-gate", "/etc/ssh-gate", "/var/log/ssh-gate"} {
		check(t, os.RemoveAll(path))
	}
	for _, dir := range []string{"/home", "/root"} {
		check(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	}
	check(t, os.RemoveAll("/var/lib/man-db/auto-update")) // the index of all manual pages, which takes dpkg most of its time
}

// operator makes the account that Ansible logs in as, and the inventory that says so.
func operator(t *testing.T) {
	t.Helper()
	u := testhost.AddUser(t, "ops")
	u.Write(t, ".ssh/authorized_keys", read(t, testsshd.NewKey(t, "/tmp/ops")+".pub"))
	check(t, os.WriteFile("/etc/sudoers.d/ops", []byte("ops ALL=(ALL) NOPASSWD: ALL\n"), 0o440))
	write(t, "/tmp/inventory", "[gates]\nhost ansible_host=127.0.0.1 ansible_user=ops ansible_python_interpreter=/usr/bin/python3\n")
}

// configure edits the example as its reader has to.
func configure(t *testing.T, key string) {
	t.Helper()
	file := site + "/group_vars/gates.yml"
	text := read(t, file)
	for pattern, value := range map[string]string{
		`/srv/packages/ssh-gate_.*\.deb`: fmt.Sprintf("%s/packages/ssh-gate_%s-1_%s.deb", testhost.Carried, version, runtime.GOARCH),
		`ssh-ed25519 AAAA.*`:             strings.TrimSpace(read(t, key+".pub")),
		`203\.0\.113\.0/24`:              "127.0.0.1",
	} {
		found := regexp.MustCompile(pattern)
		if len(found.FindAllString(text, -1)) != 1 {
			t.Fatalf("%s does not have %s once", file, pattern)
		}
		text = found.ReplaceAllLiteralString(text, value)
	}
	write(t, file, text)
}

// TestLint asks Ansible's own linter, at its strictest.
func TestLint(t *testing.T) {
	t.Parallel()
	linter := testsshd.RequireTool(t, "ansible-lint", "ansible-lint")
	testsshd.RequireTool(t, "ansible-community", "ansible")
	home := t.TempDir()
	copied := filepath.Join(home, "site")
	check(t, os.CopyFS(copied, os.DirFS(".")))
	cmd := exec.CommandContext(t.Context(), linter, "--offline", "--nocolor", "--strict", "--profile", "production")
	cmd.Dir = copied
	cmd.Env = []string{"HOME=" + home, "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Passed with production profile: 0 failure(s), 0 warning(s)") {
		t.Errorf("%v\n%s", err, out)
	}
	if regexp.MustCompile(`on [01] files`).Match(out) {
		t.Errorf("it has looked at nothing:\n%s", out)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	check(t, os.WriteFile(path, []byte(text), 0o644))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
