package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// The tests below make the gate the login shell of the account deploy, behind the real sshd. A stranger is whoever got a key of his own
// into its authorized_keys.

// loginShell is that machine.
type loginShell struct {
	*installed
	server           *testhost.Server
	forced, stranger string // private keys
}

const forcedLine = `command="/usr/bin/ssh-gate --key deploy",restrict`

func newLoginShell(t *testing.T, config ...string) *loginShell {
	t.Helper()
	l := &loginShell{installed: install(t)}
	testhost.Run(t, "chsh", "-s", "/usr/bin/ssh-gate", "deploy")
	l.server = testhost.NewServer(t, config...)
	l.forced, l.stranger = l.server.Key(t, "forced"), l.server.Key(t, "stranger")
	l.server.WriteKeys(t, l.deploy, testhost.KeyLine(t, forcedLine, l.forced), testhost.KeyLine(t, "", l.stranger))
	return l
}

// accountPolicy writes the policy of an account.
func accountPolicy(t *testing.T, name, text string) {
	t.Helper()
	check(t, os.MkdirAll("/etc/ssh-gate/users", 0o755))
	check(t, os.WriteFile("/etc/ssh-gate/users/"+name+".toml", []byte(text), 0o644))
}

// one runs a command that leaves one record, and returns both.
func one(t *testing.T, run func() outcome) (outcome, entry) {
	t.Helper()
	before := len(readLog(t))
	o := run()
	entries := parseRecords(t, readLog(t)[before:])
	if len(entries) != 1 {
		t.Errorf("%d records: %+v, of %+v", len(entries), entries, o)
		return o, entry{}
	}
	return o, entries[0]
}

// TestLoginShell: the gate as login shell decides everything that sshd hands it, and no shell's start-up file runs.
func TestLoginShell(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	l := newLoginShell(t, "PermitUserEnvironment yes")
	for _, name := range []string{".bashrc", ".bash_profile", ".profile", ".zshenv", ".login", ".kshrc", ".ssh/rc", ".config/fish/config.fish"} {
		l.deploy.Write(t, name, "touch /home/deploy/pwned\n")
	}
	l.deploy.Write(t, ".ssh/environment", "ENV=/home/deploy/.profile\nBASH_ENV=/home/deploy/.profile\nSHELL=/bin/bash\n")
	if o := run(t, l.server.Login(t, l.deploy, l.forced, "cat /etc/hostname")); o.status != 0 || o.stdout == "" {
		t.Errorf("%+v\n%s", o, readLog(t))
	}
	check(t, os.Remove("/home/deploy/.ssh/rc"))
	o, e := one(t, func() outcome { return run(t, l.server.Login(t, l.deploy, l.forced, "reboot;")) })
	if o.status != 77 || e.Reason != "needs-shell" || e.Key != "deploy" || e.Request != "reboot;" || e.User != "deploy" {
		t.Errorf("%+v, %+v", o, e)
	}
	for _, request := range []string{"id", "log", "help", "version", "doctor", "--key deploy", "--key=deploy", "-c id", "/usr/bin/ssh-gate --key deploy",
		"ssh-gate log", "ssh-gate --policy /home/deploy/own.toml", "--config /home/deploy/c", "--", "-", "-lc id", "sh -c id", ""} {
		o, e := one(t, func() outcome { return run(t, l.server.Login(t, l.deploy, l.stranger, request)) })
		if o.status != 77 || o.stdout != "" || o.stderr != "ssh-gate: denied (ref "+e.Ref+")\n" || e.Reason != "no-user-policy" || e.Key != "users/deploy" || e.Request != request {
			t.Errorf("%q: %+v, %+v", request, o, e)
		}
	}
	o, e = one(t, func() outcome { return run(t, l.server.Interactive(t, l.deploy, l.stranger)) })
	if o.status != 77 || !strings.Contains(o.stdout, "ssh-gate: denied (ref "+e.Ref+")") || e.Reason != "no-user-policy" {
		t.Errorf("%+v, %+v", o, e)
	}
	if _, err := os.Lstat("/home/deploy/pwned"); err == nil {
		t.Error("a start-up file ran")
	}
}

