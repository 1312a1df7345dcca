package packages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// Where the packages lie on the machine of a test, and where rpm finds it as a root folder: Debian's rpm installs into no other.
const (
	packagesDir = testhost.Carried
	rpmRoot     = "/mnt"
)

// enter returns true in a process that has a machine of its own, with the packages. In the first process it runs the same test there, passes
// its outcome on, and returns false.
func enter(t *testing.T) bool {
	t.Helper()
	inside := testhost.EnterMachine(t, func() string {
		for tool, debianPackage := range map[string]string{"apt-get": "apt", "dpkg": "dpkg", "rpm": "rpm", "useradd": "passwd", "chsh": "passwd", "sshd": "openssh-server", "ssh": "openssh-client"} {
			testsshd.RequireTool(t, tool, debianPackage)
		}
		t.Parallel()
		build(t)
		return shared
	})
	if !inside {
		return false
	}
	first = &set{dir: packagesDir + "/first", version: read(t, packagesDir+"/version")}
	next = &set{dir: packagesDir + "/next", version: nextVersion}
	check(t, unix.Mount("tmpfs", rpmRoot, "tmpfs", 0, "mode=755"))
	check(t, unix.Mount("/", rpmRoot, "", unix.MS_BIND|unix.MS_REC, ""))
	forget(t)
	// What takes apt and dpkg most of their time here: what they could download, and the index of all manual pages.
	check(t, os.RemoveAll("/var/lib/apt/lists"))
	check(t, os.RemoveAll("/var/lib/man-db/auto-update"))
	return true
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
