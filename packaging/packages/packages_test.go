// Package packages holds what makes the packages for Debian and rpm. Its tests build them, and install them on machines of their own
// that end with the test. It has tests only.
package packages

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/testsshd"
)

// update writes the lists of contents anew, for a change that is meant to be: go test ./packaging/packages -run Contents -update
var update = flag.Bool("update", false, "write the golden files")

const top = "../.."

// set are the packages that the tests share.
type set struct {
	dir     string
	version string
	epoch   string
}

func (s *set) deb(arch string) string {
	return fmt.Sprintf("%s/ssh-gate_%s-1_%s.deb", s.dir, s.version, arch)
}

func (s *set) rpm(arch string) string {
	return fmt.Sprintf("%s/ssh-gate-%s-1.%s.rpm", s.dir, s.version, map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch])
}

func (s *set) all() []string {
	return []string{s.deb("amd64"), s.deb("arm64"), s.rpm("amd64"), s.rpm("arm64")}
}

// next is a later release, which has another config.toml.
const (
	nextVersion = "999.1"
	nextDefault = "# Another default.\n"
)

var (
	building      sync.Once
	first, second *set // the same sources, built in two folders
	next          *set // for amd64 alone
	shared        string
)

func TestMain(m *testing.M) {
	flag.Parse()
	unix.Umask(0o022)
	status := m.Run()
	if shared != "" {
		os.RemoveAll(shared)
	}
	os.Exit(status)
}

// build builds all packages once for all tests.
func build(t *testing.T) {
	t.Helper()
	building.Do(func() {
		var err error
		shared, err = os.MkdirTemp("", "ssh-gate-packages-")
		check(t, err)
		source, err := filepath.Abs(top)
		check(t, err)
		version, epoch := "0~test", "1800000000" // where the sources came without git
		if out, err := exec.Command("sh", "version").Output(); err == nil {
			version = strings.TrimSpace(string(out))
			out, err = exec.Command("git", "log", "-1", "--format=%ct").Output()
			check(t, err)
			epoch = strings.TrimSpace(string(out))
		}
		one := &set{shared + "/first", version, epoch}
		one.build(t, source, "umask 022", "amd64", "arm64")

		copied := shared + "/another folder"
		copySources(t, source, copied)
		two := &set{shared + "/second", version, epoch}
		two.build(t, copied, "umask 077; export TZ=America/New_York LC_ALL=C.UTF-8 LANGUAGE=de", "amd64", "arm64")

		config, err := os.ReadFile("config.toml")
		check(t, err)
		check(t, os.WriteFile(copied+"/packaging/packages/config.toml", append(config, nextDefault...), 0o644))
		three := &set{shared + "/next", nextVersion, epoch}
		three.build(t, copied, "umask 022", "amd64")
		check(t, os.WriteFile(shared+"/version", []byte(version), 0o644)) // for the machines
		first, second, next = one, two, three
	})
	if next == nil {
		t.Fatal("the packages could not be built")
	}
}

func (s *set) build(t *testing.T, source, before string, arch ...string) {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", before + `; exec sh packaging/packages/build "$@"`, "sh", s.dir}, arch...)...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "VERSION="+s.version, "SOURCE_DATE_EPOCH="+s.epoch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// copySources copies what a build needs, and no git beside it.
func copySources(t *testing.T, from, to string) {
	t.Helper()
	skip := []string{".git", "dist"}
	check(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(skip, name):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		case !d.Type().IsRegular() || slices.Contains(skip, name):
			return nil
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.Create(filepath.Join(to, name))
		if err != nil {
			return err
		}
		defer out.Close()
		_, err = io.Copy(out, in)
		return err
	}))
}

func TestReproducible(t *testing.T) {
	build(t)
	for i, path := range first.all() {
		one, err := os.ReadFile(path)
		check(t, err)
		two, err := os.ReadFile(second.all()[i])
		check(t, err)
		if !bytes.Equal(one, two) {
			t.Errorf("%s is another one when it is built elsewhere", filepath.Base(path))
		}
	}
}