// TestLoginShellRC: sshd has the login shell start ~/.ssh/rc, in words of its own, which the gate denies and records like any others.
func TestLoginShellRC(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	l := newLoginShell(t)
	accountPolicy(t, "deploy", "[[allow]]\ncommand = \"cat /etc/hostname\"\n")
	l.deploy.Write(t, ".ssh/rc", "touch /home/deploy/pwned\n")
	unrestricted := l.server.Key(t, "unrestricted") // restrict, as in forcedLine, has sshd leave the file alone
	l.server.WriteKeys(t, l.deploy, testhost.KeyLine(t, `command="/usr/bin/ssh-gate --key deploy"`, unrestricted), testhost.KeyLine(t, "", l.stranger))
	for key, reason := range map[string]string{unrestricted: "usage", l.stranger: "no-rule"} {
		before := len(readLog(t))
		o := run(t, l.server.Login(t, l.deploy, key, "cat /etc/hostname"))
		entries := parseRecords(t, readLog(t)[before:])
		if o.status != 0 || o.stdout == "" || len(entries) == 0 || entries[0].Reason != reason {
			t.Errorf("%s: %+v, %+v", filepath.Base(key), o, entries)
		}
	}
	if _, err := os.Lstat("/home/deploy/pwned"); err == nil {
		t.Error("~/.ssh/rc ran")
	}
}

// TestLoginShellAccountPolicy: the account's own policy decides for keys without a forced command, subsystems and copies included.
func TestLoginShellAccountPolicy(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	testsshd.RequireTool(t, "sftp-server", "openssh-sftp-server")
	l := newLoginShell(t, "Subsystem sftp /usr/lib/openssh/sftp-server")
	accountPolicy(t, "deploy", `
log = "all"
[[allow]]
command = "id -un"
[[allow]]
command = "env"
[[allow]]
command = "/usr/lib/openssh/sftp-server"
run = "/usr/lib/openssh/sftp-server -R -d /etc"
[[allow]]
command = "scp -f /etc/hostname"
`)
	login := func(key string, words ...string) (outcome, entry) {
		return one(t, func() outcome { return run(t, l.server.Login(t, l.deploy, key, words...)) })
	}
	if o, e := login(l.stranger, "id -un"); o.stdout != "deploy\n" || e.Event != "allowed" || e.Key != "users/deploy" || e.User != "deploy" {
		t.Errorf("%+v, %+v", o, e)
	}
	if o, e := login(l.stranger, "env"); !strings.Contains(o.stdout, "SHELL=/usr/bin/ssh-gate\n") || strings.Contains(o.stdout, "ORIGINAL") {
		t.Errorf("%+v, %+v", o, e)
	}
	if o, e := login(l.stranger, "id -un; reboot"); o.status != 77 || e.Reason != "needs-shell" || e.Request != "id -un; reboot" {
		t.Errorf("%+v, %+v", o, e)
	}
	if o, e := login(l.stranger, ""); o.status != 77 || e.Reason != "no-command" {
		t.Errorf("%+v, %+v", o, e)
	}
	// The forced key keeps to its own policy, and the other way round.
	if o, e := login(l.forced, "id -un"); o.status != 77 || e.Reason != "no-rule" || e.Key != "deploy" {
		t.Errorf("%+v, %+v", o, e)
	}
	if o, e := login(l.stranger, "cat /etc/hostname"); o.status != 77 || e.Reason != "no-rule" {
		t.Errorf("%+v, %+v", o, e)
	}
	copied := filepath.Join(t.TempDir(), "copied")
	options := l.server.Arguments(l.stranger)
	for _, words := range [][]string{
		append(append([]string{"scp", "-q"}, options...), "deploy@server:/etc/hostname", copied),
		append(append([]string{"scp", "-O", "-q"}, options...), "deploy@server:/etc/hostname", copied),
	} {
		o, e := one(t, func() outcome { return run(t, command(os.Environ(), words...)) })
		if text, err := os.ReadFile(copied); o.status != 0 || e.Event != "allowed" || err != nil || len(text) == 0 {
			t.Errorf("%q: %+v, %+v, %v", words[:2], o, e, err)
		}
		os.Remove(copied)
	}
	o, e := one(t, func() outcome {
		return run(t, command(os.Environ(), append(append([]string{"scp", "-O", "-q"}, options...), "/etc/hostname", "deploy@server:/tmp/x")...))
	})
	if o.status == 0 || e.Reason != "no-rule" || e.Request != "scp -t /tmp/x" {
		t.Errorf("%+v, %+v", o, e)
	}
	// Pieces that no policy allows, however long.
	if o, e := login(l.stranger, "id "+strings.Repeat("x", 100_000)); o.status != 77 || e.Reason != "too-long" || e.Bytes != 100_003 {
		t.Errorf("%+v, %s, %d bytes", o, e.Reason, e.Bytes)
	}
}

