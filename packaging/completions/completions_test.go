// Package completions holds what shells offer behind ssh-gate. Its tests ask the shells. It has tests only.
package completions

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example.org/ssh-gate/internal/lint"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// shell asks one shell what it offers for lines, all in one process.
type shell struct {
	name   string
	script string
	ask    func(t *testing.T, lines []string, in place) string // what it printed, a form feed behind each line's
}

// place is where and as whom a shell runs.
type place struct {
	dir      string
	as       *syscall.Credential
	settings []string // of bash
}

func shells() []shell {
	return []shell{{"bash", "ssh-gate.bash", askBash}, {"zsh", "_ssh-gate", askZsh}, {"fish", "ssh-gate.fish", askFish}}
}

// offered returns what a shell offers for each line, sorted. Behind --option= the shells differ in whether they repeat that.
func (s *shell) offered(t *testing.T, in place, lines ...string) [][]string {
	t.Helper()
	testsshd.RequireTool(t, s.name, s.name)
	out := s.ask(t, lines, in)
	parts := strings.Split(out, "\f\n")
	if len(parts) != len(lines)+1 || parts[len(lines)] != "" {
		t.Fatalf("%s answered %d of %d lines:\n%s", s.name, len(parts)-1, len(lines), out)
	}
	joined := regexp.MustCompile(`^--[a-z-]+=(.)`)
	answers := make([][]string, len(lines))
	for i := range lines {
		answers[i] = []string{}
		for word := range strings.Lines(parts[i]) {
			answers[i] = append(answers[i], strings.TrimSuffix(joined.ReplaceAllString(strings.TrimSuffix(word, "\n"), "$1"), "/"))
		}
		slices.Sort(answers[i])
		answers[i] = slices.Compact(answers[i])
	}
	return answers
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// trap is a folder of the search path with an ssh-gate that leaves a mark when it is started.
func trap(t *testing.T, in place) string {
	dir := folder(t, in)
	mark := filepath.Join(dir, "started")
	check(t, os.WriteFile(filepath.Join(dir, "ssh-gate"), []byte("#!/bin/sh\n: > "+mark+"\n"), 0o755))
	t.Cleanup(func() {
		if _, err := os.Lstat(mark); err == nil {
			t.Error("completion has started ssh-gate")
		}
	})
	return dir
}

// run runs a shell that has to say nothing on standard error.
func run(t *testing.T, in place, lines []string, home string, env []string, words ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
	cmd.Dir = in.dir
	cmd.Env = append(env, "HOME="+home, "PATH="+trap(t, in)+":/usr/bin:/bin", "TERM=xterm", "LC_ALL=C.UTF-8")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: in.as}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Errorf("%s: %v\n%s", words[0], err, errs.String())
	}
	return string(out)
}

// folder is one that the shell's account owns.
func folder(t *testing.T, in place) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ssh-gate-test-")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	check(t, os.Chmod(dir, 0o755))
	if in.as != nil {
		check(t, os.Chown(dir, int(in.as.Uid), int(in.as.Gid)))
	}
	return dir
}

// home is a home folder with copies of what the shell reads and a folder of policies, mine, which an account without rights in the tree can reach.
func home(t *testing.T, in place, files ...string) string {
	t.Helper()
	dir := folder(t, in)
	for _, name := range files {
		text, err := os.ReadFile(name)
		check(t, err)
		check(t, os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o644))
	}
	check(t, os.Mkdir(filepath.Join(dir, "mine"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "mine/homely.toml"), nil, 0o644))
	return dir
}

func askBash(t *testing.T, lines []string, in place) string {
	dir := home(t, in, "testdata/bash.sh", "ssh-gate.bash")
	return run(t, in, lines, dir, nil, append([]string{"bash", "--norc", "--noprofile", dir + "/bash.sh", dir + "/ssh-gate.bash"}, in.settings...)...)
}

func askFish(t *testing.T, lines []string, in place) string {
	dir := home(t, in, "testdata/fish.fish", "ssh-gate.fish")
	return run(t, in, lines, dir, nil, "fish", "--no-config", dir+"/fish.fish", dir+"/ssh-gate.fish")
}

