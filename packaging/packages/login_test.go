package packages

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// patience is how long something that has to happen may take before a test gives it up; it is never a measure.
const patience = 30 * time.Second

// client is somebody who has a key, and an account that he asks for.
type client struct{ key, account string }

// ssh asks for these words, or for a shell.
func (c client) ssh(words ...string) (stdout, stderr string, status int) {
	var out, errs strings.Builder
	cmd := exec.Command("ssh", append(append(testhost.ClientArguments(c.key), c.account+"@127.0.0.1"), words...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Run()
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// allowed and denied hold one request against what has to become of it, and against the log.
func (c client) allowed(t *testing.T, request string) {
	t.Helper()
	if out, errs, status := c.ssh(request); status != 0 || out == "" || errs != "" {
		t.Errorf("%s: status %d, %q, %q", request, status, out, errs)
	}
}

func (c client) denied(t *testing.T, key, reason string, words ...string) {
	t.Helper()
	before := len(records(t))
	out, errs, status := c.ssh(words...)
	// Whoever asks for a shell gets the news of the day first, from PAM.
	if status != 77 || len(words) > 0 && out != "" || !strings.HasPrefix(errs, "ssh-gate: denied (ref ") {
		t.Errorf("%q: status %d, %q, %q", words, status, out, errs)
	}
	entries := records(t)
	if len(entries) != before+1 {
		t.Fatalf("%q: %d records more", words, len(entries)-before)
	}
	e := entries[before]
	if e["event"] != "denied" || e["reason"] != reason || e["client_ip"] != "127.0.0.1" || e["user"] != c.account || e["key"] != key || e["request"] != strings.Join(words, " ") ||
		!strings.Contains(errs, e["ref"].(string)) {
		t.Errorf("%q: the record says %v", words, e)
	}
}

func records(t *testing.T) []map[string]any {
	t.Helper()
	var entries []map[string]any
	for line := range strings.Lines(read(t, testhost.Log)) {
		var e map[string]any
		check(t, json.Unmarshal([]byte(line), &e))
		entries = append(entries, e)
	}
	return entries
}

// TestLogin goes the whole way with the package alone: an account, a key, a policy from the examples, a login.
func TestLogin(t *testing.T) {
	if !enter(t) {
		return
	}
	mustApt(t, "install", first.deb("amd64"))
	testhost.StartSSHD(t)
	deploy := testhost.AddUser(t, "deploy")
	output(t, "cp", examples+"/first.toml", policyFile)
	forced, free := testsshd.NewKey(t, "/tmp/forced"), testsshd.NewKey(t, "/tmp/free")
	deploy.Write(t, ".ssh/authorized_keys", testhost.KeyLine(t, `command="/usr/bin/ssh-gate --key first",restrict`, forced)+"\n"+testhost.KeyLine(t, "restrict", free)+"\n")

	c := client{forced, "deploy"}
	c.allowed(t, "uptime")
	c.denied(t, "first", "needs-shell", "uptime; id")
	c.denied(t, "first", "no-command")
	out := output(t, "ssh-gate", "log")
	contains(t, out, `"uptime; id"`, "deploy")
	reach(t, deploy)

	t.Run("login shell", func(t *testing.T) {
		// As the account itself may change its shell: PAM asks whether /etc/shells has it.
		output(t, "sh", "-c", "echo deploy:secret | chpasswd")
		chsh := deploy.Command([]string{"PATH=/usr/bin:/bin"}, "chsh", "-s", "/usr/bin/ssh-gate")
		chsh.Stdin = strings.NewReader("secret\n")
		if out, err := chsh.CombinedOutput(); err != nil {
			t.Fatalf("chsh: %v\n%s", err, out)
		}
		output(t, "cp", examples+"/first.toml", "/etc/ssh-gate/users/deploy.toml")
		c.allowed(t, "uptime")
		c.denied(t, "first", "needs-shell", "uptime; id")
		c := client{free, "deploy"}
		c.allowed(t, "whoami")
		c.denied(t, "users/deploy", "no-rule", "cat", "/etc/passwd")
		c.denied(t, "users/deploy", "no-command")
		reach(t, deploy)
	})
}

// reach tries what the account could do to the evidence with a shell of its own, and none of it may come to pass.
func reach(t *testing.T, u testhost.User) {
	t.Helper()
	before := read(t, testhost.Log)
	for _, words := range []string{"cat " + testhost.Log, "ls /var/log/ssh-gate", "sh -c 'echo x >> " + testhost.Log + "'", "truncate -s 0 " + testhost.Log, "rm -f " + testhost.Log,
		"mv /var/log/ssh-gate /tmp", "ls /run/ssh-gate", "ssh-gate log"} {
		cmd := u.Command([]string{"PATH=/usr/bin:/bin"}, "sh", "-c", words)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(strings.ToLower(string(out)), "permission denied") {
			t.Errorf("%s: %v, %s", words, err, out)
		}
	}
	if read(t, testhost.Log) != before {
		t.Error("the account has changed the log")
	}
}

// TestLoginForced follows the example of sshd's configuration, for accounts whose keys all go through the gate.
func TestLoginForced(t *testing.T) {
	if !enter(t) {
		return
	}
	mustApt(t, "install", first.deb("amd64"))
	deploy := testhost.AddUser(t, "deploy")
	output(t, "groupadd", "restricted")
	output(t, "usermod", "-aG", "restricted", "deploy")
	key := testsshd.NewKey(t, "/tmp/key")
	check(t, os.MkdirAll("/etc/ssh/authorized_keys", 0o755))
	write(t, "/etc/ssh/authorized_keys/deploy", testhost.KeyLine(t, "", key)+"\n")
	own := testsshd.NewKey(t, "/tmp/own")
	deploy.Write(t, ".ssh/authorized_keys", testhost.KeyLine(t, "", own)+"\n")
	fingerprint := strings.Fields(output(t, "ssh-keygen", "-lf", key+".pub"))[1]
	name := strings.NewReplacer(":", "-", "+", "-", "/", "_").Replace(fingerprint)
	output(t, "cp", examples+"/first.toml", "/etc/ssh-gate/keys/"+name+".toml")
	testhost.StartSSHD(t)
	if out, errs, status := (client{own, "deploy"}).ssh("echo", "x"); status != 0 {
		t.Errorf("the example has an effect already where it is installed: status %d, %s%s", status, out, errs)
	}
	output(t, "cp", examples+"/sshd_config.d/ssh-gate.conf", "/etc/ssh/sshd_config.d/50-ssh-gate.conf")
	output(t, "sh", "-c", `kill -HUP "$(cat /run/sshd.pid)"`)
	for deadline := time.Now().Add(patience); ; {
		if _, _, status := (client{own, "deploy"}).ssh("true"); status == 255 { // the account's own key, which it could have added
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the account's own key still lets it in")
		}
	}
	c := client{key, "deploy"}
	for deadline := time.Now().Add(patience); ; { // sshd does not listen while it begins anew
		if _, _, status := c.ssh("uptime"); status == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the key does not let it in")
		}
	}
	c.denied(t, name, "needs-shell", "uptime; id")
}
