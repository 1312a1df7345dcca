package confine

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testhost"
)

func TestLacks(t *testing.T) {
	for _, c := range []struct {
		abi     int
		network bool
		want    string // part of it
	}{
		{0, false, "no Landlock"}, {0, true, "no Landlock"},
		{1, false, "version 1, which lets files be truncated"}, {2, true, "Linux 6.2"},
		{3, false, ""}, {3, true, "Linux 6.7"},
		{4, true, ""}, {5, true, ""}, {7, true, ""}, {99, true, ""},
	} {
		if got := Lacks(c.abi, c.network); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("version %d, network %t: %q", c.abi, c.network, got)
		}
	}
}

// known are the rights on files that the versions of Landlock know, as the highest of them is a bit above the last.
var known = map[int]uint64{0: 0, 1: 1<<13 - 1, 2: 1<<14 - 1, 3: 1<<15 - 1, 4: 1<<15 - 1, 5: 1<<16 - 1, 6: 1<<16 - 1, 7: 1<<16 - 1}

// TestAttributes: all that a version knows is held, and nothing else is asked of it, which the kernel would refuse.
func TestAttributes(t *testing.T) {
	for abi := 1; abi <= 7; abi++ {
		for _, network := range []bool{false, true} {
			a := attributes(abi, network)
			if a.Handled_access_fs != known[abi] {
				t.Errorf("version %d holds %b, it knows %b", abi, a.Handled_access_fs, known[abi])
			}
			if held := a.Handled_access_net != 0; held != (network && abi >= 4) {
				t.Errorf("version %d, network %t: %b", abi, network, a.Handled_access_net)
			}
			if held := a.Scoped != 0; held != (abi >= 6) {
				t.Errorf("version %d: %b", abi, a.Scoped)
			}
			size := attributesSize(abi)
			if want := map[bool]uintptr{abi < 4: 8, abi == 4 || abi == 5: 16, abi >= 6: 24}[true]; size != want {
				t.Errorf("version %d: %d bytes, want %d", abi, size, want)
			}
			if abi > ABI() {
				continue
			}
			fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&a)), size, 0)
			if errno != 0 {
				t.Errorf("version %d: the kernel says %v", abi, errno)
				continue
			}
			unix.Close(int(fd))
		}
	}
}

func needLandlock(t *testing.T) {
	t.Helper()
	if missing := Lacks(ABI(), true); missing != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("the kernel cannot confine a program: " + missing)
		}
		t.Skip("the kernel cannot confine a program: " + missing)
	}
}

// within does something in a domain, on a thread of its own, which ends with it.
func within(t *testing.T, d *Domain, do func()) error {
	t.Helper()
	if d.Program == "" {
		d.Program = "/bin/sh"
	}
	r, err := New(d)
	if err != nil {
		return err
	}
	defer unix.Close(r.fd)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the runtime ends the thread
		err := NoNewPrivs()
		if err == nil {
			err = r.Enforce()
		}
		if err == nil {
			do()
		}
		done <- err
	}()
	return <-done
}

// tree makes a folder with root/a/file, root/b/file, and outside/file.
func tree(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	for _, name := range []string{"root/a", "root/b", "outside"} {
		check(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, name, "file"), []byte("in "+name), 0o644))
	}
	return dir
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// may tells what a thread may do with a file: r, w (to make a neighbour and remove it), or nothing.
func may(path string) string {
	var s string
	if _, err := os.ReadFile(path); err == nil {
		s = "r"
	}
	neighbour := filepath.Join(filepath.Dir(path), "neighbour")
	if f, err := os.Create(neighbour); err == nil {
		f.Close()
		if os.Remove(neighbour) == nil {
			s += "w"
		}
	}
	return s
}

