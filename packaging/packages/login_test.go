package packages

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// patience is how long something that has to happen may take before a test gives it up; it is never a measure.
const patience = 30 * time.Second

// client is somebody who has a key, and an account that he asks for.
type client struct{ key, account string }

// ssh asks for these words, or for a shell.
func (c client) ssh(words ...string) (stdout, stderr string, status int) {
	args := append([]string{"-F", "none", "-o", "UserKnownHostsFile=/tmp/known_hosts", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes",
		"-o", "IdentityAgent=none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-i", c.key, c.account + "@127.0.0.1"}, words...)
	var out, errs strings.Builder
	cmd := exec.Command("ssh", args...)
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

// sshd starts Debian's sshd with Debian's configuration on its own port of this machine's loopback.
func sshd(t *testing.T) {
	t.Helper()
	output(t, "cp", "/usr/share/openssh/sshd_config", "/etc/ssh/sshd_config")
	check(t, os.RemoveAll("/etc/ssh/sshd_config.d"))
	check(t, os.MkdirAll("/etc/ssh/sshd_config.d", 0o755))
	check(t, os.MkdirAll("/run/sshd", 0o755))
	output(t, "ssh-keygen", "-A")
	write(t, "/tmp/known_hosts", "127.0.0.1 "+read(t, "/etc/ssh/ssh_host_ed25519_key.pub"))
	start(t)
}

// start starts sshd, in place of one that runs, as a reload does.
func start(t *testing.T) {
	t.Helper()
	output(t, "/usr/sbin/sshd", "-t")
	cmd := exec.CommandContext(t.Context(), "/usr/sbin/sshd", "-D", "-e")
	var log strings.Builder
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	check(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("sshd:\n%s", log.String())
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		connection, err := net.Dial("tcp", "127.0.0.1:22")
		if err == nil {
			connection.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v\n%s", err, log.String())
		}
	}
}

// keygen makes a key, and returns the path of its private half.
func keygen(t *testing.T, name string) string {
	t.Helper()
	file := "/tmp/" + name
	testsshd.Keygen(t, "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file)
	return file
}

// TestLogin goes the whole way with the package alone: an account, a key, a policy from the examples, a login.
func TestLogin(t *testing.T) {
	if !enter(t) {
		return
	}
	mustApt(t, "install", first.deb("amd64"))
	sshd(t)
	deploy := testhost.AddUser(t, "deploy")
	output(t, "cp", examples+"/first.toml", policyFile)
	forced, free := keygen(t, "forced"), keygen(t, "free")
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
	key := keygen(t, "key")
	check(t, os.MkdirAll("/etc/ssh/authorized_keys", 0o755))
	write(t, "/etc/ssh/authorized_keys/deploy", testhost.KeyLine(t, "", key)+"\n")
	own := keygen(t, "own")
	deploy.Write(t, ".ssh/authorized_keys", testhost.KeyLine(t, "", own)+"\n")
	fingerprint := strings.Fields(output(t, "ssh-keygen", "-lf", key+".pub"))[1]
	name := strings.NewReplacer(":", "-", "+", "-", "/", "_").Replace(fingerprint)
	output(t, "cp", examples+"/first.toml", "/etc/ssh-gate/keys/"+name+".toml")
	output(t, "cp", "/usr/share/openssh/sshd_config", "/etc/ssh/sshd_config")
	sshd(t)
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
