package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// submit makes a request of these words.
func (h *host) submit(t testing.TB, words ...string) outcome {
	t.Helper()
	return run(t, h.request(strings.ReplaceAll(argv.Quote(words), "$DIR", h.dir)))
}

// failed wants a refusal before the program started: its status, its one line to the client, and its record.
func (h *host) failed(t *testing.T, o outcome, reason record.Reason) entry {
	t.Helper()
	e := h.last(t)
	told := strings.Contains(o.stderr, "(ref "+e.Ref+")")
	if o.status != record.ExitUnavailable || o.stdout != "" || !told || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("the client got %+v, the record is %+v", o, e)
	}
	if e.Event != "error" || e.Reason != string(reason) || e.Rule == "" {
		t.Errorf("the record says %+v, want %s", e, reason)
	}
	return e
}

// free lets a client choose every word of these programs, so that what holds them is the kernel.
const free = `
[args]
words = { regex = '(?s).*' }
[confine]
write = ["$DIR/srv"]

[[allow]]
command = "cat {words+}"
[[allow]]
command = "cp {words+}"
[[allow]]
command = "ln {words+}"
[[allow]]
command = "mkfifo {words+}"
[[allow]]
command = "mv {words+}"
[[allow]]
command = "rm {words+}"
[[allow]]
command = "tar {words+}"
[[allow]]
command = "tee {words+}"
[[allow]]
command = "touch {words+}"
[[allow]]
command = "truncate {words+}"
[[allow]]
command = "rsync {words+}"
[[allow]]
command = "bash -c {words}"
confine = { write = ["$DIR/srv"], execute = ["/usr/bin"] }
`

func TestConfinedPrograms(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "rsync", "rsync")
	twice(t, free, func(t *testing.T, w *workshop, confined bool) {
		works := func(words ...string) {
			t.Helper()
			if o := w.submit(t, words...); o.status != 0 {
				t.Errorf("%q: %+v", words, o)
			}
		}
		works("cp", "$DIR/srv/served", "$DIR/srv/copy")
		works("ln", "$DIR/srv/copy", "$DIR/srv/hard")
		works("mv", "$DIR/srv/hard", "$DIR/srv/moved")
		works("mkfifo", "$DIR/srv/fifo")
		works("truncate", "-s", "0", "$DIR/srv/moved")
		works("rm", "$DIR/srv/fifo", "$DIR/srv/moved", "$DIR/srv/copy")
		works("tee", "/dev/null")
		works("tar", "-cf", "$DIR/srv/a.tar", "-C", "$DIR/srv", "served")
		works("bash", "-c", "cd $DIR/srv && mkdir -p a/b && mv a c && date >c/b/date && rm -r c && cat <(echo x) >/dev/null")

		check(t, os.Symlink(w.path("other"), w.path("srv/planted")))
		check(t, os.Symlink("../other/secret", w.path("srv/relative")))
		for _, words := range [][]string{
			{"cat", "$DIR/other/secret"},
			{"cat", "$DIR/srv/../other/secret"},
			{"cat", "$DIR/srv/planted/secret"},
			{"cat", "$DIR/srv/relative"},
			{"cat", "/proc/self/root/$DIR/other/secret"},
			{"cat", "/proc/self/cwd/../../../../../../../..$DIR/other/secret"},
			{"cat", "/dev/fd/../root/$DIR/other/secret"},
			{"cp", "$DIR/srv/served", "$DIR/other/new"},
			{"cp", "--remove-destination", "$DIR/srv/served", "$DIR/other/secret"},
			{"cp", "-rL", "$DIR/srv/planted", "$DIR/here/stolen"},
			{"ln", "$DIR/srv/served", "$DIR/other/new"},
			{"ln", "-s", "nowhere", "$DIR/other/new"},
			{"mkfifo", "$DIR/other/new"},
			{"mv", "$DIR/other/secret", "$DIR/srv/taken"},
			{"mv", "-T", "$DIR/srv", "$DIR/other/new"},
			{"rm", "$DIR/srv/planted/secret"},
			{"tee", "$DIR/other/new"},
			{"tee", "-a", "$DIR/srv/planted/new"},
			{"touch", "$DIR/other/new"},
			{"truncate", "-s", "0", "$DIR/other/secret"},
			{"tar", "-xf", "$DIR/srv/a.tar", "-C", "$DIR/other"},
			{"tar", "-xf", "$DIR/srv/a.tar", "--to-command=touch $DIR/other/new"},
			{"tar", "-xf", "$DIR/srv/a.tar", "-C", "$DIR/srv", "--checkpoint=1", "--checkpoint-action=exec=touch $DIR/other/new"},
			{"tar", "-xf", "$DIR/srv/a.tar", "-C", "$DIR/srv", "-I", "sh -c 'touch $DIR/other/new; cat'"},
			{"tar", "-tvf", "$DIR/srv/a.tar", "--index-file=$DIR/other/new"},
			{"tar", "-cf", "$DIR/other/new", "-C", "$DIR/srv", "served"},
			{"rsync", "--log-file=$DIR/other/new", "$DIR/srv/served", "$DIR/srv/again"},
			{"rsync", "-b", "-I", "--backup-dir=$DIR/other/backup", "$DIR/srv/served", "$DIR/srv/a.tar"},
			{"rsync", "--files-from=$DIR/other/secret", "--write-batch=$DIR/other/new", "$DIR/srv", "$DIR/srv/again"},
			{"bash", "-c", "cd $DIR/other && cat secret"},
			{"bash", "-c", "cat <$DIR/other/secret"},
			{"bash", "-c", "(setsid touch $DIR/other/new)"}, // what it starts is held as well
			{"bash", "-c", "ln $DIR/other/secret $DIR/srv/hard && cat $DIR/srv/hard"},
			{"bash", "-c", "cat /proc/$PPID/root/$DIR/other/secret"}, // the test, which is not confined
			{"bash", "-c", "exec unshare -m sh -c 'mount --bind $DIR/other $DIR/srv && cat $DIR/srv/secret'"},
		} {
			if words[0] == "bash" && strings.Contains(words[2], "unshare") && os.Getuid() != 0 {
				continue // to mount takes root
			}
			w.attack(t, confined, argv.Quote(words), func() outcome { return w.submit(t, words...) })
			// What an attack made in its own folder is nothing to the next.
			for _, name := range []string{"taken", "hard", "again"} {
				check(t, os.RemoveAll(w.path("srv/"+name)))
			}
			if _, err := os.Lstat(w.path("srv")); err != nil {
				check(t, os.Rename(w.path("other/new"), w.path("srv")))
			}
		}
	})
}

