package safefile

import (
	"errors"

	"golang.org/x/sys/unix"
)

// logMode is what a log is created with when there is none: its owner writes it, its group reads it.
const logMode = 0o640

// Append opens a log for appending and, if asked to, creates it if need be, never its folder. It does not follow a link in the last
// component, and does not wait on a FIFO. The descriptor is close-on-exec, and the caller closes it.
func Append(path string, create bool) (fd int, err error) {
	if len(path) > maxPath || len(path) == 0 || path[0] != '/' {
		return -1, &Error{Unsafe, path, "is not an absolute path of at most 4096 bytes", ""}
	}
	const flags = unix.O_APPEND | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err = openat(unix.AT_FDCWD, path, flags|unix.O_RDWR)
	if errors.Is(err, unix.EACCES) {
		fd, err = openat(unix.AT_FDCWD, path, flags|unix.O_WRONLY)
	}
	if create && errors.Is(err, unix.ENOENT) {
		fd, err = openatMode(unix.AT_FDCWD, path, flags|unix.O_CREAT|unix.O_RDWR, logMode)
		if errors.Is(err, unix.EACCES) {
			return -1, &Error{Missing, path, "does not exist, and this user may not make it", ""}
		}
	}
	switch {
	case errors.Is(err, unix.ENXIO): // a FIFO that nobody reads, or a socket
		return -1, &Error{Unsafe, path, "is a FIFO or a socket, not a regular file", ""}
	case err != nil:
		return -1, lookFault(path, err)
	}
	var st unix.Stat_t
	if err := fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, lookFault(path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return -1, &Error{Unsafe, path, "is " + kind(st.Mode) + ", not a regular file", ""}
	}
	return fd, nil
}

// Torn says whether a log ends within a line that nobody is writing, which can be seen only where this user may read it.
func Torn(fd int) bool {
	var st unix.Stat_t
	if fstat(fd, &st) != nil || endsLine(fd, st.Size) {
		return false
	}
	size := st.Size
	// Another gate may be in the middle of its write, which the size shows before it is whole. A write, even of nothing, waits for
	// the lock that such a write holds; if the file is no longer then and still ends so, the write is over.
	unix.Write(fd, nil)
	return fstat(fd, &st) == nil && st.Size == size && !endsLine(fd, size)
}

// Glued says whether what was just written to a log, n bytes, did not begin a line: what stands before it was cut short in between. The
// descriptor is this process's alone, so its offset is the end of its own last write, open(2) on O_APPEND.
func Glued(fd, n int) bool {
	end, err := unix.Seek(fd, 0, unix.SEEK_CUR)
	return err == nil && end > int64(n) && !endsLine(fd, end-int64(n))
}

func endsLine(fd int, size int64) bool {
	var last [1]byte
	n, err := unix.Pread(fd, last[:], size-1)
	return err != nil || n != 1 || last[0] == '\n'
}
