package admin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/keyline"
	"example.org/ssh-gate/internal/session"
	"example.org/ssh-gate/internal/testsshd"
)

const (
	keyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
	keyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPzQq8U6q9dV6eN0b0uJSkUxk6tNn8dJH1y6d8F5mXkQ"
	line = `restrict,command="/usr/bin/ssh-gate --key ci" ` + keyA + " ci@build"
)

func wanted(t *testing.T) *initOptions {
	t.Helper()
	key, fault := keyline.ReadPublic([]byte(keyA + " ci@build"))
	if fault != nil {
		t.Fatal(fault)
	}
	return &initOptions{name: "ci", dir: "/etc/ssh-gate/keys", key: key}
}

// TestEdit: in want, "" is nothing to change, and a text that begins with ! the refusal.
func TestEdit(t *testing.T) {
	const gate = `command="/usr/bin/ssh-gate --key ci"`
	for _, c := range []struct {
		name, old, want, replaced string
	}{
		{"no file", "", line + "\n", ""},
		{"others", keyB + "\n", keyB + "\n" + line + "\n", ""},
		{"no last newline", "# x\r\n" + keyB, "# x\r\n" + keyB + "\n" + line + "\n", ""},
		{"blank lines and rubbish stay", "\n\n \tx\r\n\x80\xff\n", "\n\n \tx\r\n\x80\xff\n" + line + "\n", ""},
		{"a comment with the key", "#" + line + "\n", "#" + line + "\n" + line + "\n", ""},
		{"the line", line + "\n", "", ""},
		{"the line among others", keyB + "\n\n" + line, "", ""},
		{"the line with another comment", strings.Replace(line, "ci@build", "other", 1), "", ""},
		{"options in capitals", strings.Replace(line, "restrict,command", "Restrict,COMMAND", 1), "", ""},
		{"without a command", "x\n" + keyA + " me\n" + keyB, "!has this key in line 2, without a command, so that it opens a shell", "x\n" + line + "\n" + keyB},
		{"other spelling of the type", "restrict,command=\"/usr/bin/ssh-gate --key ci\" ssh-ed25519\t" + keyA[12:] + "\v\n", "", ""},
		{"another policy", strings.Replace(line, "--key ci", "--key cd", 1), `!has this key in line 1, for the policy "cd" with other options`, line + "\n"},
		{"without restrict", gate + " " + keyA, `!has this key in line 1, for the policy "ci" with other options`, line + "\n"},
		{"hostile command", "command=\"\x1b[2J\xff" + strings.Repeat("x", 100) + "\" " + keyA, `!has this key in line 1, with the command "\x1b[2J\xff` + strings.Repeat("x", 55) + `"`, line + "\n"},
		{"twice, one of them right", line + "\n" + keyB + "\n" + keyA + "\n# end", "!has this key in line 1, for the policy \"ci\" with other options", line + "\n" + keyB + "\n# end"},
		{"an authority", "cert-authority " + keyA + "\n", "!has this key in line 1 as a certificate authority", "!has this key in line 1 as a certificate authority"},
		{"ignored by sshd", "unknown " + keyA + "\n", "unknown " + keyA + "\n" + line + "\n", ""},
		{"too many lines", strings.Repeat("\n", keyline.MaxLines+1), "!has more than the 50000 lines that are read", "!has more than the 50000 lines that are read"},
	} {
		for _, replace := range []bool{false, true} {
			want := c.want
			if replace && c.replaced != "" {
				want = c.replaced
			}
			got := ""
			e, err := edit([]byte(c.old), wanted(t).line(), replace)
			if err != nil {
				got = "!" + err.Error()
			} else {
				got = string(e.text)
				if e.text != nil && strings.Split(got, "\n")[e.number-1] != line {
					t.Errorf("%s: line %d is another", c.name, e.number)
				}
			}
			if got != want {
				t.Errorf("%s, replace %t:\n%q, want\n%q", c.name, replace, got, want)
			}
		}
	}
	e, err := edit([]byte("x\nx\n\x1by\n"), wanted(t).line(), false)
	if err != nil || len(e.notes) != 2 || e.notes[0] != "sshd passes over line 1: it holds no key" || e.notes[1] != "and over 2 lines more" {
		t.Errorf("%+v, %v", e, err)
	}
}