// TestConfinedExecution: what is written is not executed, and of programs only what the policy names, with what starts them.
func TestConfinedExecution(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t, `
[args]
words = { regex = '(?s).*' }
[[allow]]
command = "env {words+}"
confine = { write = ["$DIR/srv"], execute = ["$DIR/bin/script", "/usr/bin/date"] }
[[allow]]
name = "all"
command = "all {words+}"
run = "/usr/bin/env {words+}"
confine = false
[[allow]]
name = "script"
command = "script"
confine = {}
`)
	w.write(t, "bin/script", "#!/bin/sh\necho ran\n")
	w.write(t, "srv/upload", "#!/bin/sh\necho ran\n")
	for _, name := range []string{"bin/script", "srv/upload"} {
		check(t, os.Chmod(w.path(name), 0o755))
	}
	for _, c := range []struct {
		words []string
		ran   bool
	}{
		{[]string{"env", "$DIR/bin/script"}, true},
		{[]string{"env", "date", "+ran"}, true},
		{[]string{"script"}, true},
		{[]string{"all", "$DIR/srv/upload"}, true},
		{[]string{"all", "echo", "ran"}, true},
		{[]string{"env", "$DIR/srv/upload"}, false},
		{[]string{"env", "echo", "ran"}, false},
	} {
		if o := w.submit(t, c.words...); (o.stdout == "ran\n") != c.ran || (o.status == 0) != c.ran {
			t.Errorf("%q: %+v", c.words, o)
		}
	}
}

// values are rules whose paths come from the client, each with what the kernel lets the program do with it.
const values = `
[args]
from = { path = "$DIR/srv", access = "read" }
to = { path = "$DIR/srv", access = "write" }
[[allow]]
command = "cat {from+}"
[[allow]]
command = "cp -r {from} {to}"
[[allow]]
command = "grep -R . {from}"
[[allow]]
command = "mkdir -p {to}"
[[allow]]
command = "tee {to}"
[[allow]]
command = "tee -a {from}"
[[allow]]
command = "rsync -a {from} {to}"
`

func TestConfinedValues(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "rsync", "rsync")
	twice(t, values, func(t *testing.T, w *workshop, confined bool) {
		works := func(words ...string) {
			t.Helper()
			if o := w.submit(t, words...); o.status != 0 {
				t.Errorf("%q: %+v", words, o)
			}
		}
		// What is to be written need not exist yet, nor its folder.
		works("tee", "$DIR/srv/new")
		works("tee", "$DIR/srv/new")
		works("mkdir", "-p", "$DIR/srv/a/b/c")
		works("tee", "$DIR/srv/a/b/c/new")
		works("cp", "-r", "$DIR/srv/a", "$DIR/srv/copy")
		works("rsync", "-a", "$DIR/srv/a/", "$DIR/srv/copy2/")
		works("cat", "$DIR/srv/served", "$DIR/srv/new", "$DIR/srv/served")
		works("grep", "-R", ".", "$DIR/srv")

		// A value of one folder says nothing of its neighbours.
		if o := w.submit(t, "grep", "-R", ".", "$DIR/srv/a/b"); o.status != 1 || o.stderr != "" {
			t.Errorf("%+v", o)
		}
		check(t, os.Symlink("../served", w.path("srv/a/inside")))
		if o := w.submit(t, "grep", "-R", ".", "$DIR/srv/a"); (o.stderr != "") != confined {
			t.Errorf("confined %t: %+v", confined, o)
		}
		// To read is not to write.
		cmd := w.request("tee -a " + w.path("srv/served"))
		cmd.Stdin = strings.NewReader("more\n")
		if o := run(t, cmd); (o.status == 0) == confined {
			t.Errorf("confined %t: %+v", confined, o)
		}
		if text, err := os.ReadFile(w.path("srv/served")); err != nil || strings.Contains(string(text), "more") == confined {
			t.Errorf("confined %t: %q, %v", confined, text, err)
		}

		check(t, os.Mkdir(w.path("srv/deep"), 0o755))
		check(t, os.Symlink(w.path("other"), w.path("srv/deep/planted")))
		w.attack(t, confined, "a link below a value", func() outcome { return stripped(w.submit(t, "grep", "-R", ".", "$DIR/srv/deep")) })

		// A link that is a value the gate itself refuses.
		check(t, os.Symlink(w.path("other/secret"), w.path("srv/link")))
		w.denied(t, w.submit(t, "cat", "$DIR/srv/link"), "no-rule")
	})
}

