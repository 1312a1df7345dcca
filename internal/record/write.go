package record

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/safefile"
)

// Sink is where records go.
type Sink struct {
	File          *File  // nil: none
	Facility      int    // of syslog; -1: none
	Socket        string // of the syslog daemon
	Journal       bool
	JournalSocket string
}

// Write puts the entry into every place of the sink, and fails only if none took it. It waits for nothing but the disk, and at
// most sendTimeout for each daemon. The error names each place that failed, also where another took the record.
func (s Sink) Write(e *Entry) (written bool, err error) {
	line := e.Append(make([]byte, 0, 1024))
	var problems []error
	took := func(place string, err error) {
		written = written || err == nil
		if err != nil {
			problems = append(problems, fmt.Errorf("%s %w", place, err))
		}
	}
	if s.File != nil {
		took("log", s.File.append(line))
	}
	if s.Facility >= 0 {
		took("syslog", sendSyslog(s.Socket, s.Facility, e, line[:len(line)-1]))
	}
	if s.Journal {
		took("journal", sendJournal(s.JournalSocket, s.Facility, e, line[:len(line)-1]))
	}
	return written, errors.Join(problems...)
}

// File is the log, opened for appending. What kept it from being opened is what each record then fails with.
type File struct {
	path string
	fd   int
	err  error
}

// NoFile is a log that takes no record, for a reason.
func NoFile(why error) *File { return &File{fd: -1, err: why} }

const (
	// rotationWait is how long a missing log is waited for that only rotation can bring back, which renames the old one and then
	// makes the new one.
	rotationWait = 500 * time.Millisecond
	rotationPoll = 2 * time.Millisecond
)

// OpenFile opens the log and, unless it is shared with other accounts by way of a group, makes it if need be: one that the gate made
// for one account would keep the others out, and stand in logrotate's way.
func OpenFile(path string, shared bool) *File {
	f := &File{path: path}
	for waited := time.Duration(0); ; waited += rotationPoll {
		f.fd, f.err = safefile.Append(path, !shared)
		if !shared || waited >= rotationWait || !passing(f.err) {
			return f
		}
		pause := unix.NsecToTimespec(int64(rotationPoll))
		unix.Nanosleep(&pause, nil)
	}
}

// passing says whether an open failed in a way that the middle of a rotation explains: there is no log, or not yet the right mode.
func passing(err error) bool {
	var fault *safefile.Error
	return errors.As(err, &fault) && (fault.Fault == safefile.Missing || fault.Fault == safefile.Unreadable)
}

// append writes the line with one call, which the kernel keeps whole among other writers on a descriptor opened with O_APPEND,
// write(2). A part of a record may stand before it, where the disk was full or a gate was killed, or called with RLIMIT_FSIZE, in the
// middle of its own write: a line end before ours keeps that damage to itself. What was cut short between that look and our write shows
// afterwards, and the record is written once more.
func (f *File) append(line []byte) error {
	if f.err != nil {
		return f.err
	}
	apart := func() []byte { return append([]byte{'\n'}, line...) }
	written := line
	if safefile.Torn(f.fd) {
		written = apart()
	}
	err := f.write(written)
	if err == nil && safefile.Glued(f.fd, len(written)) {
		err = f.write(apart())
	}
	if err != nil {
		return fmt.Errorf("%q: %w", f.path, err)
	}
	return nil
}

func (f *File) write(line []byte) error {
	for {
		n, err := unix.Write(f.fd, line)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n < len(line):
			return errors.New("the record was cut short") // by how much would tell others how long the log is
		}
		break
	}
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err == nil && st.Nlink == 0 {
		return errors.New("was removed before the record was written, which is lost")
	}
	return nil
}
