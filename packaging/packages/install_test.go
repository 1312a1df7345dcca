package packages

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

const (
	configFile = "/etc/ssh-gate/config.toml"
	policyFile = "/etc/ssh-gate/keys/first.toml"
	examples   = "/usr/share/doc/ssh-gate/examples"
)

// complete is an installation as it has to be, whatever was there before.
var complete = map[string]string{
	"/usr/bin/ssh-gate": "file 2755 root:ssh-gate", "/etc/ssh-gate": "folder 0755 root:root", "/etc/ssh-gate/keys": "folder 0755 root:root",
	"/etc/ssh-gate/users": "folder 0755 root:root", configFile: "file 0644 root:root", "/etc/logrotate.d/ssh-gate": "file 0644 root:root",
	"/var/log/ssh-gate": "folder 2750 root:ssh-gate", testhost.Log: "file 0660 root:ssh-gate", testhost.Counts: "folder 2770 root:ssh-gate",
	"/usr/lib/sysusers.d/ssh-gate.conf": "file 0644 root:root", "/usr/lib/tmpfiles.d/ssh-gate.conf": "file 0644 root:root",
}

// apt runs apt-get as people do, but for the questions that nobody is there to answer.
func apt(args ...string) (string, error) {
	return try(append([]string{"apt-get", "-y", "--no-install-recommends", "--allow-downgrades", "-o", "Dpkg::Options::=--force-confdef",
		"-o", "Dpkg::Options::=--force-confold", "-o", "APT::Sandbox::User=root"}, args...)...)
}

func mustApt(t *testing.T, args ...string) string {
	t.Helper()
	out, err := apt(args...)
	if err != nil {
		t.Fatalf("apt-get %q: %v\n%s", args, err, out)
	}
	return out
}

// warned says whether a script of the package had something to say.
func warned(out string) bool {
	return strings.Contains(out, "ssh-gate: warning") || strings.Contains(out, "ssh-gate: error")
}

func listed(t *testing.T) int {
	t.Helper()
	return strings.Count("\n"+read(t, "/etc/shells")+"\n", "\n/usr/bin/ssh-gate\n")
}

// deny has the account ask for what its policy does not allow, as a client of sshd.
func deny(t *testing.T, u testhost.User) {
	t.Helper()
	cmd := u.Command([]string{"PATH=/usr/bin:/bin", "SSH_CONNECTION=192.0.2.7 50022 192.0.2.1 22", "SSH_ORIGINAL_COMMAND=uptime; id"}, "/usr/bin/ssh-gate", "--key", "first")
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 77 {
		t.Fatalf("status %d\n%s", cmd.ProcessState.ExitCode(), out)
	}
}

// keeping is asked, after what must not change them, whether the policy, the log and the list of shells are as they are now, and the
// configuration as it is to be.
func keeping(t *testing.T) func(config string) {
	t.Helper()
	policy, place, record, log := read(t, policyFile), state(policyFile), read(t, testhost.Log), inode(t, testhost.Log)
	return func(config string) {
		t.Helper()
		expect(t, complete)
		if read(t, configFile) != config || read(t, policyFile) != policy || state(policyFile) != place {
			t.Error("the configuration or the policy is another")
		}
		if read(t, testhost.Log) != record || inode(t, testhost.Log) != log {
			t.Errorf("the log is another, or holds %q", read(t, testhost.Log))
		}
		if n := listed(t); n != 1 {
			t.Errorf("/etc/shells has it %d times", n)
		}
	}
}