// TestContents holds names, owners and modes against the lists in testdata, on both architectures.
func TestContents(t *testing.T) {
	dpkg, rpm := testsshd.RequireTool(t, "dpkg-deb", "dpkg"), testsshd.RequireTool(t, "rpm", "rpm")
	build(t)
	for _, arch := range []string{"amd64", "arm64"} {
		var lines []string
		for line := range strings.Lines(output(t, dpkg, "-c", first.deb(arch))) {
			f := strings.Fields(line)
			lines = append(lines, fmt.Sprintf("%s %s %s", f[0], f[1], strings.TrimPrefix(f[5], ".")))
		}
		golden(t, "deb", lines)
		// A flag c is for configuration, n for one that an upgrade does not replace.
		list := output(t, rpm, "-qp", "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES} %{FILEFLAGS:fflags}\n]", first.rpm(arch))
		golden(t, "rpm", strings.Split(strings.TrimSpace(list), "\n"))
	}
	if got, want := output(t, dpkg, "-f", first.deb("arm64"), "Package", "Version", "Architecture"), "Package: ssh-gate\nVersion: "+first.version+"-1\nArchitecture: arm64\n"; got != want {
		t.Errorf("got %s", got)
	}
	if got, want := output(t, rpm, "-qp", "--qf", "%{NAME} %{VERSION}-%{RELEASE} %{ARCH}", first.rpm("arm64")), "ssh-gate "+first.version+"-1 aarch64"; got != want {
		t.Errorf("got %s", got)
	}
}

// moduleVersion stands in the names of licences.
var moduleVersion = regexp.MustCompile(`@[^/]*\.txt`)