// stripped leaves of grep's lines what it found.
func stripped(o outcome) outcome {
	var b strings.Builder
	for line := range strings.Lines(o.stdout) {
		_, found, _ := strings.Cut(line, ":")
		b.WriteString(found)
	}
	o.stdout = b.String()
	return o
}

// TestSwap stops the gate between check and use, puts a link in the place of what was checked, and lets it go on.
func TestSwap(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "strace", "strace")
	twice(t, strings.ReplaceAll(values, "$DIR/srv", "$DIR/open/srv"), func(t *testing.T, w *workshop, confined bool) {
		w.open(t, "open")
		check(t, os.MkdirAll(w.path("open/srv/folder"), 0o755))
		swapped := func(name, to string) func() {
			return func() {
				check(t, os.Rename(w.path(name), w.path(name+".was")))
				check(t, os.Symlink(w.path(to), w.path(name)))
			}
		}
		back := func(name string) {
			check(t, os.Remove(w.path(name)))
			check(t, os.Rename(w.path(name+".was"), w.path(name)))
		}
		for _, c := range []struct{ name, to, request string }{
			{"open/srv/folder", "other", "cat $DIR/open/srv/folder/secret"},
			{"open/srv/folder/secret", "other/secret", "cat $DIR/open/srv/folder/secret"},
			{"open/srv", "other", "cat $DIR/open/srv/secret"},
			{"open/srv/folder", "other", "tee $DIR/open/srv/folder/new"},
			{"open/srv/folder/secret", "other/secret", "tee $DIR/open/srv/folder/secret"},
			{"open/srv/folder", "other", "mkdir -p $DIR/open/srv/folder/new"},
		} {
			w.write(t, "open/srv/folder/secret", "mine\n")
			w.write(t, "open/srv/secret", "mine\n")
			w.attack(t, confined, "executed: "+c.request, func() outcome { return w.stopped(t, executed, c.request, swapped(c.name, c.to)) })
			back(c.name)
			if !confined {
				continue // nothing is made ready
			}
			w.write(t, "other/secret", "secret\n")
			e := w.failed(t, w.stopped(t, judged, c.request, swapped(c.name, c.to)), record.ConfineFailed)
			refused := strings.Contains(e.Detail, unix.ELOOP.Error()) || strings.Contains(e.Detail, "is a link that others than root can have made")
			if !strings.Contains(e.Detail, w.path("open/srv")) || !refused || !w.whole(t) {
				t.Errorf("%s: %+v", c.request, e)
			}
			back(c.name)
			check(t, os.Remove(w.log))
		}
	})
}

// The calls of the gate at whose end it is stopped.
const (
	judged   = "landlock_create_ruleset" // first to ask for the version
	executed = "execve"                  // strace lets the gate's own pass
)

// stopped makes a request, stops the gate at the first such call, acts, and lets it go on.
func (h *host) stopped(t *testing.T, call, request string, act func()) outcome {
	t.Helper()
	dir := t.TempDir()
	trace, number := filepath.Join(dir, "trace"), filepath.Join(dir, "number")
	// -D: the gate is the shell's own process, not a child of strace's. Every call is a stop: strace counts for each thread, and Go may change it.
	line := h.gate("/bin/sh", "-c", `echo $$ >"$0"; exec "$@"`, number, "strace", "-f", "-D", "-q", "-o", trace, "-e", "trace="+call, "-e", "inject="+call+":signal=SIGSTOP")
	cmd := command(sshdEnv(strings.ReplaceAll(request, "$DIR", h.dir)), line...)
	ended := make(chan outcome, 1)
	go func() { ended <- run(t, cmd) }()
	for stops := 0; ; time.Sleep(time.Millisecond) {
		select {
		case o := <-ended:
			if stops == 0 {
				t.Fatalf("the gate was not stopped at %s: %+v", call, o)
			}
			return o
		default:
		}
		text, _ := os.ReadFile(trace)
		signals := strings.SplitN(string(text), "--- SIGSTOP {", stops+2)
		if len(signals) < stops+2 || !strings.Contains(signals[stops+1], "--- stopped by SIGSTOP ---") {
			continue
		}
		if stops++; stops == 1 {
			act()
		}
		text, err := os.ReadFile(number)
		check(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		check(t, err)
		check(t, unix.Kill(pid, unix.SIGCONT))
	}
}

// TestVanished: what the request named is gone when the program is to start.
func TestVanished(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "strace", "strace")
	w := newWorkshop(t, values)
	gone := func() { check(t, os.Rename(w.path("srv"), w.path("gone"))) }
	for _, request := range []string{"cat $DIR/srv/served", "tee $DIR/srv/new", "tee $DIR/srv/served"} {
		e := w.failed(t, w.stopped(t, judged, request, gone), record.ConfineFailed)
		if !strings.Contains(e.Detail, "no such file") {
			t.Errorf("%s: %+v", request, e)
		}
		check(t, os.Rename(w.path("gone"), w.path("srv")))
	}
	// A file to be read that is gone gives no right: the program itself finds nothing, also if it is made anew.
	o := w.stopped(t, judged, "cat $DIR/srv/served", func() { check(t, os.Remove(w.path("srv/served"))) })
	if o.status != 1 || !strings.Contains(o.stderr, "No such file") {
		t.Errorf("%+v", o)
	}
}

