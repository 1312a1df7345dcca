// Package logbook reads the log as one sequence of records: what it was rotated to, compressed or not, then the file itself, and
// then what is yet to come. A line that is no record is counted and passed over. Memory does not grow with the log.
package logbook

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/record"
)

// maxVolumes bounds how many files a log may have been rotated to; all are held open together.
const maxVolumes = 900

// Book is a log with all that it was rotated to.
type Book struct {
	Damaged  int64   // lines that are no records, so far
	Problems []error // files that could not be read, or not to their ends

	path    string
	volumes []*volume // oldest first; the live file, if there is one, is the last
}

// volume is one file of the log.
type volume struct {
	name  string
	file  *os.File
	id    ID
	live  bool
	gz    bool
	ended bool // read to an end that stays one
	lines *lines
}

// ID says which file one is, whatever its name has become.
type ID struct{ Device, Inode uint64 }

// Open opens a log and what it was rotated to: files in its folder whose names begin with its own and go on as logrotate's do,
// ".1", ".2.gz", "-20260101". It fails only if there is none.
func Open(path string) (*Book, error) {
	path = filepath.Clean(path) // as the names in the listing are spelt
	const attempts = 5          // a rotation under way changes the names between the listing and the opening
	var b *Book
	for range attempts {
		b.Close()
		b = &Book{path: path}
		before, err := list(path)
		if err != nil {
			return nil, err
		}
		b.open(before)
		if after, err := list(path); err == nil && slices.Equal(before, after) {
			break
		}
	}
	switch {
	case len(b.volumes) > 0:
		return b, nil
	case len(b.Problems) > 0:
		return nil, errors.Join(b.Problems...)
	}
	return nil, fmt.Errorf("%+q: there is no log of that name", path)
}

func (b *Book) open(names []string) {
	for _, name := range names {
		v, err := openVolume(name, name == b.path)
		if err != nil {
			b.Problems = append(b.Problems, err)
			continue
		}
		if slices.ContainsFunc(b.volumes, func(o *volume) bool { return o.id == v.id }) {
			v.file.Close()
			continue
		}
		b.volumes = append(b.volumes, v)
	}
}

// Folder is where the log lies.
func (b *Book) Folder() string { return filepath.Dir(b.path) }

// Close closes the files. It may be called on nil.
func (b *Book) Close() {
	if b == nil {
		return
	}
	for _, v := range b.volumes {
		v.file.Close()
	}
	b.volumes = nil
}

// list names the files of the log that are there, oldest first.
func list(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var found []rotated
	base := filepath.Base(path)
	plain := map[string]bool{}
	for _, e := range entries {
		if r, ok := parseRotated(base, e.Name()); ok {
			found = append(found, r)
			plain[e.Name()] = true
		}
	}
	// While a file is compressed both are there, and the compressed one is not whole yet.
	found = slices.DeleteFunc(found, func(r rotated) bool { return r.gz && plain[strings.TrimSuffix(r.name, ".gz")] })
	if len(found) > maxVolumes {
		return nil, fmt.Errorf("%+q was rotated to %d files, more than the %d that are read", path, len(found), maxVolumes)
	}
	slices.SortFunc(found, func(a, b rotated) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.date, b.date), cmp.Compare(b.number, a.number))
	})
	names := make([]string, len(found))
	for i, r := range found {
		names[i] = filepath.Join(filepath.Dir(path), r.name)
	}
	return names, nil
}

// rotated is a name that logrotate gives.
type rotated struct {
	name   string
	rank   int // dated ones first, then numbered ones, then the log itself
	date   string
	number int
	gz     bool
}

func parseRotated(base, name string) (rotated, bool) {
	r := rotated{name: name}
	rest, ours := strings.CutPrefix(name, base)
	if !ours {
		return r, false
	}
	rest, r.gz = strings.CutSuffix(rest, ".gz")
	switch {
	case rest == "":
		r.rank = 2
		return r, !r.gz
	case rest[0] == '-': // dateext: -20260101, -2026010112, -20260101-1767225600
		r.date = rest[1:]
		return r, r.date != "" && strings.Trim(r.date, "0123456789-") == ""
	case rest[0] == '.':
		n, err := strconv.Atoi(rest[1:])
		r.rank, r.number = 1, n
		return r, err == nil && n >= 0
	}
	return r, false
}