func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	for i := range lines {
		lines[i] = strings.TrimSpace(moduleVersion.ReplaceAllString(lines[i], "@VERSION.txt"))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(strings.Fields(a)[2], strings.Fields(b)[2]) })
	got, file := strings.Join(lines, "\n")+"\n", "testdata/contents."+name
	if *update {
		check(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	for line := range strings.Lines(got) {
		if !strings.Contains("\n"+string(want), "\n"+line) {
			t.Errorf("%s does not have: %s", file, line)
		}
	}
	for line := range strings.Lines(string(want)) {
		if !strings.Contains("\n"+got, "\n"+line) {
			t.Errorf("the package does not have: %s", line)
		}
	}
}

// unpack gives the folder with the files of a package.
func unpack(t *testing.T, path string) string {
	t.Helper()
	dir := t.TempDir()
	if strings.HasSuffix(path, ".deb") {
		output(t, testsshd.RequireTool(t, "dpkg-deb", "dpkg"), "-x", path, dir)
		return dir
	}
	testsshd.RequireTool(t, "cpio", "cpio")
	cmd := exec.Command("sh", "-c", `cd "$1" && `+testsshd.RequireTool(t, "rpm2cpio", "rpm2cpio")+` "$2" | cpio -id --quiet --no-absolute-filenames`, "sh", dir, path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// TestProgram: the right machine, nothing linked at run time, the package's release, and a licence for all that is linked.
func TestProgram(t *testing.T) {
	build(t)
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	for _, arch := range []string{"amd64", "arm64"} {
		for _, path := range []string{first.deb(arch), first.rpm(arch)} {
			dir := unpack(t, path)
			program := dir + "/usr/bin/ssh-gate"
			file, err := elf.Open(program)
			check(t, err)
			libraries, err := file.ImportedLibraries()
			if file.Machine != machines[arch] || len(libraries) > 0 || err != nil {
				t.Errorf("%s: the program is for %s, with %q, %v", path, file.Machine, libraries, err)
			}
			file.Close()
			licences(t, dir, program)
		}
	}
	if out := output(t, unpack(t, first.deb("amd64"))+"/usr/bin/ssh-gate", "version"); !strings.Contains(out, first.version) {
		t.Errorf("the program says %q, the package %q", out, first.version)
	}
}

// licences holds what the program itself says is linked against what the package says of it.
func licences(t *testing.T, dir, program string) {
	t.Helper()
	info, err := buildinfo.ReadFile(program)
	check(t, err)
	linked := []string{"std@" + info.GoVersion}
	for _, m := range info.Deps {
		linked = append(linked, m.Path+"@"+m.Version)
	}
	if len(linked) < 3 {
		t.Errorf("the program says that only %q are linked", linked)
	}
	modules := output(t, "go", "env", "GOMODCACHE")
	for _, name := range linked {
		source := filepath.Join(strings.TrimSpace(modules), escaped(name))
		if strings.HasPrefix(name, "std@") {
			source = strings.TrimSpace(output(t, "go", "env", "GOROOT"))
		}
		want := licenceText(t, source)
		if text, err := os.ReadFile(dir + "/usr/share/doc/ssh-gate/copyright"); err == nil {
			_, part, found := strings.Cut(string(text), "\nFiles: "+name+"/*\n")
			part, _, _ = strings.Cut(part, "\nFiles: ")
			apache := strings.Contains(part, "License: Apache-2.0\n") && strings.Contains(part, "/usr/share/common-licenses/Apache-2.0")
			if !found || !apache && !strings.Contains(words(strings.ReplaceAll(part, "\n .\n", "\n")), want) || !strings.Contains(part, "Copyright: Copyright ") {
				t.Errorf("the copyright file lacks %s", name)
			}
			continue
		}
		text, err := os.ReadFile(dir + "/usr/share/licenses/ssh-gate/" + strings.ReplaceAll(name, "/", "-") + ".txt")
		if err != nil || !strings.Contains(words(string(text)), want) {
			t.Errorf("the licence of %s is missing: %v", name, err)
		}
	}
}

// escaped is how the module cache spells capital letters.
func escaped(name string) string {
	return regexp.MustCompile(`[A-Z]`).ReplaceAllStringFunc(name, func(c string) string { return "!" + strings.ToLower(c) })
}

func licenceText(t *testing.T, dir string) string {
	t.Helper()
	for _, name := range []string{"LICENSE", "COPYING", "LICENSE.txt", "LICENSE.md"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			return words(string(text))
		}
	}
	t.Fatalf("%s has no licence", dir)
	return ""
}

func words(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestLintian(t *testing.T) {
	lintian := testsshd.RequireTool(t, "lintian", "lintian")
	build(t)
	out, err := exec.Command(lintian, "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", first.deb("amd64")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// Each override has its reason on the line above it.
	text, err := os.ReadFile("lintian-overrides")
	check(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i := 0; i < len(lines); i += 2 {
		if !strings.HasPrefix(lines[i], "# ") || i+1 == len(lines) || !strings.HasPrefix(lines[i+1], "ssh-gate: ") {
			t.Errorf("lintian-overrides: %s", lines[i])
		}
	}
}

// key is a commented key of config.toml, with its value.
var key = regexp.MustCompile(`(?m)^#([a-z]+ = .*)$`)

// TestConfig: the configuration as installed changes nothing, and its comments are the built-in values, of every key.
func TestConfig(t *testing.T) {
	text, err := os.ReadFile("config.toml")
	check(t, err)
	installed, faults := policy.ParseConfig("config.toml", text)
	if faults != nil {
		t.Fatal(faults.Render())
	}
	want := policy.DefaultConfig()
	if !slices.Equal(installed.Path, want.Path) || installed.Log != want.Log {
		t.Errorf("it says %+v, built in is %+v", installed, want)
	}
	spoken, faults := policy.ParseConfig("config.toml", key.ReplaceAll(text, []byte("$1")))
	if faults != nil {
		t.Fatal(faults.Render())
	}
	want.Log.Facility = slices.Index(policy.Facilities[:], "authpriv") // there is no value for none
	if !slices.Equal(spoken.Path, want.Path) || spoken.Log != want.Log {
		t.Errorf("its comments say %+v, built in is %+v", spoken, want)
	}
	example, err := os.ReadFile(top + "/examples/config.toml")
	check(t, err)
	for _, m := range regexp.MustCompile(`(?m)^(?:# )?([a-z]+) *= `).FindAllStringSubmatch(string(example), -1) {
		if !strings.Contains(string(text), "\n#"+m[1]+" = ") {
			t.Errorf("config.toml does not have the key %s of examples/config.toml", m[1])
		}
	}
}

// TestVersion: a version for each state of a clone, and Debian and rpm agree on which is later.
func TestVersion(t *testing.T) {
	testsshd.RequireTool(t, "git", "git")
	dir := t.TempDir()
	script, err := filepath.Abs("version")
	check(t, err)
	text, err := os.ReadFile(script)
	check(t, err)
	check(t, os.WriteFile(dir+"/version", text, 0o755))
	git := func(date string, args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE="+date, "GIT_AUTHOR_DATE="+date, "GIT_CONFIG_GLOBAL=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	version := func() string {
		t.Helper()
		cmd := exec.Command("sh", "version")
		cmd.Dir = dir
		out, err := cmd.Output()
		check(t, err)
		return strings.TrimSpace(string(out))
	}
	git("", "init", "-q")
	git("", "add", "version")
	var versions []string
	for i, c := range []struct{ tag, want string }{
		{"", `0~git20261122093000\.[0-9a-f]{7}`},
		{"", `0~git20261122093001\.[0-9a-f]{7}`},
		{"v0.1.0-rc.1", `0\.1\.0~rc\.1`},
		{"", `0\.1\.0~rc\.1\+git20261122093003\.[0-9a-f]{7}`},
		{"v0.1.0", `0\.1\.0`},
		{"", `0\.1\.0\+git20261122093005\.[0-9a-f]{7}`},
		{"not-a-release", `0\.1\.0\+git20261122093006\.[0-9a-f]{7}`},
		{"v0.1.1", `0\.1\.1`},
		{"v1.0.0", `1\.0\.0`},
	} {
		git(fmt.Sprintf("2026-11-22T11:30:%02d+02:00", i), "commit", "-q", "--allow-empty", "-m", "x")
		if c.tag != "" {
			git("", "tag", c.tag)
		}
		got := version()
		if !regexp.MustCompile("^" + c.want + "$").MatchString(got) {
			t.Errorf("commit %d, tag %q: %s, want %s", i, c.tag, got, c.want)
		}
		versions = append(versions, got)
	}
	rpm := testsshd.RequireTool(t, "rpm", "rpm")
	for i := range len(versions) - 1 {
		if err := exec.Command("dpkg", "--compare-versions", versions[i]+"-1", "lt", versions[i+1]+"-1").Run(); err != nil {
			t.Errorf("Debian: %s is not earlier than %s", versions[i], versions[i+1])
		}
		if out := output(t, rpm, "--eval", fmt.Sprintf("%%{lua:print(rpm.vercmp(%q, %q))}", versions[i], versions[i+1])); strings.TrimSpace(out) != "-1" {
			t.Errorf("rpm: %s is not earlier than %s: %s", versions[i], versions[i+1], out)
		}
	}
	check(t, os.WriteFile(dir+"/new", nil, 0o644))
	if got := version(); got != "1.0.0.dirty" {
		t.Errorf("with a file that is not committed: %s", got)
	}
	check(t, os.Remove(dir+"/new"))
	git("2026-11-22T12:30:00Z", "commit", "-q", "--allow-empty", "-m", "x")
	git("", "tag", "v2_0")
	cmd := exec.Command("sh", "version")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "name tags v1.2.3") {
		t.Errorf("a tag that makes no version: %v, %s", err, out)
	}
}

// TestScriptsAgree: the scripts make by hand what the declarations for systemd say.
func TestScriptsAgree(t *testing.T) {
	common, err := os.ReadFile("scripts/common.sh")
	check(t, err)
	sysusers, err := os.ReadFile("sysusers.conf")
	check(t, err)
	tmpfiles, err := os.ReadFile("tmpfiles.conf")
	check(t, err)
	for _, c := range []struct{ file, script, declared string }{
		{string(sysusers), "echo 'g ssh-gate -' |", "\ng ssh-gate -\n"},
		{string(tmpfiles), "make_folder /run/ssh-gate 2770", "\nd /run/ssh-gate 2770 root ssh-gate -\n"},
		{string(tmpfiles), "make_folder /var/log/ssh-gate 2750", "\nd /var/log/ssh-gate 2750 root ssh-gate -\n"},
		{string(tmpfiles), "chmod 0660 ssh-gate.log", "\nf /var/log/ssh-gate/ssh-gate.log 0660 root ssh-gate -\n"},
	} {
		if !strings.Contains(string(common), c.script) || !strings.Contains(c.file, c.declared) {
			t.Errorf("%q and %q do not both stand", c.script, c.declared)
		}
	}
}

// output is what a program prints on its way to a good end.
func output(t *testing.T, words ...string) string {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", words, err, out, errs.Bytes())
	}
	return string(out)
}

func number(t *testing.T, words ...string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(output(t, words...)))
	check(t, err)
	return n
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
