package record

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/safefile"
)

// patience is how long a call that must not hang may take before the test gives it up; it is never a measure.
const patience = 30 * time.Second

// write writes an entry, and fails the test if that does not come to an end.
func write(t *testing.T, s Sink, e *Entry) (bool, error) {
	t.Helper()
	type result struct {
		written bool
		err     error
	}
	done := make(chan result, 1)
	go func() {
		written, err := once(s, e)
		done <- result{written, err}
	}()
	select {
	case r := <-done:
		return r.written, r.err
	case <-time.After(patience):
		t.Fatal("Write hangs")
	}
	return false, nil
}

// once writes and closes the log, which the gate leaves to its end.
func once(s Sink, e *Entry) (bool, error) {
	if s.File != nil {
		defer unix.Close(s.File.fd)
	}
	return s.Write(e)
}

func logTo(file string) Sink { return Sink{File: OpenFile(file, false), Facility: -1} }

func content(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWriteFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	want := string(sample.Append(nil))
	for n := 1; n <= 3; n++ {
		if written, err := write(t, logTo(file), &sample); !written || err != nil {
			t.Errorf("written %t, %v", written, err)
		}
		if got := content(t, file); got != strings.Repeat(want, n) {
			t.Errorf("%q, want %d times %q", got, n, want)
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o037 != 0 {
		t.Errorf("created with mode %04o, so others may read it or the group write it", info.Mode().Perm())
	}
}

func TestWriteNowhere(t *testing.T) {
	if written, err := write(t, Sink{Facility: -1}, &sample); written || err != nil {
		t.Errorf("written %t, %v", written, err)
	}
}

func TestWriteRefused(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	kept := path("kept")
	if err := errors.Join(
		os.WriteFile(kept, []byte("kept\n"), 0o600), os.Symlink(kept, path("link")), os.Symlink(path("made"), path("dangling")),
		unix.Mkfifo(path("fifo"), 0o600), os.Mkdir(path("folder"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", path("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for file, want := range map[string]string{
		path("missing/log"):              "does not exist",
		path("kept/log"):                 "lies below a file",
		path("link"):                     "is a link",
		path("dangling"):                 "is a link",
		path("fifo"):                     "is a FIFO",
		path("socket"):                   "is a FIFO or a socket",
		path("folder"):                   "is a directory",
		"/dev/full":                      "is a device",
		"/proc/sys/kernel/ostype":        "permission denied", // to root, too
		"relative/log":                   "is not an absolute path",
		"/" + strings.Repeat("x", 300):   "file name too long",
		"/" + strings.Repeat("x/", 2048): "is not an absolute path of at most 4096 bytes",
	} {
		written, err := write(t, logTo(file), &sample)
		if written || err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "log ") {
			t.Errorf("%.99q: written %t, %v; want %q", file, written, err, want)
		}
	}
	if got := content(t, kept); got != "kept\n" {
		t.Errorf("the target of the link now holds %q", got)
	}
	if _, err := os.Lstat(path("made")); err == nil {
		t.Error("the target of the dangling link was made")
	}
	if _, err := os.Lstat(path("missing")); err == nil {
		t.Error("the missing folder was made")
	}
}

// TestWriteFIFO: a FIFO with a reader can be opened at once, and still is no log.
func TestWriteFIFO(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if written, err := write(t, logTo(file), &sample); written || err == nil || !strings.Contains(err.Error(), "is a FIFO, not a regular file") {
		t.Errorf("written %t, %v", written, err)
	}
	if n, err := unix.Read(fd, make([]byte, 10)); n > 0 || err != nil {
		t.Errorf("the reader got %d bytes, %v", n, err)
	}
}

func TestWriteConcurrently(t *testing.T) {
	const writers, records = 8, 500
	file := filepath.Join(t.TempDir(), "log")
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range records {
				if written, err := once(logTo(file), numbered(w*records+i)); !written || err != nil {
					t.Errorf("written %t, %v", written, err)
				}
			}
		})
	}
	group.Wait()
	seen := map[int]bool{}
	for _, line := range strings.SplitAfter(strings.TrimSuffix(content(t, file), "\n"), "\n") {
		r := decode(t, []byte(line))
		if want := string(numbered(r.PID).Append(nil)); strings.TrimSuffix(line, "\n")+"\n" != want {
			t.Fatalf("%q, want %q", line, want)
		}
		if seen[r.PID] {
			t.Errorf("record %d stands twice", r.PID)
		}
		seen[r.PID] = true
	}
	if len(seen) != writers*records {
		t.Errorf("%d records, want %d", len(seen), writers*records)
	}
}

// numbered records are of very different lengths, to beyond a page of memory.
func numbered(n int) *Entry {
	e := sample
	e.PID, e.Ref, e.Request = n, fmt.Sprintf("ref%05d", n), strings.Repeat("\x01", n%997)
	return &e
}

// withRoomFor runs f while no file may grow beyond so many bytes, as if the disk were full there.
func withRoomFor(t *testing.T, size int, f func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(size), Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
	}()
	f()
}

func TestWriteFullDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	line := sample.Append(nil)
	if err := os.WriteFile(file, line, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		room int
		want string
	}{{10, "the record was cut short"}, {0, "file too large"}} {
		var written bool
		var err error
		before := len(content(t, file))
		withRoomFor(t, before+c.room, func() { written, err = once(logTo(file), &sample) })
		if written || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("room for %d bytes: written %t, %v; want %q", c.room, written, err, c.want)
		}
	}
}

// TestWriteRemoved: a log that is removed between its opening and the record takes the record with it, which counts as not written.
func TestWriteRemoved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	s := logTo(file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if written, err := write(t, s, &sample); written || err == nil || !strings.Contains(err.Error(), "was removed before the record was written") {
		t.Errorf("written %t, %v", written, err)
	}
}

// TestGluedRecordRegression: a record that others cut short between the look at the end of the log and the write took ours with it. Anybody
// can cut his own short, by RLIMIT_FSIZE.
func TestGluedRecordRegression(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	f := OpenFile(file, false)
	defer unix.Close(f.fd)
	if err := os.WriteFile(file, []byte(`{"time":"cut sho`), 0o600); err != nil {
		t.Fatal(err)
	}
	line := sample.Append(nil)
	if err := f.write(line); err != nil { // as after a look that saw nothing
		t.Fatal(err)
	}
	if !safefile.Glued(f.fd, len(line)) {
		t.Error("a record behind a part of another is not seen")
	}
	if err := f.append(line); err != nil {
		t.Fatal(err)
	}
	if safefile.Glued(f.fd, len(line)) || !strings.HasSuffix(content(t, file), "\n"+string(line)) {
		t.Errorf("%q", content(t, file))
	}
}

// TestTornRecordDamagesNoOther: what is recorded once there is room again can be read.
func TestTornRecordDamagesNoOther(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	line := sample.Append(nil)
	for _, room := range []int{1, 100, len(line) - 1} {
		withRoomFor(t, room, func() { once(logTo(file), &sample) })
		if written, err := once(logTo(file), &sample); !written || err != nil {
			t.Fatalf("written %t, %v", written, err)
		}
		if got := content(t, file); !strings.HasSuffix(got, "\n"+string(line)) {
			t.Errorf("room for %d of %d bytes: the next record is not on a line of its own: %q", room, len(line), got)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWriteEither: one place is enough, and the error still names the one that failed.
func TestWriteEither(t *testing.T) {
	dir := t.TempDir()
	file, missing := filepath.Join(dir, "log"), filepath.Join(dir, "missing", "x")
	daemon := listenDatagram(t)
	for _, c := range []struct {
		file, socket string
		written      bool
		wrong        []string
	}{
		{file, daemon.path, true, nil},
		{missing, daemon.path, true, []string{"log "}},
		{file, missing, true, []string{"syslog "}},
		{missing, missing, false, []string{"log ", "syslog "}},
		{"", missing, false, []string{"syslog "}},
	} {
		written, err := write(t, Sink{File: OpenFile(c.file, false), Facility: 10, Socket: c.socket}, &sample)
		if written != c.written || (err != nil) != (c.wrong != nil) {
			t.Errorf("%q and %q: written %t, %v", c.file, c.socket, written, err)
		}
		for _, w := range c.wrong {
			if !strings.Contains("\n"+err.Error(), "\n"+w) || !strings.Contains(err.Error(), "missing") {
				t.Errorf("%q and %q: %v does not name the %s", c.file, c.socket, err, w)
			}
		}
		if c.socket == daemon.path {
			daemon.receive(t)
		}
	}
	if got := content(t, file); got != strings.Repeat(string(sample.Append(nil)), 2) {
		t.Errorf("the log holds %q", got)
	}
}

func TestWriteLeavesNoDescriptor(t *testing.T) {
	dir := t.TempDir()
	before := descriptors(t)
	for _, file := range []string{filepath.Join(dir, "log"), filepath.Join(dir, "missing", "log"), "/dev/full", dir} {
		once(logTo(file), &sample)
	}
	Sink{Facility: 10, Socket: filepath.Join(dir, "missing")}.Write(&sample)
	if after := descriptors(t); !bytes.Equal(before, after) {
		t.Errorf("open before: %s, after: %s", before, after)
	}
}

func descriptors(t *testing.T) []byte {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var names []byte
	for _, e := range entries {
		names = append(append(names, e.Name()...), ' ')
	}
	return names
}

// TestAppendKeepsRules: the log is opened by safefile, whose faults the error carries.
func TestAppendKeepsRules(t *testing.T) {
	_, err := once(logTo("/dev/full"), &sample)
	var fault *safefile.Error
	if !errors.As(err, &fault) || fault.Fault != safefile.Unsafe {
		t.Errorf("%v", err)
	}
}