func TestValues(t *testing.T) {
	needLandlock(t)
	for _, c := range []struct {
		name          string
		value         Value
		a, b, outside string
	}{
		{"a folder to read", named("root/a", "root", false), "r", "", ""},
		{"a file to read", named("root/a/file", "root", false), "r", "", ""},
		{"the root to read", named("root", "root", false), "r", "r", ""},
		{"a folder to write", named("root/a", "root", true), "rw", "", ""},
		{"a file to write", named("root/a/file", "root", true), "rw", "", ""},
		{"a new file", named("root/a/new", "root", true), "rw", "", ""},
		{"a new file in new folders", named("root/a/x/y/new", "root", true), "rw", "", ""},
		{"a new file in the root", named("root/new", "root", true), "rw", "rw", ""},
		{"the root to write", named("root", "root", true), "rw", "rw", ""},
		{"nothing to read", named("root/a/new", "root", false), "", "", ""},
		{"a file that is the root", named("root/a/file", "root/a/file", false), "r", "", ""},
		{"a file that is the root, to write", named("root/a/file", "root/a/file", true), "r", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tree(t)
			c.value.Path, c.value.Root = filepath.Join(dir, c.value.Path), filepath.Join(dir, c.value.Root)
			// Twice: what was granted before is granted once.
			check(t, within(t, &Domain{Values: []Value{c.value, c.value}}, func() {
				for name, want := range map[string]string{"root/a/file": c.a, "root/b/file": c.b, "outside/file": c.outside} {
					if got := may(filepath.Join(dir, name)); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
			}))
		})
	}
}

// TestValuesThatChanged are as a request was judged; since then something else is there.
func TestValuesThatChanged(t *testing.T) {
	needLandlock(t)
	for _, c := range []struct {
		name   string
		change func(dir string) error
		value  Value
		want   string
	}{
		{"the file is a link", func(dir string) error { return link(dir, "../../outside/file", "root/a/file") }, named("root/a/file", "root", false), unix.ELOOP.Error()},
		{"the file to write is a link", func(dir string) error { return link(dir, "../../outside/file", "root/a/file") }, named("root/a/file", "root", true), unix.ELOOP.Error()},
		{"the folder is a link", func(dir string) error { return link(dir, "../outside", "root/a") }, named("root/a/file", "root", false), unix.ELOOP.Error()},
		{"the folder to write in is a link", func(dir string) error { return link(dir, "../outside", "root/a") }, named("root/a/new", "root", true), unix.ELOOP.Error()},
		{"the root is a link", func(dir string) error { return link(dir, "outside", "root") }, named("root/file", "root", false), "is a link that others than root can have made"},
		{"the root is gone", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "root")) }, named("root/file", "root", true), unix.ENOENT.Error()},
		{"the folder is a file", func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, "root/a")), os.WriteFile(filepath.Join(dir, "root/a"), nil, 0o644))
		}, named("root/a/file", "root", true), unix.ENOTDIR.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tree(t)
			check(t, c.change(dir))
			c.value.Path, c.value.Root = filepath.Join(dir, c.value.Path), filepath.Join(dir, c.value.Root)
			if err := within(t, &Domain{Values: []Value{c.value}}, func() { t.Error("it was made ready") }); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// named is a value below a root that no link leads to.
func named(path, root string, write bool) Value {
	return Value{Path: path, Root: root, Below: strings.TrimPrefix(strings.TrimPrefix(path, root), "/"), Write: write}
}

func link(dir, target, name string) error {
	path := filepath.Join(dir, name)
	return errors.Join(os.RemoveAll(path), os.Symlink(target, path))
}

// TestUnreadableProgram: what cannot be read for a fault of its own is no folder.
func TestUnreadableProgram(t *testing.T) {
	needLandlock(t)
	if _, err := Try(&Domain{Program: "/proc/self/mem"}); !errors.Is(err, unix.EIO) {
		t.Errorf("of what cannot be read it is not known what starts it: %v", err)
	}
	if _, err := Try(&Domain{Program: "/bin/true", Execute: []string{t.TempDir()}}); err != nil {
		t.Errorf("a folder: %v", err)
	}
}

// TestLeaseRegression: a program that may write a file of execute took a lease on it, and the next gate waited for its end, 45 seconds of
// processor time.
func TestLeaseRegression(t *testing.T) {
	needLandlock(t)
	f, err := os.Create(filepath.Join(t.TempDir(), "tool"))
	check(t, err)
	defer f.Close()
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK)
	check(t, err)
	if _, err := Try(&Domain{Program: "/bin/true", Execute: []string{f.Name()}}); err != nil {
		t.Error(err)
	}
	if lease, err := unix.FcntlInt(f.Fd(), unix.F_GETLEASE, 0); err != nil || lease != unix.F_WRLCK {
		t.Errorf("the lease was broken: %d, %v", lease, err)
	}
}

