package safefile

import (
	"strings"

	"golang.org/x/sys/unix"
)

const (
	maxSteps = 512  // components that are looked at on the way of one path, links included
	maxLinks = 40   // as many as the kernel follows, path_resolution(7)
	maxPath  = 4096 // PATH_MAX, in bytes
)

// place is a folder that was judged, and the name in it that the walk ended at: no link, but otherwise not yet judged.
type place struct {
	dir  int // an O_PATH descriptor
	name string
	path string // for people: the same place with the links resolved
	own  bool   // somebody else than root owns a folder on the way to it
}

func (p *place) close() { unix.Close(p.dir) }

// reach walks from / to the last component of path by hand, one openat a component, so that each folder and the folder of
// each link is judged as it was opened. openat2 with RESOLVE_NO_SYMLINKS would refuse /bin where it is a link to /usr/bin.
func reach(path string, owner Owner) (*place, error) {
	if len(path) > maxPath || !strings.HasPrefix(path, "/") {
		return nil, &Error{Unsafe, path, "is not an absolute path of at most 4096 bytes", ""}
	}
	root, err := openat(unix.AT_FDCWD, "/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return nil, lookFault("/", err)
	}
	w := walker{owner: owner, stack: []folder{{fd: root, path: "/"}}, rest: split(path)}
	at, err := w.run()
	if err != nil {
		w.closeFrom(0)
		return nil, err
	}
	top := len(w.stack) - 1
	dir := w.stack[top].fd
	w.stack = w.stack[:top]
	w.closeFrom(0)
	at.dir, at.own = dir, w.own
	return at, nil
}

type folder struct {
	fd   int
	path string
}

// walker keeps every folder on the way open, so that ".." in a link's target means the folder that was judged.
type walker struct {
	owner Owner
	stack []folder
	rest  []string
	links int
	steps int

	target int  // how many of the first in rest come from a link; below 0: the last one taken did not
	own    bool // somebody else than root owns a folder or link on the way
}

func (w *walker) run() (*place, error) {
	if err := w.judgeTop(); err != nil {
		return nil, err
	}
	for {
		if len(w.rest) == 0 {
			return nil, &Error{Unsafe, w.top().path, "is a folder, not a regular file", notRegularHint}
		}
		if w.steps++; w.steps > maxSteps {
			return nil, lookFault(w.top().path, unix.ELOOP)
		}
		name := w.rest[0]
		w.rest, w.target = w.rest[1:], w.target-1
		if name == ".." {
			if len(w.stack) > 1 {
				w.closeFrom(len(w.stack) - 1)
			}
			continue
		}
		at, err := w.step(name)
		if at != nil || err != nil {
			return at, err
		}
	}
}

// step goes one component on: into a folder, through a link, or, for the last one, to the end.
func (w *walker) step(name string) (*place, error) {
	top := w.top()
	path := join(top.path, name)
	fd, err := openat(top.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err == unix.ENOENT && w.target >= 0 {
		return nil, &Error{Astray, path, "does not exist, and a link leads there", ""}
	}
	if err != nil {
		return nil, lookFault(path, err)
	}
	var st unix.Stat_t
	if err := fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, lookFault(path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		defer unix.Close(fd)
		return nil, w.follow(fd, path)
	case len(w.rest) == 0:
		unix.Close(fd)
		if st.Mode&unix.S_IFMT != unix.S_IFREG {
			// Before it is opened for reading: opening a device can do something.
			return nil, &Error{Unsafe, path, "is " + kind(st.Mode) + ", not a regular file", notRegularHint}
		}
		return &place{name: name, path: path}, nil
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		unix.Close(fd)
		return nil, &Error{Astray, path, "is not a folder", ""}
	}
	w.stack = append(w.stack, folder{fd, path})
	w.own = w.own || st.Uid != 0
	return nil, judge(&st, path, w.owner)
}

func (w *walker) follow(fd int, path string) error {
	if w.links++; w.links > maxLinks {
		return lookFault(path, unix.ELOOP)
	}
	target, err := readlink(fd, "")
	if err != nil {
		return lookFault(path, err)
	}
	if strings.HasPrefix(target, "/") {
		w.closeFrom(1)
	}
	parts := split(target)
	w.rest, w.target = append(parts, w.rest...), max(w.target, 0)+len(parts)
	return nil
}

func (w *walker) judgeTop() error {
	var st unix.Stat_t
	if err := fstat(w.top().fd, &st); err != nil {
		return lookFault(w.top().path, err)
	}
	return judge(&st, w.top().path, w.owner)
}

func (w *walker) top() folder { return w.stack[len(w.stack)-1] }

func (w *walker) closeFrom(n int) {
	for _, f := range w.stack[n:] {
		unix.Close(f.fd)
	}
	w.stack = w.stack[:n]
}

// split gives the components of a path without the empty ones and those that are ".".
func split(path string) []string {
	parts := strings.Split(path, "/")
	kept := parts[:0]
	for _, p := range parts {
		if p != "" && p != "." {
			kept = append(kept, p)
		}
	}
	return kept
}

func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// readlink reads a link's target. Most are short, and a buffer of PATH_MAX on the stack would make every login grow its stack.
func readlink(dir int, name string) (string, error) {
	for size := 256; ; size = maxPath {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(dir, name, buf)
		switch {
		case err != nil:
			return "", err
		case n < size:
			return string(buf[:n]), nil
		case size == maxPath:
			return "", unix.ENAMETOOLONG
		}
	}
}
