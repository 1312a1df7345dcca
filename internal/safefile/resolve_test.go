package safefile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestResolve(t *testing.T) {
	tr := newTree(t)
	tr.file("a/b/file", "x", 0o644)
	tr.folder("other/sub")
	tr.link("link", "a/b")
	tr.link("absolute", tr.path("a/b/file"))
	tr.link("up", "../"+filepath.Base(tr.dir)+"/a/../a")
	tr.link("a/leap", "../other/sub")
	tr.link("dangling", "nowhere/at/all")
	tr.link("outside", "/nonexistent/x")
	tr.link("twice", "dangling")
	for path, want := range map[string]string{
		"a/b/file":           "a/b/file",
		"a//b/./file":        "a/b/file",
		"a/b/file/":          "a/b/file",
		"a/../a/b":           "a/b",
		"link":               "a/b",
		"link/file":          "a/b/file",
		"link/../b/file":     "a/b/file",
		"absolute":           "a/b/file",
		"up/b/file":          "a/b/file",
		"a/leap/..":          "other", // and not a
		"a/leap/../sub":      "other/sub",
		"nothing":            "nothing",
		"nothing/at/all":     "nothing/at/all",
		"link/nothing":       "a/b/nothing",
		"link/nothing/x":     "a/b/nothing/x",
		"a/leap/../nothing":  "other/nothing",
		"dangling":           "nowhere/at/all",
		"dangling/x":         "nowhere/at/all/x",
		"twice/x":            "nowhere/at/all/x",
		"nothing/./x//y/":    "nothing/x/y",
		"nothing\x1b/\xff\n": "nothing\x1b/\xff\n",
	} {
		if got, _, err := Resolve(tr.dir + "/" + path); err != nil || got != tr.path(want) {
			t.Errorf("%q: %q, %v; want %q", path, got, err, tr.path(want))
		}
	}
	for path, want := range map[string]string{
		"/": "/", "//": "/", "/..": "/", "/../../": "/", "/./.": "/", "/nonexistent": "/nonexistent", "/../nonexistent/x": "/nonexistent/x", tr.path("outside"): "/nonexistent/x",
		"/" + strings.Repeat("/", 4094) + "x": "/x",
	} {
		if got, _, err := Resolve(path); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", path, got, err, want)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	tr := newTree(t)
	file := tr.file("file", "x", 0o644)
	tr.link("loop", "loop")
	tr.link("ping", "pong/x")
	tr.link("pong", "ping/x")
	tr.link("dangling", "nowhere/at/all")
	for path, want := range map[string]error{
		tr.dir + "/nothing/../file":                    unix.ENOENT,
		tr.path("dangling") + "/../x":                  unix.ENOENT,
		tr.dir + "/nothing/..":                         unix.ENOENT,
		file + "/x":                                    unix.ENOTDIR,
		tr.path("loop"):                                unix.ELOOP,
		tr.path("loop/x"):                              unix.ELOOP,
		tr.path("ping"):                                unix.ELOOP,
		tr.path(strings.Repeat("n", 256)):              unix.ENAMETOOLONG,
		tr.chain(41, file):                             unix.ELOOP,
		tr.dir + "/file/x/..":                          unix.ENOTDIR,
		tr.dir + strings.Repeat("/nothing", 9) + "/..": unix.ENOENT,
	} {
		if got, _, err := Resolve(path); !errors.Is(err, want) || got != "" {
			t.Errorf("%q: %q, %v; want %v", path, got, err, want)
		}
	}
	for _, path := range []string{"", "file", "./file", "../x", "~/x", "/" + strings.Repeat("x", 4096), tr.dir + "/a\x00b"} {
		if got, _, err := Resolve(path); err == nil || got != "" || !strings.Contains(err.Error(), "is not an absolute path without NUL of at most 4096 bytes") {
			t.Errorf("%.99q: %q, %v", path, got, err)
		}
	}
}

// TestResolveParentOfFile: .. after what is no folder leads nowhere for the kernel, and so it must not here.
func TestResolveParentOfFile(t *testing.T) {
	tr := newTree(t)
	file := tr.file("file", "x", 0o644)
	tr.link("link", "file/../file")
	for _, path := range []string{file + "/..", file + "/../file", tr.path("link")} {
		if _, err := os.Stat(path); !errors.Is(err, unix.ENOTDIR) {
			t.Fatalf("%q: the kernel says %v", path, err)
		}
		if got, _, err := Resolve(path); !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("%q: %q, %v; want %v, as of the kernel", path, got, err, unix.ENOTDIR)
		}
	}
}