func openVolume(name string, live bool) (*volume, error) {
	// The folder may be the account's own, and who reads root: a link in it to a device, or to /proc/kmsg, would do something when opened,
	// or never end. Rotation makes no links; the log itself, which root names, may be one. O_NONBLOCK: nor must a FIFO hold anybody up.
	look, flags := os.Lstat, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW
	if live {
		look, flags = os.Stat, os.O_RDONLY|syscall.O_NONBLOCK
	}
	if info, err := look(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, irregular(name, info)
	}
	f, err := os.OpenFile(name, flags, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = irregular(name, info)
	case !stored(f):
		err = fmt.Errorf("%+q is not a regular file: the kernel makes it up as it is read", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	v := &volume{name: name, file: f, id: idOf(info), live: live, gz: strings.HasSuffix(name, ".gz")}
	in := io.Reader(f)
	if v.gz {
		in = &unzipped{file: f}
	}
	v.lines = newLines(in)
	return v, nil
}

func irregular(name string, info fs.FileInfo) error {
	if info.IsDir() {
		return fmt.Errorf("%+q is not a regular file but a folder", name)
	}
	return fmt.Errorf("%+q is not a regular file", name)
}

// stored says whether a file is kept somewhere. What the kernel makes up passes for a regular file, and may wait for what is yet to come, and
// forget what was read: /proc/kmsg, trace_pipe.
func stored(f *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return true // reading it will tell
	}
	return !slices.Contains([]int64{unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.TRACEFS_MAGIC, unix.DEBUGFS_MAGIC}, st.Type)
}

func idOf(info fs.FileInfo) ID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return ID{uint64(st.Dev), st.Ino}
	}
	return ID{}
}

// unzipped decompresses from the first read on, so that an open file costs little until its turn.
type unzipped struct {
	file *os.File
	in   *gzip.Reader
}

func (u *unzipped) Read(b []byte) (int, error) {
	if u.in == nil {
		in, err := gzip.NewReader(bufio.NewReader(u.file))
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // an empty file is not what gzip makes of one
		}
		if err != nil {
			return 0, fmt.Errorf("%w (is it gzip?)", err)
		}
		u.in = in
	}
	return u.in.Read(b)
}

// Line is one record with its text, which is valid until the next one is asked for.
type Line struct {
	*record.Record
	Text []byte
}

// All gives what stands in the log now, in the order in which it was written.
func (b *Book) All() iter.Seq[Line] {
	return func(yield func(Line) bool) {
		for _, v := range b.volumes {
			if !b.read(v, yield) {
				return
			}
		}
	}
}

// read gives the rest of one file, as far as it has whole lines. A rest without a line end is a record that is being written, if
// the file is live, and else damage.
func (b *Book) read(v *volume, yield func(Line) bool) bool {
	for {
		text, err := v.lines.next()
		switch {
		case err == nil:
			if !b.give(text, yield) {
				return false
			}
			continue
		case errors.Is(err, errTooLong):
			b.Damaged++
			continue
		case !errors.Is(err, io.EOF):
			b.Problems = append(b.Problems, fmt.Errorf("%+q: %w", v.name, err))
		}
		if v.live && !v.gz {
			return true
		}
		v.ended = true
		rest := v.lines.rest()
		v.lines.release()
		return len(rest) == 0 || b.give(rest, yield)
	}
}

func (b *Book) give(text []byte, yield func(Line) bool) bool {
	if len(text) == 0 {
		return true // what keeps a torn line to itself, see record.File
	}
	r, err := record.Parse(text)
	if err != nil {
		b.Damaged++
		return true
	}
	return yield(Line{r, text})
}
