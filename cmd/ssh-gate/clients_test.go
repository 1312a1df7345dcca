package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/testsshd"
)

// workshop is a server whose one key has a policy, and a client with some files. The policy names what the tests fill:
// $DIR/srv is what the client may use, $DIR/other what it may not.
type workshop struct {
	*host
	client *testsshd.Client
}

func newWorkshop(t *testing.T, policy string, sshdConfig ...string) *workshop {
	t.Helper()
	h := newHost(t, policy)
	for _, dir := range []string{"srv", "other", "here", "here/sub"} {
		check(t, os.Mkdir(h.path(dir), 0o755))
	}
	h.write(t, "srv/served", "served\n")
	h.write(t, "other/secret", "secret\n")
	h.write(t, "here/one", "one\n")
	h.write(t, "here/sub/two words", strings.Repeat("two\n", 100_000))
	return &workshop{h, testsshd.New(t, sshdConfig...).Authorize(t, "deploy", h.keyLine())}
}

// do runs a client program in the client's folder.
func (w *workshop) do(t *testing.T, words ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
	cmd.Dir = w.path("here")
	cmd.Env = append(os.Environ(), "GIT_SSH_COMMAND="+w.client.Command(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@localhost", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@localhost",
		"BORG_BASE_DIR="+w.path("borg"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes")
	return run(t, cmd)
}

// works wants a client program to do its work, and the gate to have nothing to say.
func (w *workshop) works(t *testing.T, words ...string) outcome {
	t.Helper()
	before := len(w.records(t))
	o := w.do(t, words...)
	if entries := w.records(t); o.status != 0 || len(entries) != before {
		t.Fatalf("%q: %+v, recorded as %+v", words, o, entries[before:])
	}
	return o
}

// refused wants the gate to deny what a client program asks for, and to record why.
func (w *workshop) refused(t *testing.T, reason string, words ...string) {
	t.Helper()
	before := len(w.records(t))
	o := w.do(t, words...)
	entries := w.records(t)[before:]
	if o.status == 0 || len(entries) == 0 || entries[0].Event != "denied" || entries[0].Reason != reason {
		t.Errorf("%q: %+v, recorded as %+v", words, o, entries)
	}
	// The others may end ssh before it has passed on what the gate said.
	if words[0] == "ssh" && len(entries) > 0 && ref(o.stderr) != entries[0].Ref {
		t.Errorf("%q does not show the reference: %+v", words, o)
	}
}

// alike wants two trees to hold the same.
func alike(t *testing.T, one, other string) {
	t.Helper()
	if out, err := exec.Command("diff", "-r", one, other).CombinedOutput(); err != nil {
		t.Errorf("%s and %s differ: %v\n%s", one, other, err, out)
	}
}

func TestRsync(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t, strings.ReplaceAll(`
[args]
flags = { regex = '-[a-zA-Z]*e[0-9]*\.[a-zA-Z]+' }
path = { path = "$DIR/srv" }

[[allow]]
name = "push"
command = "rsync --server {options*} . {path}"
args.options = { options = ["{flags}", "--delete"] }

[[allow]]
name = "pull"
command = "rsync --server --sender {options*} . {path}"
args.options = { options = ["{flags}"] }

[[allow]]
name = "fixed"
command = "rsync --server {flags} . backup/"
run = "PROGRAM --server -logDtpre.iLsfxCIvu . $DIR/srv/backup/"
`, "PROGRAM", testsshd.RequireTool(t, "rsync", "rsync")))
	ssh := w.client.Command()
	here, there := w.path("here")+"/", w.path("srv/tree")+"/"
	w.works(t, "rsync", "-a", "-e", ssh, here, "pipe:"+there)
	alike(t, here, there)
	check(t, os.Remove(w.path("here/one")))
	w.works(t, "rsync", "-a", "--delete", "-e", ssh, here, "pipe:"+there)
	alike(t, here, there)
	w.works(t, "rsync", "-a", "-e", ssh, "pipe:"+there, w.path("here/pulled")+"/")
	alike(t, there, w.path("here/pulled"))
	w.works(t, "rsync", "-a", "-e", ssh, here+"sub/", "pipe:backup/")
	alike(t, here+"sub", w.path("srv/backup"))

	other := w.path("other")
	w.refused(t, "no-rule", "rsync", "-a", "-e", ssh, here, "pipe:"+other+"/")
	w.refused(t, "no-rule", "rsync", "-a", "-e", ssh, "pipe:"+other+"/", here)
	w.refused(t, "no-rule", "rsync", "-a", "-e", ssh, "pipe:"+w.path("srv")+"/../other/", here)
	w.refused(t, "no-rule", "rsync", "-a", "--remove-source-files", "-e", ssh, "pipe:"+there, here)
	w.refused(t, "no-rule", "rsync", "-a", "--remote-option=--log-file="+other+"/log", "-e", ssh, here, "pipe:"+there)
	w.refused(t, "no-rule", "rsync", "-a", "--rsync-path=sh -c id", "-e", ssh, here, "pipe:"+there)
	check(t, os.Symlink(other, w.path("srv/link")))
	w.refused(t, "no-rule", "rsync", "-a", "-e", ssh, "pipe:"+w.path("srv/link")+"/", here)
	alike(t, w.path("other"), w.untouched(t))
}

// untouched makes what other held at the start.
func (w *workshop) untouched(t *testing.T) string {
	t.Helper()
	check(t, os.Mkdir(w.path("untouched"), 0o755))
	w.write(t, "untouched/secret", "secret\n")
	return w.path("untouched")
}

func TestSFTP(t *testing.T) {
	t.Parallel()
	server := testsshd.RequireTool(t, "sftp-server", "openssh-sftp-server")
	testsshd.RequireTool(t, "sftp", "openssh-client")
	w := newWorkshop(t, strings.ReplaceAll(`
[[allow]]
command = "internal-sftp"
run = "PROGRAM -d $DIR/srv"

[[allow]]
command = "PROGRAM -R"
run = "PROGRAM -R -d $DIR/srv"
`, "PROGRAM", server), "Subsystem sftp internal-sftp", "Subsystem readonly "+server+" -R", "Subsystem loud "+server+" -l DEBUG")
	w.write(t, "batch", "put one\nget served\n")
	sftp := func(more ...string) []string {
		return append(append([]string{"sftp", "-q", "-F", w.client.Config, "-b", w.path("batch")}, more...), testsshd.Pipe)
	}
	w.works(t, sftp()...)
	alike(t, w.path("here/one"), w.path("srv/one"))
	alike(t, w.path("here/served"), w.path("srv/served"))

	w.write(t, "batch", "get one\n")
	w.works(t, sftp("-s", "readonly")...)
	w.write(t, "batch", "put one two\n")
	if o := w.do(t, sftp("-s", "readonly")...); o.status == 0 || !strings.Contains(o.stderr, "Permission denied") {
		t.Errorf("a write through a server that only reads: %+v", o)
	}
	w.refused(t, "no-rule", sftp("-s", "loud")...)
	w.refused(t, "no-rule", "ssh", "-F", w.client.Config, testsshd.Pipe, "internal-sftp -u 0")
	w.refused(t, "no-rule", "ssh", "-F", w.client.Config, testsshd.Pipe, "ls")

	// Today's scp is a client of sftp.
	srv := "pipe:" + w.path("srv")
	w.works(t, "scp", "-q", "-r", "-F", w.client.Config, w.path("here/sub"), srv+"/")
	alike(t, w.path("here/sub"), w.path("srv/sub"))
	w.works(t, "scp", "-q", "-F", w.client.Config, srv+"/sub/two words", w.path("here/back"))
	alike(t, w.path("here/sub/two words"), w.path("here/back"))
	w.refused(t, "no-rule", "scp", "-O", "-q", "-F", w.client.Config, w.path("here/one"), srv+"/")
}

// TestOldSCP sends "scp -t PATH" with the path unquoted.
func TestOldSCP(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "scp", "openssh-client")
	w := newWorkshop(t, `
args.path = { path = "$DIR/srv" }
[[allow]]
command = "scp {r?} -t {path}"
args.r = ["-r"]
[[allow]]
command = "scp -f {path}"
`)
	scp := func(words ...string) []string {
		return append([]string{"scp", "-O", "-q", "-F", w.client.Config}, words...)
	}
	srv, other := "pipe:"+w.path("srv"), "pipe:"+w.path("other")
	w.works(t, scp(w.path("here/one"), srv+"/up")...)
	alike(t, w.path("here/one"), w.path("srv/up"))
	w.works(t, scp("-r", w.path("here/sub"), srv)...)
	alike(t, w.path("here/sub"), w.path("srv/sub"))
	w.works(t, scp(srv+"/served", w.path("here/down"))...)
	alike(t, w.path("srv/served"), w.path("here/down"))

	w.refused(t, "no-rule", scp(w.path("here/one"), other+"/up")...)
	w.refused(t, "no-rule", scp(other+"/secret", w.path("here/stolen"))...)
	w.refused(t, "no-rule", scp(srv+"/../other/secret", w.path("here/stolen"))...)
	w.refused(t, "no-rule", scp("-p", srv+"/served", w.path("here/down"))...)
	w.refused(t, "no-rule", scp("-r", srv, w.path("here/down"))...)
	w.refused(t, "needs-shell", scp(srv+"/*", w.path("here/down"))...)
	check(t, os.Symlink(w.path("other/secret"), w.path("srv/link")))
	w.refused(t, "no-rule", scp(srv+"/link", w.path("here/stolen"))...)
	alike(t, w.path("other"), w.untouched(t))
}

func TestGit(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t, strings.ReplaceAll(`
pass_env = ["GIT_PROTOCOL"]
[[allow]]
command = "git-upload-pack {repository}"
args.repository = { path = "$DIR/srv", itself = false }
[[allow]]
command = "git-receive-pack {repository}"
args.repository = ["$DIR/srv/it's.git"]
[[allow]]
command = "git-upload-pack alias"
run = "PROGRAM upload-pack $DIR/srv/read.git"
`, "PROGRAM", testsshd.RequireTool(t, "git", "git")), "AcceptEnv GIT_PROTOCOL")
	for _, repository := range []string{"srv/it's.git", "srv/read.git", "other/secret.git"} {
		w.works(t, "git", "init", "-q", "--bare", "-b", "main", w.path(repository))
	}
	open, read, secret := "ssh://pipe"+w.path("srv/it's.git"), "ssh://pipe"+w.path("srv/read.git"), "ssh://pipe"+w.path("other/secret.git")
	w.works(t, "git", "init", "-q", "-b", "main")
	w.works(t, "git", "add", ".")
	w.works(t, "git", "commit", "-q", "-m", "first")
	w.works(t, "git", "push", "-q", open, "main")
	w.works(t, "git", "clone", "-q", open, w.path("clone"))
	alike(t, w.path("here/sub"), w.path("clone/sub"))
	w.works(t, "git", "-c", "protocol.version=2", "fetch", "-q", open, "main")
	w.works(t, "git", "push", "-q", w.path("srv/read.git"), "main")
	w.works(t, "git", "clone", "-q", read, w.path("second"))
	w.works(t, "git", "clone", "-q", "pipe:alias", w.path("third"))
	alike(t, w.path("second/sub"), w.path("third/sub"))

	w.refused(t, "no-rule", "git", "push", "-q", read, "main")
	w.refused(t, "no-rule", "git", "push", "-q", "pipe:alias", "main")
	w.refused(t, "no-rule", "git", "clone", "-q", secret, w.path("stolen"))
	w.refused(t, "no-rule", "git", "clone", "-q", "ssh://pipe"+w.path("srv"), w.path("stolen"))
	w.refused(t, "no-rule", "git", "clone", "-q", "ssh://pipe"+w.path("srv")+"/../other/secret.git", w.path("stolen"))
	w.refused(t, "no-rule", "git", "clone", "-q", "-u", "git-upload-pack --timeout=1", read, w.path("stolen"))
	w.refused(t, "no-rule", "git", "archive", "--remote="+open, "main")
}