// TestPathsOfConfine: a path of the administrator's that is not there ends the request, and is named.
func TestPathsOfConfine(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"read", "write", "execute"} {
		h := newHost(t, "[[allow]]\ncommand = \"uname\"\nconfine."+key+" = [\"$DIR/missing\"]\n")
		e := h.failed(t, h.submit(t, "uname"), record.ConfineFailed)
		if !strings.Contains(e.Detail, h.path("missing")) {
			t.Errorf("%+v", e)
		}
		check(t, os.Mkdir(h.path("missing"), 0o755))
		if o := h.submit(t, "uname"); o.status != 0 {
			t.Errorf("%+v", o)
		}
	}
}

// TestRoots are paths that mean more, or something else, than a folder of files.
func TestRoots(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t, `
[args]
any = { path = "/", access = "read" }
all = { path = "/", access = "write" }
one = { path = "$DIR/other/secret", access = "read" }
change = { path = "$DIR/other/change", access = "write" }
link = { path = "$DIR/link", access = "read" }
[[allow]]
command = "cat {any}"
[[allow]]
command = "ls {any}"
[[allow]]
command = "touch {all}"
[[allow]]
command = "head {one}"
[[allow]]
command = "tee {change}"
[[allow]]
command = "tail {link}"
`)
	check(t, os.Symlink(w.path("srv"), w.path("link")))
	w.write(t, "other/change", "old\n")
	if o := w.submit(t, "cat", "$DIR/other/secret"); o.stdout != "secret\n" {
		t.Errorf("below /: %+v", o)
	}
	if o := w.submit(t, "ls", "/"); o.status != 0 {
		t.Errorf("/ itself: %+v", o)
	}
	// /proc/self/root resolves to where it leads, and only that is what the program may read.
	if o := w.submit(t, "cat", "/proc/self/root$DIR/other/secret"); o.stdout != "secret\n" {
		t.Errorf("%+v", o)
	}
	if o := w.submit(t, "touch", "$DIR/srv/new"); o.status != 0 {
		t.Errorf("to write below /: %+v", o)
	}
	for _, path := range []string{"/", "/ssh-gate-test-new", "/proc/self/root"} {
		if e := w.failed(t, w.submit(t, "touch", path), record.ConfineFailed); !strings.Contains(e.Detail, "write everything") {
			t.Errorf("%s: %+v", path, e)
		}
	}
	// A root that is a file.
	if o := w.submit(t, "head", "$DIR/other/secret"); o.stdout != "secret\n" {
		t.Errorf("a file as root: %+v, %+v", o, w.records(t))
	}
	if o := w.submit(t, "tee", "$DIR/other/change"); o.status != 0 {
		t.Errorf("a file as root: %+v, %+v", o, w.records(t))
	}
	if text, err := os.ReadFile(w.path("other/change")); err != nil || len(text) != 0 {
		t.Errorf("%q, %v", text, err)
	}
	// A root that is a link means where it leads, if root made it.
	o := w.submit(t, "tail", "$DIR/link/served")
	if os.Getuid() == 0 && o.stdout != "served\n" {
		t.Errorf("a link as root: %+v", o)
	} else if os.Getuid() != 0 {
		w.failed(t, o, record.ConfineFailed)
	}
}

// open makes a folder in which others than root may make links, whoever runs the tests.
func (h *host) open(t *testing.T, name string) {
	t.Helper()
	check(t, os.Mkdir(h.path(name), 0o777))
	check(t, os.Chmod(h.path(name), 0o777))
}