// TestUntrustedHeads: what others may write says nothing about what it takes to start it.
func TestUntrustedHeads(t *testing.T) {
	needLandlock(t)
	dir := t.TempDir()
	var paths []string
	for name, text := range map[string]string{"narrow": "\x7fELF\x01\x01", "musl": string(testhost.ProgramOf("/lib/ld-musl-x86_64.so.1")), "script": "#!/bin/sh\n"} {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(text), 0o755))
		paths = append(paths, path)
	}
	starters, err := Try(&Domain{Program: "/bin/true", Execute: []string{"/bin/true"}})
	check(t, err)
	r, err := New(&Domain{Program: "/bin/true"})
	check(t, err)
	defer unix.Close(r.fd)
	r.starters = nil
	k, err := r.allowPrograms(&Domain{Program: "/bin/true", Execute: paths})
	if err != nil || k.narrow || k.musl || !slices.Equal(slices.Compact(starters), r.starters) {
		t.Errorf("%+v, started by %q, %v", k, r.starters, err)
	}
}

// TestRace changes a folder for a link and back all the time, while domains are made for what lies in it.
func TestRace(t *testing.T) {
	needLandlock(t)
	dir := tree(t)
	path, planted := filepath.Join(dir, "root/a"), filepath.Join(dir, "root/planted")
	check(t, os.Symlink("../outside", planted))
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, planted, unix.RENAME_EXCHANGE)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	reads := func() string {
		text, _ := os.ReadFile(filepath.Join(path, "file"))
		return string(text)
	}
	until := time.Now().Add(time.Minute)
	for reads() != "in outside" {
		if time.Now().After(until) {
			t.Fatal("without a domain the race was never lost")
		}
	}
	ready := 0
	for n := 0; n < 300 || ready == 0; n++ {
		err := within(t, &Domain{Values: []Value{named(filepath.Join(path, "file"), filepath.Join(dir, "root"), false)}}, func() {
			ready++
			for range 20 {
				if got := reads(); got != "in root/a" && got != "" {
					t.Errorf("it read what is %q", got)
				}
			}
		})
		if err != nil && !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
		if time.Now().After(until) {
			t.Fatal("no domain was ever made ready")
		}
	}
}

func TestWriteEverythingIsRefused(t *testing.T) {
	needLandlock(t)
	for _, path := range []string{"/", "/ssh-gate-test-new"} {
		err := within(t, &Domain{Values: []Value{named(path, "/", true)}}, func() { t.Error("it was made ready") })
		if err == nil || !strings.Contains(err.Error(), "write everything") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestAdministratorsPaths may be links that root made, and must be there.
func TestAdministratorsPaths(t *testing.T) {
	needLandlock(t)
	dir := tree(t)
	check(t, within(t, &Domain{Write: []string{filepath.Join(dir, "root/a")}, Read: []string{filepath.Join(dir, "root/b/file"), "/bin/sh"}}, func() {
		for name, want := range map[string]string{"root/a/file": "rw", "root/b/file": "r", "outside/file": "", "/bin/sh": "r", "/usr/bin/dash": "r", "/usr/bin/cat": ""} {
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			if got := may(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}))
	// Where the account could have made the link, it would choose what the path means.
	planted := filepath.Join(dir, "planted")
	check(t, os.Symlink("root/a", planted))
	for _, d := range []*Domain{{Read: []string{planted}}, {Write: []string{planted + "/file"}}, {Execute: []string{planted}}, {Values: []Value{named(planted+"/file", planted, false)}}} {
		err := within(t, d, func() { t.Error("it was made ready") })
		if want := strconv.Quote(planted) + " is a link that others than root can have made"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	missing := filepath.Join(dir, "missing")
	for _, d := range []*Domain{{Read: []string{missing}}, {Write: []string{missing}}, {Execute: []string{missing}}, {Program: missing}} {
		if err := within(t, d, func() { t.Error("it was made ready") }); !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), missing) {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

// TestGaps: each version of Landlock holds what those before it did not, and what it does not hold is said.
func TestGaps(t *testing.T) {
	for abi, want := range []int{2, 5, 4, 3, 2, 1, 0, 0} {
		if got := Gaps(abi, true); len(got) != want {
			t.Errorf("version %d: %d gaps, want %d: %q", abi, len(got), want, got)
		}
	}
	if got := Gaps(3, false); slices.Contains(got, "TCP is held by the filter of system calls alone") || len(got) != 2 {
		t.Errorf("with network: %q", got)
	}
}