// TestLoginShellText: whatever stands behind -c and however it is spelled, it chooses no verb and no file, and leaves a record.
func TestLoginShellText(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	home := "/home/deploy/"
	m.deploy.Write(t, "own.toml", "[[allow]]\ncommand = \"id\"\n")
	m.deploy.Write(t, "own.conf", "log.file = \"/home/deploy/log\"\n")
	accountPolicy(t, "deploy", "[[allow]]\ncommand = \"id -un\"\n")
	check(t, os.WriteFile("/etc/ssh-gate/keys/other.toml", []byte("[[allow]]\ncommand = \"id -g\"\n"), 0o644))
	connection := remote("")[:2]
	with := func(request string) []string { return remote(request) }
	long := strings.Repeat("x", 100_000)
	for _, c := range []struct {
		env     []string
		argv    []string // with argv[0]
		status  int
		reason  string
		key     string
		request string
	}{
		// Requests, because SSH_ORIGINAL_COMMAND is not set.
		{connection, []string{"ssh-gate", "-c", "/usr/bin/ssh-gate --key other"}, 77, "no-rule", "users/deploy", "/usr/bin/ssh-gate --key other"},
		{connection, []string{"ssh-gate", "-c", "--key other"}, 77, "no-rule", "users/deploy", "--key other"},
		{connection, []string{"ssh-gate", "-c", "log"}, 77, "no-rule", "users/deploy", "log"},
		{connection, []string{"ssh-gate", "-c", ""}, 77, "no-command", "users/deploy", ""},
		{connection, []string{"ssh-gate", "-c", "-c"}, 77, "no-rule", "users/deploy", "-c"},
		{connection, []string{"ssh-gate", "-c", "--"}, 77, "no-rule", "users/deploy", "--"},
		{connection, []string{"-c", "-c", "id"}, 77, "no-rule", "users/deploy", "id"},
		{connection, []string{"", "-c", "id"}, 77, "no-rule", "users/deploy", "id"},
		{connection, []string{"-ssh-gate"}, 77, "no-command", "users/deploy", ""},
		{connection, []string{"-"}, 77, "no-command", "users/deploy", ""},
		{connection, []string{"-log"}, 77, "no-command", "users/deploy", ""},
		{connection, []string{"-ssh-gate", "-c", "id;"}, 77, "needs-shell", "users/deploy", "id;"},
		{connection, []string{"ssh-gate", "-c", long}, 77, "too-long", "users/deploy", long[:4096]},
		{connection, []string{"ssh-gate", "-c", "\xff"}, 77, "not-utf8", "users/deploy", "\xff"},
		// A verb or an option is none behind a login shell's name, and a shell has one command.
		{connection, []string{"-ssh-gate", "log"}, 64, "usage", "", ""},
		{connection, []string{"-ssh-gate", "--key", "other"}, 64, "usage", "", ""},
		{connection, []string{"-ssh-gate", "--policy", home + "own.toml"}, 64, "usage", "", ""},
		{connection, []string{"ssh-gate", "-c", "id", "--key", "other"}, 64, "usage", "", ""},
		{connection, []string{"ssh-gate", "-c", "id", "-c", "id"}, 64, "usage", "", ""},
		{connection, []string{"ssh-gate", "-c"}, 64, "usage", "", ""},
		{connection, []string{"-ssh-gate", "-lc", "id"}, 64, "usage", "", ""},
		{connection, []string{"ssh-gate", "-lc", "id"}, 64, "usage", "", ""},
		{connection, []string{"ssh-gate", "--", "-c", "id"}, 64, "usage", "", ""},
		{connection, []string{"ssh-gate", "-ic", "id"}, 64, "usage", "", ""},
		{connection, []string{"ssh-gate"}, 64, "usage", "", ""},
		// Forced commands, because it is.
		{with("id -u"), []string{"ssh-gate", "-c", "/usr/bin/ssh-gate --key other"}, 77, "no-rule", "other", "id -u"},
		{with("id -u"), []string{"-ssh-gate", "-c", "ssh-gate --key=other"}, 77, "no-rule", "other", "id -u"},
		{with(""), []string{"ssh-gate", "-c", "'/usr/bin/ssh-gate' --key \"other\""}, 77, "no-command", "other", ""},
		{with("id -g"), []string{"ssh-gate", "-c", "id -un"}, 64, "usage", "", "id -g"},
		{with("id -g"), []string{"ssh-gate", "-c", ""}, 64, "usage", "", "id -g"},
		{with("id -g"), []string{"ssh-gate", "-c", "/bin/sh -c 'ssh-gate --key other'"}, 64, "usage", "", "id -g"},
		{with("id -g"), []string{"ssh-gate", "-c", "exec /usr/bin/ssh-gate --key other"}, 64, "usage", "", "id -g"},
		{with("id -g"), []string{"ssh-gate", "-c", "/usr/bin/not-ssh-gate --key other"}, 64, "usage", "", "id -g"},
		{with("id -g"), []string{"ssh-gate", "-c", "/usr/bin/ssh-gate --key other; id"}, 64, "usage", "", "id -g"},
		{with("id -g"), []string{"ssh-gate", "-c", "/usr/bin/ssh-gate"}, 64, "usage", "", "id -g"},
		{with("id -g"), []string{"ssh-gate", "-c", "/usr/bin/ssh-gate log"}, 64, "usage", "", "id -g"},
		{with("id -g"), []string{"ssh-gate", "-c", "/usr/bin/ssh-gate -c id"}, 64, "usage", "", "id -g"},
		{with("id -g"), []string{"ssh-gate", "-c", "/usr/bin/ssh-gate --key ../users/deploy"}, 64, "usage", "", "id -g"},
		{with("id -g"), []string{"ssh-gate", "-c", "/usr/bin/ssh-gate --policy " + home + "own.toml"}, 64, "usage", "", "id -g"},
		{with("id"), []string{"ssh-gate", "-c", "/usr/bin/ssh-gate --key own --policy-dir " + home}, 64, "usage", "", "id"},
		{with("id"), []string{"ssh-gate", "-c", "/usr/bin/ssh-gate --key=own --policy-dir=" + home}, 64, "usage", "", "id"},
		{with("id -u"), []string{"ssh-gate", "-c", "/usr/bin/ssh-gate --key other --config " + home + "own.conf"}, 64, "usage", "", "id -u"},
		{with("id -u"), []string{"ssh-gate", "-c", "/usr/bin/ssh-gate --config=" + home + "own.conf --key other"}, 64, "usage", "", "id -u"},
	} {
		cmd := m.deploy.Command(append(c.env, "LOGNAME=deploy", "HOME=/home/deploy"), "/usr/bin/ssh-gate")
		cmd.Args = c.argv
		o, e := one(t, func() outcome { return run(t, cmd) })
		if o.status != c.status || o.stdout != "" || e.Reason != c.reason || e.Key != c.key || e.Request != c.request {
			t.Errorf("%.80q, %.80q: %+v, %+v", c.env, c.argv, o, e)
		}
	}
	if _, err := os.Lstat(home + "log"); err == nil {
		t.Error("a client's text chose the log")
	}
}