// FuzzEdit: whatever stands in a file, its lines stay, sshd reads the new one, and a second time there is nothing to do.
func FuzzEdit(f *testing.F) {
	for _, old := range []string{"", keyB, "x\n" + keyA + "\n", line, "\"\n"} {
		f.Add(old)
	}
	key, _ := keyline.ReadPublic([]byte(keyA + " ci@build"))
	wanted := (&initOptions{name: "ci", key: key}).line()
	f.Fuzz(func(t *testing.T, old string) {
		e, err := edit([]byte(old), wanted, false)
		if err != nil || e.text == nil {
			return
		}
		text := string(e.text)
		if !strings.HasPrefix(text, old) {
			t.Errorf("%q became %q", old, text)
		}
		if again, err := edit(e.text, wanted, false); err != nil || again.text != nil || again.number != e.number {
			t.Errorf("%q: again %+v, %v", old, again, err)
		}
	})
}

const nobody = 64123 // an id that no account of a test machine has

// home is the home folder of an account that is in no database.
func home(t *testing.T) (*initOptions, string) {
	t.Helper()
	o := wanted(t)
	parent, err := os.MkdirTemp("", "ssh-gate-test-") // where other accounts get to; what lies above a home is not judged
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(parent)) })
	check(t, os.Chmod(parent, 0o755))
	dir := filepath.Join(parent, "home")
	check(t, os.Mkdir(dir, 0o755))
	o.install = "nobody-here"
	o.account = session.Account{UID: os.Geteuid(), GID: os.Getegid(), Name: o.install, Home: dir}
	if os.Geteuid() == 0 {
		o.account.UID, o.account.GID = nobody, nobody
		check(t, os.Chown(dir, nobody, nobody))
	}
	return o, dir
}

func (o *initOptions) tryInstall() (notes []string, err error) {
	err = actAs(o.account, func() error {
		k, err := o.openKeys()
		if err != nil {
			return err
		}
		defer unix.Close(k.dir)
		notes, err = k.put(o, "20261122T120000Z")
		return err
	})
	return notes, err
}

// own makes something the account's own.
func (o *initOptions) own(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		check(t, os.Lchown(path, o.account.UID, o.account.GID))
	}
}

