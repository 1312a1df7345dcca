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

// allowPrograms gives the right to execute the program and what the kernel starts in its place: the interpreter behind #!, and the
// loader that an ELF file names. So it is for each file of Execute.
func (r *Ruleset) allowPrograms(d *Domain) error {
	for _, path := range append([]string{d.Program}, d.Execute...) {
		for n := 0; path != "" && n < maxInterpreters; n++ {
			next, err := r.allowProgram(path)
			if err != nil {
				return err
			}
			path = next
		}
	}
	return nil
}

// allowProgram returns what starts the program.
func (r *Ruleset) allowProgram(path string) (starter string, err error) {
	if err := r.allow(path, execute); err != nil {
		return "", err
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil { // one that may be executed and not read as well: what starts it is not known
		return "", fmt.Errorf("%+q: %w", path, err)
	}
	defer unix.Close(fd)
	head := make([]byte, maxHead)
	n, err := unix.Pread(fd, head, 0)
	if err != nil {
		return "", nil // a folder
	}
	return interpreter(head[:n]), nil
}

// interpreter reads what starts a program from its first bytes; empty where nothing does.
func interpreter(head []byte) string {
	if line, script := bytes.CutPrefix(head, []byte("#!")); script {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		words := strings.Fields(string(line))
		if len(words) == 0 || !strings.HasPrefix(words[0], "/") {
			return ""
		}
		return words[0]
	}
	return loader(head)
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
