package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// TestDoctorHost sets a host up wrongly, one thing at a time, and mends each as doctor says.
func TestDoctorHost(t *testing.T) {
	testsshd.RequireTool(t, "sshd", "openssh-server")
	if !testhost.Enter(t) {
		return
	}
	testhost.Install(t, gateProgram())
	user := testhost.AddUser(t, "deploy")
	testhost.Run(t, "usermod", "-s", "/bin/bash", "deploy")
	testhost.Run(t, "mkdir", "-p", "/run/sshd")
	testhost.Run(t, "ssh-keygen", "-A")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const policy = "/etc/ssh-gate/keys/deploy.toml"
	write(policy, "[[allow]]\ncommand = \"uptime\"\n")
	write("/etc/ssh/sshd_config", "DisableForwarding yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n")
	key := testsshd.NewKey(t, filepath.Join(t.TempDir(), "key"))
	line := func(options string) { user.Write(t, ".ssh/authorized_keys", testhost.KeyLine(t, options, key)+"\n") }
	line(`restrict,command="/usr/bin/ssh-gate --key deploy"`)

	wrong := func() []string {
		t.Helper()
		out, err := exec.Command("/usr/bin/ssh-gate", "doctor", "--json").Output()
		var list []struct{ About, State, Text, Hint string }
		if jsonErr := json.Unmarshal(out, &list); jsonErr != nil {
			t.Fatalf("%v: %s", jsonErr, out)
		}
		var found []string
		for _, f := range list {
			switch {
			case f.State == "unseen":
				t.Errorf("root cannot look at: %s", f.Text)
			case f.State == "wrong" && f.Hint == "":
				t.Errorf("nothing to do about: %s", f.Text)
			case f.State == "wrong":
				found = append(found, f.About+": "+f.Text)
			}
		}
		if (err != nil) != (len(found) > 0) {
			t.Errorf("%v, and %q", err, found)
		}
		return found
	}
	expect := func(what string, texts ...string) {
		t.Helper()
		found := wrong()
		if len(found) != len(texts) {
			t.Errorf("%s: %q, want %q", what, found, texts)
			return
		}
		for i, text := range texts {
			if !strings.Contains(found[i], text) {
				t.Errorf("%s: %q, want %q", what, found[i], text)
			}
		}
	}
	expect("a shell with start-up files", "accounts: deploy: its login shell /bin/bash may run start-up files before the gate")
	testhost.Run(t, "usermod", "-s", "/bin/sh", "deploy")
	expect("keys of its own", "may add a key line without the gate, and its login shell is /bin/sh")
	testhost.Run(t, "usermod", "-s", "/usr/bin/ssh-gate", "deploy")
	expect("a shell that is not listed", "/usr/bin/ssh-gate is not in /etc/shells")
	shells, err := os.ReadFile("/etc/shells")
	if err != nil {
		t.Fatal(err)
	}
	write("/etc/shells", string(shells)+"/usr/bin/ssh-gate\n")
	expect("all in order")
	write("/etc/ssh/sshd_config", "PasswordAuthentication no\nKbdInteractiveAuthentication no\n")
	expect("forwarding for a key that somebody adds", "may forward ports without the gate being asked")
	write("/etc/ssh/sshd_config", "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMatch User deploy\n  DisableForwarding yes\n")
	expect("no forwarding")

	line(`command="/usr/bin/ssh-gate --key deploy"`)
	expect("without restrict", "1 key line names the gate without restrict", "~/.ssh/rc runs before the gate")
	line(`restrict,command="/usr/bin/ssh-gate --key-from fingerprint"`)
	expect("a key by its proof", "sshd does not tell which key was used")
	write("/etc/ssh/sshd_config", "DisableForwarding yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMatch User deploy\n  ExposeAuthInfo yes\n")
	expect("for this user it tells")
	line(`restrict,command="/usr/bin/ssh-gate --key deploy"`)
	write("/etc/ssh/sshd_config", "DisableForwarding yes\nPermitUserEnvironment yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMatch User deploy\n  ForceCommand internal-sftp\n")
	expect("another forced command", "may set variables for what sshd starts", "ForceCommand internal-sftp runs in place of the gate")

	// Without the gate as login shell, a password and a variable of the client's lead past it.
	testhost.Run(t, "usermod", "-s", "/bin/sh", "-p", "$6$x$y", "deploy")
	write("/etc/ssh/sshd_config", "DisableForwarding yes\nPasswordAuthentication yes\nAcceptEnv LANG LC_* LD_*\nAuthorizedKeysFile /etc/ssh/keys/%u\n")
	testhost.Run(t, "mkdir", "-p", "/etc/ssh/keys")
	testhost.Run(t, "mv", "/home/deploy/.ssh/authorized_keys", "/etc/ssh/keys/deploy")
	testhost.Run(t, "chown", "root:root", "/etc/ssh/keys/deploy")
	testhost.Run(t, "chmod", "644", "/etc/ssh/keys/deploy")
	line(`restrict,command="/usr/bin/ssh-gate --key deploy"`)
	expect("a password", "clients may send the variable LD_* to the login shell", "it has a password, by which it gets its login shell without the gate")
	// Another shell, and nothing at home: what only sshd_config says is asked of sshd, and what it cannot tell is told as unseen.
	tells := func(what string, texts ...string) {
		t.Helper()
		out, _ := exec.Command("/usr/bin/ssh-gate", "doctor").Output()
		for _, text := range texts {
			if !strings.Contains(string(out), text) {
				t.Errorf("%s: doctor does not tell %q:\n%s", what, text, out)
			}
		}
	}
	const quiet = "DisableForwarding yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
	write("/etc/ssh/sshd_config", quiet+"AuthorizedKeysFile .ssh/none /etc/ssh/keys/%u\n")
	testhost.Run(t, "mv", "/home/deploy/.ssh/authorized_keys", "/home/deploy/.ssh/elsewhere")
	tells("keys by sshd_config alone", "fine    deploy: its login shell is /bin/sh, and it cannot write its keys\n", "fine    deploy: its key lines stand where sshd_config says, in /etc/ssh/keys/deploy\n")
	write("/etc/ssh/sshd_config", quiet+"AuthorizedKeysFile none\n")
	tells("keys nowhere", "fine    no account has the gate as its login shell or ForceCommand")
	testhost.Run(t, "mv", "/home/deploy/.ssh/elsewhere", "/home/deploy/.ssh/authorized_keys")
	expect("keys where sshd does not look", "deploy: the key lines in /home/deploy/.ssh/authorized_keys name the gate, and sshd does not read them there")
	write("/etc/ssh/sshd_config", quiet+"AuthorizedKeysFile none\nMatch User deploy\n  ForceCommand /usr/bin/ssh-gate --key deploy\n")
	tells("ForceCommand", "fine    deploy: ForceCommand is the gate, and its login shell is /bin/sh\n")
	write("/etc/ssh/sshd_config", quiet+"AuthorizedKeysCommand /usr/bin/true %u\nAuthorizedKeysCommandUser nobody\nTrustedUserCAKeys /root/doctor-key.pub\n")
	tells("keys in no file", "which is not run here: AuthorizedKeysCommand /usr/bin/true %u\n", "cannot be seen here: TrustedUserCAKeys /root/doctor-key.pub\n")

	testhost.Run(t, "usermod", "-s", "/usr/bin/ssh-gate", "-p", "*", "deploy")
	write("/etc/ssh/sshd_config", "DisableForwarding yes\nPasswordAuthentication yes\nAcceptEnv LANG LC_* LD_*\nAuthorizedKeysFile /etc/ssh/keys/%u\n")
	expect("the gate as login shell again")
	write("/etc/ssh/sshd_config", "DisableForwarding yes\nAcceptEnv *\nAuthorizedKeysFile /etc/ssh/keys/%u\n")
	expect("variables that sshd sets itself", "clients may send *, and so make up what sshd tells the gate")
	for _, name := range []string{"SSH_ORIGINAL_COMMAND", "SSH_USER_AUTH", "SSH_CONNECTION"} {
		write("/etc/ssh/sshd_config", "DisableForwarding yes\nAcceptEnv LANG "+name+"\nAuthorizedKeysFile /etc/ssh/keys/%u\n")
		expect(name, "clients may send "+name+", and so make up what sshd tells the gate")
	}
	for _, name := range []string{"GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK"} {
		write("/etc/ssh/sshd_config", "DisableForwarding yes\nAcceptEnv LANG "+name+"\nAuthorizedKeysFile /etc/ssh/keys/%u\n")
		expect(name, "clients may send "+name+", which Go's runtime reads before the gate does")
	}
	write("/etc/ssh/sshd_config", "DisableForwarding yes\nAcceptEnv LANG G*\nAuthorizedKeysFile /etc/ssh/keys/%u\n")
	expect("a pattern", "clients may send G*, which Go's runtime reads before the gate does")
	write("/etc/ssh/sshd_config", "DisableForwarding yes\nAcceptEnv LANG LC_* GIT_*\nAuthorizedKeysFile /etc/ssh/keys/%u\n")
	expect("variables that nothing reads before the gate")
	write("/etc/ssh/sshd_config", "DisableForwarding yes\nAuthorizedKeysFile /etc/ssh/keys/%u\n")

	write(policy, "[[allow]]\ncomand = \"uptime\"\n")
	expect("a faulty policy", "policies: the gate refuses 1 policy, such as "+policy)
	write(policy, "[[allow]]\ncommand = \"uptime\"\nlimits.sessions = 1\n")
	testhost.Run(t, "chmod", "600", policy)
	expect("a policy that no login user can read", "policies: the gate refuses 1 policy, such as "+policy)
	for _, verb := range [][]string{{"check", "deploy"}, {"explain", "--key", "deploy", "--user", "deploy", "--", "uptime"}, {"explain", "--key", "deploy", "--", "uptime"}} {
		out, err := exec.Command("/usr/bin/ssh-gate", verb...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "policy-unreadable") {
			t.Errorf("%q: %v\n%s", verb, err, out)
		}
	}
	testhost.Run(t, "chmod", "644", policy)
	expect("counts are there")
	testhost.Run(t, "rmdir", testhost.Counts)
	expect("counts are missing", "counts: there is no /run/ssh-gate, so the gate refuses the rules of 1 policy")
	testhost.Run(t, "install", "-d", "-m", "2777", "-g", "ssh-gate", testhost.Counts)
	expect("counts are open", "so others can change the counts")
	testhost.Run(t, "chmod", "2770", testhost.Counts)
	testhost.Run(t, "chmod", "777", "/etc/ssh-gate/keys")
	expect("an open folder", "policies: /etc/ssh-gate/keys cannot be trusted")
	testhost.Run(t, "chmod", "755", "/etc/ssh-gate/keys")
	testhost.Run(t, "chmod", "2777", "/usr/bin/ssh-gate")
	expect("an open binary", "binary: somebody else than root can change what the key lines start")
	testhost.Run(t, "chmod", "2755", "/usr/bin/ssh-gate")
	expect("all in order again")

	// The account itself sees what it may see, and is told what it may not.
	out, err := user.Command(nil, "/usr/bin/ssh-gate", "doctor").CombinedOutput()
	if err != nil || strings.Contains(string(out), "wrong ") || !strings.Contains(string(out), "unseen  deploy: sshd's settings are not known: sshd -T: ") {
		t.Errorf("%v\n%s", err, out)
	}
}