// TestLinkRegression: a rule's program makes a link where the policy names a folder; with it the same rule, or another key's, once got
// whatever the link leads to.
func TestLinkRegression(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t, `
[args]
text = { regex = '(?s).*' }
in = { path = "$DIR/open/in", access = "read" }
out = { path = "$DIR/open/in", access = "write" }
[[allow]]
command = "bash -c {text}"
confine = { write = ["$DIR/open"], execute = ["/usr/bin"] }
[[allow]]
command = "cat {in}"
[[allow]]
command = "tee {out}"
[[allow]]
command = "head {text}"
confine.read = ["$DIR/open/in"]
[[allow]]
command = "touch {text}"
confine.write = ["$DIR/open/in/sub"]
[[allow]]
command = "env {text+}"
confine.execute = ["/usr/bin", "$DIR/open/in"]
`)
	w.open(t, "open")
	check(t, os.MkdirAll(w.path("open/in/sub"), 0o755))
	w.write(t, "open/in/secret", "mine\n")
	requests := [][]string{{"cat", "$DIR/open/in/secret"}, {"tee", "$DIR/open/in/secret"}, {"head", "$DIR/open/in/secret"},
		{"touch", "$DIR/open/in/sub/new"}, {"env", "cat", "$DIR/open/in/secret"}}
	for _, words := range requests {
		if o := w.submit(t, words...); o.status != 0 {
			t.Errorf("%q: %+v", words, o)
		}
	}
	for _, to := range []string{"/", w.path("other"), "../other"} {
		plant := "cd $DIR/open && mv in in2 && ln -s " + to + " in"
		if o := w.submit(t, "bash", "-c", plant); o.status != 0 {
			t.Fatalf("%+v", o)
		}
		for _, words := range requests {
			path := "$DIR/open/in/" + strings.TrimPrefix(words[len(words)-1], "$DIR/open/in/")
			if to == "/" {
				path = "$DIR/open/in" + w.path("other/secret")
			}
			e := w.failed(t, w.submit(t, append(words[:len(words)-1:len(words)-1], path)...), record.ConfineFailed)
			if !strings.Contains(e.Detail, strconv.Quote(w.path("open/in"))+" is a link that others than root can have made") || !w.whole(t) {
				t.Errorf("%q, with a link to %s: %+v", words, to, e)
			}
		}
		if o := w.submit(t, "bash", "-c", "cd $DIR/open && rm in && mv in2 in"); o.status != 0 {
			t.Fatalf("%+v", o)
		}
	}
}

// TestStarterRegression: a rule's program writes into a file that execute names what starts it, and once could read and execute that.
func TestStarterRegression(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t, `
[args]
text = { regex = '(?s).*' }
[[allow]]
command = "bash -c {text}"
confine = { write = ["$DIR/open"], execute = ["$DIR/open/hook", "/usr/bin/cat"] }
`)
	w.open(t, "open")
	w.write(t, "open/hook", "#!/bin/bash\n")
	check(t, os.Chmod(w.path("open/hook"), 0o777))
	script := func(text string) outcome { return w.submit(t, "bash", "-c", text) }
	loader := append(testhost.ProgramOf(w.path("other/secret")), 0)
	check(t, os.WriteFile(w.path("open/elf"), loader, 0o755))
	for _, plant := range []string{"echo '#!/'", "echo '#!" + w.path("other") + "'", "echo '#!" + w.path("other/secret") + "'", "cat $DIR/open/elf"} {
		if o := script(plant + " >$DIR/open/hook"); o.status != 0 {
			t.Fatalf("%+v", o)
		}
		if o := script("cat $DIR/other/secret"); o.status != 1 || !strings.Contains(o.stderr, "Permission denied") {
			t.Errorf("%s: %+v", plant, o)
		}
		if o := script("/usr/bin/id"); o.status != 126 {
			t.Errorf("%s: %+v", plant, o)
		}
	}
	// What the file names is executed where execute names it.
	if o := script("printf '#!/usr/bin/cat\\nhello\\n' >$DIR/open/hook; $DIR/open/hook"); !strings.Contains(o.stdout, "hello") {
		t.Errorf("%+v", o)
	}
}

// TestMounts: what the administrator mounts into the folder belongs to it; where else the folder is mounted, it is the same folder.
func TestMounts(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	w := newWorkshop(t, values+"[[allow]]\nname = \"free\"\ncommand = \"head {words+}\"\nargs.words = { regex = '.*' }\nconfine = { read = [\"$DIR/srv\"] }\n")
	for _, name := range []string{"srv/in", "srv/bound", "elsewhere"} {
		check(t, os.Mkdir(w.path(name), 0o755))
	}
	mount := func(from, to, kind string, flags uintptr) {
		check(t, unix.Mount(from, to, kind, flags, ""))
		t.Cleanup(func() { check(t, unix.Unmount(to, unix.MNT_DETACH)) })
	}
	mount("tmpfs", w.path("srv/in"), "tmpfs", 0)
	mount(w.path("other"), w.path("srv/bound"), "", unix.MS_BIND)
	mount(w.path("srv"), w.path("elsewhere"), "", unix.MS_BIND)
	w.write(t, "srv/in/served", "served\n")
	for _, c := range []struct {
		words  []string
		stdout string
	}{
		{[]string{"cat", "$DIR/srv/in/served"}, "served\n"},
		{[]string{"cat", "$DIR/srv/bound/secret"}, "secret\n"},
		{[]string{"tee", "$DIR/srv/in/new"}, ""},
		{[]string{"tee", "$DIR/srv/in"}, "a folder"},
		{[]string{"cp", "-r", "$DIR/srv/in", "$DIR/srv/copy"}, ""},
		{[]string{"head", "$DIR/srv/bound/secret"}, "secret\n"},
		{[]string{"head", "$DIR/elsewhere/served"}, "served\n"},
		{[]string{"head", "$DIR/other/secret"}, "refused"}, // the same file, by a way that is not the folder's
	} {
		o := w.submit(t, c.words...)
		if c.stdout == "a folder" || c.stdout == "refused" {
			if o.status != 1 || o.stdout != "" {
				t.Errorf("%q: %+v", c.words, o)
			}
		} else if o.status != 0 || o.stdout != c.stdout {
			t.Errorf("%q: %+v, %+v", c.words, o, w.records(t))
		}
	}
}