func TestBorg(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t, strings.ReplaceAll(`
[[allow]]
command = "borg serve {options*}"
args.options = { options = ["--info", "--umask=077"] }
run = "PROGRAM serve --restrict-to-path $DIR/srv --append-only"
env.BORG_BASE_DIR = "$DIR/borg-server"
`, "PROGRAM", testsshd.RequireTool(t, "borg", "borgbackup")))
	borg := func(words ...string) []string {
		return append([]string{"borg", words[0], "--rsh", w.client.Command()}, words[1:]...)
	}
	repository := "ssh://pipe" + w.path("srv/repository")
	w.works(t, borg("init", "--encryption=none", repository)...)
	w.works(t, borg("create", repository+"::first", "sub")...)
	if o := w.works(t, borg("list", "--short", repository+"::first")...); o.stdout != "sub\nsub/two words\n" {
		t.Errorf("%+v", o)
	}

	// Outside of the pinned path borg itself refuses; other requests the gate.
	if o := w.do(t, borg("init", "--encryption=none", "ssh://pipe"+w.path("other/repository"))...); o.status == 0 {
		t.Errorf("outside of the path: %+v", o)
	}
	if _, err := os.Stat(w.path("other/repository")); err == nil {
		t.Error("a repository was made outside of the path")
	}
	w.refused(t, "no-rule", borg("init", "--encryption=none", "--remote-path", "borg-other", repository+"2")...)
	w.refused(t, "no-rule", borg("create", "--debug", repository+"::second", "sub")...)
	w.refused(t, "no-rule", "ssh", "-F", w.client.Config, testsshd.Pipe, "borg serve --restrict-to-path /")
	w.refused(t, "no-rule", "ssh", "-F", w.client.Config, testsshd.Pipe, "borg list "+w.path("srv/repository"))
}