// TestDebian is the life of the .deb on one host.
func TestDebian(t *testing.T) {
	if !enter(t) {
		return
	}
	deploy := testhost.AddUser(t, "deploy")
	unix.Umask(0o077)
	out := mustApt(t, "install", first.deb("amd64"))
	unix.Umask(0o022)
	if warned(out) {
		t.Errorf("the installation warns:\n%s", out)
	}
	expect(t, complete)
	if n := listed(t); n != 1 {
		t.Errorf("/etc/shells has it %d times", n)
	}
	if out := output(t, "dpkg", "--verify", "ssh-gate"); out != "" {
		t.Errorf("dpkg --verify: %s", out)
	}
	if out, err := try("ssh-gate", "doctor"); err != nil {
		t.Errorf("doctor: %s", out)
	}
	output(t, "logrotate", "-d", "/etc/logrotate.d/ssh-gate")

	// An upgrade keeps what was edited, what was written and what was recorded.
	output(t, "cp", examples+"/first.toml", policyFile)
	deny(t, deploy)
	kept := keeping(t)
	edited := read(t, configFile) + "events = \"all\"\n"
	write(t, configFile, edited)
	unix.Umask(0)
	out = mustApt(t, "install", next.deb("amd64"))
	unix.Umask(0o022)
	if warned(out) {
		t.Errorf("the upgrade warns:\n%s", out)
	}
	kept(edited)
	if !strings.HasSuffix(read(t, configFile+".dpkg-dist"), nextDefault) {
		t.Error("the new default is not beside the edited file")
	}

	// A fault in the configuration is told, and stands in nobody's way.
	broken := "[log]\nevnts = \"all\"\n"
	write(t, configFile, broken)
	contains(t, mustApt(t, "install", first.deb("amd64")), "ssh-gate: warning: this host is not in order", "ssh-gate doctor", "config.toml:2", "evnts")
	kept(broken)
	// What is wrong is told without all that is fine.
	write(t, configFile, edited)
	output(t, "chmod", "777", filepath.Dir(policyFile))
	out = mustApt(t, "install", next.deb("amd64"))
	contains(t, out, "ssh-gate: warning: this host is not in order", "\nwrong   "+filepath.Dir(policyFile)+" cannot be trusted")
	if strings.Contains(out, "\nfine ") {
		t.Errorf("the warning tells what is fine:\n%s", out)
	}
	output(t, "chmod", "755", filepath.Dir(policyFile))
	mustApt(t, "install", first.deb("amd64"))
	if got := output(t, "dpkg-query", "-W", "-f", "${Status} ${Version}", "ssh-gate"); got != "install ok installed "+first.version+"-1" {
		t.Errorf("dpkg: %s", got)
	}
	write(t, configFile, edited)

	// A removal leaves what is the administrator's, and the evidence; a new installation takes it up again.
	group := number(t, "stat", "-c", "%g", testhost.Log)
	mustApt(t, "remove", "ssh-gate")
	expect(t, map[string]string{"/usr/bin/ssh-gate": absent, configFile: complete[configFile], policyFile: "file 0644 root:root", testhost.Log: complete[testhost.Log]})
	if n := listed(t); n != 0 {
		t.Errorf("after the removal /etc/shells has it %d times", n)
	}
	if out := mustApt(t, "install", first.deb("amd64")); warned(out) {
		t.Errorf("the new installation warns:\n%s", out)
	}
	kept(edited)

	// The group had gone with its number: the log is the new group's.
	mustApt(t, "remove", "ssh-gate")
	output(t, "groupmod", "-g", fmt.Sprint(group+5000), "-n", "somebody", "ssh-gate")
	if out := mustApt(t, "install", first.deb("amd64")); warned(out) {
		t.Errorf("with another group it warns:\n%s", out)
	}
	kept(edited)
	deny(t, deploy)

	// The script may run again, as after a failure, and respects what dpkg was told.
	output(t, "dpkg-statoverride", "--update", "--add", "root", "adm", "0640", testhost.Log)
	for range 2 {
		output(t, "/var/lib/dpkg/info/ssh-gate.postinst", "configure", first.version)
	}
	if got := state(testhost.Log); got != "file 0640 root:adm" || listed(t) != 1 {
		t.Errorf("the log is %s, /etc/shells has it %d times", got, listed(t))
	}
	output(t, "dpkg-statoverride", "--remove", testhost.Log)

	// What a start of the machine finds missing, systemd makes as the scripts do.
	check(t, os.RemoveAll(testhost.Counts))
	check(t, os.RemoveAll("/var/log/ssh-gate"))
	output(t, testsshd.RequireTool(t, "systemd-tmpfiles", "systemd"), "--create", "/usr/lib/tmpfiles.d/ssh-gate.conf")
	expect(t, complete)
	checkAfterwards(t)

	contains(t, mustApt(t, "purge", "ssh-gate"), "your policies in /etc/ssh-gate/keys are left; when you no longer need them: rm -r /etc/ssh-gate/keys")
	if got := traces(t, everywhere); len(got) != 1 || got[0] != "/etc/ssh-gate" || state(policyFile) != "file 0644 root:root" {
		t.Errorf("a purge leaves %q", got)
	}
	if entries, err := os.ReadDir("/etc/ssh-gate"); err != nil || len(entries) != 1 {
		t.Errorf("a purge leaves %v in /etc/ssh-gate, %v", entries, err)
	}
	if _, err := user.LookupGroup("ssh-gate"); err != nil {
		t.Error("a purge has freed the group's number")
	}
	mustApt(t, "install", first.deb("amd64"))
	check(t, os.Remove(policyFile))
	if out := mustApt(t, "purge", "ssh-gate"); strings.Contains(out, "are left") || len(traces(t, everywhere)) > 0 {
		t.Errorf("a purge leaves %q\n%s", traces(t, everywhere), out)
	}
}

