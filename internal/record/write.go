package record

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/safefile"
)

// Sink is where records go.
type Sink struct {
	File     string // empty: none
	Facility int    // of syslog; -1: none
	Socket   string // of the syslog daemon
}

// Write puts the entry into every place of the sink, and fails only if none took it. It waits for nothing but the disk, and at
// most sendTimeout for the syslog daemon. The error names each place that failed, also where another took the record.
func (s Sink) Write(e *Entry) (written bool, err error) {
	line := e.Append(make([]byte, 0, 1024))
	var problems []error
	if s.File != "" {
		if err := appendLine(s.File, line); err != nil {
			problems = append(problems, fmt.Errorf("log %w", err))
		} else {
			written = true
		}
	}
	if s.Facility >= 0 {
		if err := sendSyslog(s.Socket, s.Facility, e, line[:len(line)-1]); err != nil {
			problems = append(problems, fmt.Errorf("syslog %w", err))
		} else {
			written = true
		}
	}
	return written, errors.Join(problems...)
}

// appendLine writes the line with one call, which the kernel keeps whole among other writers on a descriptor opened with
// O_APPEND, write(2). Where the disk was full a part of a record may stand at the end of the file: a line end before ours then
// keeps that damage to itself.
func appendLine(path string, line []byte) error {
	fd, torn, err := safefile.Append(path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if torn {
		line = append([]byte{'\n'}, line...)
	}
	for {
		n, err := unix.Write(fd, line)
		switch {
		case n == len(line):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case err == nil:
			return fmt.Errorf("%q: only %d of %d bytes were written", path, n, len(line))
		}
		return fmt.Errorf("%q: %w", path, err)
	}
}
