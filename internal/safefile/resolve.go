package safefile

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Resolve follows the links of an absolute path and returns where it leads: without links, ".", ".." or empty components.
// From the first component that does not exist on, the rest counts as written; a dangling link counts as its target. What
// cannot be looked at is an error, and so is "..", after a component that does not exist, which the kernel would not pass.
//
// walked is how many components the kernel was asked about: each look walks from / again, so deep folders, and links that lead into them,
// count for what they cost.
//
// The answer is true at the time of the look only: whoever may write in these folders can change it.
func Resolve(path string) (real string, walked int, err error) {
	return resolve(path, func(string) error { return nil })
}

// Open opens what a path of the administrator's leads to, as a place only, O_PATH in open(2). A link on the way is followed only where root alone can have put it: every
// folder from / to the one that holds it is root's, and nobody else may write it. Elsewhere whoever may write the folder, a permitted
// program for one, would choose what the path means. Behind the last such folder no link is followed, also none that comes in meanwhile.
func Open(path string) (fd int, err error) {
	if fd, err = openPlain(path); !errors.Is(err, unix.ELOOP) {
		return fd, err
	}
	real, _, err := resolve(path, rootsAlone)
	if err != nil {
		return -1, err
	}
	return openPlain(real)
}

// openPlain opens a path without any link in it, openat2(2).
func openPlain(path string) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	for {
		fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// rootsAlone says why others than root can change what lies in a folder: each folder from / on is judged where only root can swap it.
func rootsAlone(folder string) error {
	for at, rest := "/", split(folder); ; {
		var st unix.Stat_t
		if err := unix.Lstat(at, &st); err != nil {
			return lookFault(at, err)
		}
		if fault := judge(&st, at, RootOnly); fault != nil {
			return fault
		}
		if len(rest) == 0 {
			return nil
		}
		at, rest = join(at, rest[0]), rest[1:]
	}
}

// resolve asks about the folder of each link before it follows it.
func resolve(path string, trusted func(folder string) error) (real string, walked int, err error) {
	if len(path) > maxPath || !strings.HasPrefix(path, "/") || strings.IndexByte(path, 0) >= 0 {
		return "", walked, fmt.Errorf("%+q is not an absolute path without NUL of at most %d bytes", path, maxPath)
	}
	var (
		at      = "/"
		rest    = split(path)
		links   int
		missing bool
	)
	for steps := 0; len(rest) > 0; steps++ {
		if steps > maxSteps {
			return "", walked, fmt.Errorf("%+q: %w", path, unix.ELOOP)
		}
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			if missing {
				return "", walked, fmt.Errorf("%+q: %w", path, unix.ENOENT)
			}
			walked += strings.Count(at, "/") + 1
			if _, err := readlink(unix.AT_FDCWD, join(at, ".")); !errors.Is(err, unix.EINVAL) {
				return "", walked, fmt.Errorf("%+q: %w", path, err) // ENOTDIR: only a folder has a parent to go to
			}
			at = parent(at)
			continue
		}
		next := join(at, name)
		if missing {
			at = next
			continue
		}
		walked += strings.Count(next, "/")
		target, err := readlink(unix.AT_FDCWD, next)
		switch {
		case err == nil:
			if links++; links > maxLinks {
				return "", walked, fmt.Errorf("%+q: %w", path, unix.ELOOP)
			}
			if err := trusted(at); err != nil {
				return "", walked, &Error{Unsafe, next, fmt.Sprintf("is a link that others than root can have made (%v)", err),
					fmt.Sprintf("name where it leads in its place: readlink -f %+q", next)}
			}
			if strings.HasPrefix(target, "/") {
				at = "/"
			}
			rest = append(split(target), rest...)
			continue
		case errors.Is(err, unix.EINVAL): // it exists and is no link, readlink(2)
		case errors.Is(err, unix.ENOENT):
			missing = true
		default:
			return "", walked, fmt.Errorf("%+q: %w", path, err)
		}
		at = next
	}
	return at, walked, nil
}

// Lookup returns the path of the program that a name stands for: in the first of these folders that holds an executable regular
// file of that name, links followed.
func Lookup(name string, folders []string) (string, bool) {
	for _, dir := range folders {
		path := join(dir, name)
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Mode&0o111 != 0 {
			return path, true
		}
	}
	return "", false
}

func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}