// TestActAs: f has the rights of the account, its group alone among them, and afterwards all is as it was.
func TestActAs(t *testing.T) {
	needRoot(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := unix.Getgroups()
	check(t, err)
	check(t, unix.Setgroups([]int{0, 7})) // of this thread
	defer unix.Setgroups(own)
	failed := errors.New("failed")
	err = actAs(session.Account{UID: nobody, GID: nobody + 1}, func() error {
		groups, err := unix.Getgroups()
		if unix.Geteuid() != nobody || unix.Getegid() != nobody+1 || fmt.Sprint(groups) != fmt.Sprintf("[%d]", nobody+1) || err != nil {
			t.Errorf("%d, %d, %v, %v", unix.Geteuid(), unix.Getegid(), groups, err)
		}
		return failed
	})
	groups, groupsErr := unix.Getgroups()
	if err != failed || unix.Geteuid() != 0 || unix.Getegid() != 0 || fmt.Sprint(groups) != "[0 7]" || groupsErr != nil {
		t.Errorf("%v, %d, %d, %v", err, unix.Geteuid(), unix.Getegid(), groups)
	}
}

func TestInstall(t *testing.T) {
	o, dir := home(t)
	keys := filepath.Join(dir, ".ssh/authorized_keys")
	want := func(text string, names ...string) {
		t.Helper()
		got, err := os.ReadFile(keys)
		check(t, err)
		if string(got) != text {
			t.Errorf("%q, want %q", got, text)
		}
		entries, err := os.ReadDir(filepath.Dir(keys))
		check(t, err)
		var there []string
		for _, e := range entries {
			there = append(there, e.Name())
			info, err := e.Info()
			check(t, err)
			st := info.Sys().(*syscall.Stat_t)
			if int(st.Uid) != o.account.UID || int(st.Gid) != o.account.GID || info.Mode() != 0o600 {
				t.Errorf("%s: %v, %d:%d", e.Name(), info.Mode(), st.Uid, st.Gid)
			}
		}
		if fmt.Sprint(there) != fmt.Sprint(names) {
			t.Errorf("%v, want %v", there, names)
		}
	}
	notes, err := o.tryInstall()
	check(t, err)
	if len(notes) != 2 || notes[0] != "added line 1 of "+keys {
		t.Errorf("%q", notes)
	}
	want(line+"\n", "authorized_keys")
	var st unix.Stat_t
	check(t, unix.Stat(filepath.Dir(keys), &st))
	if st.Mode&0o7777 != 0o700 || int(st.Uid) != o.account.UID {
		t.Errorf(".ssh has mode %o and belongs to %d", st.Mode, st.Uid)
	}
	// The same again.
	notes, err = o.tryInstall()
	check(t, err)
	if len(notes) != 1 || notes[0] != "line 1 of "+keys+" is this key line already; nothing was changed" {
		t.Errorf("%q", notes)
	}
	want(line+"\n", "authorized_keys")
	// Behind others, with a wider mode and no last newline.
	check(t, os.WriteFile(keys, []byte("# mine\n"+keyB), 0o644))
	check(t, os.Chmod(keys, 0o644))
	notes, err = o.tryInstall()
	check(t, err)
	const backup = "authorized_keys.ssh-gate-20261122T120000Z"
	if notes[0] != "added line 3 of "+keys+", which as it was is kept in "+backup {
		t.Errorf("%q", notes)
	}
	want("# mine\n"+keyB+"\n"+line+"\n", "authorized_keys", backup)
	kept, err := os.ReadFile(filepath.Join(filepath.Dir(keys), backup))
	check(t, err)
	if string(kept) != "# mine\n"+keyB {
		t.Errorf("the copy is %q", kept)
	}
	// In place of another line, in the same second.
	check(t, os.WriteFile(keys, []byte(keyA+"\n"+keyB+"\n"), 0o600))
	if _, err := o.tryInstall(); err == nil || !strings.Contains(err.Error(), "without a command") {
		t.Errorf("%v", err)
	}
	o.replace = true
	notes, err = o.tryInstall()
	check(t, err)
	if !strings.HasPrefix(notes[0], "replaced line 1 of ") {
		t.Errorf("%q", notes)
	}
	want(line+"\n"+keyB+"\n", "authorized_keys", backup, backup+"-1")
}

// TestInstallRefuses holds what an account, or somebody else, may have put in the way. Nothing changes, and nothing waits.
func TestInstallRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, o *initOptions, dir string)
		want    string
	}{
		{"no home", func(t *testing.T, o *initOptions, dir string) { check(t, os.Remove(dir)) }, `$HOME" does not exist`},
		{"home is a file", func(t *testing.T, o *initOptions, dir string) {
			check(t, errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o644)))
		}, `$HOME" is no folder`},
		{"home writable by others", func(t *testing.T, o *initOptions, dir string) { check(t, os.Chmod(dir, 0o777)) }, `$HOME" may be written by others (mode 0777)`},
		{"home of another", func(t *testing.T, o *initOptions, dir string) {
			needRoot(t)
			check(t, os.Chown(dir, nobody+1, 0))
		}, `$HOME" belongs to user 64124`},
		{".ssh is a link to /etc", func(t *testing.T, o *initOptions, dir string) { check(t, os.Symlink("/etc", dir+"/.ssh")) }, `.ssh" is a link`},
		{".ssh is a link to one's own", func(t *testing.T, o *initOptions, dir string) {
			check(t, errors.Join(os.Mkdir(dir+"/real", 0o700), os.Symlink("real", dir+"/.ssh")))
		}, `.ssh" is a link`},
		{".ssh is a dangling link", func(t *testing.T, o *initOptions, dir string) { check(t, os.Symlink("/none", dir+"/.ssh")) }, `.ssh" is a link`},
		{".ssh is a FIFO", func(t *testing.T, o *initOptions, dir string) { check(t, unix.Mkfifo(dir+"/.ssh", 0o600)) }, `.ssh" is no folder`},
		{".ssh writable by the group", func(t *testing.T, o *initOptions, dir string) {
			check(t, errors.Join(os.Mkdir(dir+"/.ssh", 0o700), os.Chmod(dir+"/.ssh", 0o770)))
			o.own(t, dir+"/.ssh")
		}, `.ssh" may be written by others (mode 0770)`},
		{".ssh of root's", func(t *testing.T, o *initOptions, dir string) {
			needRoot(t)
			check(t, os.Mkdir(dir+"/.ssh", 0o755))
		}, "permission denied"},
		{"a link to a file of root's", keysAre(func(keys string) error { return os.Symlink("/etc/passwd", keys) }), `authorized_keys" is a link`},
		{"a dangling link", keysAre(func(keys string) error { return os.Symlink("/etc/cron.d/new", keys) }), `authorized_keys" is a link`},
		{"a FIFO", keysAre(func(keys string) error { return unix.Mkfifo(keys, 0o600) }), `authorized_keys" is not a regular file`},
		{"a folder", keysAre(func(keys string) error { return os.Mkdir(keys, 0o700) }), `authorized_keys" is not a regular file`},
		{"a hard link", keysAre(func(keys string) error {
			return errors.Join(os.WriteFile(keys+".x", nil, 0o600), os.Chown(keys+".x", ownerOf(keys), -1), os.Link(keys+".x", keys))
		}), `authorized_keys" has 2 names (hard links)`},
		{"a file of root's", func(t *testing.T, o *initOptions, dir string) {
			needRoot(t)
			check(t, errors.Join(os.Mkdir(dir+"/.ssh", 0o700), os.WriteFile(dir+"/.ssh/authorized_keys", nil, 0o644)))
			o.own(t, dir+"/.ssh")
		}, `authorized_keys" belongs to user root (uid 0)`},
		{"a secret of root's", func(t *testing.T, o *initOptions, dir string) {
			needRoot(t)
			check(t, errors.Join(os.Mkdir(dir+"/.ssh", 0o700), os.WriteFile(dir+"/.ssh/authorized_keys", []byte("secret"), 0o600)))
			o.own(t, dir+"/.ssh")
		}, "permission denied"},
		{"of mode 000", func(t *testing.T, o *initOptions, dir string) {
			needRoot(t)
			keysHold("# x\n", 0)(t, o, dir)
		}, `authorized_keys" cannot be read: permission denied`},
		{"writable by others", keysHold("# x\n", 0o666), `authorized_keys" may be written by others (mode 0666)`},
		{"NUL", keysHold("# x\n\x00\n", 0o600), `authorized_keys" has a NUL in line 2`},
		{"too large", keysHold(strings.Repeat("#\n", keyline.MaxFile/2)+"#", 0o600), `authorized_keys" is 4194305 bytes long`},
		{"too long a line", keysHold(strings.Repeat("#", keyline.MaxLine+1), 0o600), `authorized_keys" has a line 1 of 65537 bytes`},
		{"in authorized_keys2", func(t *testing.T, o *initOptions, dir string) {
			keysHold("", 0o600)(t, o, dir)
			check(t, os.WriteFile(dir+"/.ssh/authorized_keys2", []byte(keyA+"\n"), 0o644))
		}, `authorized_keys2", which sshd reads too, has this key`},
		{"locked", func(t *testing.T, o *initOptions, dir string) {
			keysHold("", 0o600)(t, o, dir)
			fd, err := unix.Open(dir+"/.ssh", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			check(t, errors.Join(err, unix.Flock(fd, unix.LOCK_SH)))
			t.Cleanup(func() { unix.Close(fd) })
		}, "another process holds the folder"},
		{"immutable", func(t *testing.T, o *initOptions, dir string) {
			needRoot(t)
			keysHold("# x\n", 0o600)(t, o, dir)
			setFlags(t, dir+"/.ssh/authorized_keys", 0x10)
		}, "operation not permitted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, dir := home(t)
			c.prepare(t, o, dir)
			before := tree(t, dir)
			_, err := o.tryInstall()
			if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(c.want, "$HOME", dir)) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if after := tree(t, dir); after != before {
				t.Errorf("%s\nbecame\n%s", before, after)
			}
			if unix.Geteuid() != os.Getuid() {
				t.Error("the thread has kept the rights of the account")
			}
		})
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("it makes files of two users: run this test as root")
	}
}

