package safefile

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Create makes a new file that Read would trust: every folder on the way is judged as Read judges it. It never replaces a file, a link
// or anything else of that name, and nobody sees half of it.
func Create(path string, data []byte, mode uint32, owner Owner) error {
	dir, name, err := reachNew(path, owner)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	err = CreateAt(dir, name, data, mode)
	if errors.Is(err, unix.EEXIST) {
		return existing(path)
	}
	return err
}

func existing(path string) error { return &Error{Exists, path, "exists already", ""} }

// reachNew walks to the folder of a file that does not exist yet.
func reachNew(path string, owner Owner) (dir int, name string, err error) {
	if len(path) > maxPath || !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
		return -1, "", &Error{Unsafe, path, "is not an absolute path of a file, of at most 4096 bytes", ""}
	}
	root, err := openat(unix.AT_FDCWD, "/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return -1, "", lookFault("/", err)
	}
	w := walker{owner: owner, stack: []folder{{fd: root, path: "/"}}, rest: split(path)}
	_, err = w.run()
	var fault *Error
	if err == nil {
		w.closeFrom(0)
		return -1, "", existing(path)
	}
	if !errors.As(err, &fault) || fault.Fault != Missing || len(w.rest) > 0 {
		w.closeFrom(0)
		return -1, "", err
	}
	top := len(w.stack) - 1
	at := w.stack[top]
	w.stack = w.stack[:top]
	w.closeFrom(0)
	return at.fd, strings.TrimPrefix(strings.TrimPrefix(fault.Path, at.path), "/"), nil
}

// CreateAt makes a file in an open folder: beside its place, and then linked into it, which fails where something stands there.
func CreateAt(dir int, name string, data []byte, mode uint32) error {
	beside, err := writeBeside(dir, name, data, mode)
	if err != nil {
		return err
	}
	return errors.Join(unix.Linkat(dir, beside, dir, name, 0), unix.Unlinkat(dir, beside, 0), syncFolder(dir))
}

// ReplaceAt writes a file beside its place in an open folder and renames it there. ready is asked just before; its error leaves all as
// it was.
func ReplaceAt(dir int, name string, data []byte, mode uint32, ready func() error) error {
	beside, err := writeBeside(dir, name, data, mode)
	if err != nil {
		return err
	}
	if err = ready(); err == nil {
		err = unix.Renameat(dir, beside, dir, name)
	}
	if err != nil {
		return errors.Join(err, unix.Unlinkat(dir, beside, 0))
	}
	return syncFolder(dir)
}

// writeBeside writes data to a new file that is on the disk when it returns, under a name that no policy has and that sshd does not read.
func writeBeside(dir int, name string, data []byte, mode uint32) (beside string, err error) {
	beside = fmt.Sprintf(".%s.%d", name, unix.Getpid())
	const flags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := openatMode(dir, beside, flags, 0o600)
	if err != nil {
		return "", err
	}
	for err == nil && len(data) > 0 {
		var n int
		if n, err = unix.Write(fd, data); errors.Is(err, unix.EINTR) {
			n, err = 0, nil
		}
		data = data[max(n, 0):]
	}
	if err == nil {
		err = unix.Fchmod(fd, mode) // whatever the umask
	}
	if err == nil {
		err = unix.Fsync(fd)
	}
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return "", errors.Join(err, unix.Unlinkat(dir, beside, 0))
	}
	return beside, nil
}

// syncFolder brings a new name to the disk. File systems that cannot sync a folder say so, and need it not.
func syncFolder(dir int) error {
	fd, err := openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fsync(fd); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}
