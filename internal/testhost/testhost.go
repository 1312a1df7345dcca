// Package testhost gives a test a machine of its own to install the product on: accounts, /etc, /usr/bin and /var/log are copies in a mount
// namespace, which end with the test, so that nothing is left behind on the system.
package testhost

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testsshd"
)

// inside says that the test binary was started anew in the namespace, for the one test that it names.
const inside = "SSH_GATE_TESTHOST"

// Enter returns true in a process that has the machine of its own. In the first one it runs the same test there, passes its outcome on,
// and returns false: the caller returns at once. It needs root.
func Enter(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) == t.Name() {
		setUp(t)
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("it installs the product and makes accounts: run this test as root")
	}
	for tool, debianPackage := range map[string]string{"useradd": "passwd", "groupadd": "passwd", "unshare": "util-linux"} {
		testsshd.RequireTool(t, tool, debianPackage)
	}
	again(t, &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}, inside+"="+t.Name())
	return false
}

// again runs the same test in a process of other attributes, told by its environment, and passes its outcome on.
func again(t *testing.T, attributes *syscall.SysProcAttr, env ...string) {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = attributes
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		t.Log(strings.TrimRight(line, "\n"))
	}
	if err != nil {
		t.Errorf("inside: %v", err)
	} else if !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Error("inside: the test did not pass")
	}
}

// setUp lays copies over the folders that an installation changes, and an empty /run.
func setUp(t *testing.T) {
	t.Helper()
	check(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	scratch := t.TempDir()
	check(t, unix.Mount("tmpfs", scratch, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { unix.Unmount(scratch, unix.MNT_DETACH) })
	check(t, unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { unix.Unmount("/run", unix.MNT_DETACH) })
	for _, dir := range []string{"/etc", "/usr/bin", "/var/log", "/home"} {
		upper := filepath.Join(scratch, strings.ReplaceAll(dir, "/", "-"))
		check(t, os.Mkdir(upper, 0o755))
		check(t, os.Mkdir(upper+".work", 0o755))
		check(t, unix.Mount("overlay", dir, "overlay", 0, "lowerdir="+dir+",upperdir="+upper+",workdir="+upper+".work"))
		t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	}
}

// User is an account of this machine.
type User struct {
	Name     string
	UID, GID int
}

// AddUser makes an account with a home and /bin/sh.
func AddUser(t *testing.T, name string) User {
	t.Helper()
	line := []string{"useradd", "-m", "-s", "/bin/sh", "-p", "*", name} // a password that is none, but no lock, which sshd would refuse
	if os.Getenv(inside) == t.Name() {
		line = append(line, "-u", strconv.Itoa(ownNumber(t)))
	}
	Run(t, line...)
	return User{name, number(t, "id", "-u", name), number(t, "id", "-g", name)}
}

const maxOwn = 16 // accounts of one test

var own []int

// ownNumber is one that no account has, also of another test that runs now: processes, the kernel's count of them, and files in /tmp are
// not copies, and tell accounts apart by their numbers.
func ownNumber(t *testing.T) int {
	t.Helper()
	if len(own) == maxOwn {
		t.Fatalf("more than %d accounts", maxOwn)
	}
	own = append(own, 500_000+os.Getpid()*maxOwn+len(own))
	return own[len(own)-1]
}

func number(t *testing.T, command ...string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(Run(t, command...)))
	check(t, err)
	return n
}

// Command is a program that this user starts, with no groups but his own.
func (u User) Command(env []string, words ...string) *exec.Cmd {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = env
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID)}, Pdeathsig: unix.SIGKILL}
	return cmd
}

// Install puts the binary where the package does, with the log and the counts that only its group reaches, and returns that group.
func Install(t *testing.T, binary string) (group int) {
	t.Helper()
	Run(t, "groupadd", "--system", "ssh-gate")
	Run(t, "install", "-m", "2755", "-o", "root", "-g", "ssh-gate", binary, "/usr/bin/ssh-gate")
	Run(t, "install", "-d", "-m", "755", "/etc/ssh-gate", "/etc/ssh-gate/keys")
	Run(t, "install", "-d", "-m", "2750", "-o", "root", "-g", "ssh-gate", "/var/log/ssh-gate")
	Run(t, "install", "-m", "660", "-o", "root", "-g", "ssh-gate", "/dev/null", Log)
	Run(t, "install", "-d", "-m", "2770", "-o", "root", "-g", "ssh-gate", Counts)
	var st unix.Stat_t
	check(t, unix.Stat(Log, &st))
	return int(st.Gid)
}

// Where an installation has its records, and its counts of sessions and starts.
const (
	Log    = "/var/log/ssh-gate/ssh-gate.log"
	Counts = "/run/ssh-gate"
)

// Run runs a program as root to its good end, and returns what it printed.
func Run(t *testing.T, words ...string) string {
	t.Helper()
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", words, err, out)
	}
	return string(out)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
