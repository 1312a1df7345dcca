package logbook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/recordtest"
)

// line is a record that is told from others by its reference.
func line(ref string) string {
	e := record.Entry{Time: time.Date(2026, 11, 21, 21, 30, 5, 0, time.UTC), Reason: record.NoRule, Key: "ci", Ref: ref, Request: "a\n" + ref}
	return string(e.Append(nil))
}

func records(refs ...string) string {
	text := ""
	for _, ref := range refs {
		text += line(ref)
	}
	return text
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// folder is where a log lives.
type folder struct {
	*testing.T
	dir string
}

func newFolder(t *testing.T) folder { return folder{t, t.TempDir()} }

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }
func (f folder) log() string             { return f.path("log") }

func (f folder) write(name, text string) {
	f.Helper()
	check(f, os.WriteFile(f.path(name), []byte(text), 0o600))
}

// add appends as the gate does.
func (f folder) add(name, text string) {
	f.Helper()
	file, err := os.OpenFile(f.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	check(f, err)
	_, err = file.WriteString(text)
	check(f, errors.Join(err, file.Close()))
}

func (f folder) rename(from, to string) {
	f.Helper()
	check(f, os.Rename(f.path(from), f.path(to)))
}

func (f folder) open() *Book {
	f.Helper()
	b, err := Open(f.log())
	check(f, err)
	f.Cleanup(b.Close)
	return b
}

// refs are the references of all records.
func refs(b *Book) string {
	var all []string
	for l := range b.All() {
		all = append(all, l.Ref)
	}
	return strings.Join(all, " ")
}

func TestParseRotated(t *testing.T) {
	for name, want := range map[string]rotated{
		"log":                     {rank: 2},
		"log.1":                   {rank: 1, number: 1},
		"log.0":                   {rank: 1, number: 0},
		"log.10.gz":               {rank: 1, number: 10, gz: true},
		"log-20260101":            {date: "20260101"},
		"log-20260101.gz":         {date: "20260101", gz: true},
		"log-2026010112":          {date: "2026010112"},
		"log-20260101-1767225600": {date: "20260101-1767225600"},
		"log-2026-01-01.gz":       {date: "2026-01-01", gz: true},
	} {
		want.name = name
		if got, ok := parseRotated("log", name); !ok || got != want {
			t.Errorf("%s: %+v, %t; want %+v", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "lo", "log.gz", "log-", "log-.gz", "log.", "log..gz", "log.1.gz.gz", "log.1.xz", "log.1~", "log.bak", "log.-1", "log.1.2", "log2", "logs", "log.swp",
		"log-2026a", "log.99999999999999999999", "log.1\n", "log-1\x1b"} {
		if got, ok := parseRotated("log", name); ok {
			t.Errorf("%q: %+v", name, got)
		}
	}
}

// TestOrder: dates, then numbers, the greatest first, then the log; and of a file and what it is being compressed to the whole one.
func TestOrder(t *testing.T) {
	f := newFolder(t)
	f.write("log", records("i", "j"))
	f.write("log.1", line("h"))
	f.write("log.1.gz", "half of it")
	f.write("log.2.gz", recordtest.Zip(t, line("g")))
	f.write("log.10.gz", recordtest.Zip(t, records("e", "f")))
	f.write("log-20260109.gz", recordtest.Zip(t, line("a")))
	f.write("log-20260110", line("b"))
	f.write("log-20260110.gz", recordtest.Zip(t, "")[:5])
	f.write("log-20260110-1767225600", line("c"))
	f.write("log-20260201", line("d"))
	f.write("logs", line("x"))
	f.write("log.bak", line("x"))
	b := f.open()
	if got := refs(b); got != "a b c d e f g h i j" || b.Damaged != 0 || len(b.Problems) != 0 {
		t.Errorf("%s, %d damaged, %v", got, b.Damaged, b.Problems)
	}
}

func TestOpenSpelling(t *testing.T) {
	f := newFolder(t)
	f.write("log", line("a")+"half")
	t.Chdir(f.dir)
	for _, path := range []string{"log", "./log", ".//log", "../" + filepath.Base(f.dir) + "/log", f.dir + "/./log", f.dir + "//log"} {
		b, err := Open(path)
		check(t, err)
		if got := refs(b); got != "a" || b.Damaged != 0 {
			t.Errorf("%s: %s, %d damaged: the half record is still being written", path, got, b.Damaged)
		}
		if p, ok := b.Position(); !ok || p.Offset != int64(len(line("a"))) {
			t.Errorf("%s: position %+v, %t", path, p, ok)
		}
		b.Close()
	}
}

// TestOpenOne: a rotated file may be read alone.
func TestOpenOne(t *testing.T) {
	f := newFolder(t)
	f.write("log", line("c"))
	f.write("log.1", line("b"))
	f.write("log.2.gz", recordtest.Zip(t, line("a")))
	for name, want := range map[string]string{"log.1": "b", "log.2.gz": "a"} {
		b, err := Open(f.path(name))
		check(t, err)
		if got := refs(b); got != want || len(b.Problems) != 0 {
			t.Errorf("%s: %s, %v", name, got, b.Problems)
		}
		b.Close()
	}
}

func TestOpenFails(t *testing.T) {
	f := newFolder(t)
	f.write("file", "")
	f.write("log.bak", line("x"))
	check(t, os.Mkdir(f.path("folder"), 0o700))
	check(t, unix.Mkfifo(f.path("fifo"), 0o600))
	check(t, os.Symlink("nowhere", f.path("dangling")))
	check(t, os.Symlink("loop", f.path("loop")))
	for name, want := range map[string]string{
		"log":        "there is no log of that name",
		"none/log":   "no such file or directory",
		"file/log":   "not a directory",
		"folder":     "is not a regular file",
		"fifo":       "is not a regular file", // and nobody waits for a writer
		"dangling":   "no such file or directory",
		"loop":       "too many levels of symbolic links",
		"a\x1b[31mb": `a\x1b[31mb": there is no log of that name`,
	} {
		b, err := Open(f.path(name))
		if b != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
	if os.Geteuid() != 0 {
		f.write("secret", line("x"))
		check(t, os.Chmod(f.path("secret"), 0))
		if _, err := Open(f.path("secret")); !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
	}
}

// TestProblems: what cannot be read is told, and keeps nobody from the rest.
func TestProblems(t *testing.T) {
	f := newFolder(t)
	var text strings.Builder
	for n := range 2000 {
		text.WriteString(line(fmt.Sprint(n)))
	}
	whole := recordtest.Zip(t, text.String())
	f.write("log", line("live"))
	check(t, os.Mkdir(f.path("log.9"), 0o700))
	check(t, unix.Mkfifo(f.path("log.8"), 0o600))
	check(t, os.Symlink("nowhere", f.path("log.7")))
	f.write("log.6.gz", "this was never compressed\n")
	f.write("log.5.gz", "")
	f.write("log.4.gz", whole[:len(whole)/2])
	f.write("log.3.gz", whole[:5])
	f.write("log.2.gz", recordtest.Zip(t, line("first"))+"and more, which is not compressed")
	f.write("log.1", "")
	b := f.open()
	got := strings.Fields(refs(b))
	if n := len(got); n < 3 || got[n-1] != "live" || got[n-2] != "first" || got[0] != "0" {
		t.Errorf("%d records, %.100q", n, got)
	}
	for i, ref := range got[:max(0, len(got)-2)] {
		if ref != fmt.Sprint(i) {
			t.Fatalf("record %d is %s", i, ref)
		}
	}
	var problems []string
	for _, p := range b.Problems {
		problems = append(problems, strings.ReplaceAll(p.Error(), f.dir+"/", ""))
	}
	want := []string{
		`"log.9" is not a regular file but a folder`, `"log.8" is not a regular file`, `"log.7" is not a regular file`, `"log.6.gz": gzip: invalid header (is it gzip?)`,
		`"log.5.gz": unexpected EOF (is it gzip?)`, `"log.4.gz": unexpected EOF`, `"log.3.gz": unexpected EOF (is it gzip?)`, `"log.2.gz": gzip: invalid header`,
	}
	if !slices.Equal(problems, want) {
		t.Errorf("problems\n%s\nwant\n%s", strings.Join(problems, "\n"), strings.Join(want, "\n"))
	}
	if b.Damaged > 1 { // the record that the truncated file ends in
		t.Errorf("%d damaged lines", b.Damaged)
	}
}

// TestUnreadable: an ordinary user reads what he may.
func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	f := newFolder(t)
	f.write("log", line("b"))
	f.write("log.1", line("a"))
	check(t, os.Chmod(f.path("log.1"), 0))
	b := f.open()
	if got := refs(b); got != "b" || len(b.Problems) != 1 || !errors.Is(b.Problems[0], fs.ErrPermission) {
		t.Errorf("%s, %v", got, b.Problems)
	}
}

// TestDamage: a line that is no record is counted and passed over, whatever it is.
func TestDamage(t *testing.T) {
	f := newFolder(t)
	for text, damaged := range map[string]int64{
		"":                                     0,
		"\n\n\n":                               0, // the gate's own, to keep a torn line to itself
		"garbage\n":                            1,
		"\x00\xff\x1b[2J\r\n\x9b\n":            2,
		strings.Repeat("\x00", 200_000):        1,
		line("x")[:50] + "\n":                  1,
		`{"event":"allowed"}` + "\n[]\nnull\n": 3,
		strings.Repeat("x", record.MaxLine) + "\n":              1,
		strings.Repeat("x", record.MaxLine+1) + "\n":            1,
		strings.Repeat("x", 10*bufferSize+3) + "\n":             1,
		strings.Repeat(strings.Repeat("x", bufferSize)+"\n", 3): 3,
	} {
		f.write("log.1", line("a")+text)
		f.write("log", text+line("b")+text)
		if text != "" && !strings.HasSuffix(text, "\n") {
			f.write("log", line("b"))
		}
		b := f.open()
		want := 3 * damaged
		if text == "" || !strings.HasSuffix(text, "\n") {
			want = damaged
		}
		if got := refs(b); got != "a b" || b.Damaged != want || len(b.Problems) != 0 {
			t.Errorf("%.40q: %s, %d damaged, want %d; %v", text, got, b.Damaged, want, b.Problems)
		}
		b.Close()
	}
}

// TestNoLineEnd: at the end of the live file it is a record that is being written, in an older file it is all there will be.
func TestNoLineEnd(t *testing.T) {
	f := newFolder(t)
	f.write("log.1", strings.TrimSuffix(records("a", "b"), "\n"))
	f.write("log", strings.TrimSuffix(records("c", "d"), "\n"))
	b := f.open()
	if got := refs(b); got != "a b c" || b.Damaged != 0 {
		t.Errorf("%s, %d damaged", got, b.Damaged)
	}
}

func TestDeduplication(t *testing.T) {
	f := newFolder(t)
	f.write("log", line("b"))
	check(t, os.Link(f.path("log"), f.path("log.1"))) // logrotate's copytruncate has no such moment, an administrator's ln has
	check(t, os.Symlink("log", f.path("log.2")))
	f.write("log.3", line("a"))
	if got := refs(f.open()); got != "a b" {
		t.Error(got)
	}
}

func TestTooManyVolumes(t *testing.T) {
	f := newFolder(t)
	f.write("log", line("z"))
	for n := range maxVolumes - 1 {
		f.write(fmt.Sprintf("log.%d", n+1), line(fmt.Sprint(n+1)))
	}
	b := f.open()
	if got := strings.Fields(refs(b)); len(got) != maxVolumes || got[0] != fmt.Sprint(maxVolumes-1) || got[maxVolumes-1] != "z" {
		t.Errorf("%d records, %v...", len(got), got[:3])
	}
	b.Close()
	f.write("log-20260101", line("y"))
	if _, err := Open(f.log()); err == nil || !strings.HasSuffix(err.Error(), fmt.Sprintf("was rotated to %d files, more than the %d that are read", maxVolumes+1, maxVolumes)) {
		t.Error(err)
	}
}

// TestEarlyEnd: a reader may stop at any record.
func TestEarlyEnd(t *testing.T) {
	f := newFolder(t)
	f.write("log.1", records("a", "b"))
	f.write("log", records("c", "d"))
	for n, want := range []string{"a", "b", "c", "d"} {
		b := f.open()
		for l := range b.All() {
			if n--; n < 0 {
				if l.Ref != want || string(l.Text)+"\n" != line(want) {
					t.Errorf("%s: %q", l.Ref, l.Text)
				}
				break
			}
		}
		b.Close()
	}
}

func TestCloseTwice(t *testing.T) {
	f := newFolder(t)
	f.write("log", line("a"))
	b := f.open()
	b.Close()
	b.Close()
	(*Book)(nil).Close()
}

// TestOpenLinkRegression: a folder that the account owns leads root nowhere, and /proc/kmsg, a regular file without end, is not waited for.
func TestOpenLinkRegression(t *testing.T) {
	f := newFolder(t)
	f.write("elsewhere", line("foreign"))
	f.write("log", line("live"))
	check(t, os.Symlink(f.path("elsewhere"), f.path("log.1")))
	check(t, os.Symlink("/proc/kmsg", f.path("log.2")))
	check(t, os.Symlink("log", f.path("named")))
	b, err := Open(f.path("log"))
	check(t, err)
	defer b.Close()
	n := 0
	for range b.All() {
		n++
	}
	if n != 1 || len(b.Problems) != 2 {
		t.Errorf("%d records, %v", n, b.Problems)
	}
	named, err := Open(f.path("named")) // who calls it chose this one
	check(t, err)
	named.Close()
}

// TestOpenMadeUp: what the kernel makes up is no log, whatever it passes for. Reading it could wait without end, and take from others what they
// are to read.
func TestOpenMadeUp(t *testing.T) {
	files := []string{"/proc/self/status", "/proc/self/environ"}
	if os.Geteuid() == 0 {
		files = append(files, "/proc/kmsg") // a container may have a device there
	}
	for _, file := range files {
		b, err := Open(file)
		b.Close()
		if err == nil || !strings.Contains(err.Error(), file+`" is not a regular file`) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
