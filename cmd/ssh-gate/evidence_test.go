package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/recordtest"
	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// These tests install the binary as the package does, setgid, on a machine of their own, and call it as real second users.

const evidencePolicy = `
log = "all"
[[allow]]
command = "cat {file}"
args.file = { text = [1, 100] }
[[allow]]
command = "env {words+}"
args.words = { regex = '.*' }
`

// installed is the product on this machine, with the key deploy and its account.
type installed struct {
	deploy testhost.User
	group  int
}

func install(t *testing.T) *installed {
	t.Helper()
	m := &installed{group: testhost.Install(t, gateProgram())}
	m.deploy = testhost.AddUser(t, "deploy")
	check(t, os.WriteFile("/etc/ssh-gate/keys/deploy.toml", []byte(evidencePolicy), 0o644))
	return m
}

// remote is how sshd calls the gate for this user; byHand is how he calls it himself.
func remote(request string) []string {
	return []string{"PATH=/usr/bin:/bin", "SSH_CONNECTION=192.0.2.7 50022 192.0.2.1 22", "SSH_ORIGINAL_COMMAND=" + request}
}

func byHand(request string) []string {
	return []string{"PATH=/usr/bin:/bin", "SSH_ORIGINAL_COMMAND=" + request}
}

func (m *installed) gate(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	return run(t, m.deploy.Command(env, append([]string{"/usr/bin/ssh-gate"}, args...)...))
}

func readLog(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(testhost.Log)
	check(t, err)
	return string(text)
}

// TestEvidence: his denials are on the record, and no program that he may run reads, changes or replaces it, or gets the group.
func TestEvidence(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	if o := m.gate(t, remote("id; reboot"), "--key", "deploy"); o.status != 77 {
		t.Fatalf("%+v", o)
	}
	entries := parseRecords(t, readLog(t))
	if len(entries) != 1 || entries[0].User != "deploy" || entries[0].Reason != "needs-shell" || entries[0].IP != "192.0.2.7" {
		t.Fatalf("the log holds %+v", entries)
	}
	recordtest.Validate(t, []byte(strings.TrimSuffix(readLog(t), "\n")))

	status := m.gate(t, remote("cat /proc/self/status"), "--key", "deploy")
	own := fmt.Sprintf("Gid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", m.deploy.GID)
	if !strings.Contains(status.stdout, own) || strings.Contains(statusLine(status.stdout, "Groups"), fmt.Sprint(m.group)) {
		t.Errorf("the program has other groups than its user:\n%s", status.stdout)
	}
	if fds := m.gate(t, remote("env ls -l /proc/self/fd"), "--key", "deploy"); strings.Contains(fds.stdout, "ssh-gate") {
		t.Errorf("the program got a descriptor of the log:\n%s", fds.stdout)
	}

	before := readLog(t)
	for _, attack := range []string{
		"cat " + testhost.Log, "ls " + filepath.Dir(testhost.Log), "truncate -s 0 " + testhost.Log, "cp /dev/null " + testhost.Log,
		"rm -f " + testhost.Log, "mv " + testhost.Log + " /home/deploy/log", "mv /var/log/ssh-gate /home/deploy/log",
		"ln " + testhost.Log + " /home/deploy/log", "chmod 777 " + filepath.Dir(testhost.Log), "cp /etc/passwd " + filepath.Dir(testhost.Log) + "/new",
		fmt.Sprintf("setpriv --regid %d --clear-groups cat %s", m.group, testhost.Log),
		fmt.Sprintf("setpriv --regid %d --keep-groups true", m.group), "newgrp ssh-gate",
		"/usr/bin/ssh-gate log", "/usr/bin/ssh-gate log --file " + testhost.Log,
	} {
		o := m.gate(t, remote("env "+attack), "--key", "deploy")
		if o.status == 0 || o.status == 77 || strings.Contains(o.stdout, "needs-shell") {
			t.Errorf("%s: %+v", attack, o)
		}
		if text := readLog(t); !strings.HasPrefix(text, before) {
			t.Fatalf("%s changed the log", attack)
		}
	}
	for _, e := range parseRecords(t, readLog(t))[1:] {
		if e.Event != "allowed" {
			t.Errorf("not an attack by a permitted program: %+v", e)
		}
	}
}