func askZsh(t *testing.T, lines []string, in place) string {
	dir := home(t, in, "testdata/zsh.zsh", "testdata/zshrc", "_ssh-gate")
	check(t, os.Rename(dir+"/zshrc", dir+"/.zshrc"))
	check(t, os.WriteFile(dir+"/lines", []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	shown := run(t, in, nil, dir, []string{"ZDOTDIR=" + dir, "COMPLETIONS=" + dir, "LINES_OF_TEST=" + dir + "/lines", "OFFERED=" + dir + "/offered"},
		"zsh", "-f", dir+"/zsh.zsh")
	out, err := os.ReadFile(dir + "/offered")
	if err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	for _, complaint := range []string{"no matches found", "not found", "ermission denied", "parse error", "bad pattern"} {
		if strings.Contains(shown, complaint) {
			t.Errorf("zsh says on the terminal: %q", shown)
		}
	}
	return string(out)
}

// hostile are names of files that no key can have, most of them made to run something.
var hostile = []string{"$(touch PWNED).toml", "`touch PWNED`.toml", "a b.toml", "x\ny.toml", "n\n", "-x.toml", ".hidden.toml", "*.toml", "é.toml",
	"a;touch PWNED.toml", "'.toml", "\".toml", "a\\.toml", "~.toml", "a:b.toml", "\x1b[2J.toml", "\xff.toml", "a.toml.bak", strings.Repeat("n", 65) + ".toml",
	"x\tz.toml", "x[1].toml"}

// policies makes a folder of policies among hostile files.
func policies(t *testing.T, dir string, names ...string) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o755))
	for _, name := range hostile {
		check(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	for _, name := range names {
		check(t, os.WriteFile(filepath.Join(dir, name+".toml"), nil, 0o644))
	}
}

func reasons() []string {
	var codes []string
	for _, m := range record.Reasons {
		codes = append(codes, string(m.Reason))
	}
	return codes
}

func findings() []string {
	var ids []string
	for _, k := range lint.Kinds {
		ids = append(ids, k.ID)
	}
	return ids
}

var longest = strings.Repeat("n", 64)

// TestOffers is what each shell offers where no file of the host matters.
func TestOffers(t *testing.T) {
	keys := []string{"ci", "deploy", "deploy.old", longest}
	cases := []struct {
		line string
		want []string
	}{
		{"ssh-gate ", []string{"init", "check", "explain", "log", "unused", "suggest", "doctor", "help", "version"}},
		{"ssh-gate su", []string{"suggest"}},
		{"ssh-gate help lo", []string{"log"}},
		{"ssh-gate --key-f", []string{"--key-from"}},
		{"ssh-gate --key-from ", []string{"fingerprint", "cert-id"}},
		{"ssh-gate --key-from=c", []string{"cert-id"}},
		{"ssh-gate --config file.t", []string{"file.toml"}},
		{"ssh-gate --policy-dir keys --key ", keys},
		{"ssh-gate --policy-dir keys --key de", []string{"deploy", "deploy.old"}},
		{"ssh-gate --policy-dir=keys --key=de", []string{"deploy", "deploy.old"}},
		{"ssh-gate --policy-dir ./keys --key ", keys},
		{"ssh-gate --policy-dir 'keys' --key c", []string{"ci"}},
		{"ssh-gate --policy-dir ke\\ys --key c", []string{"ci"}},
		{"ssh-gate --policy-dir ~/mine --key ", []string{"homely"}},
		{"ssh-gate --policy-dir $(touch${IFS}PWNED) --key ", nil},
		{"ssh-gate --policy-dir `touch${IFS}PWNED` --key ", nil},
		{"ssh-gate --policy-dir [k]eys --key ", nil},
		{"ssh-gate --policy-dir - --key ", nil},
		{"ssh-gate --policy-dir none --key ", nil},
		{"ssh-gate --policy-dir closed --key ", nil},
		{"ssh-gate --policy-dir file.toml --key ", nil},
		{"ssh-gate --policy-dir empty --key ", nil},
		{"ssh-gate --policy-dir k", []string{"keys"}},
		{"ssh-gate nonsense -", []string{}},
		{"ssh-gate init ", nil},
		{"ssh-gate init ci --public-key file.p", []string{"file.pub"}},
		{"ssh-gate init ci --format ", []string{"text", "ansible", "puppet"}},
		{"ssh-gate init ci --install roo", []string{"root"}},
		{"ssh-gate init ci --policy-dir k", []string{"keys"}},
		{"ssh-gate init ci --authorized-keys file.t", []string{"file.toml"}},
		{"ssh-gate check --level ", []string{"error", "warning", "note"}},
		{"ssh-gate check --level=w", []string{"warning"}},
		{"ssh-gate check --kind ", []string{"policy", "config"}},
		{"ssh-gate check --why ", findings()},
		{"ssh-gate check --config file.t", []string{"file.toml"}},
		{"ssh-gate check file.t", []string{"file.toml"}},
		{"ssh-gate check --policy-dir keys dep", []string{"deploy", "deploy.old"}},
		{"ssh-gate check --policy-dir keys ci dep", []string{"deploy", "deploy.old"}},
		{"ssh-gate check --policy-dir keys ci --sa", []string{"--sarif"}},
		{"ssh-gate explain --policy-dir keys --key dep", []string{"deploy", "deploy.old"}},
		{"ssh-gate explain --policy file.t", []string{"file.toml"}},
		{"ssh-gate explain --user roo", []string{"root"}},
		{"ssh-gate explain --user=roo", []string{"root"}},
		{"ssh-gate explain --key ci --la", []string{"--last"}},
		{"ssh-gate explain --key ci -- -", nil},
		{"ssh-gate explain --key ci uptime -", nil},
		{"ssh-gate explain --file file.t", []string{"file.toml"}},
		{"ssh-gate suggest --key ci --un", []string{"--until"}},
		{"ssh-gate suggest -- -", nil},
		{"ssh-gate suggest uptime -", nil},
		{"ssh-gate suggest --since to", []string{"today"}},
		{"ssh-gate log --event ", []string{"denied", "allowed", "error"}},
		{"ssh-gate log --event denied,", []string{"denied,allowed", "denied,error"}},
		{"ssh-gate log --event=denied,a", []string{"denied,allowed"}},
		{"ssh-gate log --reason ", reasons()},
		{"ssh-gate log --reason no-rule,wrong-a", []string{"no-rule,wrong-address"}},
		{"ssh-gate log --user roo", []string{"root"}},
		{"ssh-gate log --user nobody,roo", []string{"nobody,root"}},
		{"ssh-gate log -n ", nil},
		{"ssh-gate log --client ", nil},
		{"ssh-gate log --since=y", []string{"yesterday"}},
		{"ssh-gate log --prometheus file.t", []string{"file.toml"}},
		{"ssh-gate unused --policy-dir keys --without ", keys},
		{"ssh-gate unused --policy-dir keys --json --without=d", []string{"deploy", "deploy.old"}},
		{"ssh-gate doctor --config file.t", []string{"file.toml"}},
	}
	for _, s := range shells() {
		t.Run(s.name, func(t *testing.T) {
			in := workplace(t, keys)
			lines := make([]string, len(cases))
			for i, c := range cases {
				lines[i] = c.line
			}
			for i, got := range s.offered(t, in, lines...) {
				equal(t, s.name+": "+lines[i], got, cases[i].want)
			}
			if _, err := os.Lstat(filepath.Join(in.dir, "PWNED")); err == nil {
				t.Error("something was evaluated")
			}
		})
	}
}

// workplace is a folder with policies among hostile files, a folder that nobody may read, and files.
func workplace(t *testing.T, keys []string) place {
	dir := t.TempDir()
	policies(t, filepath.Join(dir, "keys"), keys...)
	check(t, os.Mkdir(filepath.Join(dir, "empty"), 0o755))
	check(t, os.Mkdir(filepath.Join(dir, "closed"), 0o000))
	for _, name := range []string{"file.toml", "file.pub"} {
		check(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	return place{dir: dir}
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	want = slices.Clone(want)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q\n got %q\nwant %q", what, got, want)
	}
}

// TestBashSettings asks bash under what people set in start-up files.
func TestBashSettings(t *testing.T) {
	lines := []string{"ssh-gate --policy-dir keys --key ", "ssh-gate --policy-dir none --key ", "ssh-gate log --event=denied,a", "ssh-gate check -",
		"ssh-gate unused --policy-dir=keys --without=d", "ssh-gate log --reason x", "ssh-gate explain -- ", "ssh-gate check --policy-dir keys ci"}
	bash := shells()[0]
	in := workplace(t, []string{"ci", "deploy"})
	want := bash.offered(t, in, lines...)
	if !slices.Equal(want[0], []string{"ci", "deploy"}) {
		t.Fatalf("%q", want[0])
	}
	for _, settings := range [][]string{
		{"set -e"}, {"set -u"}, {"set -f"}, {"set -euo pipefail"}, {"shopt -s nullglob"}, {"shopt -s failglob"},
		{"shopt -s dotglob globstar extglob nocaseglob"},
		{"set -o posix"}, {"IFS=,"}, {"CDPATH=/:/etc"}, {"GLOBIGNORE='*'"}, {"COMP_WORDBREAKS=$' \\t\\n'"},
		{"set -C"}, {"source /usr/share/bash-completion/bash_completion"},
		{"alias cd=false echo=false"}, {"cd() { return 1; }; echo() { return 1; }"},
	} {
		in.settings = settings
		for i, got := range bash.offered(t, in, lines...) {
			equal(t, strings.Join(settings, ";")+": "+lines[i], got, want[i])
		}
	}
}

// TestFoldersOfTheHost asks for the names in /etc/ssh-gate, as root and as an account that may not look into it.
func TestFoldersOfTheHost(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	cases := []struct {
		line string
		want []string
	}{
		{"ssh-gate --key ", []string{"ci", "deploy"}},
		{"ssh-gate log --key deploy,", []string{"deploy,ci"}},
		{"ssh-gate log --key=deploy,c", []string{"deploy,ci"}},
		{"ssh-gate explain --key ", []string{"ci", "deploy", "users/app"}},
		{"ssh-gate explain --key users/", []string{"users/app"}},
		{"ssh-gate explain --policy-dir /etc/ssh-gate/users --key ", []string{"app"}},
		{"ssh-gate check u", []string{"users/app"}},
		{"ssh-gate check d", []string{"deploy"}},
		{"ssh-gate suggest --key c", []string{"ci"}},
		{"ssh-gate unused --without d", []string{"deploy"}},
	}
	var lines []string
	var want [][]string
	for _, c := range cases {
		lines, want = append(lines, c.line), append(want, c.want)
	}
	none := make([][]string, len(lines))
	root := place{dir: "/"}
	nobody := place{dir: "/", as: &syscall.Credential{Uid: 65534, Gid: 65534}}
	ask := func(what string, in place, want [][]string) {
		for _, s := range shells() {
			for i, got := range s.offered(t, in, lines...) {
				if strings.HasPrefix(lines[i], "ssh-gate check") { // files of / are offered, too
					got = slices.DeleteFunc(got, func(word string) bool { return word == "usr" || word == "dev" })
				}
				equal(t, what+": "+s.name+": "+lines[i], got, want[i])
			}
		}
	}
	check(t, os.RemoveAll("/etc/ssh-gate"))
	ask("no folder", root, none)
	policies(t, "/etc/ssh-gate/keys", "ci", "deploy")
	policies(t, "/etc/ssh-gate/users", "app")
	ask("root", root, want)
	ask("nobody", nobody, want)
	check(t, os.Chmod("/etc/ssh-gate/keys", 0o700))
	check(t, os.Chmod("/etc/ssh-gate/users", 0o700))
	ask("closed", nobody, none)
	check(t, os.Chmod("/etc/ssh-gate", 0o700))
	ask("closed above", nobody, none)
}

// TestOptions holds what each shell offers for each verb against the tables of the one for bash, which internal/house holds against the
// product.
func TestOptions(t *testing.T) {
	script, err := os.ReadFile("ssh-gate.bash")
	check(t, err)
	want := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t([a-z |]+)\) options='(.*)'`).FindAllStringSubmatch(string(script), -1) {
		for _, verb := range strings.Split(m[1], " | ") {
			want[verb] = []string{"--help"}
			for word := range strings.FieldsSeq(m[2]) {
				option, _, _ := strings.Cut(word, "=")
				want[verb] = append(want[verb], option)
			}
		}
	}
	want[""] = append(want["gate"], "--version")
	delete(want, "gate")
	if len(want) < 10 {
		t.Fatalf("the tables were not understood: %q", want)
	}
	var verbs, lines []string
	for verb := range want {
		verbs = append(verbs, verb)
		line := "ssh-gate -"
		switch verb {
		case "":
		case "init":
			line = "ssh-gate init ci -"
		default:
			line = "ssh-gate " + verb + " -"
		}
		lines = append(lines, line)
	}
	for _, s := range shells() {
		t.Run(s.name, func(t *testing.T) {
			answers := s.offered(t, place{dir: t.TempDir()}, append(lines, "ssh-gate ")...)
			for i := range verbs {
				equal(t, s.name+": "+lines[i], answers[i], want[verbs[i]])
			}
			equal(t, s.name+": ssh-gate ", answers[len(verbs)], slices.DeleteFunc(slices.Clone(verbs), func(verb string) bool { return verb == "" }))
		})
	}
}

// TestReadline types into an interactive bash and looks at what stands on its line then.
func TestReadline(t *testing.T) {
	testsshd.RequireTool(t, "script", "bsdutils")
	in := workplace(t, []string{"deploy"})
	check(t, os.WriteFile(filepath.Join(in.dir, "other $(touch PWNED).toml"), nil, 0o644))
	for typed, want := range map[string]string{
		"ssh-gate --policy-dir keys --key d\t":    "ssh-gate --policy-dir keys --key deploy ",
		"ssh-gate --policy-dir=keys --key=d\t":    "ssh-gate --policy-dir=keys --key=deploy ",
		"ssh-gate --policy-dir keys --key \"d\t":  "ssh-gate --policy-dir keys --key \"deploy\" ",
		"ssh-gate log --reason=no-rule,wrong-a\t": "ssh-gate log --reason=no-rule,wrong-address ",
		"ssh-gate --policy-dir=ke\t":              "ssh-gate --policy-dir=keys/",
		"ssh-gate check oth\t":                    "ssh-gate check other\\ \\$\\(touch\\ PWNED\\).toml ",
		"ssh-gate log --conf\t":                   "ssh-gate log --config ",
	} {
		if got := typedInto(t, in, typed); got != want {
			t.Errorf("%q became %q, not %q", typed, got, want)
		}
	}
	if _, err := os.Lstat(filepath.Join(in.dir, "PWNED")); err == nil {
		t.Error("something was evaluated")
	}
}

// typedInto waits for the prompt, types, and presses a key that writes the line to a file and ends the shell.
func typedInto(t *testing.T, in place, keys string) string {
	dir := home(t, in, "ssh-gate.bash")
	rc := "set -eu\nshopt -s failglob\nsource ~/ssh-gate.bash\nPS1='rea''dy'\n" +
		"show() { printf %s \"$READLINE_LINE\" >~/line; kill -KILL $$; }\nbind -x '\"\\C-x\": show'\n"
	check(t, os.WriteFile(filepath.Join(dir, "rc"), []byte(rc), 0o644))
	cmd := exec.CommandContext(t.Context(), "script", "-qfc", "exec bash --noprofile --rcfile ~/rc -i", "/dev/null")
	cmd.Dir, cmd.Env = in.dir, []string{"HOME=" + dir, "PATH=" + trap(t, in) + ":/usr/bin:/bin", "TERM=xterm", "LC_ALL=C.UTF-8"}
	input, err := cmd.StdinPipe()
	check(t, err)
	output, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	var shown []byte
	for one := make([]byte, 1); ; {
		if n, err := output.Read(one); n == 0 || err != nil {
			break
		}
		if shown = append(shown, one[0]); bytes.HasSuffix(shown, []byte("ready")) {
			_, err := input.Write([]byte(keys + "\x18"))
			check(t, err)
		}
	}
	cmd.Wait()
	line, err := os.ReadFile(filepath.Join(dir, "line"))
	if err != nil {
		t.Fatalf("%v\n%q", err, shown)
	}
	return string(line)
}

// TestSyntax has each shell read its file, and shellcheck the one for bash.
func TestSyntax(t *testing.T) {
	for _, words := range [][]string{
		{"bash", "-n", "ssh-gate.bash"}, {"zsh", "-n", "_ssh-gate"}, {"fish", "-n", "ssh-gate.fish"}, {"shellcheck", "-s", "bash", "ssh-gate.bash"},
	} {
		testsshd.RequireTool(t, words[0], words[0])
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", strings.Join(words, " "), err, out)
		}
	}
}
