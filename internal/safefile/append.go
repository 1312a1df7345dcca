package safefile

import (
	"errors"

	"golang.org/x/sys/unix"
)

// logMode is what a log is created with when there is none: its owner writes it, its group reads it.
const logMode = 0o640

// Append opens a log for appending and creates it if need be, never its folder. It does not follow a link in the last
// component, and does not wait on a FIFO. The descriptor is close-on-exec, and the caller closes it.
func Append(path string) (int, error) {
	if len(path) > maxPath || len(path) == 0 || path[0] != '/' {
		return -1, &Error{Unsafe, path, "is not an absolute path of at most 4096 bytes", ""}
	}
	const flags = unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := openatMode(unix.AT_FDCWD, path, flags, logMode)
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