// TestLoginShellKeyLines: who writes the account's authorized_keys chooses among the policies of the host, and nothing else.
func TestLoginShellKeyLines(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	l := newLoginShell(t)
	l.deploy.Write(t, "own.toml", "[[allow]]\ncommand = \"id\"\n")
	l.deploy.Write(t, "own.conf", "log.file = \"\"\n")
	for _, options := range []string{
		"--policy /home/deploy/own.toml", "--policy=/home/deploy/own.toml", "--key own --policy-dir /home/deploy", "--key deploy --config /home/deploy/own.conf",
		"--config=/home/deploy/own.conf --key=deploy", "log --file /var/log/ssh-gate/ssh-gate.log", "help", "--key-from comment",
	} {
		l.server.Authorize(t, l.deploy, `command="/usr/bin/ssh-gate `+options+`",restrict`, l.stranger)
		o, e := one(t, func() outcome { return run(t, l.server.Login(t, l.deploy, l.stranger, "id")) })
		if o.status != 64 || o.stdout != "" || o.stderr != "ssh-gate: called wrongly (ref "+e.Ref+")\n" || e.Reason != "usage" || e.Request != "id" || e.User != "deploy" {
			t.Errorf("%s: %+v, %+v", options, o, e)
		}
	}
	for _, line := range []string{"/bin/sh", "/bin/sh -i", "bash -c id", "id", "sh -c '/usr/bin/ssh-gate --key deploy'", "internal-sftp-server", "/home/deploy/ssh-gate.sh"} {
		l.server.Authorize(t, l.deploy, `command="`+line+`",restrict`, l.stranger)
		o, e := one(t, func() outcome { return run(t, l.server.Login(t, l.deploy, l.stranger, "id")) })
		if o.status != 64 || o.stdout != "" || e.Reason != "usage" || !strings.Contains(e.Detail, "does not call ssh-gate") {
			t.Errorf("%s: %+v, %+v", line, o, e)
		}
	}
	// Another program of that name is not what runs.
	l.server.Authorize(t, l.deploy, `command="/home/deploy/ssh-gate --key deploy"`, l.stranger)
	if o := run(t, l.server.Login(t, l.deploy, l.stranger, "cat /proc/self/comm")); o.stdout != "cat\n" {
		t.Errorf("%+v", o)
	}
	// He may name a policy that is meant for another account. users in it is what keeps him from it.
	check(t, os.WriteFile("/etc/ssh-gate/keys/backup.toml", []byte("[[allow]]\ncommand = \"id -un\"\n"), 0o644))
	check(t, os.WriteFile("/etc/ssh-gate/keys/bound.toml", []byte("users = [\"backup\"]\n[[allow]]\ncommand = \"id -un\"\n"), 0o644))
	l.server.Authorize(t, l.deploy, `command="/usr/bin/ssh-gate --key backup"`, l.stranger)
	if o := run(t, l.server.Login(t, l.deploy, l.stranger, "id -un")); o.stdout != "deploy\n" {
		t.Errorf("%+v", o)
	}
	l.server.Authorize(t, l.deploy, `command="/usr/bin/ssh-gate --key bound"`, l.stranger)
	o, e := one(t, func() outcome { return run(t, l.server.Login(t, l.deploy, l.stranger, "id -un")) })
	if o.status != 77 || e.Reason != "wrong-user" || e.Key != "bound" {
		t.Errorf("%+v, %+v", o, e)
	}
}

