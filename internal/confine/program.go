package confine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/safefile"
)

const (
	maxHead         = 4096 // bytes of a program that tell what starts it
	maxInterpreters = 5    // of each other; the kernel's own limit, execve(2)
)

// kind is what has to be known of a program for it to start.
type kind struct {
	static bool // no loader, so no libraries
	narrow bool // of 32 bits
	musl   bool
}

// allowPrograms gives the right to execute the program and what the kernel starts in its place: the interpreter behind #!, and the
// loader that an ELF file names. So it is for each file of Execute.
func (r *Ruleset) allowPrograms(d *Domain) (kind, error) {
	k := kind{static: len(d.Execute) == 0}
	fd, err := unix.Open(d.Program, unix.O_PATH|unix.O_CLOEXEC, 0) // links and all: safefile.Program judged them
	if err == nil {
		err = r.allowProgram(fd, d.Program, true, &k)
	}
	if err != nil {
		return k, fmt.Errorf("%+q: %w", d.Program, err)
	}
	for _, path := range d.Execute {
		fd, err := safefile.Open(path)
		if err == nil {
			err = r.allowProgram(fd, path, false, &k)
		}
		if err != nil {
			return k, fmt.Errorf("%+q: %w", path, err)
		}
	}
	k.static = k.static && !k.narrow
	return k, nil
}

// allowProgram gives the right to execute an opened program, and what starts it, and closes it. What starts it is believed only of a file
// that is trusted, or that nobody but root may write: a confined program would write another name into it and execute, or read, that; so
// no other is even opened for reading, which a lease could delay. One that may be executed and not read is refused: what starts it is not
// known.
func (r *Ruleset) allowProgram(fd int, path string, trusted bool, k *kind) error {
	for n := 0; ; n++ {
		err := r.add(fd, path, execute)
		unix.Close(fd)
		if err != nil || n == maxInterpreters || !trusted && safefile.Script(path, safefile.RootOnly) != nil {
			return err
		}
		head, err := headOf(path)
		if err != nil {
			return err
		}
		next, last := loader(head), true
		k.narrow = k.narrow || bytes.HasPrefix(head, []byte("\x7fELF\x01"))
		k.musl = k.musl || strings.Contains(next, "musl")
		k.static = k.static && next == ""
		if next == "" {
			next, last = script(head), false
		}
		if next == "" {
			return nil
		}
		if fd, err = openStarter(next); err != nil {
			return fmt.Errorf("what starts it, %+q: %w", next, err)
		}
		r.starters = append(r.starters, next)
		if last {
			defer unix.Close(fd)
			return r.rule(fd, next, execute&onFiles)
		}
		path, trusted = next, false
	}
}

// openStarter opens an interpreter or a loader. Rights on a folder would be rights on all below it.
func openStarter(path string) (int, error) {
	fd, err := safefile.Open(path)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return -1, errors.Join(err, errors.New("is not a regular file"))
	}
	return fd, nil
}

// headOf reads the first bytes of a program.
func headOf(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	head := make([]byte, maxHead)
	n, err := unix.Pread(fd, head, 0)
	return head[:max(n, 0)], err
}

// script is the interpreter that stands behind #!; empty where there is none.
func script(head []byte) string {
	line, ok := bytes.CutPrefix(head, []byte("#!"))
	if !ok {
		return ""
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	words := strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' || r == '\t' }) // a \r is part of the name, as for the kernel
	if len(words) == 0 || !strings.HasPrefix(words[0], "/") {
		return ""
	}
	return words[0]
}

// loader is the path in the program header PT_INTERP of a 64-bit little-endian file, elf(5).
func loader(head []byte) string {
	const (
		headerSize, entrySize = 64, 56
		interp                = 3
	)
	if len(head) < headerSize || !bytes.HasPrefix(head, []byte("\x7fELF\x02\x01")) {
		return ""
	}
	at, count := binary.LittleEndian.Uint64(head[32:]), int(binary.LittleEndian.Uint16(head[56:]))
	if binary.LittleEndian.Uint16(head[54:]) != entrySize {
		return ""
	}
	for i := range count {
		start := at + uint64(i)*entrySize
		if start > uint64(len(head)-entrySize) {
			return ""
		}
		entry := head[start : start+entrySize]
		if binary.LittleEndian.Uint32(entry) != interp {
			continue
		}
		from, size := binary.LittleEndian.Uint64(entry[8:]), binary.LittleEndian.Uint64(entry[32:])
		if from > uint64(len(head)) || size > uint64(len(head))-from {
			return ""
		}
		return string(bytes.TrimRight(head[from:from+size], "\x00"))
	}
	return ""
}