// TestManyPaths asks for two thousand files at once, to read and to write, with the few descriptors that a login may have.
func TestManyPaths(t *testing.T) {
	t.Parallel()
	h := newHost(t, `
cwd = "$DIR/srv"
[[allow]]
command = "cat {from+}"
args.from = { path = "$DIR/srv", access = "read" }
[[allow]]
command = "touch {to+}"
args.to = { path = "$DIR/srv", access = "write" }
`)
	check(t, os.Mkdir(h.path("srv"), 0o755))
	read, write := []string{"cat"}, []string{"touch"}
	for i := range 2000 {
		name := fmt.Sprintf("f%d", i)
		read, write = append(read, name), append(write, name)
	}
	for _, words := range [][]string{write, write, read} {
		cmd := command(sshdEnv(argv.Quote(words)), h.gate("/bin/sh", "-c", `ulimit -n 64; exec "$@"`, "sh")...)
		if o := run(t, cmd); o.status != 0 || o.stderr != "" {
			t.Fatalf("%s: %+v, %+v", words[0], o, h.records(t))
		}
	}
	if names, err := os.ReadDir(h.path("srv")); err != nil || len(names) != 2000 {
		t.Errorf("%d files, %v", len(names), err)
	}
}

// TestOldKernel: strace answers in the kernel's place, as one does that has no Landlock, has it switched off, or has an early version.
func TestOldKernel(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "strace", "strace")
	const policy = `
[[allow]]
command = "cat {words}"
args.words = { regex = '.*' }
confine = { network = false, fallback = "refuse" }
[[allow]]
name = "fallback"
command = "head {words}"
args.words = { regex = '.*' }
confine = { network = false, fallback = "allow" }
[[allow]]
name = "files"
command = "tail {words}"
args.words = { regex = '.*' }
confine = {}
[[allow]]
command = "uname"
`
	h := newHost(t, policy)
	h.write(t, "secret", "secret\n")
	for _, c := range []struct {
		answer        string
		detail        string // of the first rule's refusal
		files         bool   // the third rule starts
		fallbackHolds bool
	}{
		{"error=ENOSYS", "no Landlock", false, false},
		{"error=EOPNOTSUPP", "switched off", false, false},
		{"retval=1", "Linux 6.2", false, true},
		{"retval=2", "Linux 6.2", false, true},
		{"retval=3", "Linux 6.7", true, true},
		{"retval=4", "", true, true},
		{"retval=5", "", true, true},
		{"retval=6", "", true, true},
		{"retval=99", "", true, true},
	} {
		ask := func(words ...string) outcome {
			trace := []string{"strace", "-f", "-o", "/dev/null", "-e", "trace=landlock_create_ruleset", "-e", "inject=landlock_create_ruleset:" + c.answer + ":when=1"}
			return run(t, command(sshdEnv(argv.Quote(words)), h.gate(trace...)...))
		}
		held := func(o outcome) bool {
			return o.status == 1 && o.stdout == "" && strings.Contains(o.stderr, "Permission denied")
		}
		o := ask("cat", h.path("secret"))
		if c.detail == "" && !held(o) {
			t.Errorf("%s: %+v", c.answer, o)
		} else if c.detail != "" {
			if e := h.failed(t, o, record.ConfineUnsupported); !strings.Contains(e.Detail, c.detail) {
				t.Errorf("%s: %+v", c.answer, e)
			}
		}
		o = ask("tail", h.path("secret"))
		if c.files && !held(o) {
			t.Errorf("%s: %+v", c.answer, o)
		} else if !c.files {
			h.failed(t, o, record.ConfineUnsupported)
		}
		if o = ask("head", h.path("secret")); c.fallbackHolds && !held(o) || !c.fallbackHolds && o != (outcome{stdout: "secret\n"}) {
			t.Errorf("fallback, %s: %+v", c.answer, o)
		}
		if o = ask("uname"); o.status != 0 {
			t.Errorf("a rule that is not confined, %s: %+v", c.answer, o)
		}
	}
	// A call that fails although the kernel has it is no reason to go on unconfined, whatever the fallback.
	for _, call := range []string{
		"landlock_create_ruleset:error=ENOMEM:when=2", "landlock_add_rule:error=ENOMEM", "landlock_add_rule:error=ENOMEM:when=3",
		"landlock_restrict_self:error=E2BIG",
	} {
		name, _, _ := strings.Cut(call, ":")
		line := h.gate("strace", "-f", "-o", "/dev/null", "-e", "trace="+name, "-e", "inject="+call)
		o := run(t, command(sshdEnv("head "+h.path("secret")), line...))
		if e := h.last(t); o.status != record.ExitUnavailable || o.stdout != "" || e.Event != "error" || e.Rule != "fallback" || !strings.Contains(o.stderr, e.Ref) {
			t.Errorf("%s: %+v, %+v", call, o, e)
		}
	}
}