func ownerOf(keys string) int {
	var st unix.Stat_t
	unix.Stat(filepath.Dir(keys), &st)
	return int(st.Uid)
}

func keysAre(make func(keys string) error) func(*testing.T, *initOptions, string) {
	return func(t *testing.T, o *initOptions, dir string) {
		t.Helper()
		check(t, os.Mkdir(dir+"/.ssh", 0o700))
		o.own(t, dir+"/.ssh")
		check(t, make(dir+"/.ssh/authorized_keys"))
		o.own(t, dir+"/.ssh/authorized_keys")
	}
}

func keysHold(text string, mode os.FileMode) func(*testing.T, *initOptions, string) {
	return keysAre(func(keys string) error {
		return errors.Join(os.WriteFile(keys, []byte(text), mode), os.Chmod(keys, mode))
	})
}

func setFlags(t *testing.T, path string, flags int) {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	check(t, err)
	if err := unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags); err != nil {
		unix.Close(fd)
		t.Skipf("this file system has no such flag: %v", err)
	}
	t.Cleanup(func() { unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, 0); unix.Close(fd) })
}

// tree lists what stands below a folder, with what it holds; .ssh itself, made on the way, is no loss.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir+"/.ssh" {
			return nil
		}
		text := []byte(nil)
		if d.Type().IsRegular() {
			text, err = os.ReadFile(path)
			check(t, err)
		}
		fmt.Fprintf(&b, "%s %v %d %x\n", path, d.Type(), len(text), text[:min(len(text), 100)])
		return nil
	})
	return b.String()
}