func statusLine(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return value
		}
	}
	return ""
}

// TestEvidenceOptionsRegression: anybody may call the gate by hand with options of his own, and must not write into the evidence, or
// make files with its group, whatever else is wrong with the options.
func TestEvidenceOptionsRegression(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	home := "/home/deploy/"
	own := func(name, text string) string {
		check(t, os.WriteFile(home+name, []byte(text), 0o644))
		check(t, os.Chown(home+name, m.deploy.UID, m.deploy.GID))
		return home + name
	}
	check(t, os.Chmod("/home/deploy", 0o755))
	policy := own("own.toml", "[[allow]]\ncommand = \"id\"\n")
	packaged := own("packaged.conf", fmt.Sprintf("[log]\nfile = %q\n", testhost.Log))
	elsewhere := own("elsewhere.conf", fmt.Sprintf("[log]\nfile = %q\n", home+"own.log"))
	check(t, os.Symlink(testhost.Log, home+"link.log"))
	linked := own("linked.conf", fmt.Sprintf("[log]\nfile = %q\n", home+"link.log"))

	for _, args := range [][]string{
		{"--policy", policy}, {"--policy=" + policy}, {"--key", "own", "--policy-dir", home}, {"--key", "deploy", "--config", packaged},
		{"--config=" + packaged, "--key=own", "--policy-dir=" + home}, {"--key", "deploy", "--config", elsewhere}, {"--key", "deploy", "--config", linked},
		{"--bogus", "--policy", policy}, {"--key", "deploy", "--key", "deploy", "--config", packaged}, {"--policy"}, {"--config", "/nonexistent", "--key", "deploy"},
		{"--policyx"}, {"x", "--config"},
	} {
		for _, env := range [][]string{remote("forged entry"), byHand("forged entry")} {
			if o := m.gate(t, env, args...); o.status == 0 {
				t.Errorf("%q: %+v", args, o)
			}
			root := command(env, append([]string{"/usr/bin/ssh-gate"}, args...)...) // needs no group to write
			if o := run(t, root); o.status == 0 {
				t.Errorf("root: %q: %+v", args, o)
			}
			if text := readLog(t); text != "" {
				t.Fatalf("%q wrote into the evidence: %s", args, text)
			}
		}
	}
	var st unix.Stat_t
	check(t, unix.Stat(home+"own.log", &st))
	if int(st.Gid) == m.group {
		t.Error("a log of his own was made with the lent group")
	}
	// The key line's own shape still reaches the evidence.
	m.gate(t, remote("forged entry"), "--key", "deploy")
	if entries := parseRecords(t, readLog(t)); len(entries) != 1 {
		t.Errorf("%+v", entries)
	}
}

// TestEvidenceUserRegression: whoever calls the gate by hand sets LOGNAME and SSH_CONNECTION as he likes, and was recorded, and let in,
// under the name of another account.
func TestEvidenceUserRegression(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	testhost.AddUser(t, "alice")
	check(t, os.WriteFile("/etc/ssh-gate/keys/alice.toml", []byte("users = [\"alice\", \"root\"]\n[[allow]]\ncommand = \"id\"\n"), 0o644))
	stranger := testhost.User{Name: "stranger", UID: 7777, GID: 7777} // in no file
	for _, u := range []testhost.User{m.deploy, stranger} {
		for _, name := range []string{"alice", "root"} {
			for _, env := range [][]string{remote("id"), byHand("id"), remote("id; x"), byHand("id; x")} {
				before := len(parseRecords(t, readLog(t)))
				o := run(t, u.Command(append(env, "LOGNAME="+name, "HOME=/home/"+name), "/usr/bin/ssh-gate", "--key", "alice"))
				entries := parseRecords(t, readLog(t))
				if o.status == 0 || o.stdout != "" || len(entries) != before+1 {
					t.Fatalf("user %d as %s: %+v, %d records", u.UID, name, o, len(entries)-before)
				}
				if e := entries[len(entries)-1]; e.User == name || e.UID != u.UID {
					t.Errorf("user %d as %s: the record says %s, %d", u.UID, name, e.User, e.UID)
				}
			}
		}
	}
}