// TestLoginShellForgedOriginal: where sshd lets a client, or a file of the account, set SSH_ORIGINAL_COMMAND, a request passes for a forced
// command. It can then name a policy of the host, as a key line could, and still no verb, no file and no other program.
func TestLoginShellForgedOriginal(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	l := newLoginShell(t, "AcceptEnv *")
	check(t, os.WriteFile("/etc/ssh-gate/keys/bound.toml", []byte("users = [\"backup\"]\n[[allow]]\ncommand = \"id -un\"\n"), 0o644))
	sent := func(original string, words ...string) func() outcome {
		return func() outcome {
			cmd := l.server.Login(t, l.deploy, l.stranger, words...)
			cmd.Args = append([]string{"ssh", "-o", "SendEnv=SSH_ORIGINAL_COMMAND"}, cmd.Args[1:]...)
			cmd.Env = append(os.Environ(), "SSH_ORIGINAL_COMMAND="+original)
			return run(t, cmd)
		}
	}
	inFile := func(original string, words ...string) func() outcome {
		l.server.Configure(t, "PermitUserEnvironment yes")
		l.deploy.Write(t, ".ssh/environment", "SSH_ORIGINAL_COMMAND="+original+"\n")
		return func() outcome { return run(t, l.server.Login(t, l.deploy, l.stranger, words...)) }
	}
	for name, forge := range map[string]func(string, ...string) func() outcome{"AcceptEnv": sent, "environment": inFile} {
		l.server.Configure(t, "AcceptEnv *")
		if o, e := one(t, forge("cat /etc/hostname", "/usr/bin/ssh-gate --key deploy")); o.status != 0 || e.Key != "deploy" || e.Event != "allowed" {
			t.Errorf("%s: %+v, %+v", name, o, e)
		}
		if o, e := one(t, forge("id -un", "/usr/bin/ssh-gate --key bound")); o.status != 77 || e.Reason != "wrong-user" {
			t.Errorf("%s: %+v, %+v", name, o, e)
		}
		for _, text := range []string{"/usr/bin/ssh-gate log", "/usr/bin/ssh-gate --policy /etc/ssh-gate/keys/deploy.toml", "id", "/bin/sh", "ssh-gate -c id"} {
			if o, e := one(t, forge("id", text)); o.status != 64 || o.stdout != "" || e.Reason != "usage" {
				t.Errorf("%s: %q: %+v, %+v", name, text, o, e)
			}
		}
	}
	// A key that has a forced command has sshd's own SSH_ORIGINAL_COMMAND.
	for _, config := range []string{"AcceptEnv *", "PermitUserEnvironment yes"} {
		l.server.Configure(t, config)
		cmd := l.server.Login(t, l.deploy, l.forced, "id;")
		cmd.Args = append([]string{"ssh", "-o", "SendEnv=SSH_ORIGINAL_COMMAND"}, cmd.Args[1:]...)
		cmd.Env = append(os.Environ(), "SSH_ORIGINAL_COMMAND=cat /etc/hostname")
		if o, e := one(t, func() outcome { return run(t, cmd) }); o.status != 77 || e.Request != "id;" || e.Key != "deploy" {
			t.Errorf("%s: %+v, %+v", config, o, e)
		}
	}
}

