// Package house holds the laws of the source tree: which room may import which, who may exit and read the environment, and what
// may initialise on the way to execve. It has tests only.
package house

import (
	"bufio"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "example.org/ssh-gate/"

// rooms are the packages of the product, from the cellar up: each may import only those that stand before it.
var rooms = []string{
	"internal/startup",
	"internal/privilege",
	"internal/address",
	"internal/argv",
	"internal/safefile",
	"internal/session",
	"internal/keyline",
	"internal/sshd",
	"internal/policy",
	"internal/forced",
	"internal/record",
	"internal/host",
	"internal/listing",
	"internal/decide",
	"internal/confine",
	"internal/plan",
	"internal/launch",
	"internal/gate",
	"internal/logbook",
	"internal/lint",
	"internal/suggest",
	"internal/admin",
	"cmd/ssh-gate",
}

// apart are pairs of rooms that never meet, although one stands above the other.
var apart = [][2]string{
	{"internal/admin", "internal/gate"},
	{"internal/admin", "internal/launch"},
	{"internal/gate", "internal/sshd"},
	{"internal/decide", "internal/session"},
	{"internal/policy", "internal/session"},
	{"internal/launch", "internal/decide"},
	{"internal/plan", "internal/decide"},
}

// workshop are packages that build, show, measure or test the product and are not part of it.
var workshop = []string{"examples", "examples/ansible", "internal/bench", "internal/demo", "internal/house", "internal/probe", "internal/recordtest",
	"internal/testhost", "internal/testsshd",
	"packaging", "packaging/completions", "packaging/licences", "packaging/man", "packaging/packages", "packaging/schema"}

type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T) map[string]listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps", module+"...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]listed{}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		found[strings.TrimPrefix(p.ImportPath, module)] = p
	}
	return found
}

func TestImportsRunDownwards(t *testing.T) {
	for name, p := range packages(t) {
		height := slices.Index(rooms, name)
		if height < 0 {
			if !slices.Contains(workshop, name) {
				t.Errorf("%s is neither a room nor in the workshop", name)
			}
			continue
		}
		for _, path := range p.Imports {
			imported, ours := strings.CutPrefix(path, module)
			if ours && slices.Index(rooms, imported) >= height {
				t.Errorf("%s imports %s, which does not lie below it", name, imported)
			}
			if ours && slices.Contains(workshop, imported) {
				t.Errorf("%s, a part of the product, imports %s, a tool of the workshop", name, imported)
			}
		}
		for _, pair := range apart {
			if name == pair[0] && slices.Contains(p.Deps, module+pair[1]) {
				t.Errorf("%s reaches %s", name, pair[1])
			}
		}
	}
}

// forbidden calls and who may make them nevertheless.
var forbidden = map[string][]string{
	"os.Exit":            {"cmd/ssh-gate"},
	"os.Getenv":          nil,
	"os.LookupEnv":       nil,
	"os.Environ":         {"cmd/ssh-gate"},
	"os.Args":            {"cmd/ssh-gate"},
	"syscall.Exec":       {"internal/launch"},
	"exec.Command":       nil,
	"os.StartProcess":    {"internal/sshd"}, // the host's sshd, asked by doctor
	"syscall.ForkExec":   nil,
	"log.Fatal":          nil,
	"regexp.MustCompile": nil,
	"os.Open":            {"internal/admin"}, // safefile and session open what the gate reads
	"os.ReadFile":        {"internal/admin"},
	"os.OpenFile":        {"internal/logbook", "internal/admin", "internal/sshd"},
}

func TestCallsAndInits(t *testing.T) {
	all := packages(t)
	for _, room := range rooms {
		p, ok := all[room]
		if !ok {
			t.Errorf("the room %s does not exist", room)
		}
		for _, name := range p.GoFiles {
			inspect(t, room, filepath.Join(p.Dir, name))
		}
	}
}

func inspect(t *testing.T, room, file string) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			t.Errorf("%s: has an init()", fset.Position(f.Pos()))
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: starts a goroutine", fset.Position(n.Pos()))
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			if allowed, listed := forbidden[x.Name+"."+n.Sel.Name]; listed && !slices.Contains(allowed, room) {
				t.Errorf("%s: %s.%s is not for this room", fset.Position(n.Pos()), x.Name, n.Sel.Name)
			}
		}
		return true
	})
}

// TestStartup holds the packages that initialise before main, each of which costs every login, against startup.txt.
func TestStartup(t *testing.T) {
	known := map[string]bool{}
	f, err := os.Open("startup.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, reason, _ := strings.Cut(lines.Text(), " ")
		if name == "" || name == "#" {
			continue
		}
		if strings.TrimSpace(reason) == "" {
			t.Errorf("startup.txt gives no reason for %s", name)
		}
		known[name] = false
	}
	for _, name := range initialised(t) {
		if _, ok := known[name]; !ok {
			t.Errorf("%s initialises before main and has no reason in startup.txt; measure what it costs with `make bench`", name)
		}
		known[name] = true
	}
	for name, seen := range known {
		if !seen {
			t.Errorf("startup.txt names %s, which does not initialise", name)
		}
	}
}

// TestStartupComesFirst holds what internal/startup is for: once the decoder has asked for the local offset, it is too late.
func TestStartupComesFirst(t *testing.T) {
	names := initialised(t)
	ours, decoder := slices.Index(names, module+"internal/startup"), slices.Index(names, "github.com/BurntSushi/toml/internal")
	if ours < 0 || decoder < 0 || ours > decoder {
		t.Errorf("internal/startup initialises at %d and the TOML decoder at %d of %v", ours, decoder, names)
	}
}

// build builds the product, and returns its path.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "ssh-gate")
	cmd := exec.Command("go", "build", "-o", binary, module+"cmd/ssh-gate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// initialised asks the runtime itself, which counts alike in every run.
func initialised(t *testing.T) []string {
	t.Helper()
	binary := build(t)
	run := exec.Command(binary, "--version")
	run.Env = []string{"GODEBUG=inittrace=1"}
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var names []string
	for _, line := range strings.Split(string(out), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "init" && strings.HasPrefix(f[2], "@") {
			names = append(names, f[1])
		}
	}
	if len(names) == 0 {
		t.Fatalf("the runtime printed no packages:\n%s", out)
	}
	return names
}