// TestRecordFromWithin: what fails when the gate itself is confined already is recorded all the same.
func TestRecordFromWithin(t *testing.T) {
	t.Parallel()
	h := newHost(t, "[[allow]]\ncommand = \"broken\"\nconfine = {}\n")
	h.write(t, "bin/broken", "no program\n")
	check(t, os.Chmod(h.path("bin/broken"), 0o755))
	if e := h.failed(t, h.submit(t, "broken"), record.ProgramFailed); !strings.Contains(e.Detail, "exec format error") {
		t.Errorf("%+v", e)
	}
}

// TestConfineDefault: the top's confine is every rule's, but for one that has its own or takes it back.
func TestConfineDefault(t *testing.T) {
	t.Parallel()
	h := newHost(t, `
args.words = { regex = '.*' }
confine = { read = ["$DIR/srv"] }
[[allow]]
command = "cat {words}"
[[allow]]
command = "head {words}"
confine = { read = ["$DIR/other"] }
[[allow]]
command = "tail {words}"
confine = false
`)
	for _, name := range []string{"srv", "other"} {
		check(t, os.Mkdir(h.path(name), 0o755))
		h.write(t, name+"/file", name+"\n")
	}
	for program, want := range map[string][2]string{"cat": {"srv\n", ""}, "head": {"", "other\n"}, "tail": {"srv\n", "other\n"}} {
		for i, name := range []string{"srv", "other"} {
			if o := h.submit(t, program, "$DIR/"+name+"/file"); o.stdout != want[i] || (o.status == 0) != (want[i] != "") {
				t.Errorf("%s %s: %+v", program, name, o)
			}
		}
	}
}

// newNetworkHost runs Python code with the network, "open", and without, "shut". Somebody listens on the port.
func newNetworkHost(t *testing.T) (h *host, port string) {
	t.Helper()
	python := testsshd.RequireTool(t, "/usr/bin/python3", "python3")
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { listener.Close() })
	port = fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	return newHost(t, strings.ReplaceAll(`
args.words = { regex = '(?s).*' }
[[allow]]
command = "open {words+}"
run = "PYTHON -I -S -c {words+}"
confine = {}
[[allow]]
command = "shut {words+}"
run = "PYTHON -I -S -c {words+}"
confine = { network = false }
`, "PYTHON", python)), port
}

// TestConfinedNetwork: TCP to a listener here, and a port to listen on.
func TestConfinedNetwork(t *testing.T) {
	t.Parallel()
	h, port := newNetworkHost(t)
	for _, c := range []struct{ action, want string }{
		{"print(s.connect_ex(('127.0.0.1', " + port + ")))", "0\n"},
		{"print(s.connect_ex(('127.0.0.1', 1)))", "111\n"}, // nobody listens: ECONNREFUSED
		{"print(s.bind(('127.0.0.1', 0)))", "None\n"},
		{"print(s.bind(('', 0)) or s.listen())", "None\n"},
	} {
		code := "import socket; s = socket.socket(); " + c.action
		if o := h.submit(t, "open", code); o != (outcome{stdout: c.want}) {
			t.Errorf("%s: %+v", c.action, o)
		}
		if o := h.submit(t, "shut", code); o != (outcome{stdout: "13\n"}) && (o.status != 1 || !strings.Contains(o.stderr, "PermissionError")) {
			t.Errorf("network = false: %s: %+v", c.action, o)
		}
	}
}

// TestConfinedNetworkRegression: what Landlock knows as TCP was got by with other sockets.
func TestConfinedNetworkRegression(t *testing.T) {
	t.Parallel()
	h, port := newNetworkHost(t)
	for name, code := range map[string]string{
		"MPTCP":               "s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); s.connect(('127.0.0.1', PORT))",
		"TCP Fast Open":       "s = socket.socket(); s.sendto(b'x', 0x20000000, ('127.0.0.1', PORT))",
		"listen without bind": "s = socket.socket(); s.listen()",
		"UDP":                 "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', PORT))",
		"IPv6":                "s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(('::1', 0))",
	} {
		code = "import socket; " + strings.ReplaceAll(code, "PORT", port)
		if o := h.submit(t, "open", code); o.status != 0 {
			t.Errorf("%s: without the refusal: %+v", name, o)
		}
		if o := h.submit(t, "shut", code); o.status != 1 || !strings.Contains(o.stderr, "PermissionError") {
			t.Errorf("%s: %+v", name, o)
		}
	}
	const local = "import socket; a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1)); socket.socket(socket.AF_UNIX)"
	if o := h.submit(t, "shut", local); o.stdout != "b'x'\n" || o.status != 0 {
		t.Errorf("sockets within the host: %+v", o)
	}
}

