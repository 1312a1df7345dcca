// Package safefile opens a file only if its owner, its mode and every folder on the way to it are trustworthy; nothing else in
// the gate opens a policy, a configuration or a log, or judges a program.
package safefile

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Owner is the user id that may own and write what is judged, beside root. RootOnly trusts root alone.
type Owner int

// RootOnly is the Owner that stands for nobody but root.
const RootOnly Owner = 0

// Fault says what kind of thing is wrong, for the caller's choice of a reason code.
type Fault int

const (
	Missing    Fault = iota + 1 // there is no such file
	Unsafe                      // somebody else may write it, or it is no regular file
	Unreadable                  // it may be fine, but this user cannot look at it, or reading failed
	TooLarge                    // more bytes than the caller takes
	Astray                      // the way ends: a link leads to nothing, or a file stands where a folder should
	Exists                      // Create never replaces
)

// Error is what is wrong with a path, and what to type about it.
type Error struct {
	Fault   Fault
	Path    string // the file or folder that is at fault, which may be a folder above the one asked for
	Problem string
	Hint    string // a command or a sentence; may be empty
}

// UserName is how messages name a user: by his number, unless who asks for more sets it.
var UserName = func(uid uint32) string { return strconv.FormatUint(uint64(uid), 10) }

const notRegularHint = "name a regular file, or put one in its place"

func (e *Error) Error() string { return fmt.Sprintf("%+q %s", e.Path, e.Problem) }

// Read returns the content of a regular file of at most max bytes which nobody but root, or owner, can have written: not the
// file, not a folder above it, not a link on the way. All is judged on opened descriptors, so what is judged is what is read.
// own says that it was owner, not root alone, who could.
func Read(path string, max int64, owner Owner) (data []byte, own bool, err error) {
	at, err := reach(path, owner)
	if err != nil {
		return nil, false, err
	}
	defer at.close()
	// O_NONBLOCK: opening a FIFO would wait for a writer. O_NOFOLLOW: links were followed, and judged, on the way here.
	fd, err := openat(at.dir, at.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC)
	if err != nil {
		return nil, false, lookFault(at.path, err)
	}
	defer unix.Close(fd)
	st, fault := judgeFile(fd, at.path, owner)
	if fault != nil {
		return nil, false, fault
	}
	if st.Size > max {
		return nil, false, &Error{TooLarge, at.path, fmt.Sprintf("is %d bytes long, more than the %d that are read", st.Size, max), ""}
	}
	data, err = readAll(fd, int(st.Size), max)
	if err != nil {
		return nil, false, &Error{Unreadable, at.path, "cannot be read: " + err.Error(), ""}
	}
	if int64(len(data)) > max {
		return nil, false, &Error{TooLarge, at.path, fmt.Sprintf("grew beyond %d bytes while it was read", max), ""}
	}
	return data, at.own || st.Uid != 0, nil
}

// Program judges the file that path leads to by the same rules as Read, and that it is executable by somebody; path itself is
// what is executed, links and all, because the name that a program is called by may decide what it does (busybox).
func Program(path string, owner Owner) error {
	real, mode, err := inspect(path, owner)
	if err == nil && mode&0o111 == 0 {
		err = &Error{Unsafe, real, "is not executable", fmt.Sprintf("chmod 755 %+q", real)}
	}
	return err
}

// Script is Program for a file that a program reads as code, which need not be executable.
func Script(path string, owner Owner) error {
	_, _, err := inspect(path, owner)
	return err
}

func inspect(path string, owner Owner) (real string, mode uint32, err error) {
	at, err := reach(path, owner)
	if err != nil {
		return "", 0, err
	}
	defer at.close()
	fd, err := openat(at.dir, at.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err != nil {
		return "", 0, lookFault(at.path, err)
	}
	defer unix.Close(fd)
	st, err := judgeFile(fd, at.path, owner)
	return at.path, st.Mode, err
}

// judgeFile says whether an opened descriptor is a regular file that only root, or owner, may write.
func judgeFile(fd int, path string, owner Owner) (unix.Stat_t, error) {
	var st unix.Stat_t
	if err := fstat(fd, &st); err != nil {
		return st, lookFault(path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return st, &Error{Unsafe, path, "is " + kind(st.Mode) + ", not a regular file", notRegularHint}
	}
	return st, judge(&st, path, owner)
}

// judge holds the rule itself, for files and folders: owned by root or owner, written by nobody else. An access control list
// that lets others write shows in the group bits (acl(5)), so it is caught as well. No exception for sticky folders: in /tmp
// anybody can put a file where none stands yet.
func judge(st *unix.Stat_t, path string, owner Owner) error {
	if st.Uid != 0 && st.Uid != uint32(owner) {
		return &Error{Unsafe, path, "is owned by user " + UserName(st.Uid), fmt.Sprintf("chown root %+q", path)}
	}
	if st.Mode&0o022 != 0 {
		return &Error{Unsafe, path, fmt.Sprintf("may be written by others (mode %04o)", st.Mode&0o7777), closeHint(st.Mode, path)}
	}
	return nil
}

func readAll(fd, size int, max int64) ([]byte, error) {
	buf := make([]byte, 0, size+512)
	for int64(len(buf)) <= max {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return buf, err
		}
		buf = buf[:len(buf)+n]
	}
	return buf, nil
}

// lookFault turns the error of a look at path into an Error.
func lookFault(path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return &Error{Missing, path, "does not exist", ""}
	case errors.Is(err, unix.ENOTDIR):
		return &Error{Astray, path, "lies below a file", ""}
	case errors.Is(err, unix.ELOOP):
		return &Error{Unsafe, path, "is a link, or leads through too many links", ""}
	}
	return &Error{Unreadable, path, "cannot be looked at: " + err.Error(), ""}
}

func kind(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "a folder"
	case unix.S_IFIFO:
		return "a FIFO"
	case unix.S_IFSOCK:
		return "a socket"
	case unix.S_IFLNK:
		return "a link"
	case unix.S_IFREG:
		return "a file"
	}
	return "a device"
}

// Both calls are repeated when a signal interrupts them, as the os package does it.
func openat(dir int, name string, flags int) (int, error) {
	return openatMode(dir, name, flags, 0)
}

func openatMode(dir int, name string, flags int, mode os.FileMode) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags, uint32(mode.Perm()))
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

func fstat(fd int, st *unix.Stat_t) error {
	for {
		if err := unix.Fstat(fd, st); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// closeHint never tells to close a folder that is open to all on purpose, such as /tmp.
func closeHint(mode uint32, path string) string {
	if mode&unix.S_ISVTX != 0 && path != "/" {
		return fmt.Sprintf("move the file to a folder that root alone may write; %+q is open to all on purpose", path)
	}
	return fmt.Sprintf("chmod go-w %+q", path)
}