func TestResolveChains(t *testing.T) {
	tr := newTree(t)
	file := tr.file("file", "x", 0o644)
	for _, n := range []int{1, 39, 40} {
		if got, _, err := Resolve(tr.chain(n, file)); err != nil || got != file {
			t.Errorf("%d links: %q, %v", n, got, err)
		}
	}
	long := tr.path(strings.Repeat(strings.Repeat("n", 200)+"/", 8) + "x") // longer than most targets
	if got, _, err := Resolve(tr.link("long", long)); err != nil || got != long {
		t.Errorf("a target of %d bytes: %q, %v", len(long), got, err)
	}
}

func TestResolveClosed(t *testing.T) {
	tr := openTree(t)
	tr.file("closed/in/file", "x", 0o644)
	tr.link("link", "closed/in/file")
	tr.mode("closed", 0o000)
	ordinary(t, func() {
		for _, name := range []string{"closed/in", "closed/in/file", "closed/nothing", "link"} {
			if got, _, err := Resolve(tr.path(name)); !errors.Is(err, unix.EACCES) || got != "" {
				t.Errorf("%s: %q, %v; want %v", name, got, err, unix.EACCES)
			}
		}
	})
}

// TestResolveAsKernel holds Resolve against the kernel and filepath.EvalSymlinks, over random trees of folders, files and links.
func TestResolveAsKernel(t *testing.T) {
	const seed, trees, paths = 1, 40, 30
	random := rand.New(rand.NewPCG(seed, 0))
	tr := newTree(t)
	seen := map[error]int{}
	for n := range trees {
		root := tr.folder(fmt.Sprintf("tree%d", n))
		plant(random, root)
		for range paths {
			path := root + "/" + randomPath(random)
			kernel, err := compareResolve(path, root)
			if seen[kernel]++; err != nil {
				t.Fatalf("seed %d, tree %d: %q, which the kernel answers with %v: %v", seed, n, path, kernel, err)
			}
		}
	}
	if min(seen[nil], seen[unix.ENOENT], seen[unix.ELOOP], seen[unix.ENOTDIR]) < 20 {
		t.Errorf("seed %d: %v: too few of each to prove anything", seed, seen)
	}
}

// compareResolve returns what the kernel says of a path, and what is wrong with Resolve's answer: what exists must resolve as
// EvalSymlinks says, of what does not the path must lead there once the missing folders are made, and any other error is the
// kernel's. A path may also end with a file and a slash, which the kernel calls ENOTDIR. Nothing is made outside of root.
func compareResolve(path, root string) (kernel, wrong error) {
	got, _, err := Resolve(path)
	var st unix.Stat_t
	kernel = unix.Stat(path, &st)
	switch {
	case kernel == nil:
		if want, evalErr := filepath.EvalSymlinks(path); evalErr != nil || err != nil || got != want {
			wrong = fmt.Errorf("%q, %v; EvalSymlinks says %q, %v", got, err, want, evalErr)
		}
	case err == nil && kernel == unix.ENOENT:
		if strings.HasPrefix(got, root+"/") {
			wrong = leadsTo(path, got)
		}
	case err == nil && kernel == unix.ENOTDIR:
	case !errors.Is(err, kernel):
		wrong = fmt.Errorf("%q, %v", got, err)
	}
	return kernel, wrong
}

var names = []string{"a", "b", "c", "d"}

// plant makes folders two deep, files, and links between them all and to what is not there.
func plant(random *rand.Rand, root string) {
	for _, dir := range []string{"", "a", "b", "a/c", "b/d"} {
		if random.IntN(4) > 0 {
			os.MkdirAll(root+"/"+dir, 0o755)
		}
	}
	for range 10 {
		place := root + "/" + names[random.IntN(4)]
		if random.IntN(2) == 0 {
			place += "/" + names[random.IntN(4)]
		}
		switch random.IntN(5) {
		case 0:
			os.WriteFile(place, nil, 0o644) // where something stands already, or there is no folder, it stays so
		case 1:
			os.Symlink(root+"/"+randomPath(random), place)
		default:
			os.Symlink(randomPath(random), place)
		}
	}
}

func randomPath(random *rand.Rand) string {
	parts := make([]string, 1+random.IntN(5))
	for i := range parts {
		parts[i] = append(names, names[0], names[1], "..", ".", "")[random.IntN(9)]
	}
	return strings.Join(parts, "/")
}