// TestEvidenceVerbs: a verb has no more rights than who calls it.
func TestEvidenceVerbs(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	m.gate(t, remote("secret request"), "--key", "deploy")
	for _, verb := range [][]string{
		{"log"}, {"log", "--json"}, {"log", "--top"}, {"log", "-f"}, {"log", "--file", testhost.Log}, {"unused"}, {"unused", "--file", testhost.Log},
		{"log", "--prometheus", "/home/deploy/x.prom"},
	} {
		o := m.gate(t, byHand(""), verb...)
		if o.status != 1 || o.stdout != "" || !strings.Contains(o.stderr, "permission denied") || !strings.Contains(o.stderr, "hint: the log is for root alone: sudo ssh-gate "+verb[0]) {
			t.Errorf("%q: %+v", verb, o)
		}
	}
	for _, verb := range [][]string{{"log"}, {"log", "--top"}, {"log", "--json"}} {
		if o := run(t, command(byHand(""), append([]string{"/usr/bin/ssh-gate"}, verb...)...)); o.status != 0 || !strings.Contains(o.stdout, "secret request") {
			t.Errorf("root: %q: %+v", verb, o)
		}
	}
	if o := m.gate(t, byHand(""), "doctor"); o.status != 0 || !strings.Contains(o.stdout, fmt.Sprintf("setgid is in effect: the log is opened with the group ssh-gate (gid %d)", m.group)) {
		t.Errorf("doctor: %+v", o)
	}
}

// TestEvidenceDoctorRegression: doctor called a log evidence that others could replace, change, or that the gate could not write.
func TestEvidenceDoctorRegression(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	doctor := func(want string) {
		t.Helper()
		o := run(t, command(byHand(""), "/usr/bin/ssh-gate", "doctor"))
		if fine := want == ""; fine != (o.status == 0) || !strings.Contains(o.stdout, want) {
			t.Errorf("%+v, want %s", o, want)
		}
	}
	doctor("")
	testhost.AddUser(t, "mallory")
	testhost.Run(t, "usermod", "-g", "ssh-gate", "mallory")
	doctor("the log's group has members, who can read and change it: mallory")
	testhost.Run(t, "userdel", "mallory")
	doctor("")
	testhost.Run(t, "chgrp", "users", testhost.Log)
	doctor("cannot write it")
	testhost.Run(t, "chgrp", "ssh-gate", testhost.Log)
	testhost.Run(t, "install", "-d", "-m", "2750", "-g", "ssh-gate", "/home/deploy/logs")
	testhost.Run(t, "install", "-m", "660", "-g", "ssh-gate", "/dev/null", "/home/deploy/logs/log")
	check(t, os.WriteFile("/etc/ssh-gate/config.toml", []byte("log.file = \"/home/deploy/logs/log\"\n"), 0o644))
	doctor(fmt.Sprintf("/home/deploy belongs to user deploy (uid %d)", m.deploy.UID))
}