// checkAfterwards: what the verb check finds is told, and an installation does not fail for it. A stand-in for the program finds more than
// there is.
func checkAfterwards(t *testing.T) {
	t.Helper()
	for status, warns := range map[string]bool{"0": false, "1": true, "2": true} {
		check(t, os.Remove("/usr/bin/ssh-gate"))
		stub := "#!/bin/sh\ncase $1 in help) echo '  check [FILE...]  x' ;; check) printf '%s\\n' 'first.toml:3: a\\tfault'; exit " + status + " ;; esac\n"
		check(t, os.WriteFile("/usr/bin/ssh-gate", []byte(stub), 0o755))
		out, err := try("/var/lib/dpkg/info/ssh-gate.postinst", "configure", first.version)
		if err != nil || warned(out) != warns || warns != strings.Contains(out, "first.toml:3: a\\tfault\n") || warns != strings.Contains(out, "then: ssh-gate check\n") {
			t.Errorf("check ends with %s: %v\n%s", status, err, out)
		}
	}
}

// TestDebianHostile installs on hosts where somebody was there before, or where something is missing.
func TestDebianHostile(t *testing.T) {
	if !enter(t) {
		return
	}
	mallory := testhost.AddUser(t, "mallory")
	const victim = "/etc/victim"
	folder := func(owner string) {
		testhost.Run(t, "install", "-d", "-m", "755", "-o", owner, "/var/log/ssh-gate")
	}
	except := func(changes map[string]string) map[string]string {
		all := map[string]string{}
		for path, want := range complete {
			all[path] = want
		}
		for path, want := range changes {
			all[path] = want
		}
		return all
	}
	fresh := except(nil)
	for _, c := range []struct {
		name   string
		before func()
		says   string // empty: nothing is warned of
		want   map[string]string
		after  func()
	}{
		{"a link in place of the log", func() {
			folder("root")
			check(t, os.Symlink(victim, testhost.Log))
		}, "ssh-gate.log is a link, has a second name, or is not a file of root's, and was left alone", except(map[string]string{testhost.Log: "link 0777 root:root"}), nil},
		{"a link that leads nowhere", func() {
			folder("root")
			check(t, os.Symlink("/etc/made", testhost.Log))
		}, "was left alone", except(map[string]string{testhost.Log: "link 0777 root:root", "/etc/made": absent}), nil},
		{"a second name of another file", func() {
			folder("root")
			check(t, os.Link(victim, testhost.Log))
		}, "was left alone", except(map[string]string{testhost.Log: "file 0600 root:root"}), nil},
		{"a FIFO in place of the log", func() {
			folder("root")
			check(t, unix.Mkfifo(testhost.Log, 0o666))
		}, "was left alone", except(map[string]string{testhost.Log: "fifo 0644 root:root"}), nil},
		{"somebody's log in root's folder", func() {
			folder("root")
			write(t, testhost.Log, "forged\n")
			check(t, os.Chown(testhost.Log, mallory.UID, mallory.GID))
		}, "was left alone", except(map[string]string{testhost.Log: "file 0644 mallory:mallory"}), nil},
		{"a log that everybody may write", func() {
			folder("root")
			check(t, os.Chmod("/var/log/ssh-gate", 0o777))
			write(t, testhost.Log, "old\n")
			check(t, os.Chmod(testhost.Log, 0o666))
		}, "", fresh, nil},
		{"somebody's folder", func() { folder("mallory") }, "/var/log/ssh-gate is a link, or not root's, and was left alone",
			except(map[string]string{"/var/log/ssh-gate": "folder 0755 mallory:root", testhost.Log: absent}), nil},
		{"a link in place of the folder", func() {
			check(t, os.Mkdir("/etc/folder", 0o700))
			check(t, os.Symlink("/etc/folder", "/var/log/ssh-gate"))
		}, "/var/log/ssh-gate is a link", except(map[string]string{"/var/log/ssh-gate": "link 0777 root:root", "/etc/folder": "folder 0700 root:root", testhost.Log: absent}), func() {
			expect(t, map[string]string{"/etc/folder": "folder 0700 root:root", "/var/log/ssh-gate": absent})
		}},
		{"somebody's folder of counts", func() {
			testhost.Run(t, "install", "-d", "-o", "mallory", testhost.Counts)
		}, "/run/ssh-gate is a link, or not root's", except(map[string]string{testhost.Counts: "folder 0755 mallory:root"}), nil},
		{"a group with members", func() {
			testhost.Run(t, "groupadd", "-g", "4711", "ssh-gate")
			testhost.Run(t, "usermod", "-aG", "ssh-gate", "mallory")
		}, "the log's group has members, who can read and change it: mallory", fresh, nil},
		{"no list of shells", func() { check(t, os.Rename("/etc/shells", "/etc/kept")) }, "", except(map[string]string{"/etc/shells": absent}), func() {
			expect(t, map[string]string{"/etc/shells": absent})
			check(t, os.Rename("/etc/kept", "/etc/shells"))
		}},
		{"a list of shells that is being edited", func() { write(t, "/etc/shells.tmp", "") }, "it could not be added to /etc/shells", fresh, func() {
			check(t, os.RemoveAll("/etc/shells.tmp"))
		}},
		{"no systemd", func() {
			check(t, os.Rename("/usr/bin/systemd-sysusers", "/usr/bin/sysusers-kept"))
			check(t, os.Rename("/usr/bin/systemd-tmpfiles", "/usr/bin/tmpfiles-kept"))
		}, "", fresh, func() {
			check(t, os.Rename("/usr/bin/sysusers-kept", "/usr/bin/systemd-sysusers"))
			check(t, os.Rename("/usr/bin/tmpfiles-kept", "/usr/bin/systemd-tmpfiles"))
		}},
		{"umask 000", func() { unix.Umask(0) }, "", fresh, func() { unix.Umask(0o022) }},
		{"umask 777", func() { unix.Umask(0o777) }, "", fresh, func() { unix.Umask(0o022) }},
	} {
		write(t, victim, "kept")
		check(t, os.Chmod(victim, 0o600))
		c.before()
		out, err := try("dpkg", "--install", first.deb("amd64"))
		if err != nil || warned(out) != (c.says != "") || !strings.Contains(out, c.says) {
			t.Errorf("%s: %v, and it should warn %q:\n%s", c.name, err, c.says, out)
		}
		for path, want := range c.want {
			if got := state(path); got != want {
				t.Errorf("%s: %s: %s, want %s", c.name, path, got, want)
			}
		}
		if read(t, victim) != "kept" || state(victim) != "file 0600 root:root" {
			t.Errorf("%s: %s", c.name, state(victim))
		}
		if out, err := try("dpkg", "--purge", "ssh-gate"); err != nil {
			t.Errorf("%s: %v\n%s", c.name, err, out)
		}
		if c.after != nil {
			c.after()
		}
		if left := traces(t, ofScripts); len(left) > 0 {
			t.Errorf("%s: a purge leaves %q", c.name, left)
		}
		if read(t, victim) != "kept" {
			t.Errorf("%s: a purge went through the link", c.name)
		}
		testhost.Run(t, "groupdel", "ssh-gate")
	}

	// Without a group nothing is unpacked: the program would be root's.
	for _, tool := range []string{"systemd-sysusers", "groupadd", "addgroup"} {
		for _, dir := range []string{"/usr/sbin/", "/usr/bin/"} {
			if err := os.Remove(dir + tool); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	if out, err := try("dpkg", "--install", first.deb("amd64")); err == nil || !strings.Contains(out, "the group ssh-gate cannot be made; make it (groupadd --system ssh-gate)") || state("/usr/bin/ssh-gate") != absent {
		t.Errorf("without a group: %v, %s\n%s", err, state("/usr/bin/ssh-gate"), out)
	}
}

// TestRPM is the life of the .rpm on one host, which is Debian's but for its database of packages.
func TestRPM(t *testing.T) {
	if !enter(t) {
		return
	}
	rpm := func(args ...string) string {
		t.Helper()
		return output(t, append([]string{"sh", "-c", `exec rpm --root "$@" 2>&1`, "sh", rpmRoot}, args...)...)
	}
	check(t, os.MkdirAll("/var/lib/rpm", 0o755))
	rpm("--initdb")
	deploy := testhost.AddUser(t, "deploy")
	write(t, "/etc/shells", "/bin/sh\n/bin/zsh") // and no newline
	unix.Umask(0o077)
	// The database knows nothing of Debian's packages.
	out := rpm("--install", "--nodeps", first.rpm("amd64"))
	unix.Umask(0o022)
	if warned(out) {
		t.Errorf("the installation warns:\n%s", out)
	}
	expect(t, complete)
	if got := read(t, "/etc/shells"); got != "/bin/sh\n/bin/zsh\n/usr/bin/ssh-gate\n" {
		t.Errorf("/etc/shells: %q", got)
	}
	if out, err := try("rpm", "--root", rpmRoot, "--verify", "--nodeps", "ssh-gate"); err != nil {
		t.Errorf("rpm --verify: %s", out)
	}
	output(t, "cp", examples+"/first.toml", policyFile)
	deny(t, deploy)
	record := read(t, testhost.Log)
	edited := read(t, configFile) + "events = \"all\"\n"
	kept := keeping(t)
	write(t, configFile, edited)
	if out := rpm("--upgrade", "--nodeps", next.rpm("amd64")); warned(out) {
		t.Errorf("the upgrade warns:\n%s", out)
	}
	kept(edited)
	if !strings.HasSuffix(read(t, configFile+".rpmnew"), nextDefault) {
		t.Error("the new default is not beside the edited file")
	}
	broken := "[log]\nevnts = \"all\"\n"
	write(t, configFile, broken)
	contains(t, rpm("--upgrade", "--nodeps", "--oldpackage", first.rpm("amd64")), "ssh-gate: warning: this host is not in order", "ssh-gate doctor", "config.toml:2")
	kept(broken)

	rpm("--erase", "ssh-gate")
	expect(t, map[string]string{"/usr/bin/ssh-gate": absent, configFile: absent, policyFile: "file 0644 root:root", testhost.Log: complete[testhost.Log]})
	if read(t, configFile+".rpmsave") != broken || read(t, testhost.Log) != record || read(t, "/etc/shells") != "/bin/sh\n/bin/zsh\n" {
		t.Errorf("the erasure did not keep what is the administrator's; /etc/shells: %q", read(t, "/etc/shells"))
	}
	check(t, os.Rename(configFile+".rpmsave", configFile))
	check(t, os.RemoveAll("/etc/ssh-gate"))
	check(t, os.RemoveAll("/var/log/ssh-gate"))
	check(t, os.RemoveAll(testhost.Counts))
	if left := traces(t, everywhere); len(left) > 0 {
		t.Errorf("an erasure leaves %q", left)
	}

	// A link is not followed, by rpm or by the script.
	check(t, os.Mkdir("/var/log/ssh-gate", 0o755))
	write(t, "/etc/victim", "kept")
	check(t, os.Chmod("/etc/victim", 0o600))
	check(t, os.Symlink("/etc/victim", testhost.Log))
	contains(t, rpm("--install", "--nodeps", first.rpm("amd64")), "was left alone")
	if state("/etc/victim") != "file 0600 root:root" || state(testhost.Log) != "link 0777 root:root" {
		t.Errorf("%s, %s", state("/etc/victim"), state(testhost.Log))
	}
	check(t, os.Remove("/etc/shells"))
	rpm("--erase", "ssh-gate")
	if _, err := os.Lstat(filepath.Dir(policyFile)); err == nil || state("/etc/shells") != absent {
		t.Error("an empty folder is left, or a list of shells was made")
	}
}
