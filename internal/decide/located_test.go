package decide

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/safefile"
	"example.org/ssh-gate/internal/testsshd"
)

// realHost asks the real file system, as the gate does.
type realHost struct{ folders []string }

func (h realHost) Lookup(name string) (string, bool)        { return safefile.Lookup(name, h.folders) }
func (h realHost) Resolve(path string) (string, int, error) { return safefile.Resolve(path) }

// tree makes a folder below the home folder, which nobody else may write, and fills it: "a/" is a folder, "a" a file, "a -> b" a
// link, "a!" an executable file.
func tree(t *testing.T, entries ...string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(testsshd.SafeDir(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		at, target, isLink := strings.Cut(e, " -> ")
		at = root + "/" + at
		if isLink {
			err = os.Symlink(strings.ReplaceAll(target, "ROOT", root), at)
		} else if folder, ok := strings.CutSuffix(at, "/"); ok {
			err = os.Mkdir(folder, 0o755)
		} else if program, ok := strings.CutSuffix(at, "!"); ok {
			err = os.WriteFile(program, nil, 0o755)
		} else {
			err = os.WriteFile(at, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestDeepLinkRegression: a client that may make folders and links made each look of the gate walk hundreds of folders, as often as a
// request has values: ten seconds for twelve kilobytes.
func TestDeepLinkRegression(t *testing.T) {
	root := tree(t, "in/", "out")
	deep := strings.Repeat("e/", 480)
	if err := os.MkdirAll(root+"/in/"+deep, 0o755); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range 400 {
		name := fmt.Sprintf("%s/in/L%d", root, i)
		if err := os.Symlink(deep+"x", name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	policy := mustParse(t, "[args]\nf = { path = \""+root+"/in\" }\n[[allow]]\ncommand = \"ls {f+} out\"\n[[allow]]\ncommand = \"ls {f+}\"\n")
	found := func(names []string) found {
		words := append([]string{"ls"}, names...)
		return search(Input{Policy: policy, Files: realHost{}, Request: strings.Join(words, " ")}, words, nil)
	}
	if f := found(names); f.rule != nil || f.work <= maxWork || !strings.Contains(f.nearest, "more work") {
		t.Errorf("each value a link into the deep: %v, %d steps, %q", f.rule, f.work, f.nearest)
	}
	if f := found(slices.Repeat(names[:1], 1000)); f.rule == nil || f.work > maxWork/4 {
		t.Errorf("one link a thousand times is looked at once: %v, %d steps, %q", f.rule, f.work, f.nearest)
	}
	if f := found([]string{root + "/in/L1", root + "/in/e/e", root + "/in/new"}); f.rule == nil || f.work > maxWork/10 {
		t.Errorf("%v, %d steps, %q", f.rule, f.work, f.nearest)
	}
}

func TestPathsOnARealFileSystem(t *testing.T) {
	root := tree(t, "in/", "in/sub/", "in/file", "in/a.log", "in/.hidden.log", "out/", "out/secret", "out/b.log",
		"in/to-out -> ../out", "in/to-out-absolute -> ROOT/out", "in/to-file -> file", "in/to-in -> ROOT/in", "in/up -> ..",
		"in/dangling-in -> ROOT/in/none", "in/dangling-out -> ROOT/out/none", "in/loop -> loop", "in/b.log -> ../out/b.log", "in/c.log -> a.log", "in/d.log -> .hidden.log",
		"in/sub/deep -> ../../out/secret", "link -> in", "in/is-file -> file")
	policy := mustParse(t, strings.ReplaceAll(`
[args]
file = { path = "ROOT/in" }
only = { path = "ROOT/in", itself = false }
text = { path = "ROOT/in", links = "ignore" }
link = { path = "ROOT/link" }
log  = { glob = "ROOT/in/*.log" }
far  = { glob = "ROOT/link/*.log" }
[[allow]]
command = ["file {file}", "only {only}", "text {text}", "link {link}", "log {log}", "far {far}"]
run     = "/opt/done"
[[allow]]
command = "here {file}"
run     = "/opt/done"
cwd     = "ROOT/in"
`, "ROOT", root))
	for request, want := range map[string]bool{
		"file ROOT/in": true, "file ROOT/in/": true, "file ROOT/in/file": true, "file ROOT/in/sub/": true, "file ROOT/in/none/at/all": true,
		"file ROOT/in/to-file": true, "file ROOT/in/to-in/file": true, "file ROOT/in/dangling-in": true, "file ROOT/in/to-in": true, "file ROOT/in/none/to-out": true,
		"file ROOT/in/to-out": false, "file ROOT/in/to-out/secret": false, "file ROOT/in/to-out/none": false, "file ROOT/in/to-out-absolute/": false,
		"file ROOT/in/up": false, "file ROOT/in/up/in/file": true, "file ROOT/in/up/out": false, "file ROOT/in/dangling-out": false,
		"file ROOT/in/loop": false, "file ROOT/in/loop/x": false, "file ROOT/in/sub/deep": false, "file ROOT/in/file/below": false,
		"file ROOT/in/is-file/to-out": false, "file ROOT/out": false, "file ROOT/link/file": false, "file ROOT/in/../out/secret": false,
		"only ROOT/in": false, "only ROOT/in/to-in": false, "only ROOT/in/to-in/file": true, "only ROOT/in/file": true,
		"text ROOT/in/to-out/secret": true, "text ROOT/in/loop": true, "text ROOT/out": false,
		"link ROOT/link/file": true, "link ROOT/link": true, "link ROOT/link/to-out": false, "link ROOT/in/file": false,
		"log ROOT/in/a.log": true, "log ROOT/in/c.log": true, "log ROOT/in/none.log": true, "log ROOT/in/b.log": false, "log ROOT/in/d.log": false, "log ROOT/in/.hidden.log": false,
		"far ROOT/link/a.log": true, "far ROOT/link/c.log": true, "far ROOT/link/b.log": false,
		"here file": true, "here sub/none": true, "here to-out/secret": false, "here to-file": true, "here ../out": false, "here ROOT/in/file": true,
	} {
		d := Decide(Input{Policy: policy, Files: realHost{}, Request: strings.ReplaceAll(request, "ROOT", root)})
		if d.Allowed != want {
			t.Errorf("%s: %s", request, strings.ReplaceAll(describeDecision(d), root, "ROOT"))
		}
	}
}

// What cannot be looked at does not match. Root may look at everything, but not through a name that is too long.
func TestUnreadableFolders(t *testing.T) {
	root := tree(t, "in/", "in/shut/", "in/shut/file")
	policy := mustParse(t, strings.ReplaceAll("[[allow]]\ncommand = \"cat {file}\"\nargs.file = { path = \"ROOT/in\" }\nrun = \"/opt/cat {file}\"\n", "ROOT", root))
	in := Input{Policy: policy, Files: realHost{}, Request: "cat " + root + "/in/" + strings.Repeat("n", 256)}
	if d := Decide(in); d.Allowed || !strings.Contains(d.Detail, "cannot be judged") {
		t.Error(describeDecision(d))
	}
	if os.Geteuid() == 0 {
		return
	}
	if err := os.Chmod(root+"/in/shut", 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(root+"/in/shut", 0o755) })
	in.Request = "cat " + root + "/in/shut/file"
	if d := Decide(in); d.Allowed || !strings.Contains(d.Detail, "cannot be judged") {
		t.Error(describeDecision(d))
	}
}

func TestProgramsOnARealFileSystem(t *testing.T) {
	root := tree(t, "one/", "two/", "one/tool!", "two/tool!", "two/other!", "one/plain", "two/plain!", "one/dir/", "two/dir!", "two/link -> other", "one/gone -> nowhere")
	files := realHost{[]string{root + "/none", root + "/one", root + "/two"}}
	policy := mustParse(t, "[[allow]]\ncommand = [\"tool\", \"other\", \"plain\", \"dir\", \"link\", \"gone\", \"none\"]\n")
	for request, want := range map[string]string{
		"tool": "one/tool", "ROOT/one/tool": "one/tool", "ROOT/two/tool": "", "other": "two/other", "ROOT/two/other": "two/other", "ROOT/one/other": "",
		// not executable, or no regular file: the next folder is asked
		"plain": "two/plain", "ROOT/one/plain": "", "dir": "two/dir", "link": "two/link", "ROOT/two/link": "two/link",
		"gone": "", "ROOT/one/gone": "", "none": "", "ROOT/one/../one/tool": "", "ROOT//one/tool": "",
	} {
		request = strings.ReplaceAll(request, "ROOT", root)
		d := Decide(Input{Policy: policy, Files: files, Request: request})
		if want != "" {
			want = root + "/" + want
		}
		if d.Program != want || d.Allowed != (want != "") || d.Allowed && argv.Quote(d.Argv) != request {
			t.Errorf("%s: %s %s, want the program %q", request, d.Program, describeDecision(d), want)
		}
	}
}
