package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxPath is PATH_MAX: no call of the kernel takes a longer path, in bytes.
const maxPath = 4096

// subtree is { path = "/srv/backup" }.
type subtree struct {
	root   string // absolute, clean: joined with the rule's cwd where it was relative
	shown  string // as the policy has it
	dir    string // the rule's cwd, which relative values are relative to; empty: none may be
	itself bool   // the root itself is a value
	links  bool   // links are followed and judged
	access Access
}

func (t *subtree) Accepts(v string) bool {
	abs, ok := t.absolute(v)
	return ok && below(abs, t.root, t.itself)
}

// absolute checks the spelling of a value, and joins a relative one with the rule's folder.
func (t *subtree) absolute(v string) (string, bool) {
	if v == "/" {
		return v, true
	}
	v = strings.TrimSuffix(v, "/")
	if len(v) > maxPath || !plainComponents(strings.TrimPrefix(v, "/")) {
		return "", false
	}
	if v[0] == '/' {
		return v, true
	}
	if first, _, _ := strings.Cut(v, "/"); t.dir == "" || strings.Contains(first, ":") {
		return "", false // rsync, scp and tar take host:path for a place on another host
	}
	return joinPath(t.dir, v), true
}

func (t *subtree) Steps(v string) int {
	if len(v) > maxPath+1 {
		return 0
	}
	return len(v)
}

func (t *subtree) Lies(v string, files Files) (Place, error) {
	if !t.links {
		return Place{}, nil
	}
	abs, ok := t.absolute(v)
	if !ok {
		return Place{}, errors.New("is no plain path")
	}
	root, _, err := files.Resolve(t.root)
	if err != nil {
		return Place{}, fmt.Errorf("cannot be judged: %w", err)
	}
	real, _, err := files.Resolve(abs)
	if err != nil {
		return Place{}, fmt.Errorf("cannot be judged: %w", err)
	}
	if !below(real, root, t.itself) {
		return Place{}, fmt.Errorf("leads to %s, which is not below %s", strconv.QuoteToASCII(real), strconv.QuoteToASCII(root))
	}
	return Place{Path: real, Root: t.root, Below: strings.TrimPrefix(strings.TrimPrefix(real, root), "/"), Access: t.access}, nil
}

func (t *subtree) Guarded() bool { return true }
func (t *subtree) String() string {
	if !t.itself {
		return "a path below " + strconv.QuoteToASCII(t.shown)
	}
	return strconv.QuoteToASCII(t.shown) + " or a path below it"
}
func (t *subtree) Words() string {
	if !t.itself {
		return "below " + t.shown
	}
	return t.shown + " or below"
}
func (t *subtree) Value() any { return map[string]any{"path": t.shown, "itself": t.itself} }

// below compares by components: /srv/backup2 is not below /srv/backup.
func below(path, root string, itself bool) bool {
	if path == root {
		return itself
	}
	if root == "/" {
		return strings.HasPrefix(path, "/")
	}
	return strings.HasPrefix(path, root+"/")
}

// plainComponents says whether no component of a path without its leading slash is empty, "." or "..".
func plainComponents(path string) bool {
	for {
		component, rest, more := strings.Cut(path, "/")
		if component == "" || component == "." || component == ".." {
			return false
		}
		if !more {
			return true
		}
		path = rest
	}
}

func joinPath(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// glob is { glob = "/var/log/app/*.log" }.
type glob struct{ pattern string }

func (t *glob) Accepts(v string) bool { return globMatch(t.pattern, v) }

// Steps: behind a star each byte may be compared with each of the pattern's.
func (t *glob) Steps(v string) int {
	if len(v) > maxPath {
		return 0
	}
	return len(v) * len(t.pattern)
}

// Lies resolves the value, and of the pattern the folders before its first special character, so that a pattern below a link
// such as /var/run still matches.
func (t *glob) Lies(v string, files Files) (Place, error) {
	real, _, err := files.Resolve(v)
	if err != nil {
		return Place{}, fmt.Errorf("cannot be judged: %w", err)
	}
	fixed := t.pattern
	if special := strings.IndexAny(fixed, "*?"); special >= 0 {
		fixed = fixed[:special]
	}
	slash := strings.LastIndexByte(fixed, '/')
	dir := "/"
	if slash > 0 {
		if dir, _, err = files.Resolve(fixed[:slash]); err != nil {
			return Place{}, fmt.Errorf("cannot be judged: %w", err)
		}
	}
	if globMatch(joinPath(globEscape(dir), t.pattern[slash+1:]), real) || globMatch(t.pattern, real) {
		return Place{}, nil
	}
	return Place{}, fmt.Errorf("leads to %s, which does not match %s", strconv.QuoteToASCII(real), strconv.QuoteToASCII(t.pattern))
}

func (t *glob) Guarded() bool { return true }
func (t *glob) String() string {
	return "a path that matches " + strconv.QuoteToASCII(t.pattern)
}
func (t *glob) Words() string { return t.pattern }
func (t *glob) Value() any    { return map[string]any{"glob": t.pattern} }

// globEscape keeps a resolved folder that has a special character in its name from widening the pattern: such a folder gives a
// pattern that matches nothing.
func globEscape(dir string) string {
	if strings.ContainsAny(dir, "*?") {
		return "/\x00"
	}
	return dir
}

// globMatch compares component by component.
func globMatch(pattern, path string) bool {
	if len(path) > maxPath || !strings.HasPrefix(path, "/") || !plainComponents(path[1:]) {
		return false
	}
	want, got := strings.Split(pattern[1:], "/"), strings.Split(path[1:], "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if got[i][0] == '.' && !strings.HasPrefix(want[i], ".") || !wildcard([]rune(want[i]), []rune(got[i])) {
			return false
		}
	}
	return true
}

// wildcard matches * and ? within one component. On a mismatch only the last * is tried again, one character further, which is
// enough and keeps the cost at pattern times text.
func wildcard(pattern, text []rune) bool {
	var p, t int
	star, resume := -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			resume++
			p, t = star+1, resume
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
