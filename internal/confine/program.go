package confine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
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
	for _, path := range append([]string{d.Program}, d.Execute...) {
		for n := 0; path != "" && n < maxInterpreters; n++ {
			head, err := r.allowProgram(path)
			if err != nil {
				return k, err
			}
			loader := loader(head)
			k.narrow = k.narrow || bytes.HasPrefix(head, []byte("\x7fELF\x01"))
			k.musl = k.musl || strings.Contains(loader, "musl")
			if loader != "" {
				k.static = false
				if err := r.allow(loader, execute); err != nil {
					return k, err
				}
				break
			}
			path = script(head)
		}
	}
	k.static = k.static && !k.narrow
	return k, nil
}

// allowProgram returns the first bytes of the program. One that may be executed and not read is refused: what starts it is not known.
func (r *Ruleset) allowProgram(path string) (head []byte, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%+q: %w", path, err)
	}
	defer unix.Close(fd)
	if err := r.add(fd, path, execute); err != nil {
		return nil, err
	}
	head = make([]byte, maxHead)
	n, err := unix.Pread(fd, head, 0)
	if err != nil {
		return nil, nil // a folder
	}
	return head[:n], nil
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
