package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.org/ssh-gate/examples"
	"example.org/ssh-gate/internal/testsshd"
)

// These tests hold the confined examples against the real clients. Each attack is made twice, first on the same policy without its
// confinement: an attack that fails there as well would show nothing.

// example is a policy of examples/, with the workshop's folder in place of the one that it names, and the programs of this machine.
func example(t *testing.T, name, folder string) string {
	t.Helper()
	text, err := examples.Files.ReadFile(name)
	check(t, err)
	if !bytes.Contains(text, []byte(folder)) {
		t.Fatalf("%s does not name %s", name, folder)
	}
	server := testsshd.RequireTool(t, "sftp-server", "openssh-sftp-server")
	return strings.NewReplacer(folder, "$DIR/srv", `run     = "/usr/lib/openssh/sftp-server`, `run     = "`+server).Replace(string(text))
}

// confinement is what makes a rule confined: an access, the table, and the keys.
var confinement = regexp.MustCompile(`(?m), access = "[a-z]+"|^\[confine\]\n(.+\n)*|^confine .*\n`)

// unconfined is a policy that differs only in that the kernel holds nothing of it.
func unconfined(t *testing.T, policy string) string {
	t.Helper()
	bare := confinement.ReplaceAllString(policy, "")
	if bare == policy {
		t.Fatal("the policy is not confined")
	}
	return bare
}

// twice runs a test on a policy without its confinement, and with it.
func twice(t *testing.T, policy string, test func(t *testing.T, w *workshop, confined bool), sshdConfig ...string) {
	for name, policy := range map[string]string{"unconfined": unconfined(t, policy), "confined": policy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorkshop(t, policy, sshdConfig...), name == "confined")
		})
	}
}

// attacks wants each of these to reach something in the folder other, or to tell what it holds, if it is not confined and only then.
func (w *workshop) attacks(t *testing.T, confined bool, lines ...[]string) {
	t.Helper()
	for _, words := range lines {
		w.attack(t, confined, strings.Join(words, " "), func() outcome { return w.do(t, words...) })
	}
}

func (w *workshop) attack(t *testing.T, confined bool, name string, act func() outcome) {
	t.Helper()
	check(t, os.RemoveAll(w.path("other")))
	check(t, os.RemoveAll(w.path("here/stolen")))
	check(t, os.Mkdir(w.path("other"), 0o755))
	w.write(t, "other/secret", "secret\n")
	before := len(w.records(t))
	o := act()
	if entries := w.records(t)[before:]; len(entries) > 0 {
		t.Errorf("%s: the gate refuses it, which shows nothing of the kernel: %+v", name, entries)
	}
	broken := strings.Contains("\n"+o.stdout, "\nsecret\n") || holds(t, w.path("here"), "secret") || !w.whole(t)
	if broken == confined {
		t.Errorf("%s: it reached the other folder: %t, confined: %t; %+v", name, broken, confined, o)
	}
}

// whole says whether the folder other is as it was.
func (w *workshop) whole(t *testing.T) bool {
	t.Helper()
	names, err := os.ReadDir(w.path("other"))
	check(t, err)
	text, err := os.ReadFile(w.path("other/secret"))
	return err == nil && len(names) == 1 && string(text) == "secret\n"
}

// holds says whether a file below a folder holds a line.
func holds(t *testing.T, dir, line string) (found bool) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		found = found || strings.Contains("\n"+string(text), "\n"+line+"\n")
		return err
	}))
	return found
}

// batch is an sftp that does these lines, and ends at the first that fails.
func (w *workshop) batch(t *testing.T, lines ...string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "batch")
	check(t, os.WriteFile(file, []byte(strings.ReplaceAll(strings.Join(lines, "\n")+"\n", "$DIR", w.dir)), 0o644))
	return []string{"sftp", "-q", "-F", w.client.Config, "-b", file, testsshd.Pipe}
}