// TestBase: with nothing but the base, programs do what they do without a domain.
func TestBase(t *testing.T) {
	t.Parallel()
	const policy = `
args.words = { regex = '(?s).*' }
confine = {}
[[allow]]
command = "run {words+}"
run = "PROGRAM {words+}"
`
	for _, c := range []struct{ program, debianPackage, words string }{
		{"borg", "borgbackup", "--version"}, // a script
		{"dash", "dash", "-c 'echo a | read b && : >/dev/null'"},
		{"date", "coreutils", "-d @0"}, // the local time
		{"openssl", "openssl", "version"},
		{"perl", "perl-base", "-e 'print 1'"},
		{"python3", "python3", "-I -c 'import json, os, ssl; print(os.urandom(0))'"},
		{"sed", "sed", "--version"},
		{"tar", "tar", "--help"},
	} {
		program := "/usr/bin/" + c.program
		if _, err := os.Stat(program); err != nil {
			if c.program == "openssl" || c.program == "perl" {
				continue // not among what the tests need
			}
			testsshd.RequireTool(t, program, c.debianPackage)
		}
		text := strings.ReplaceAll(policy, "PROGRAM", program)
		free := run(t, newHost(t, strings.Replace(text, "confine = {}", "", 1)).request("run "+c.words))
		held := run(t, newHost(t, text).request("run "+c.words))
		if free != held || free.status != 0 {
			t.Errorf("%s: not confined %+v\nconfined %+v", c.program, free, held)
		}
	}
	// One that needs no loader: the probe is static.
	h := newHost(t, "[[allow]]\ncommand = \"probe exit {n}\"\nargs.n = { int = [0, 9] }\nconfine = {}\n")
	if o := h.submit(t, "probe", "exit", "3"); o != (outcome{status: 3}) {
		t.Errorf("%+v %+v", o, h.records(t))
	}
}

// TestConfinedSignals: a program outside of the domain is not signalled.
func TestConfinedSignals(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "kill", "procps")
	h := newHost(t, `
args.pid = { int = [2, 4194304] }
[[allow]]
command = "kill {pid}"
confine = {}
[[allow]]
name = "free"
command = "free {pid}"
run = "/usr/bin/kill {pid}"
`)
	victim := exec.Command("sleep", "60")
	check(t, victim.Start())
	ended := make(chan error, 1)
	go func() { ended <- victim.Wait() }()
	defer victim.Process.Kill()
	pid := fmt.Sprint(victim.Process.Pid)
	if o := h.submit(t, "kill", pid); o.status == 0 || !strings.Contains(o.stderr, "not permitted") {
		t.Errorf("confined: %+v", o)
	}
	if o := h.submit(t, "free", pid); o.status != 0 {
		t.Errorf("not confined: %+v", o)
	}
	if err := <-ended; err == nil {
		t.Error("it ended by itself")
	}
}

// TestConfinedUser is sftp into one folder by an account without any privilege, on an installation.
func TestConfinedUser(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	testsshd.RequireTool(t, "sftp", "openssh-client")
	m := install(t)
	server := testhost.NewServer(t, "Subsystem sftp internal-sftp")
	key := server.Key(t, "partner")
	server.Authorize(t, m.deploy, `command="/usr/bin/ssh-gate --key partner",restrict`, key)
	policy := strings.ReplaceAll(example(t, "sftp-confined.toml", "/srv/partner"), "$DIR/srv", "/home/deploy/files")
	testhost.Run(t, "install", "-d", "-o", "deploy", "-g", "deploy", "/home/deploy/files")
	check(t, os.WriteFile("/home/deploy/secret", []byte("secret\n"), 0o644))
	testhost.Run(t, "chown", "deploy:deploy", "/home/deploy/secret")
	dir := t.TempDir()
	do := func(batch string) outcome {
		check(t, os.WriteFile(filepath.Join(dir, "batch"), []byte(batch), 0o644))
		cmd := exec.CommandContext(t.Context(), "sftp", append(append([]string{"-b", filepath.Join(dir, "batch")}, server.Arguments(key)...), "deploy@server")...)
		cmd.Dir = dir
		return run(t, cmd)
	}
	for _, confined := range []bool{false, true} {
		text := policy
		if !confined {
			text = unconfined(t, policy)
		}
		check(t, os.WriteFile("/etc/ssh-gate/keys/partner.toml", []byte(text), 0o644))
		if o := do("put batch\nget batch back\nrename batch sent\nrm sent\n"); o.status != 0 {
			t.Errorf("confined %t: %+v\n%s", confined, o, readLog(t))
		}
		for _, attack := range []string{
			"get ../secret stolen\n", "symlink ../secret link\nget link stolen\n", "put batch ../new\n", "put batch ../.ssh/rc\n", "get /etc/hostname stolen\n",
			"rename ../secret ../new\nrename ../new ../secret\n",
		} {
			if o := do(attack); (o.status == 0) == confined {
				t.Errorf("confined %t: %q: %+v", confined, attack, o)
			}
			if _, err := os.Stat(filepath.Join(dir, "stolen")); confined && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q brought a file: %v", attack, err)
			}
			for _, name := range []string{filepath.Join(dir, "stolen"), "/home/deploy/files/link"} {
				check(t, os.RemoveAll(name))
			}
		}
	}
}