// leadsTo makes the folders that are missing in resolved, sees that path leads there then, and takes them away again.
func leadsTo(path, resolved string) error {
	var made []string
	defer func() {
		for i := len(made) - 1; i >= 0; i-- {
			os.Remove(made[i])
		}
	}()
	for i := 1; i <= len(resolved); i++ {
		if i < len(resolved) && resolved[i] != '/' {
			continue
		}
		if err := os.Mkdir(resolved[:i], 0o755); err == nil {
			made = append(made, resolved[:i])
		}
		if info, err := os.Lstat(resolved[:i]); err != nil || info.Mode()&os.ModeSymlink != 0 {
			return fmt.Errorf("%q is a link, or %v", resolved[:i], err)
		}
	}
	if len(made) == 0 {
		return errors.New("nothing was missing")
	}
	end, err := filepath.EvalSymlinks(path)
	if err != nil || end != resolved {
		return fmt.Errorf("with the rest made, EvalSymlinks says %q, %v", end, err)
	}
	return nil
}

// TestOpen: links are followed where root alone can have made them. As root this holds the tree's own, as an ordinary user the system's.
func TestOpen(t *testing.T) {
	tr := newTree(t)
	tr.file("root/file", "mine", 0o644)
	tr.file("root/open/file", "open", 0o644)
	tr.file("secret", "secret", 0o644)
	tr.link("link", "root")
	tr.link("root/open/relative", "../../secret")
	tr.link("root/open/absolute", tr.path("secret"))
	tr.link("root/open/back", "..")
	tr.link("in", "root/open/relative")
	tr.mode("root/open", 0o777)
	for path, want := range map[string]string{
		"root/file": "mine", "root/open/file": "open", "root//./file": "mine", "root/open/../file": "mine", // no links
		"root/open/relative": "", "root/open/absolute": "", "root/open/back/file": "", "in": "", // by a link that anybody could have made
		"link/file": "mine", "link/open/file": "open", // by one that this user made
	} {
		if strings.HasPrefix(path, "link/") && os.Getuid() != 0 {
			want = ""
		}
		fd, err := Open(tr.dir + "/" + path)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "is a link that others than root can have made") {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", fd))
		if unix.Close(fd); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	for path, want := range map[string]error{"missing": unix.ENOENT, "root/file/x": unix.ENOTDIR} {
		if _, err := Open(tr.path(path)); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	fd, err := Open("/proc/self/mounts") // by a link of the kernel's in a folder of root's
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if _, err := Open("/proc/self/root"); err == nil && os.Getuid() != 0 {
		t.Error("a folder of /proc that belongs to a user holds links that the user decides on")
	}
}

func TestLookup(t *testing.T) {
	tr := newTree(t)
	tr.file("one/prog", "x", 0o644) // not executable
	tr.file("two/prog", "x", 0o755)
	tr.file("three/prog", "x", 0o755)
	tr.folder("one/sub")
	tr.file("two/sub", "x", 0o100)
	tr.link("one/link", "../three/prog")
	tr.link("one/dangling", "nowhere")
	tr.link("one/to-folder", "sub")
	tr.link("one/loop", "loop")
	tr.file("three/dangling", "x", 0o001)
	tr.must(unix.Mkfifo(tr.path("one/fifo"), 0o755))
	folders := []string{tr.path("missing"), tr.path("one"), tr.path("two/prog"), tr.path("two"), tr.path("three")}
	for name, want := range map[string]string{
		"prog": "two/prog", "sub": "two/sub", "link": "one/link", "dangling": "three/dangling", "to-folder": "", "loop": "", "fifo": "", "nothing": "", "": "", ".": "", "..": "",
		strings.Repeat("n", 300): "", "pro": "", "PROG": "",
	} {
		path, ok := Lookup(name, folders)
		if ok != (want != "") || ok && path != tr.path(want) || !ok && path != "" {
			t.Errorf("%.20q: %q, %t; want %q", name, path, ok, want)
		}
	}
	if path, ok := Lookup("prog", nil); ok || path != "" {
		t.Errorf("in no folder: %q, %t", path, ok)
	}
	if path, ok := Lookup("bin", []string{"/"}); ok {
		t.Errorf("a folder: %q", path)
	}
}

// Links that lead up and down again made one path cost ten thousand looks, and a request can hold thousands of paths.
func TestResolveStepsRegression(t *testing.T) {
	tr := newTree(t)
	tr.folder("x")
	tr.link("long", strings.Repeat("x/../", 400)+"x")
	if got, _, err := Resolve(tr.path("long")); err == nil {
		t.Errorf("800 steps lead to %q", got)
	}
}
