package safefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// self is who runs the tests: with root it is RootOnly.
var self = Owner(os.Getuid())

// stranger is a user id that owns nothing.
const stranger = 4000000123

// patience is how long a call that must not hang may take before the test gives it up; it is never a measure.
const patience = 30 * time.Second

// tree is a folder that holds what it is told to, until the test ends.
type tree struct {
	t   *testing.T
	dir string
}

// newTree makes a tree below the home folder, because everything below /tmp is refused.
func newTree(t *testing.T) *tree {
	t.Helper()
	home, err := os.UserHomeDir()
	if err == nil {
		home, err = filepath.EvalSymlinks(home)
	}
	if err != nil {
		t.Fatalf("needs a home folder: %v", err)
	}
	for dir := home; ; dir = filepath.Dir(dir) {
		var st unix.Stat_t
		if err := unix.Stat(dir, &st); err != nil {
			t.Fatal(err)
		}
		if st.Mode&0o022 != 0 || st.Uid != 0 && st.Uid != uint32(self) {
			t.Fatalf("needs a home folder that nobody else may write, and %s is mode %04o of user %d; set HOME to another", dir, st.Mode&0o7777, st.Uid)
		}
		if dir == "/" {
			break
		}
	}
	return treeIn(t, home)
}

// openTree makes a tree that every user can reach, for what does not judge the folders above.
func openTree(t *testing.T) *tree {
	t.Helper()
	tr := treeIn(t, os.TempDir())
	tr.mode("", 0o755)
	return tr
}

func treeIn(t *testing.T, base string) *tree {
	t.Helper()
	dir, err := os.MkdirTemp(base, ".safefile-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if d != nil && d.IsDir() {
				os.Chmod(path, 0o700)
			}
			return nil
		})
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return &tree{t, dir}
}

func (tr *tree) path(name string) string { return filepath.Join(tr.dir, name) }

// file makes a file, with the folders above it.
func (tr *tree) file(name, text string, mode os.FileMode) string {
	tr.t.Helper()
	path := tr.path(name)
	tr.must(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600))
	tr.mode(name, mode)
	return path
}

func (tr *tree) folder(name string) string {
	tr.t.Helper()
	tr.must(os.MkdirAll(tr.path(name), 0o755))
	return tr.path(name)
}

func (tr *tree) link(name, target string) string {
	tr.t.Helper()
	path := tr.path(name)
	tr.must(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(target, path))
	return path
}

func (tr *tree) mode(name string, mode os.FileMode) {
	tr.t.Helper()
	tr.must(unix.Chmod(tr.path(name), uint32(mode))) // os.Chmod spells sticky and setgid in another way
}

func (tr *tree) fifo(name string) string {
	tr.t.Helper()
	tr.must(unix.Mkfifo(tr.path(name), 0o600))
	return tr.path(name)
}

func (tr *tree) socket(name string) string {
	tr.t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	tr.must(err)
	defer unix.Close(fd)
	// By the folder's descriptor: a socket's path is at most 107 bytes long.
	dir, err := unix.Open(tr.dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	tr.must(err)
	defer unix.Close(dir)
	tr.must(unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir, name)}))
	tr.mode(name, 0o600)
	return tr.path(name)
}

// chain makes links 1 to n, each to the one before it, and the first to target.
func (tr *tree) chain(n int, target string) string {
	tr.t.Helper()
	for i := 1; i <= n; i++ {
		tr.link(fmt.Sprintf("chain%d/link%d", n, i), target)
		target = tr.path(fmt.Sprintf("chain%d/link%d", n, i))
	}
	return target
}

// exchange makes two names change places at once.
func (tr *tree) exchange(a, b string) {
	unix.Renameat2(unix.AT_FDCWD, tr.path(a), unix.AT_FDCWD, tr.path(b), unix.RENAME_EXCHANGE)
}

func (tr *tree) must(errs ...error) {
	tr.t.Helper()
	if err := errors.Join(errs...); err != nil {
		tr.t.Fatal(err)
	}
}

// refused says whether err has this fault of this path, and its problem and hint hold these texts.
func refused(t *testing.T, err error, fault Fault, path, problem, hint string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("%s: %v, want the fault %d, %q", path, err, fault, problem)
		return
	}
	if e.Fault != fault || e.Path != path || !strings.Contains(e.Problem, problem) || !strings.Contains(e.Hint, hint) {
		t.Errorf("fault %d of %q: %q, hint %q; want fault %d of %q: %q, hint %q", e.Fault, e.Path, e.Problem, e.Hint, fault, path, problem, hint)
	}
}

// inTime fails the test if f does not come to an end.
func inTime(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("hangs")
	}
}

// ordinary runs f with the rights of an ordinary user on files.
func ordinary(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	onThread(t, func() error {
		_, err := unix.SetfsuidRetUid(65534)
		if now, _ := unix.SetfsuidRetUid(-1); err == nil && now != 65534 {
			err = errors.New("the rights of root are still there")
		}
		return err
	}, f)
}

// inside runs f with dir as its root folder.
func inside(t *testing.T, dir string, f func()) {
	t.Helper()
	onThread(t, func() error { return errors.Join(unix.Unshare(unix.CLONE_FS), unix.Chroot(dir)) }, f)
}

// onThread runs f on a thread that was prepared for it. Nothing of that reaches the other threads.
func onThread(t *testing.T, prepare func() error, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends with the goroutine
		err := prepare()
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// asRoot skips the rest of a test that gives files to other users, unless root runs it.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to make files of other users: sudo go test ./internal/safefile")
	}
}

// leaksNothing runs f and says whether it left a descriptor open.
func leaksNothing(t *testing.T, f func()) {
	t.Helper()
	before := descriptors(t)
	f()
	if after := descriptors(t); before != after {
		t.Errorf("open before: %s, after: %s", before, after)
	}
}

func descriptors(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}