// TestChangedMeanwhile: what another process writes between the look and the rename stays.
func TestChangedMeanwhile(t *testing.T) {
	for name, change := range map[string]func(keys string) error{
		"appended": func(keys string) error { return os.WriteFile(keys, []byte("# x\n# y\n"), 0o600) },
		"replaced": func(keys string) error {
			return errors.Join(os.WriteFile(keys+".n", []byte("# z\n"), 0o600), os.Rename(keys+".n", keys))
		},
		"removed": os.Remove,
		"link":    func(keys string) error { return errors.Join(os.Remove(keys), os.Symlink("/etc/passwd", keys)) },
	} {
		o, dir := home(t)
		keysHold("# x\n", 0o600)(t, o, dir)
		k, err := o.openKeys()
		check(t, err)
		check(t, change(k.path))
		before := tree(t, dir)
		if _, err := k.put(o, "20261122T120000Z"); err == nil || !strings.Contains(err.Error(), "meanwhile") {
			t.Errorf("%s: %v", name, err)
		}
		if after := tree(t, dir); after != before {
			t.Errorf("%s: %s\nbecame\n%s", name, before, after)
		}
		unix.Close(k.dir)
	}
	o, dir := home(t)
	k, err := o.openKeys()
	check(t, err)
	defer unix.Close(k.dir)
	check(t, os.WriteFile(filepath.Join(dir, ".ssh/authorized_keys"), []byte("# new\n"), 0o600))
	if _, err := k.put(o, ""); err == nil || !strings.Contains(err.Error(), "meanwhile") {
		t.Errorf("%v", err)
	}
}

// TestSwapped: while the account swaps its folder and file for links as fast as it can, nothing outside its home changes.
func TestSwapped(t *testing.T) {
	needRoot(t)
	o, dir := home(t)
	outside := testsshd.SafeDir(t) // root's, as /etc is
	check(t, os.WriteFile(outside+"/authorized_keys", []byte("# root's\n"), 0o644))
	before := tree(t, outside)
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			os.Mkdir(dir+"/.ssh", 0o700)
			os.Lchown(dir+"/.ssh", nobody, nobody)
			os.Symlink(outside+"/authorized_keys", dir+"/.ssh/authorized_keys")
			os.RemoveAll(dir + "/.ssh")
			os.Symlink(outside, dir+"/.ssh")
			os.Remove(dir + "/.ssh")
		}
	}()
	for range 2000 {
		o.tryInstall()
	}
	close(stop)
	<-done
	if after := tree(t, outside); after != before {
		t.Errorf("%s\nbecame\n%s", before, after)
	}
}

// TestNamedFile: with --authorized-keys root writes in folders of root's, where sshd must be able to read it, and follows no link either.
func TestNamedFile(t *testing.T) {
	needRoot(t)
	o, dir := home(t)
	root := testsshd.SafeDir(t)
	o.account.UID, o.account.GID = 0, 0
	o.keys = root + "/ci"
	_, err := o.tryInstall()
	check(t, err)
	var st unix.Stat_t
	check(t, unix.Stat(o.keys, &st))
	if st.Uid != 0 || st.Mode&0o7777 != 0o644 {
		t.Errorf("%d, %o", st.Uid, st.Mode)
	}
	check(t, os.Symlink(root, dir+"/link"))
	for _, file := range []string{dir + "/link/ci2", dir + "/ci2"} { // root in a folder of somebody else
		o.keys = file
		if _, err := o.tryInstall(); err == nil {
			t.Errorf("%s was written", file)
		}
	}
}
