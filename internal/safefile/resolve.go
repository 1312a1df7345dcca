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
// The answer is true at the time of the look only: whoever may write in these folders can change it.
func Resolve(path string) (string, error) {
	if len(path) > maxPath || !strings.HasPrefix(path, "/") || strings.IndexByte(path, 0) >= 0 {
		return "", fmt.Errorf("%+q is not an absolute path without NUL of at most %d bytes", path, maxPath)
	}
	var (
		at      = "/"
		rest    = split(path)
		links   int
		missing bool
	)
	for steps := 0; len(rest) > 0; steps++ {
		if steps > maxSteps {
			return "", fmt.Errorf("%+q: %w", path, unix.ELOOP)
		}
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			if missing {
				return "", fmt.Errorf("%+q: %w", path, unix.ENOENT)
			}
			if _, err := readlink(unix.AT_FDCWD, join(at, ".")); !errors.Is(err, unix.EINVAL) {
				return "", fmt.Errorf("%+q: %w", path, err) // ENOTDIR: only a folder has a parent to go to
			}
			at = parent(at)
			continue
		}
		next := join(at, name)
		if missing {
			at = next
			continue
		}
		target, err := readlink(unix.AT_FDCWD, next)
		switch {
		case err == nil:
			if links++; links > maxLinks {
				return "", fmt.Errorf("%+q: %w", path, unix.ELOOP)
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
			return "", fmt.Errorf("%+q: %w", path, err)
		}
		at = next
	}
	return at, nil
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