// TestEvidenceFallback: where the setgid bit has no effect the gate still denies, writes what the account may write, and doctor says why.
func TestEvidenceFallback(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	check(t, os.Mkdir("/home/deploy/bin", 0o755))
	mount := func(flags uintptr) {
		check(t, unix.Mount("tmpfs", "/home/deploy/bin", "tmpfs", flags, "mode=755"))
		t.Cleanup(func() { unix.Unmount("/home/deploy/bin", unix.MNT_DETACH) })
		testhost.Run(t, "cp", "-p", "/usr/bin/ssh-gate", "/home/deploy/bin/ssh-gate")
	}
	mount(unix.MS_NOSUID)
	testhost.Run(t, "install", "-m", "755", "/usr/bin/ssh-gate", "/home/deploy/plain")
	for name, before := range map[string][]string{
		"on a file system mounted nosuid":  {"/home/deploy/bin/ssh-gate"},
		"no_new_privs is set":              {"setpriv", "--no-new-privs", "/usr/bin/ssh-gate"},
		"/home/deploy/plain is not setgid": {"/home/deploy/plain"},
	} {
		o := run(t, m.deploy.Command(remote("id; reboot"), append(before, "--key", "deploy")...))
		if o.status != 77 || readLog(t) != "" {
			t.Errorf("%s: %+v, and in the log: %s", name, o, readLog(t))
		}
		o = run(t, m.deploy.Command(byHand("id; reboot"), append(before, "--key", "deploy")...))
		if o.status != 77 || !strings.Contains(o.stderr, "hint: the record could not be written: log ") {
			t.Errorf("%s: by hand: %+v", name, o)
		}
		o = run(t, m.deploy.Command(byHand(""), append(before, "doctor")...))
		if o.status != 1 || strings.Count(o.stdout, name) != 1 || !strings.Contains(o.stdout, "hint: ") {
			t.Errorf("%s: doctor: %+v", name, o)
		}
	}
	check(t, os.WriteFile("/etc/ssh-gate/config.toml", []byte("log.file = \"/home/deploy/log\"\n"), 0o644))
	run(t, m.deploy.Command(remote("id; reboot"), "/home/deploy/plain", "--key", "deploy"))
	text, err := os.ReadFile("/home/deploy/log")
	check(t, err)
	if entries := parseRecords(t, string(text)); len(entries) != 1 {
		t.Errorf("what the account may write holds %+v", entries)
	}
}

// TestEvidenceSetuid: a binary that was made setuid by mistake runs nothing at all.
func TestEvidenceSetuid(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	for _, mode := range []string{"4755", "6755"} {
		testhost.Run(t, "chmod", mode, "/usr/bin/ssh-gate")
		if o := m.gate(t, byHand("cat /proc/self/status"), "--key", "deploy"); o.status != 78 || o.stdout != "" || !strings.Contains(o.stderr, "the binary is setuid; chmod u-s it") {
			t.Errorf("%s: %+v", mode, o)
		}
	}
	if o := m.gate(t, byHand(""), "log"); o.status != 1 || o.stdout != "" {
		t.Errorf("a verb of a setuid binary: %+v", o)
	}
}

// TestEvidenceMissingLog: only root can bring a packaged log back, so the gate waits a little, denies all the same, and runs nothing where
// the record is required.
func TestEvidenceMissingLog(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	check(t, os.Remove(testhost.Log))
	o := m.gate(t, byHand("id; reboot"), "--key", "deploy")
	if o.status != 77 || !strings.Contains(o.stderr, "ssh-gate.log\" does not exist") {
		t.Errorf("%+v", o)
	}
	// Root's own keys go through the gate as well; a log that they made would keep the others out, and stand in logrotate's way.
	run(t, command(remote("id; reboot"), "/usr/bin/ssh-gate", "--key", "deploy"))
	if _, err := os.Lstat(testhost.Log); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the log is back: %v", err)
	}
	check(t, os.WriteFile("/etc/ssh-gate/config.toml", []byte("log.required = true\n"), 0o644))
	if o := m.gate(t, remote("cat /etc/hostname"), "--key", "deploy"); o.status != 74 || o.stdout != "" {
		t.Errorf("%+v", o)
	}
	// One that comes back while the gate waits is written.
	gate := m.deploy.Command(remote("cat /dev/null"), "/usr/bin/ssh-gate", "--key", "deploy")
	check(t, gate.Start())
	testhost.Run(t, "install", "-m", "660", "-o", "root", "-g", "ssh-gate", "/dev/null", testhost.Log)
	err := gate.Wait()
	if entries := parseRecords(t, readLog(t)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %+v", err, entries)
	}
}