// TestLoginShellInternalSFTP: sshd's internal-sftp is no program, so no login shell is asked for it. ForceCommand asks the gate.
func TestLoginShellInternalSFTP(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	testsshd.RequireTool(t, "sftp", "openssh-client")
	l := newLoginShell(t, "Subsystem sftp internal-sftp")
	sftp := func() outcome {
		cmd := command(os.Environ(), append(append([]string{"sftp", "-q", "-b", "-"}, l.server.Arguments(l.stranger)...), "deploy@server")...)
		cmd.Stdin = strings.NewReader("pwd\n")
		return run(t, cmd)
	}
	if o := sftp(); o.status != 0 || readLog(t) != "" {
		t.Errorf("sshd asks now: %+v, %s", o, readLog(t))
	}
	l.server.Configure(t, "Subsystem sftp internal-sftp", "ForceCommand /usr/bin/ssh-gate --key deploy")
	if o, e := one(t, sftp); o.status == 0 || e.Request != "internal-sftp" || e.Reason != "no-rule" {
		t.Errorf("%+v, %+v", o, e)
	}
}

// TestLoginShellLocal: other programs that start a login shell meet the same gate.
func TestLoginShellLocal(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	l := newLoginShell(t)
	accountPolicy(t, "deploy", "log = \"all\"\n[[allow]]\ncommand = \"id -un\"\n")
	// sshd's environment would count; the test may run in a session of its own.
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=/root", "TERM=dumb"}
	for _, words := range [][]string{{"su", "deploy", "-c", "id -un"}, {"su", "-", "deploy", "-c", "id -un"}} {
		o, e := one(t, func() outcome { return run(t, command(env, words...)) })
		if o.stdout != "deploy\n" || e.Event != "allowed" || e.Key != "users/deploy" || e.User != "deploy" || e.UID != l.deploy.UID {
			t.Errorf("%q: %+v, %+v", words, o, e)
		}
	}
	for _, words := range [][]string{{"su", "deploy", "-c", "id; reboot"}, {"su", "-", "deploy", "-c", "/usr/bin/ssh-gate --key deploy"}, {"su", "-", "deploy"}} {
		o, e := one(t, func() outcome { return run(t, command(env, words...)) })
		if o.status != 77 || o.stdout != "" || e.Event != "denied" || e.Key != "users/deploy" {
			t.Errorf("%q: %+v, %+v", words, o, e)
		}
	}
}