func TestConfinedSFTP(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "sftp", "openssh-client")
	twice(t, example(t, "sftp-confined.toml", "/srv/partner"), func(t *testing.T, w *workshop, confined bool) {
		w.works(t, w.batch(t, "put one", "get one back", "rename one two", "mkdir sub", "put sub/* sub/", "rename two sub/two", "ls -l sub",
			"symlink sub link", "get link/two", "rm sub/two", "rm link", "chmod 600 served", "get served")...)
		alike(t, w.path("here/one"), w.path("here/back"))
		alike(t, w.path("here/sub/two words"), w.path("srv/sub/two words"))
		alike(t, w.path("here/one"), w.path("here/two"))

		check(t, os.Symlink(w.path("other"), w.path("srv/planted")))
		w.attacks(t, confined,
			w.batch(t, "get $DIR/other/secret stolen"),
			w.batch(t, "get ../other/secret stolen"),
			w.batch(t, "get planted/secret stolen"),
			w.batch(t, "put one planted/new"),
			w.batch(t, "symlink ../other/secret away", "get away stolen"),
			w.batch(t, "put one ../other/new"),
			w.batch(t, "put one ../other/secret"),
			w.batch(t, "rm ../other/secret"),
			w.batch(t, "mkdir ../other/new"),
			w.batch(t, "symlink served ../other/new"),
			w.batch(t, "put one moved", "rename moved ../other/new"),
			w.batch(t, "rename ../other/secret taken"),
			w.batch(t, "ln ../other/secret hard", "get hard stolen"),
			w.batch(t, "get /proc/self/root$DIR/other/secret stolen"),
		)
		if o := w.do(t, w.batch(t, "ls ../other")...); confined == strings.Contains(o.stdout, "secret") {
			t.Errorf("a listing of the other folder, confined: %t: %+v", confined, o)
		}
	}, "Subsystem sftp internal-sftp")
}

func TestConfinedSCP(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "scp", "openssh-client")
	twice(t, example(t, "scp-confined.toml", "/srv/incoming"), func(t *testing.T, w *workshop, confined bool) {
		scp := func(words ...string) []string { return append([]string{"scp", "-q", "-F", w.client.Config}, words...) }
		srv, other := "pipe:"+w.path("srv"), "pipe:"+w.path("other")
		w.works(t, scp(w.path("here/one"), srv+"/new")...)
		w.works(t, scp("-p", "-r", w.path("here/sub"), srv+"/")...)
		w.works(t, scp(srv+"/sub/two words", w.path("here/back"))...)
		alike(t, w.path("here/sub"), w.path("srv/sub"))
		alike(t, w.path("here/sub/two words"), w.path("here/back"))
		w.works(t, scp("-O", w.path("here/one"), srv+"/old")...)
		w.works(t, scp("-O", w.path("here/one"), srv+"/old")...)
		w.works(t, scp("-O", "-p", "-r", w.path("here/sub"), srv+"/tree")...)
		alike(t, w.path("here/one"), w.path("srv/new"))
		alike(t, w.path("here/one"), w.path("srv/old"))
		alike(t, w.path("here/sub"), w.path("srv/tree"))

		check(t, os.Symlink(w.path("other"), w.path("srv/sub/planted")))
		check(t, os.MkdirAll(w.path("here/tree/planted"), 0o755))
		w.write(t, "here/tree/planted/new", "new\n")
		check(t, os.Rename(w.path("here/tree"), w.path("here/deep")))
		check(t, os.Mkdir(w.path("srv/deep"), 0o755))
		check(t, os.Symlink(w.path("other"), w.path("srv/deep/planted")))
		w.attacks(t, confined,
			scp(other+"/secret", "stolen"),
			scp(srv+"/../other/secret", "stolen"),
			scp(srv+"/sub/planted/secret", "stolen"),
			scp("one", other+"/new"),
			scp("one", srv+"/sub/planted/new"),
			scp("-O", "-r", "deep", srv), // the gate sees the folder, not what scp -t finds in it
		)
	}, "Subsystem sftp internal-sftp")
}

func TestConfinedRsync(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "rsync", "rsync")
	twice(t, example(t, "rsync-confined.toml", "/srv/backup/host1"), func(t *testing.T, w *workshop, confined bool) {
		rsync := func(words ...string) []string {
			return append([]string{"rsync", "-s", "-e", w.client.Command()}, words...)
		}
		srv, other := "pipe:"+w.path("srv"), "pipe:"+w.path("other")
		w.works(t, rsync("-a", "./", srv+"/tree/")...)
		alike(t, w.path("here"), w.path("srv/tree"))
		check(t, os.Remove(w.path("here/one")))
		w.works(t, rsync("-a", "--delete", "--partial", "./", srv+"/tree/")...)
		alike(t, w.path("here"), w.path("srv/tree"))
		w.works(t, rsync("-a", "--backup", "--inplace", "--hard-links", "./", srv+"/tree/")...)

		w.write(t, "here/new", "new\n")
		check(t, os.Symlink(w.path("other"), w.path("srv/planted")))
		w.attacks(t, confined,
			rsync("new", other+"/"),
			rsync("-a", "--delete", "sub/", other+"/"),
			rsync("new", srv+"/planted/"),
			rsync("new", srv+"/../other/"),
			rsync("new", "--remote-option=--log-file="+w.path("other/log"), srv+"/"),
			rsync("--ignore-times", "--backup", "--backup-dir="+w.path("other/backup"), "new", srv+"/"),
			rsync("--ignore-times", "--keep-dirlinks", "-r", "new", srv+"/planted/"),
			rsync("-r", "--link-dest="+w.path("other"), "--remote-option=--log-file="+w.path("other/log"), "sub/", srv+"/linked/"),
			rsync("-r", other+"/", "stolen/"),
			rsync("-L", "-r", srv+"/planted", "stolen/"),
		)
	})
}

