package packaging

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/testsshd"
)

const rotation = "logrotate/ssh-gate"

// aGroup is a group that is there and is not root's, in place of ssh-gate.
func aGroup(t *testing.T) (name string, gid int) {
	t.Helper()
	for _, name := range []string{"daemon", "adm", "nogroup", "nobody"} {
		if g, err := user.LookupGroup(name); err == nil && g.Gid != "0" {
			gid, err := strconv.Atoi(g.Gid)
			check(t, err)
			return name, gid
		}
	}
	t.Fatal("this system has no group but root's")
	return "", 0
}

// rotating is a folder with a log, and our configuration with its path in place of the real one. As root it is as the package makes
// it; another user can give nothing away, so that he owns it himself.
type rotating struct {
	log, config, state string
	uid, gid           int
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	dir := t.TempDir()
	r := &rotating{log: dir + "/log/ssh-gate.log", state: dir + "/state", uid: os.Getuid(), gid: os.Getgid()}
	text := edit(t, read(t, rotation), "\n/var/log/ssh-gate/ssh-gate.log {", "\n"+r.log+" {")
	const create = "\n\tcreate 0660 root ssh-gate\n"
	check(t, os.Mkdir(filepath.Dir(r.log), 0o750))
	if r.uid == 0 {
		var group string
		group, r.gid = aGroup(t)
		text = edit(t, text, create, "\n\tcreate 0660 root "+group+"\n")
	} else {
		text = edit(t, text, create, "\n\tcreate 0660\n")
	}
	r.config = write(t, dir+"/config", text)
	r.give(t, filepath.Dir(r.log), 0o2750)
	return r
}

func (r *rotating) give(t *testing.T, path string, mode uint32) {
	t.Helper()
	check(t, os.Chown(path, r.uid, r.gid))
	check(t, unix.Chmod(path, mode))
}

// open opens the log as the gate does.
func (r *rotating) open(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(r.log, os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func (r *rotating) append(t *testing.T, f *os.File, text string) {
	t.Helper()
	_, err := f.WriteString(line(denial(record.NoRule, "192.0.2.1", text)))
	check(t, err)
}

func (r *rotating) rotate(t *testing.T) {
	t.Helper()
	out, err := run(t, testsshd.RequireTool(t, "logrotate", "logrotate"), "-f", "-s", r.state, r.config)
	if err != nil || out != "" {
		t.Fatalf("%v\n%s", err, out)
	}
}

// stat says which file it is, and fails the test unless it is readable and writable for owner and group only, who are the right ones.
func (r *rotating) stat(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	check(t, unix.Stat(path, &st))
	if st.Mode != unix.S_IFREG|0o660 || int(st.Uid) != r.uid || int(st.Gid) != r.gid {
		t.Errorf("%s has mode %o, owner %d and group %d, want 660, %d and %d", path, st.Mode, st.Uid, st.Gid, r.uid, r.gid)
	}
	return st.Ino
}

// TestLogrotate: the file is renamed and a new one made, a record of who still held the old one open is kept, and a file is compressed
// only once nobody can hold it any longer.
func TestLogrotate(t *testing.T) {
	testsshd.RequireTool(t, "logrotate", "logrotate")
	r := newRotating(t)
	check(t, os.WriteFile(r.log, nil, 0o660))
	r.give(t, r.log, 0o660)
	first := r.stat(t, r.log)
	held := r.open(t)
	r.append(t, held, "first")

	r.rotate(t)
	if got := r.stat(t, r.log+".1"); got != first {
		t.Error("the old log is a copy, and was not renamed")
	}
	if got := r.stat(t, r.log); got == first || read(t, r.log) != "" {
		t.Error("the log is not a new and empty file")
	}
	r.append(t, held, "late")
	r.append(t, r.open(t), "second")

	r.rotate(t)
	second := line(denial(record.NoRule, "192.0.2.1", "second"))
	if got := read(t, r.log+".1"); got != second {
		t.Errorf("the newest old log holds %q, want %q", got, second)
	}
	r.stat(t, r.log+".2.gz")
	if got, want := gunzip(t, r.log+".2.gz"), line(denial(record.NoRule, "192.0.2.1", "first"))+line(denial(record.NoRule, "192.0.2.1", "late")); got != want {
		t.Errorf("the compressed log holds %q, want %q", got, want)
	}

	r.rotate(t) // notifempty: nothing has been recorded since
	if _, err := os.Stat(r.log + ".3.gz"); err == nil {
		t.Error("an empty log was rotated")
	}
	check(t, os.Remove(r.log))
	r.rotate(t) // missingok
}

func gunzip(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	check(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	check(t, err)
	text, err := io.ReadAll(z)
	check(t, err)
	return string(text)
}

// TestLogrotateFolder: why the folder is 2750. Root's logrotate does not work in one that another group may write.
func TestLogrotateFolder(t *testing.T) {
	tool := testsshd.RequireTool(t, "logrotate", "logrotate")
	if os.Getuid() != 0 {
		t.Skip("logrotate asks this of a folder only as root")
	}
	for mode, refused := range map[uint32]bool{0o2750: false, 0o2770: true, 0o2757: true} {
		r := newRotating(t)
		check(t, os.WriteFile(r.log, []byte(line(denial(record.NoRule, "192.0.2.1", "x"))), 0o660))
		r.give(t, filepath.Dir(r.log), mode)
		out, err := run(t, tool, "-f", "-s", r.state, r.config)
		if got := err != nil && strings.Contains(out, "insecure permissions"); got != refused {
			t.Errorf("folder %o: refused %t, want %t: %v\n%s", mode, got, refused, err, out)
		}
	}
}

// TestLogrotateReads: the files as they are, but for the group where this system has none of that name.
func TestLogrotateReads(t *testing.T) {
	tool := testsshd.RequireTool(t, "logrotate", "logrotate")
	for file, log := range map[string]string{rotation: "/var/log/ssh-gate/ssh-gate.log", "rsyslog/ssh-gate.logrotate": "/var/log/ssh-gate-syslog.log"} {
		text := read(t, file)
		if _, err := user.LookupGroup("ssh-gate"); err != nil && file == rotation {
			group, _ := aGroup(t)
			text = edit(t, text, "root ssh-gate\n", "root "+group+"\n")
		}
		dir := t.TempDir()
		out, err := run(t, tool, "-d", "-s", dir+"/state", write(t, dir+"/config", text))
		if err != nil || strings.Contains(out, "error: ") || strings.Count(out, "warning: ") > 1 { // one is of -d itself
			t.Errorf("%s: %v\n%s", file, err, out)
		}
		for _, want := range []string{fmt.Sprintf("rotating pattern: %s  weekly (52 rotations)", log), "empty log files are not rotated", ">= 104857600 are rotated earlier"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: logrotate does not say %q:\n%s", file, want, out)
			}
		}
	}
}