// TestLoginShellPolicies: an account's policy is held to what every policy is held to.
func TestLoginShellPolicies(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	ask := func(u testhost.User) (outcome, entry) {
		env := append(remote("")[:2], "LOGNAME="+u.Name, "HOME=/home/"+u.Name)
		return one(t, func() outcome { return run(t, u.Command(env, "/usr/bin/ssh-gate", "-c", "id")) })
	}
	const good = "[[allow]]\ncommand = \"id\"\n"
	file := "/etc/ssh-gate/users/deploy.toml"
	for _, c := range []struct {
		name   string
		make   func()
		status int
		reason string
	}{
		{"no folder", func() {}, 77, "no-user-policy"},
		{"no file", func() { accountPolicy(t, "other", good) }, 77, "no-user-policy"},
		{"a misspelt key", func() { accountPolicy(t, "deploy", "[[alow]]\n") }, 78, "policy-invalid"},
		{"others may write it", func() { accountPolicy(t, "deploy", good); check(t, os.Chmod(file, 0o666)) }, 78, "policy-unsafe"},
		{"it is his", func() { check(t, os.Chmod(file, 0o644)); check(t, os.Chown(file, m.deploy.UID, 0)) }, 78, "policy-unsafe"},
		{"for root only", func() { check(t, os.Chown(file, 0, 0)); check(t, os.Chmod(file, 0o600)) }, 78, "policy-unreadable"},
		{"only the lent group may look", func() { check(t, os.Chmod(file, 0o640)); check(t, os.Chown(file, 0, m.group)) }, 78, "policy-unreadable"},
		{"others may write the folder", func() { check(t, os.Chmod(file, 0o644)); check(t, os.Chmod(filepath.Dir(file), 0o777)) }, 78, "policy-unsafe"},
		{"a link to nothing", func() {
			check(t, os.Chmod(filepath.Dir(file), 0o755))
			check(t, os.Remove(file))
			check(t, os.Symlink("/etc/ssh-gate/users/gone.toml", file))
		}, 78, "policy-missing"},
	} {
		c.make()
		if o, e := ask(m.deploy); o.status != c.status || o.stdout != "" || e.Reason != c.reason || e.Key != "users/deploy" || e.Request != "id" {
			t.Errorf("%s: %+v, %+v", c.name, o, e)
		}
	}
	for i, name := range []string{"_apt2", "de$", "users..", "x@corp"} {
		line := strings.NewReplacer("NAME", name, "ID", "777"+string(rune('0'+i))).Replace("NAME:x:ID:ID::/:/usr/bin/ssh-gate\n")
		f, err := os.OpenFile("/etc/passwd", os.O_APPEND|os.O_WRONLY, 0)
		check(t, err)
		_, err = f.WriteString(line)
		check(t, err)
		check(t, f.Close())
		want, status := "account-unknown", 78
		if name == "users.." {
			want, status = "no-user-policy", 77
		}
		if o, e := ask(testhost.User{Name: name, UID: 7770 + i, GID: 7770 + i}); o.status != status || e.Reason != want || e.User != name {
			t.Errorf("%s: %+v, %+v", name, o, e)
		}
	}
}

// TestLoginShellThreads: the lent group is gone before the text behind -c, or the account's policy, is looked at.
func TestLoginShellThreads(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	accountPolicy(t, "deploy", "[[allow]]\ncommand = \"cat /proc/self/status\"\n")
	env := append(remote("")[:2], "LOGNAME=deploy", "HOME=/home/deploy")
	o := run(t, m.deploy.Command(env, "/usr/bin/ssh-gate", "-c", "cat /proc/self/status"))
	if gid := strings.Fields(statusLine(o.stdout, "Gid")); len(gid) != 4 || gid[1] != gid[0] || gid[2] != gid[0] || gid[3] != gid[0] {
		t.Errorf("%+v", o)
	}
	testsshd.RequireTool(t, "strace", "strace")
	trace := filepath.Join(t.TempDir(), "trace")
	// strace has root start what it traces as another user, so that the setgid bit counts.
	cmd := command(env, "strace", "-f", "-u", "deploy", "-o", trace, "-e", "trace=setresgid,openat,execve", "/usr/bin/ssh-gate", "-c", "id;")
	if o := run(t, cmd); o.status != 77 {
		t.Fatalf("%+v", o)
	}
	text, err := os.ReadFile(trace)
	check(t, err)
	dropped, policy := bytes.Index(text, []byte("setresgid(")), bytes.Index(text, []byte(`"deploy.toml"`))
	if dropped < 0 || policy < 0 || dropped > policy {
		t.Errorf("the group is dropped at %d, the policy opened at %d:\n%s", dropped, policy, text)
	}
}
