package safefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const limit = 100 // bytes that the tests read at most

func TestRead(t *testing.T) {
	tr := newTree(t)
	for _, text := range []string{"", "x", "a = 1\n", "\x00\xff", strings.Repeat("x", limit)} {
		if data, _, err := Read(tr.file("file", text, 0o644), limit, self); err != nil || string(data) != text {
			t.Errorf("%q, %v; want %q", data, err, text)
		}
	}
	large := tr.file("large", strings.Repeat("x", limit+1), 0o644)
	_, _, err := Read(large, limit, self)
	refused(t, err, TooLarge, large, "is 101 bytes long, more than the 100 that are read", "")
	if data, _, err := Read(large, limit+1, self); err != nil || len(data) != limit+1 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if data, _, err := Read(tr.file("empty", "", 0o644), 0, self); err != nil || len(data) != 0 {
		t.Errorf("%q, %v", data, err)
	}
	big := strings.Repeat("0123456789abcdef", 1<<16)
	if data, _, err := Read(tr.file("big", big, 0o644), 1<<20, self); err != nil || string(data) != big {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// TestReadGrowing uses a file whose size the kernel gives as 0, which is all that one sees of a file that grows.
func TestReadGrowing(t *testing.T) {
	const file = "/proc/version"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if data, _, err := Read(file, int64(len(want)), RootOnly); err != nil || string(data) != string(want) {
		t.Errorf("%q, %v", data, err)
	}
	for _, max := range []int{0, 1, len(want) - 1} {
		data, _, err := Read(file, int64(max), RootOnly)
		if data != nil {
			t.Errorf("%q, although it is longer than %d", data, max)
		}
		refused(t, err, TooLarge, file, fmt.Sprintf("grew beyond %d bytes while it was read", max), "")
	}
}

// TestReadModes holds every mode that a file can have.
func TestReadModes(t *testing.T) {
	tr := newTree(t)
	path := tr.file("file", "x", 0o600)
	for mode := os.FileMode(0); mode <= 0o777; mode++ {
		tr.mode("file", mode)
		data, _, err := Read(path, limit, self)
		switch {
		case mode&0o400 == 0 && os.Getuid() != 0:
			refused(t, err, Unreadable, path, "permission denied", "")
		case mode&0o022 != 0:
			refused(t, err, Unsafe, path, fmt.Sprintf("may be written by others (mode %04o)", mode), fmt.Sprintf("chmod go-w %q", path))
		case err != nil || string(data) != "x":
			t.Errorf("mode %04o: %q, %v", mode, data, err)
		}
		if err != nil && data != nil {
			t.Errorf("mode %04o: %q beside %v", mode, data, err)
		}
	}
}

// TestFolderModes holds modes of each folder on the way, for Read and for Program.
func TestFolderModes(t *testing.T) {
	tr := newTree(t)
	path := tr.file("a/b/c/file", "x", 0o755)
	for _, folder := range []string{"", "a", "a/b", "a/b/c"} {
		for _, mode := range []os.FileMode{0o755, 0o700, 0o711, 0o500, 0o555, 0o1755, 0o2755} {
			tr.mode(folder, mode)
			if _, _, err := Read(path, limit, self); err != nil {
				t.Errorf("mode %04o of %q: %v", mode, folder, err)
			}
			if err := Program(path, self); err != nil {
				t.Errorf("mode %04o of %q: %v", mode, folder, err)
			}
		}
		for _, mode := range []os.FileMode{0o775, 0o757, 0o777, 0o720, 0o702, 0o1777, 0o1775, 0o2775, 0o3777} {
			tr.mode(folder, mode)
			problem := fmt.Sprintf("may be written by others (mode %04o)", mode)
			_, _, err := Read(path, limit, self)
			refused(t, err, Unsafe, tr.path(folder), problem, closing(mode))
			refused(t, Program(path, self), Unsafe, tr.path(folder), problem, closing(mode))
		}
		tr.mode(folder, 0o755)
	}
}

func TestRootOnly(t *testing.T) {
	if _, _, err := Read("/etc/passwd", 1<<20, RootOnly); err != nil {
		t.Error(err)
	}
	if _, _, err := Read("/etc/passwd", 1<<20, stranger); err != nil {
		t.Errorf("root may own what another user may: %v", err)
	}
	tr := newTree(t)
	path := tr.file("file", "x", 0o644)
	_, _, err := Read(path, limit, RootOnly)
	if os.Getuid() == 0 {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var fault *Error
	if !errors.As(err, &fault) || fault.Fault != Unsafe || fault.Problem != fmt.Sprintf("is owned by user %d", os.Getuid()) {
		t.Errorf("%v, although root does not own it", err)
	}
}

func TestOwners(t *testing.T) {
	asRoot(t)
	tr := newTree(t)
	path := tr.file("a/b/file", "x", 0o755)
	problem := fmt.Sprintf("is owned by user %d", uint32(stranger))
	for _, name := range []string{"", "a", "a/b", "a/b/file"} {
		tr.must(os.Chown(tr.path(name), stranger, 0))
		for _, owner := range []Owner{RootOnly, stranger + 1, 1} {
			_, _, err := Read(path, limit, owner)
			refused(t, err, Unsafe, tr.path(name), problem, fmt.Sprintf("chown root %q", tr.path(name)))
			refused(t, Program(path, owner), Unsafe, tr.path(name), problem, "chown root")
		}
		if _, _, err := Read(path, limit, stranger); err != nil {
			t.Errorf("%q, of the owner: %v", name, err)
		}
		if err := Program(path, stranger); err != nil {
			t.Errorf("%q, of the owner: %v", name, err)
		}
		tr.must(os.Chown(tr.path(name), 0, stranger)) // the group does not matter where it may not write
		if _, _, err := Read(path, limit, RootOnly); err != nil {
			t.Errorf("%q, of the group: %v", name, err)
		}
		tr.must(os.Chown(tr.path(name), 0, 0))
	}
}

// TestReadOwn: whether somebody else than root could have written what was read.
func TestReadOwn(t *testing.T) {
	if _, own, err := Read("/etc/passwd", 1<<20, stranger); own || err != nil {
		t.Errorf("/etc/passwd: own %t, %v", own, err)
	}
	tr := newTree(t)
	path := tr.file("a/b/file", "x", 0o644)
	tr.link("link", "a/b/file")
	if _, own, err := Read(path, limit, self); own != (os.Getuid() != 0) || err != nil {
		t.Errorf("own %t, %v", own, err)
	}
	asRoot(t)
	for _, name := range []string{"", "a", "a/b", "a/b/file"} {
		tr.must(os.Chown(tr.path(name), stranger, 0))
		for _, path := range []string{path, tr.path("link")} {
			if _, own, err := Read(path, limit, stranger); !own || err != nil {
				t.Errorf("%s, where %q is another's: own %t, %v", path, name, own, err)
			}
		}
		tr.must(os.Chown(tr.path(name), 0, 0))
	}
}

// TestSteps: a path, or the links in it, cannot be made to cost without end.
func TestSteps(t *testing.T) {
	tr := newTree(t)
	tr.file("a/file", "x", 0o755)
	back := func(n int) string { return tr.dir + strings.Repeat("/a/..", n) + "/a/file" }
	if _, _, err := Read(back(maxSteps/2-20), limit, self); err != nil {
		t.Error(err)
	}
	if got, _, err := Resolve(back(maxSteps/2 - 20)); err != nil || got != tr.path("a/file") {
		t.Errorf("%q, %v", got, err)
	}
	var fault *Error
	if _, _, err := Read(back(maxSteps/2+1), limit, self); !errors.As(err, &fault) || fault.Fault != Unsafe || !strings.Contains(fault.Problem, "too many links") {
		t.Errorf("%v", err)
	}
	if got, _, err := Resolve(back(maxSteps/2 + 1)); !errors.Is(err, unix.ELOOP) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestLinkOwner: who owns a link cannot change it; who may write its folder can.
func TestLinkOwner(t *testing.T) {
	asRoot(t)
	tr := newTree(t)
	tr.file("file", "x", 0o644)
	path := tr.link("link", "file")
	tr.must(os.Lchown(path, stranger, stranger))
	if data, _, err := Read(path, limit, RootOnly); err != nil || string(data) != "x" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestAccessControlList: a list that lets another user write shows in the bits of the group, acl(5).
func TestAccessControlList(t *testing.T) {
	tr := newTree(t)
	path := tr.file("file", "x", 0o644)
	list := binary.LittleEndian.AppendUint32(nil, 2) // version
	const owner, user, group, mask, other = 0x01, 0x02, 0x04, 0x10, 0x20
	for _, entry := range []struct {
		tag, perm uint16
		id        uint32
	}{{owner, 6, 0xffffffff}, {user, 6, stranger}, {group, 4, 0xffffffff}, {mask, 6, 0xffffffff}, {other, 4, 0xffffffff}} {
		list = binary.LittleEndian.AppendUint16(list, entry.tag)
		list = binary.LittleEndian.AppendUint16(list, entry.perm)
		list = binary.LittleEndian.AppendUint32(list, entry.id)
	}
	if err := unix.Setxattr(path, "system.posix_acl_access", list, 0); err != nil {
		t.Skipf("needs a home folder on a file system with access control lists, such as ext4, xfs or btrfs: %v", err)
	}
	_, _, err := Read(path, limit, self)
	refused(t, err, Unsafe, path, "may be written by others (mode 0664)", "chmod go-w")
}

func TestLinks(t *testing.T) {
	tr := newTree(t)
	file := tr.file("a/b/file", "x", 0o755)
	for _, l := range []struct{ name, target, rest string }{
		{"absolute", file, ""},
		{"relative", "a/b/file", ""},
		{"up", "a/../a/b/file", ""},
		{"dots", "./a/./b//file", ""},
		{"top", strings.Repeat("../", 50) + strings.TrimPrefix(file, "/"), ""},
		{"a/b/sideways", "../b/file", ""},
		{"a/b/twice", "../../relative", ""},
		{"folder", "a/b", "/file"},
		{"a/self", ".", "/self/self/b/file"},
	} {
		path := tr.link(l.name, l.target) + l.rest
		if data, _, err := Read(path, limit, self); err != nil || string(data) != "x" {
			t.Errorf("%s: %q, %v", path, data, err)
		}
		if err := Program(path, self); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	// What .. means after a link is the kernel's business, not that of the text.
	tr.file("other/file", "y", 0o755)
	tr.folder("other/sub")
	tr.link("a/leap", "../other/sub")
	for _, path := range []string{tr.dir + "/a/leap/../file", tr.dir + "/a/b/../leap/.././file", tr.dir + "//a///leap/../sub/../file"} {
		if data, _, err := Read(path, limit, self); err != nil || string(data) != "y" {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
}

// TestLinksAreJudged: every folder that a link leads through counts, and so does the one that it lies in.
func TestLinksAreJudged(t *testing.T) {
	tr := newTree(t)
	tr.file("good/file", "x", 0o755)
	tr.file("open/file", "x", 0o755)
	tr.file("open/in/file", "x", 0o755)
	tr.file("good/writable", "x", 0o777)
	tr.link("open/link", "../good/file")
	tr.link("good/target", "../open/file")
	tr.link("good/folder", "../open")
	tr.link("good/through", "../open/in/../../good/file")
	tr.link("good/loose", "writable")
	tr.mode("open", 0o1777)
	for name, fault := range map[string]string{
		"open/link": "open", "good/target": "open", "good/folder/file": "open", "good/folder/in/file": "open", "good/through": "open", "good/loose": "good/writable",
	} {
		_, _, err := Read(tr.path(name), limit, self)
		refused(t, err, Unsafe, tr.path(fault), "may be written by others", "")
		refused(t, Program(tr.path(name), self), Unsafe, tr.path(fault), "may be written by others", "")
	}
}

// TestLinkChains: as many links as the kernel follows, and not one more.
func TestLinkChains(t *testing.T) {
	tr := newTree(t)
	file := tr.file("file", "x", 0o755)
	for n, fine := range map[int]bool{1: true, 39: true, 40: true, 41: false, 42: false, 100: false} {
		path := tr.chain(n, file)
		if _, err := os.Stat(path); (err == nil) != fine {
			t.Fatalf("%d links: the kernel says %v", n, err)
		}
		data, _, err := Read(path, limit, self)
		if fine && (err != nil || string(data) != "x") {
			t.Errorf("%d links: %q, %v", n, data, err)
		}
		if !fine {
			refused(t, err, Unsafe, tr.path(fmt.Sprintf("chain%d/link%d", n, n-40)), "leads through too many links", "")
		}
	}
	self1 := tr.link("loop", "loop")
	_, _, err := Read(self1, limit, self)
	refused(t, err, Unsafe, self1, "too many links", "")
	tr.link("ping", "pong")
	refused(t, Program(tr.link("pong", "ping"), self), Unsafe, tr.path("pong"), "too many links", "")
}

func TestNoRegularFile(t *testing.T) {
	tr := newTree(t)
	cases := map[string]string{
		tr.fifo("fifo"):                 "is a FIFO, not a regular file",
		tr.socket("socket"):             "is a socket, not a regular file",
		tr.folder("folder"):             "is a folder, not a regular file",
		tr.dir:                          "is a folder, not a regular file",
		"/":                             "is a folder, not a regular file",
		"/dev/null":                     "is a device, not a regular file",
		"/dev/full":                     "is a device, not a regular file",
		tr.link("to-fifo", "fifo"):      "is a FIFO, not a regular file",
		tr.link("to-null", "/dev/null"): "is a device, not a regular file",
		tr.link("to-folder", "folder"):  "is a folder, not a regular file",
		tr.link("to-root", "/"):         "is a folder, not a regular file",
		tr.path("folder") + "/":         "is a folder, not a regular file",
		tr.path("folder") + "/..":       "is a folder, not a regular file",
		tr.path("folder") + "/.":        "is a folder, not a regular file",
		"/" + strings.Repeat("../", 9) + "dev/null": "is a device, not a regular file",
	}
	for path, problem := range cases {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			t.Fatal(err)
		}
		inTime(t, func() {
			_, _, err := Read(path, limit, self)
			refused(t, err, Unsafe, real, problem, "")
			refused(t, Program(path, self), Unsafe, real, problem, "")
		})
	}
}

func TestMissing(t *testing.T) {
	tr := newTree(t)
	file := tr.file("file", "x", 0o755)
	tr.link("dangling", "nowhere/at/all")
	tr.folder("real")
	tr.link("link", "real")
	tr.link("nested", "link/gone")
	long := strings.Repeat("n", 256)
	for _, c := range []struct {
		path    string
		fault   Fault
		at      string
		problem string
	}{
		{tr.path("nothing"), Missing, tr.path("nothing"), "does not exist"},
		{tr.path("no/thing"), Missing, tr.path("no"), "does not exist"},
		{tr.path("dangling"), Astray, tr.path("nowhere"), "does not exist, and a link leads there"},
		{tr.path("nested"), Astray, tr.path("real/gone"), "does not exist, and a link leads there"},
		{tr.path("link/gone"), Missing, tr.path("real/gone"), "does not exist"},
		{file + "/x", Astray, file, "is not a folder"},
		{file + "/..", Astray, file, "is not a folder"},
		{"", Unsafe, "", "is not an absolute path"},
		{"file", Unsafe, "file", "is not an absolute path"},
		{"./file", Unsafe, "./file", "is not an absolute path"},
		{"/" + strings.Repeat("/", 4096), Unsafe, "/" + strings.Repeat("/", 4096), "is not an absolute path of at most 4096 bytes"},
		{tr.path(long), Unreadable, tr.path(long), "file name too long"},
		{tr.dir + "/a\x00b", Unreadable, tr.dir + "/a\x00b", "invalid argument"},
	} {
		_, _, err := Read(c.path, limit, self)
		refused(t, err, c.fault, c.at, c.problem, "")
		refused(t, Program(c.path, self), c.fault, c.at, c.problem, "")
	}
	if _, _, err := Read("/"+strings.Repeat("/", 4096-len(file))+file[1:], limit, self); err != nil {
		t.Errorf("a path of 4096 bytes: %v", err)
	}
}

func TestUnreadable(t *testing.T) {
	tr := newTree(t)
	path := tr.file("closed/in/file", "x", 0o755)
	secret := tr.file("secret", "x", 0o000)
	tr.mode("closed", 0o000)
	ordinary(t, func() {
		_, _, err := Read(path, limit, self)
		unreadable(t, err, path)
		unreadable(t, Program(path, self), path)
		_, _, err = Read(secret, limit, self)
		unreadable(t, err, secret)
	})
}

// unreadable says whether the way to path ends somewhere for want of rights. Root's home is closed to others already.
func unreadable(t *testing.T, err error, path string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Fault != Unreadable || !strings.Contains(e.Problem, "permission denied") || !strings.HasPrefix(path, e.Path) {
		t.Errorf("%v, want that %q cannot be looked at", err, path)
	}
}

func TestProgram(t *testing.T) {
	for _, path := range []string{"/bin/sh", "/usr/bin/env", "/bin/../bin/sh"} {
		if err := Program(path, RootOnly); err != nil {
			t.Error(err)
		}
	}
	tr := newTree(t)
	for mode := os.FileMode(0); mode <= 0o777; mode++ {
		path := tr.path("program")
		if mode == 0 {
			tr.file("program", "x", 0)
		}
		tr.mode("program", mode)
		err := Program(path, self)
		switch {
		case mode&0o022 != 0:
			refused(t, err, Unsafe, path, "may be written by others", "chmod go-w")
		case mode&0o111 == 0:
			refused(t, err, Unsafe, path, "is not executable", fmt.Sprintf("chmod 755 %q", path))
		case err != nil:
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	tr.mode("program", 0o4755)
	if err := Program(tr.path("program"), self); err != nil {
		t.Errorf("setuid: %v", err)
	}
}

// TestReadWhileSwapped: a file, or the folder that it lies in, is exchanged all the time for one that others may write, and
// another for a FIFO that nobody writes to. What is read is what was judged, and nothing waits.
func TestReadWhileSwapped(t *testing.T) {
	tr := newTree(t)
	tr.file("good/file", "good", 0o644)
	tr.file("evil/file", "evil", 0o644)
	tr.mode("evil", 0o777)
	tr.file("swap/a", "good", 0o644)
	tr.file("swap/b", "evil", 0o666)
	tr.file("swap/c", "good", 0o644)
	tr.fifo("swap/d")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				tr.exchange("good", "evil")
				tr.exchange("swap/a", "swap/b")
				tr.exchange("swap/c", "swap/d")
			}
		}
	}()
	inTime(t, func() {
		for range 3000 {
			for _, name := range []string{"good/file", "swap/a", "swap/c"} {
				if data, _, err := Read(tr.path(name), limit, self); err == nil && string(data) != "good" {
					t.Errorf("%s: %q", name, data)
				}
			}
		}
	})
	close(stop)
	<-stopped
}

// TestRootFolder: the root folder itself is judged, which takes another one to see.
func TestRootFolder(t *testing.T) {
	asRoot(t)
	tr := newTree(t)
	tr.file("file", "x", 0o755)
	for mode, safe := range map[os.FileMode]bool{0o755: true, 0o777: false, 0o1777: false} {
		tr.mode("", mode)
		inside(t, tr.dir, func() {
			_, _, err := Read("/file", limit, RootOnly)
			if safe && err != nil {
				t.Errorf("mode %04o: %v", mode, err)
			}
			if !safe {
				refused(t, err, Unsafe, "/", fmt.Sprintf("may be written by others (mode %04o)", mode), `chmod go-w "/"`)
			}
		})
	}
}

func TestLeavesNoDescriptor(t *testing.T) {
	tr := newTree(t)
	tr.file("a/b/file", "x", 0o755)
	tr.file("open/file", "x", 0o755)
	tr.mode("open", 0o777)
	tr.link("up", "a/../a/b/../b/file")
	tr.link("absolute", tr.path("a/b/file"))
	tr.link("loop", "loop")
	tr.fifo("fifo")
	leaksNothing(t, func() {
		for _, name := range []string{"a/b/file", "open/file", "up", "absolute", "loop", "fifo", "a", "nothing", "a/nothing/x", "a/b/file/x", "a/.."} {
			Read(tr.path(name), limit, self)
			Read(tr.dir+"/"+name, 0, self)
			Program(tr.path(name), self)
			Resolve(tr.path(name))
		}
		Read("relative", limit, self)
	})
}

func TestErrorText(t *testing.T) {
	e := &Error{Unsafe, "/a\x1b b\u202e", "is a link", ""}
	if got, want := e.Error(), `"/a\x1b b\u202e" is a link`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// closing is how a hint begins for what others may write: what is open to all on purpose, as /tmp is, is not to be closed.
func closing(mode os.FileMode) string {
	if mode&0o1000 != 0 {
		return "move the file to a folder that root alone may write"
	}
	return "chmod go-w"
}
