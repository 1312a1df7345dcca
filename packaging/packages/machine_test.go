package packages

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testsshd"
)

// inside says that the test binary was started anew on a machine of its own, for the one test that it names.
const inside = "SSH_GATE_PACKAGES_INSIDE"

// Where the packages lie on that machine, and where rpm finds it as a root folder: Debian's rpm installs into no other.
const (
	packagesDir = "/tmp/packages"
	rpmRoot     = "/mnt"
)

// enter returns true in a process whose root folder is a copy of this machine's, with processes and a loopback of its own; all of that
// ends with the test. In the first process it runs the same test there, passes its outcome on, and returns false.
func enter(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) == t.Name() {
		setUp(t)
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("not run: it installs the packages on a copy of this machine, which takes root")
	}
	for tool, debianPackage := range map[string]string{"apt-get": "apt", "dpkg": "dpkg", "rpm": "rpm", "useradd": "passwd", "chsh": "passwd", "sshd": "openssh-server", "ssh": "openssh-client"} {
		testsshd.RequireTool(t, tool, debianPackage)
	}
	t.Parallel()
	build(t)
	self, err := os.Executable()
	check(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), inside+"="+t.Name(), "SSH_GATE_PACKAGES="+shared, "SSH_GATE_PACKAGES_VERSION="+first.version)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		t.Log(strings.TrimRight(line, "\n"))
	}
	if err != nil {
		t.Errorf("inside: %v", err)
	} else if !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Error("inside: the test did not pass")
	}
	return false
}

// setUp makes the copy and enters it. It is never left: this process ends with the test.
func setUp(t *testing.T) {
	t.Helper()
	unix.Umask(0o022)
	first = &set{dir: packagesDir + "/first", version: os.Getenv("SSH_GATE_PACKAGES_VERSION")}
	next = &set{dir: packagesDir + "/next", version: nextVersion}
	packages := os.Getenv("SSH_GATE_PACKAGES")
	scratch := packages + "/machine"
	check(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	check(t, os.MkdirAll(scratch, 0o755))
	mount(t, "tmpfs", scratch, "mode=755")
	root := scratch + "/root"
	for _, dir := range []string{scratch + "/upper", scratch + "/work", root} {
		check(t, os.Mkdir(dir, 0o755))
	}
	mount(t, "overlay", root, "lowerdir=/,upperdir="+scratch+"/upper,workdir="+scratch+"/work")
	// dpkg's database whole, as it is now: below an overlay it must not change, as it does when somebody installs something meanwhile.
	output(t, "cp", "-a", root+"/var/lib/dpkg", scratch+"/dpkg")
	check(t, unix.Mount(scratch+"/dpkg", root+"/var/lib/dpkg", "", unix.MS_BIND, ""))
	for dir, options := range map[string]string{"/tmp": "mode=1777", "/run": "mode=755", "/dev": "mode=755", rpmRoot: "mode=755"} {
		mount(t, "tmpfs", root+dir, options)
	}
	mount(t, "proc", root+"/proc", "")
	devices(t, root)
	check(t, os.Mkdir(root+packagesDir, 0o755))
	check(t, unix.Mount(packages, root+packagesDir, "", unix.MS_BIND, "")) // without the machine itself, which is mounted below it
	check(t, unix.Chroot(root))
	check(t, os.Chdir("/"))
	check(t, unix.Mount("/", rpmRoot, "", unix.MS_BIND|unix.MS_REC, ""))
	loopback(t)
	for name, value := range map[string]string{"TMPDIR": "/tmp", "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"} {
		check(t, os.Setenv(name, value))
	}
	forget(t)
	// What takes apt and dpkg most of their time here: what they could download, and the index of all manual pages.
	check(t, os.RemoveAll("/var/lib/apt/lists"))
	check(t, os.RemoveAll("/var/lib/man-db/auto-update"))
}

func mount(t *testing.T, kind, dir, options string) {
	t.Helper()
	if err := unix.Mount(kind, dir, kind, 0, options); err != nil {
		t.Fatalf("mount -t %s -o %s %s: %v", kind, options, dir, err)
	}
}

// devices are those that programs cannot do without, and terminals of the machine's own.
func devices(t *testing.T, root string) {
	t.Helper()
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		check(t, os.WriteFile(root+"/dev/"+name, nil, 0o666))
		check(t, unix.Mount("/dev/"+name, root+"/dev/"+name, "", unix.MS_BIND, ""))
	}
	check(t, os.Mkdir(root+"/dev/pts", 0o755))
	mount(t, "devpts", root+"/dev/pts", "newinstance,ptmxmode=0666,mode=620")
	check(t, os.Symlink("pts/ptmx", root+"/dev/ptmx"))
	check(t, os.Symlink("/proc/self/fd", root+"/dev/fd"))
}

// loopback brings up the one network device there is.
func loopback(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	check(t, err)
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	check(t, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request))
}

// forget removes what an installation on the machine that is copied would bring along.
func forget(t *testing.T) {
	t.Helper()
	exec.Command("dpkg", "--purge", "ssh-gate").Run()
	for _, path := range append(traces(t, everywhere), "/etc/ssh-gate", "/var/log/ssh-gate") {
		check(t, os.RemoveAll(path))
	}
	if _, err := user.LookupGroup("ssh-gate"); err == nil {
		output(t, "groupdel", "ssh-gate")
	}
	exec.Command("remove-shell", "/usr/bin/ssh-gate").Run()
}

// Where packages have files, and where scripts make some.
var (
	everywhere = []string{"/etc", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share", "/var", "/run"}
	ofScripts  = []string{"/etc", "/usr/bin", "/var/log", "/run"}
)

// traces are the files with the package's name below these folders.
func traces(t *testing.T, folders []string) []string {
	t.Helper()
	var found []string
	for _, top := range folders {
		check(t, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && strings.Contains(d.Name(), "ssh-gate") && !strings.HasPrefix(path, "/var/cache/") {
				found = append(found, path)
			}
			return err
		}))
	}
	return found
}

// state tells what lies at a path: mode, owner, and what kind of thing it is.
func state(path string) string {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return err.Error()
	}
	owner, group := fmt.Sprint(st.Uid), fmt.Sprint(st.Gid)
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	kind := map[uint32]string{unix.S_IFREG: "file", unix.S_IFDIR: "folder", unix.S_IFLNK: "link", unix.S_IFIFO: "fifo"}[st.Mode&unix.S_IFMT]
	return fmt.Sprintf("%s %04o %s:%s", kind, st.Mode&0o7777, owner, group)
}

const absent = "no such file or directory"

// expect holds what lies at paths against what has to lie there.
func expect(t *testing.T, want map[string]string) {
	t.Helper()
	for path, want := range want {
		if got := state(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
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

// inode says which file it is.
func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	check(t, unix.Lstat(path, &st))
	return st.Ino
}

// try runs a program and tells all that it printed and how it ended.
func try(words ...string) (string, error) {
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	return string(out), err
}

func contains(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("nobody said %q:\n%s", part, out)
		}
	}
}
