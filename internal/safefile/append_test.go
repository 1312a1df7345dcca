package safefile

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// opened appends a text to a log, which must be possible.
func opened(t *testing.T, path, text string) {
	t.Helper()
	fd, err := Append(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if n, err := unix.Write(fd, []byte(text)); n != len(text) || err != nil {
		t.Errorf("%d bytes written, %v", n, err)
	}
}

func TestAppend(t *testing.T) {
	tr := newTree(t)
	path := tr.path("log")
	for _, text := range []string{"one\n", "two\n", ""} {
		opened(t, path, text)
	}
	tr.must(os.Truncate(path, 4)) // as logrotate's copytruncate does, while others write
	opened(t, path, "three\n")
	if got, err := os.ReadFile(path); err != nil || string(got) != "one\nthree\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAppendMode(t *testing.T) {
	tr := newTree(t)
	old := unix.Umask(0)
	defer unix.Umask(old)
	for _, c := range []struct{ umask, want os.FileMode }{{0, 0o640}, {0o022, 0o640}, {0o077, 0o600}} {
		unix.Umask(int(c.umask))
		opened(t, tr.path("log"), "")
		info, err := os.Stat(tr.path("log"))
		tr.must(err)
		if info.Mode() != c.want {
			t.Errorf("umask %04o: created with mode %04o, want %04o", c.umask, info.Mode(), c.want)
		}
		tr.must(os.Remove(tr.path("log")))
	}
	opened(t, tr.file("kept", "", 0o600), "x")
	if info, err := os.Stat(tr.path("kept")); err != nil || info.Mode() != 0o600 {
		t.Errorf("the mode of a log that was there is now %v, %v", info.Mode(), err)
	}
}

func TestAppendDescriptor(t *testing.T) {
	fd, err := Append(newTree(t).path("log"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags %#x, %v: not close-on-exec", flags, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_APPEND == 0 {
		t.Errorf("status flags %#x, %v: not appending", flags, err)
	}
}

func TestAppendRefuses(t *testing.T) {
	tr := newTree(t)
	kept := tr.file("kept", "kept", 0o600)
	for path, c := range map[string]struct {
		fault   Fault
		problem string
	}{
		tr.link("link", kept):                {Unsafe, "is a link"},
		tr.link("dangling", tr.path("made")): {Unsafe, "is a link"},
		tr.fifo("fifo"):                      {Unsafe, "is a FIFO, not a regular file"},
		tr.socket("socket"):                  {Unsafe, "is a FIFO or a socket"},
		tr.folder("folder"):                  {Unreadable, "is a directory"},
		tr.path("missing/log"):               {Missing, "does not exist"},
		kept + "/log":                        {Astray, "lies below a file"},
		"/dev/null":                          {Unsafe, "is a device"},
		"":                                   {Unsafe, "is not an absolute path"},
		"log":                                {Unsafe, "is not an absolute path"},
		"/" + strings.Repeat("/", 4096):      {Unsafe, "is not an absolute path of at most 4096 bytes"},
		tr.path(strings.Repeat("n", 256)):    {Unreadable, "file name too long"},
	} {
		inTime(t, func() {
			leaksNothing(t, func() {
				fd, err := Append(path, true)
				if fd != -1 {
					t.Errorf("%s: descriptor %d", path, fd)
				}
				refused(t, err, c.fault, path, c.problem, "")
			})
		})
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != "kept" {
		t.Errorf("the target of the link now holds %q, %v", text, err)
	}
	for _, name := range []string{"made", "missing"} {
		if _, err := os.Lstat(tr.path(name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

// TestAppendFIFO: a FIFO that somebody reads can be opened at once, and still is no log.
func TestAppendFIFO(t *testing.T) {
	tr := newTree(t)
	path := tr.fifo("fifo")
	reader, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	tr.must(err)
	defer unix.Close(reader)
	_, err = Append(path, true)
	refused(t, err, Unsafe, path, "is a FIFO, not a regular file", "")
}

// TestAppendTorn: a record that was cut short is seen where the log may be read, and where it may not, it can still be written.
func TestAppendTorn(t *testing.T) {
	tr := openTree(t)
	for text, want := range map[string]bool{"": false, "\n": false, "x\n": false, "x": true, "x\ny": true, strings.Repeat("x", 5000): true, strings.Repeat("x", 5000) + "\n": false} {
		path := tr.file("log", text, 0o666)
		ordinary(t, func() { checkTorn(t, path, want) })
		tr.mode("log", 0o222)
		ordinary(t, func() { checkTorn(t, path, false) })
		tr.must(os.Remove(path))
	}
}

func checkTorn(t *testing.T, path string, want bool) {
	t.Helper()
	fd, err := Append(path, true)
	if err != nil {
		t.Error(err)
		return
	}
	defer unix.Close(fd)
	if torn := Torn(fd); torn != want {
		t.Errorf("torn %t, want %t", torn, want)
	}
}

// TestAppendNotTorn: what another gate is in the middle of writing is not torn.
func TestAppendNotTorn(t *testing.T) {
	tr := newTree(t)
	path := tr.path("log")
	line := append(bytes.Repeat([]byte("x"), 256<<10), '\n')
	written := make(chan error)
	go func() {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		for n := 0; n < 64 && err == nil; n++ {
			_, err = file.Write(line)
		}
		written <- errors.Join(err, file.Close())
	}()
	for {
		checkTorn(t, path, false)
		select {
		case err := <-written:
			tr.must(err)
			return
		default:
		}
	}
}

// TestAppendCreatesNothing: where only others may make the log, nothing is made.
func TestAppendCreatesNothing(t *testing.T) {
	tr := newTree(t)
	_, err := Append(tr.path("log"), false)
	refused(t, err, Missing, tr.path("log"), "does not exist", "")
	if _, err := os.Lstat(tr.path("log")); err == nil {
		t.Error("the log was made")
	}
}

// TestAppendThroughLinks: only the last component must be no link; /var/log may be one.
func TestAppendThroughLinks(t *testing.T) {
	tr := newTree(t)
	tr.folder("real")
	tr.link("log", "real")
	opened(t, tr.path("log/file"), "x")
	if text, err := os.ReadFile(tr.path("real/file")); err != nil || string(text) != "x" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestAppendReadOnly(t *testing.T) {
	tr := openTree(t)
	closed := tr.file("log", "x", 0o444)
	tr.folder("folder")
	tr.mode("folder", 0o555)
	ordinary(t, func() {
		_, err := Append(closed, true)
		refused(t, err, Unreadable, closed, "permission denied", "")
		_, err = Append(tr.path("folder/log"), true)
		refused(t, err, Missing, tr.path("folder/log"), "does not exist, and this user may not make it", "")
	})
}

// TestAppendWriteOnlyFIFO: one that this user may not read, and so opens for writing alone, must not hold him up either.
func TestAppendWriteOnlyFIFO(t *testing.T) {
	tr := openTree(t)
	path := tr.fifo("fifo")
	tr.mode("fifo", 0o222)
	inTime(t, func() {
		ordinary(t, func() {
			_, err := Append(path, true)
			refused(t, err, Unsafe, path, "is a FIFO", "")
		})
	})
}