func TestTar(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "tar", "tar")
	w := newWorkshop(t, `
args.folder = { path = "$DIR/srv" }
[[allow]]
command = "tar xf - -C {folder}"
[[allow]]
command = "tar cf - -C {folder} {name}"
args.name = { chars = "a-z0-9._-" }
`)
	ssh := argv.Quote([]string{"ssh", "-F", w.client.Config, testsshd.Pipe})
	pipe := func(line string) []string { return []string{"/bin/sh", "-c", strings.ReplaceAll(line, "SSH", ssh)} }
	w.works(t, pipe("tar cf - sub | SSH tar xf - -C "+w.path("srv"))...)
	alike(t, w.path("here/sub"), w.path("srv/sub"))
	w.works(t, pipe("SSH tar cf - -C "+w.path("srv")+" served >got.tar && tar xf got.tar")...)
	alike(t, w.path("srv/served"), w.path("here/served"))

	for _, request := range []string{
		"tar xf - -C " + w.path("other"),
		"tar xf - -C " + w.path("srv") + "/../other",
		"tar xf - -C " + w.path("srv") + " --to-command=id",
		"tar cf - -C " + w.path("srv") + " ..",
		"tar cf - -C " + w.path("srv") + " --checkpoint-action=exec=id",
		"tar cf - -C " + w.path("srv") + " " + filepath.Join(w.path("other"), "secret"),
		"tar cf /tmp/x -C " + w.path("srv") + " served",
	} {
		w.refused(t, "no-rule", "ssh", "-F", w.client.Config, testsshd.Pipe, request)
	}
}