// TestEvidenceFullDisk: a record that does not fit is no record; once there is room the next one stands on a line of its own.
func TestEvidenceFullDisk(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	check(t, unix.Mount("tmpfs", "/var/log/ssh-gate", "tmpfs", 0, "size=64k,mode=2750"))
	t.Cleanup(func() { unix.Unmount("/var/log/ssh-gate", unix.MNT_DETACH) })
	testhost.Run(t, "chgrp", "ssh-gate", "/var/log/ssh-gate")
	testhost.Run(t, "install", "-m", "660", "-o", "root", "-g", "ssh-gate", "/dev/null", testhost.Log)
	request, o := strings.Repeat("x", 3000)+";", outcome{}
	for n := 0; !strings.Contains(o.stderr, "could not be written"); n++ {
		o = m.gate(t, byHand(request), "--key", "deploy")
		if n > 100 || o.status != 77 {
			t.Fatalf("after %d: %+v", n, o)
		}
	}
	text := readLog(t)
	if len(text) != 64<<10 || strings.HasSuffix(text, "\n") {
		t.Fatalf("the disk is not full: the log has %d bytes", len(text))
	}
	check(t, os.WriteFile("/etc/ssh-gate/config.toml", []byte("log.required = true\n"), 0o644))
	if o := m.gate(t, remote("cat /etc/hostname"), "--key", "deploy"); o.status != 74 || o.stdout != "" {
		t.Errorf("a program ran without its record: %+v", o)
	}
	check(t, os.Truncate(testhost.Log, int64(len(text)/2))) // makes room, and leaves a part of a line
	m.gate(t, byHand("id;"), "--key", "deploy")
	lines := strings.Split(strings.TrimSuffix(readLog(t), "\n"), "\n")
	last := lines[len(lines)-1]
	recordtest.Validate(t, []byte(last))
	if !strings.Contains(last, `"request":"id;"`) {
		t.Errorf("the last line is %s", last)
	}
}

// TestQuota: a quota that is used up is met like a full disk. Few test kernels have quotas, so strace makes the kernel answer EDQUOT.
func TestQuota(t *testing.T) {
	testsshd.RequireTool(t, "strace", "strace")
	h := newHost(t, "[[allow]]\ncommand = \"true\"\n")
	inject := []string{"strace", "-f", "-o", h.path("trace"), "-P", h.log, "-e", "inject=write:error=EDQUOT"}
	h.request("id;").Run() // makes the log
	o := run(t, command(byHand("reboot;"), h.gate(inject...)...))
	if o.status != 77 || !strings.Contains(o.stderr, "disk quota exceeded") || len(h.records(t)) != 1 {
		t.Errorf("%+v, %+v", o, h.records(t))
	}
	h.write(t, "config.toml", "log = { file = \"$DIR/log\", required = true }\n")
	if o := run(t, command(remote("true"), h.gate(inject...)...)); o.status != 74 {
		t.Errorf("%+v", o)
	}
}

// TestEvidenceTraced: execve gives a traced process no group, so a debugger never holds a gate that has it.
func TestEvidenceTraced(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	testsshd.RequireTool(t, "strace", "strace")
	m := install(t)
	o := run(t, m.deploy.Command(byHand("id;"), "strace", "-o", "/dev/null", "/usr/bin/ssh-gate", "--key", "deploy"))
	if o.status != 77 || readLog(t) != "" {
		t.Errorf("%+v, and in the log: %s", o, readLog(t))
	}
}

// TestEvidenceThreads: the group is gone from the thread that opens policies and executes before the first of these is opened.
func TestEvidenceThreads(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	// The policy's folder is for the lent group alone. A gate that still had the group would read the policy.
	check(t, os.Chown("/etc/ssh-gate/keys", 0, m.group))
	check(t, os.Chmod("/etc/ssh-gate/keys", 0o750))
	o := m.gate(t, byHand("cat /dev/null"), "--key", "deploy")
	if o.status != 78 || !strings.Contains(o.stderr, "permission denied") {
		t.Errorf("%+v", o)
	}
	if entries := parseRecords(t, readLog(t)); len(entries) != 1 || entries[0].Reason != "policy-unreadable" {
		t.Errorf("%+v", entries)
	}
}