func TestConfinedGit(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "git", "git")
	twice(t, example(t, "git-confined.toml", "/srv/git"), func(t *testing.T, w *workshop, confined bool) {
		url := func(name string) string { return "ssh://pipe" + w.path("srv/"+name) }
		bare := func(path string) { w.works(t, "git", "init", "-q", "--bare", "-b", "main", w.path(path)) }
		bare("srv/app.git")
		w.works(t, "git", "init", "-q", "-b", "main")
		w.works(t, "git", "add", ".")
		w.works(t, "git", "commit", "-q", "-m", "first")
		w.works(t, "git", "push", "-q", url("app.git"), "main")
		w.works(t, "git", "clone", "-q", url("app.git"), w.path("clone"))
		alike(t, w.path("here/sub"), w.path("clone/sub"))
		for _, version := range []string{"0", "1", "2"} {
			w.works(t, "git", "-c", "protocol.version="+version, "fetch", "-q", url("app.git"), "main")
		}
		w.works(t, "git", "commit", "-q", "--allow-empty", "-m", "second")
		w.works(t, "git", "push", "-q", url("app.git"), "main", "main:refs/heads/topic")
		w.works(t, "git", "push", "-q", url("app.git"), ":refs/heads/topic")
		w.works(t, "git", "clone", "-q", "--depth", "1", url("app.git"), w.path("shallow"))

		// A repository whose objects lie in another one, and one with a hook: what is in it decides what git opens and starts.
		bare("srv/hooked.git")
		w.write(t, "srv/hooked.git/hooks/pre-receive", "#!/bin/sh\necho new >$DIR/other/new\n")
		check(t, os.Chmod(w.path("srv/hooked.git/hooks/pre-receive"), 0o755))
		w.attacks(t, confined, []string{"git", "push", "-q", url("hooked.git"), "main"})

		w.attack(t, confined, "alternates", func() outcome {
			check(t, os.RemoveAll(w.path("srv/borrowed.git")))
			w.works(t, "git", "clone", "-q", "--bare", w.path("srv/app.git"), w.path("secret.git"))
			w.works(t, "git", "clone", "-q", "--bare", "--shared", w.path("secret.git"), w.path("srv/borrowed.git"))
			o := w.do(t, "git", "clone", "-q", url("borrowed.git"), w.path("here/borrowed"))
			if o.status == 0 {
				w.write(t, "here/stolen", "secret\n")
			}
			return o
		})
		w.attack(t, confined, "linked objects", func() outcome {
			bare("srv/linked.git")
			check(t, os.RemoveAll(w.path("srv/linked.git/objects")))
			check(t, os.Symlink(w.path("other"), w.path("srv/linked.git/objects")))
			return w.do(t, "git", "push", "-q", url("linked.git"), "main")
		})
	}, "AcceptEnv GIT_PROTOCOL")
}

// TestConfinedBorg leaves --restrict-to-path out, so that nothing but the kernel is at work.
func TestConfinedBorg(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "borg", "borgbackup")
	policy := strings.Replace(example(t, "borg-confined.toml", "/srv/borg/host1"), "--restrict-to-path $DIR/srv --append-only", "", 1)
	twice(t, policy, func(t *testing.T, w *workshop, confined bool) {
		borg := func(words ...string) []string {
			return append([]string{"borg", words[0], "--rsh", w.client.Command()}, words[1:]...)
		}
		repository, other := "ssh://pipe"+w.path("srv/repository"), "ssh://pipe"+w.path("other/repository")
		w.works(t, borg("init", "--encryption=none", repository)...)
		w.works(t, borg("create", repository+"::first", "sub")...)
		w.works(t, borg("create", repository+"::second", "one")...)
		w.works(t, borg("delete", repository+"::first")...)
		w.works(t, borg("compact", repository)...)
		if o := w.works(t, borg("list", "--short", repository)...); o.stdout != "second\n" {
			t.Errorf("%+v", o)
		}
		w.attacks(t, confined, borg("init", "--encryption=none", other))
		check(t, os.Symlink(w.path("other"), w.path("srv/planted")))
		w.attacks(t, confined, borg("init", "--encryption=none", "ssh://pipe"+w.path("srv/planted/repository")))
	})
}
