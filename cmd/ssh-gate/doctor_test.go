package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	write("/etc/ssh/sshd_config", quiet+"AuthorizedKeysFile .none/keys /etc/ssh/keys/%u\n")
	testhost.Run(t, "mv", "/home/deploy/.ssh/authorized_keys", "/home/deploy/.ssh/elsewhere")
	expect("keys that the account can make", "may add a key line without the gate, and its login shell is /bin/sh")
	write("/etc/ssh/sshd_config", quiet+"AuthorizedKeysFile /etc/ssh/none/%u /etc/ssh/keys/%u\n")
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
	// What stands in the folder's place, or leaves no room in it; what doctor says is typed, and mends it.
	hints := func(what, text, hint string) {
		t.Helper()
		expect(what, text)
		out, _ := exec.Command("/usr/bin/ssh-gate", "doctor").Output()
		if !strings.Contains(string(out), "hint: "+hint+"\n") {
			t.Errorf("%s: doctor does not say %q:\n%s", what, hint, out)
		}
		testhost.Run(t, "sh", "-ec", hint)
		expect("mended: " + what)
	}
	const anew = "mv /run/ssh-gate /run/ssh-gate.old && install -d -m 2770 -o root -g ssh-gate /run/ssh-gate"
	testhost.Run(t, "rmdir", testhost.Counts)
	write(testhost.Counts, "")
	hints("a file for counts", "counts: /run/ssh-gate is no folder, so the gate refuses the rules of 1 policy", anew)
	testhost.Run(t, "rm", "-r", testhost.Counts, testhost.Counts+".old")
	testhost.Run(t, "mkdir", "-m", "700", "/root/counts-elsewhere")
	testhost.Run(t, "ln", "-s", "/root/counts-elsewhere", testhost.Counts)
	hints("a link for counts", "counts: /run/ssh-gate is a link, which the gate does not follow", anew)
	if mode := strings.TrimSpace(testhost.Run(t, "stat", "-c", "%a %G", "/root/counts-elsewhere")); mode != "700 root" {
		t.Errorf("the folder that the link led to has become %s", mode)
	}
	testhost.Run(t, "rm", "-r", "/root/counts-elsewhere")
	testhost.Run(t, "mount", "-t", "tmpfs", "-o", "nr_inodes=1,mode=2770,gid=ssh-gate", "none", testhost.Counts)
	expect("no inodes", "counts: the file system of /run/ssh-gate is full (no inodes are left)")
	testhost.Run(t, "umount", testhost.Counts)
	testhost.Run(t, "mount", "-t", "tmpfs", "-o", "size=4k,mode=2770,gid=ssh-gate", "none", testhost.Counts)
	write(testhost.Counts+"/x", "x")
	expect("no space", "counts: the file system of /run/ssh-gate is full (no space is left)")
	testhost.Run(t, "umount", testhost.Counts)

	// A link in the place of the log's folder: what mends it leaves alone where it leads.
	logs := filepath.Dir(testhost.Log)
	testhost.Run(t, "mv", logs, logs+".real")
	testhost.Run(t, "ln", "-s", logs+".real", logs)
	expect("a link of root's to a good folder")
	testhost.Run(t, "chmod", "2770", logs+".real")
	hints("a link to an open folder", "log: /var/log/ssh-gate is a link to /var/log/ssh-gate.real, which may be written by others (mode 2770), who can replace the log",
		"rm /var/log/ssh-gate && install -d -m 2750 -o root -g ssh-gate /var/log/ssh-gate && install -m 660 -o root -g ssh-gate /dev/null /var/log/ssh-gate/ssh-gate.log")
	if mode := strings.TrimSpace(testhost.Run(t, "stat", "-c", "%a", logs+".real")); mode != "2770" {
		t.Errorf("the folder that the link led to has become %s", mode)
	}

	testhost.Run(t, "chmod", "777", "/etc/ssh-gate/keys")
	expect("an open folder", "policies: /etc/ssh-gate/keys cannot be trusted")
	testhost.Run(t, "chmod", "755", "/etc/ssh-gate/keys")
	testhost.Run(t, "chmod", "2777", "/usr/bin/ssh-gate")
	expect("an open binary", "binary: somebody else than root can change what the key lines start")
	testhost.Run(t, "chmod", "2755", "/usr/bin/ssh-gate")
	expect("all in order again")

	// sshd's own sftp asks no shell: a key line without a command, which the account may add, gets it where the gate is the login shell alone.
	const sftp = "deploy: Subsystem sftp internal-sftp"
	internal := quiet + "Subsystem sftp internal-sftp -l INFO\n"
	write("/etc/ssh/sshd_config", internal)
	expect("keys of its own and internal-sftp", sftp+" runs in sshd itself: a key line without command=, which somebody may add to its keys, gets all files of the account without the gate, and without a record")
	write("/etc/ssh/sshd_config", internal+"AuthorizedKeysFile /etc/ssh/keys/%u\n")
	testhost.Run(t, "mkdir", "-p", "/etc/ssh/keys")
	write("/etc/ssh/keys/deploy", testhost.KeyLine(t, `restrict,command="/usr/bin/ssh-gate --key deploy"`, key)+"\n")
	expect("keys of root's and internal-sftp")
	write("/etc/ssh/keys/deploy", testhost.KeyLine(t, `restrict`, key)+"\n")
	expect("a line without a command", sftp+" runs in sshd itself: a key line without command=, of which there is 1, gets all files")
	write("/etc/ssh/sshd_config", internal+"AuthorizedKeysFile /etc/ssh/keys/%u\nMatch User deploy\n  ForceCommand /usr/bin/ssh-gate --key deploy\n")
	expect("ForceCommand before internal-sftp")
	write("/etc/ssh/sshd_config", quiet+"Subsystem sftp /usr/lib/openssh/sftp-server\nSubsystem files internal-sftp\nAuthorizedKeysFile /etc/ssh/keys/%u\n")
	expect("by another name", "deploy: Subsystem files internal-sftp runs in sshd itself")
	write("/etc/ssh/sshd_config", quiet+"Subsystem sftp /usr/lib/openssh/sftp-server\nAuthorizedKeysFile /etc/ssh/keys/%u\n")
	expect("sftp by a program")
	write("/etc/ssh/keys/deploy", testhost.KeyLine(t, `restrict,command="/usr/bin/ssh-gate --key deploy"`, key)+"\n")
	testhost.Run(t, "usermod", "-p", "$6$x$y", "deploy")
	write("/etc/ssh/sshd_config", "DisableForwarding yes\nPasswordAuthentication yes\nSubsystem sftp internal-sftp\nAuthorizedKeysFile /etc/ssh/keys/%u\n")
	expect("a password and internal-sftp", "it has a password, by which it gets sftp without the gate")
	testhost.Run(t, "usermod", "-p", "*", "deploy")
	write("/etc/ssh/sshd_config", quiet)

	// Root is told what root can do.
	testhost.Run(t, "rm", "-r", "/run/sshd")
	out, _ := exec.Command("/usr/bin/ssh-gate", "doctor").Output()
	if !strings.Contains(string(out), "Missing privilege separation directory: /run/sshd\n        hint: mkdir -p -m 755 /run/sshd\n") || strings.Contains(string(out), "sudo ssh-gate") {
		t.Errorf("root is told:\n%s", out)
	}
	testhost.Run(t, "mkdir", "-p", "-m", "755", "/run/sshd")

	// The account itself sees what it may see, and is told what it may not.
	out, err = user.Command(nil, "/usr/bin/ssh-gate", "doctor").CombinedOutput()
	if err != nil || strings.Contains(string(out), "wrong ") || !strings.Contains(string(out), "unseen  deploy: sshd's settings are not known: sshd -T: ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDoctorReload: doctor asks the files, and says so where the running sshd has not read them.
func TestDoctorReload(t *testing.T) {
	testsshd.RequireTool(t, "sshd", "openssh-server")
	if !testhost.EnterMachine(t, func() string {
		dir := testsshd.SafeDir(t)
		testhost.Run(t, "cp", gateProgram(), dir+"/ssh-gate")
		return dir
	}) {
		return
	}
	binary := testhost.Carried + "/ssh-gate"
	const pidFile, config, dropIn = "/run/sshd.pid", "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/x.conf"
	tells := func(what, file string) {
		t.Helper()
		out, _ := exec.Command(binary, "doctor").Output()
		if told := strings.Contains(string(out), "wrong   "+file+" is newer than what the running sshd has read;"); told != (file != "") || file == "" && strings.Contains(string(out), "is newer than") {
			t.Errorf("%s:\n%s", what, out)
		}
	}
	written := func() time.Time {
		t.Helper()
		st, err := os.Stat(pidFile)
		check(t, err)
		return st.ModTime()
	}
	tells("no sshd runs", "")
	testhost.StartSSHD(t)
	before := written()
	tells("it has just started", "")
	check(t, os.WriteFile(dropIn, []byte("PermitTTY no\n"), 0o644))
	check(t, os.Chtimes(dropIn, before.Add(time.Nanosecond), before.Add(time.Nanosecond)))
	tells("a new file", dropIn)
	pid, err := os.ReadFile(pidFile)
	check(t, err)
	testhost.Run(t, "kill", "-HUP", strings.TrimSpace(string(pid)))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if st, err := os.Stat(pidFile); err == nil && st.Size() > 0 && st.ModTime().After(before.Add(time.Nanosecond)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("sshd does not read its files again")
		}
	}
	tells("reloaded", "")
	check(t, os.Chtimes(config, written().Add(time.Second), written().Add(time.Second)))
	tells("a changed file", config)
	check(t, os.WriteFile(pidFile, []byte("1\n"), 0o644))
	check(t, os.Chtimes(config, written().Add(time.Second), written().Add(time.Second)))
	tells("the number of another process", "")
}
