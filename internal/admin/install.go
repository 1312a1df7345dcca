package admin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/keyline"
	"example.org/ssh-gate/internal/safefile"
)

// This file puts a key line into an account's authorized_keys. The folder belongs to the account, which may be hostile, or taken over: so
// the account's own rights are used, every folder is opened without following a link, and what was judged is what is opened.

const (
	keysName   = "authorized_keys"
	sshDir     = ".ssh"
	maxBackups = 100 // with the time of the same second in their names
)

// keysFile is an authorized_keys in its open folder.
type keysFile struct {
	dir  int // of the file
	path string
	name string
	mode uint32 // of a new one

	old  []byte
	was  unix.Stat_t
	have bool // there was one
}

// refusal is what keeps a line from being put in, and what to type about it.
type refusal struct{ problem, hint string }

func (r *refusal) Error() string { return r.problem }

func refuse(hint, format string, args ...any) error {
	return &refusal{fmt.Sprintf(format, args...), hint}
}

// installLine puts the line in, or only says whether that would be refused; it makes .ssh where it is missing all the same.
func (c *call) installLine(o *initOptions, try bool) int {
	var notes []string
	work := func() error {
		k, err := o.openKeys()
		if err != nil {
			return err
		}
		defer unix.Close(k.dir)
		if try {
			_, err = k.judge(o)
			return err
		}
		notes, err = k.put(o, c.now.UTC().Format("20060102T150405Z"))
		return err
	}
	if o.keys != "" && rootOwns(filepath.Dir(o.keys)) {
		o.account.UID, o.account.GID = 0, 0 // and then root alone may own what is on the way
	}
	err := actAs(o.account, work)
	var r *refusal
	switch {
	case errors.As(err, &r):
		return c.fail(r, r.hint)
	case err != nil && try:
		return c.fail(fmt.Errorf("the keys of %s cannot be written: %w; nothing was changed", o.install, err), whatToDo(err, o.keysPlace()))
	case err != nil:
		return c.fail(fmt.Errorf("the keys of %s cannot be written: %w; they are as they were", o.install, err), whatToDo(err, o.keysPlace()))
	}
	for _, note := range notes {
		c.tell("note", note)
	}
	return exitOK
}

// keysPlace is the folder to look at where the keys cannot be written.
func (o *initOptions) keysPlace() string {
	if o.keys != "" {
		return filepath.Dir(o.keys)
	}
	return o.account.Home
}

func rootOwns(dir string) bool {
	var st unix.Stat_t
	return unix.Lstat(dir, &st) == nil && st.Uid == 0
}

// whatToDo is a hint by the kind of an error.
func whatToDo(err error, place string) string {
	switch {
	case errors.Is(err, unix.EACCES):
		return "see who may write there: namei -l " + place
	case errors.Is(err, unix.EPERM):
		return "see whether it is immutable: lsattr -d " + place + " " + place + "/* " + place + "/" + sshDir + "/*; chattr -i takes that away"
	case errors.Is(err, unix.EROFS):
		return "the file system is mounted read-only: findmnt -T " + place
	case errors.Is(err, unix.EEXIST):
		return "see what a call that was cut short has left, and remove it: ls -lA " + place + " " + place + "/" + sshDir
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "the file system or the quota is full: df -h " + place
	}
	return "namei -l " + place + "; df -h " + place
}

// openKeys walks to the folder of the account's keys, makes .ssh if need be, and reads the file.
func (o *initOptions) openKeys() (*keysFile, error) {
	if o.keys != "" {
		k := &keysFile{path: o.keys, name: filepath.Base(o.keys), mode: 0o600}
		if o.account.UID == 0 && o.account.Name != "root" {
			k.mode = 0o644 // sshd reads it as the account
		}
		var err error
		if k.dir, err = o.walk(filepath.Dir(o.keys)); err != nil {
			return nil, err
		}
		return k, k.read(o)
	}
	home, _, err := safefile.Resolve(o.account.Home) // who put links above a home can be root only, and the account's rights are all there is
	if err != nil {
		return nil, refuse("see the account's line in /etc/passwd", "the home of %s cannot be found: %v", o.install, err)
	}
	homeDir, err := o.walk(home)
	if err != nil {
		return nil, err
	}
	defer unix.Close(homeDir)
	k := &keysFile{path: filepath.Join(home, sshDir, keysName), name: keysName, mode: 0o600}
	if err := unix.Mkdirat(homeDir, sshDir, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("%s: %w", filepath.Dir(k.path), err)
	}
	if k.dir, err = o.enter(homeDir, sshDir, filepath.Dir(k.path), true); err != nil {
		return nil, err
	}
	return k, k.read(o)
}

// walk opens a folder, component by component. Folders above the home are none of sshd's business, sshd_config(5), StrictModes; where
// root's own rights are used, all are.
func (o *initOptions) walk(path string) (dir int, err error) {
	home, _, err := safefile.Resolve(o.account.Home)
	if err != nil {
		home = o.account.Home
	}
	below := func(p string) bool { return p == home || strings.HasPrefix(p, home+"/") }
	judgeAll := o.account.UID == 0 || !below(path)
	if dir, err = o.enter(unix.AT_FDCWD, "/", "/", judgeAll); err != nil {
		return -1, err
	}
	at := ""
	for _, name := range strings.Split(strings.Trim(path, "/"), "/") {
		if name == "" {
			continue
		}
		at += "/" + name
		next, err := o.enter(dir, name, at, judgeAll || below(at))
		unix.Close(dir)
		if err != nil {
			return -1, err
		}
		dir = next
	}
	return dir, nil
}

// enter opens one folder, and says whether sshd would trust it.
func (o *initOptions) enter(dir int, name, path string, judge bool) (int, error) {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return -1, refuse(fmt.Sprintf("make it: install -d -m 700 -o %s %s", o.install, path), "the folder %+q does not exist", path)
	}
	if err != nil {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	problem, hint := "", ""
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		problem, hint = "is a link, which is not followed", "put a folder in its place, or name the file without links: --authorized-keys FILE"
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		problem, hint = "is no folder", "put a folder in its place"
	case !judge:
	case st.Uid != 0 && int(st.Uid) != o.account.UID:
		problem, hint = fmt.Sprintf("belongs to user %s, so sshd would not trust it", userName(st.Uid)), fmt.Sprintf("see who should own it: ls -ld %s", path)
	case st.Mode&0o022 != 0:
		problem, hint = fmt.Sprintf("may be written by others (mode %04o), so sshd would not trust it", st.Mode&0o7777), "chmod go-w "+path
	}
	if problem != "" {
		unix.Close(fd)
		return -1, refuse(hint, "%+q %s", path, problem)
	}
	return fd, nil
}

// read reads the file that is there, and refuses one that is not plainly the account's own text.
func (k *keysFile) read(o *initOptions) (err error) {
	defer func() {
		if err != nil {
			unix.Close(k.dir)
		}
	}()
	var had bool
	k.old, k.was, had, err = readKeys(k.dir, k.name, k.path)
	if err != nil || !had {
		return err
	}
	k.have = true
	switch {
	case int(k.was.Uid) != o.account.UID:
		return refuse(fmt.Sprintf("see who put it there, and then: chown %s %s", o.install, k.path), "%+q belongs to user %s", k.path, userName(k.was.Uid))
	case k.was.Nlink != 1:
		return refuse("replace it by a copy: cp "+k.path+" x && mv x "+k.path, "%+q has %d names (hard links), and would lose its ties to the others", k.path, k.was.Nlink)
	case k.was.Mode&0o022 != 0:
		return refuse("see that no line in it is foreign, and then: chmod go-w "+k.path, "%+q may be written by others (mode %04o), so sshd would not trust it", k.path, k.was.Mode&0o7777)
	}
	return nil
}

// readKeys reads an authorized_keys in an open folder; had says whether there is one.
func readKeys(dir int, name, path string) (text []byte, st unix.Stat_t, had bool, err error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, st, false, nil
	case errors.Is(err, unix.ELOOP):
		return nil, st, false, refuse("put a file in its place, or name the file that it leads to: --authorized-keys FILE", "%+q is a link, which is not followed", path)
	case errors.Is(err, unix.ENXIO):
		return nil, st, false, refuse("move it away", "%+q is not a regular file", path)
	case errors.Is(err, unix.EACCES):
		return nil, st, false, refuse("ls -l "+path+"; chmod u+rw "+path, "%+q cannot be read: %v; nothing was changed", path, err)
	case err != nil:
		return nil, st, false, fmt.Errorf("%s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, st, false, fmt.Errorf("%s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, st, false, refuse("move it away", "%+q is not a regular file", path)
	}
	if text, err = io.ReadAll(io.LimitReader(f, keyline.MaxFile+1)); err != nil {
		return nil, st, false, err
	}
	if n := bytes.IndexByte(text, 0); n >= 0 {
		return nil, st, false, refuse("see what wrote it: cat -v "+path, "%+q has a NUL in line %d, so it is no text", path, 1+bytes.Count(text[:n], []byte("\n")))
	}
	return text, st, true, nil
}

// put writes the file with the line in it, unless it is there.
func (k *keysFile) put(o *initOptions, now string) (notes []string, err error) {
	// Another call for the same folder would not see this line. Where the file system has no locks, the look before the rename is left.
	if lock, err := unix.Openat(k.dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		defer unix.Close(lock)
		if errors.Is(unix.Flock(lock, unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
			return nil, refuse("try again", "another process holds the folder of %+q", k.path)
		}
	}
	e, err := k.judge(o)
	if err != nil {
		return nil, err
	}
	notes = e.notes
	if e.text == nil {
		return append(notes, fmt.Sprintf("line %d of %s is this key line already; nothing was changed", e.number, k.path)), nil
	}
	kept, backup := "", ""
	if len(k.old) > 0 {
		if backup, err = k.backup(now); err != nil {
			return nil, fmt.Errorf("a copy of %s: %w", k.path, err)
		}
		kept = ", which as it was is kept in " + backup
	}
	if err := k.write(e.text); err != nil {
		if backup != "" {
			unix.Unlinkat(k.dir, backup, 0) // of what is still there
		}
		return nil, err
	}
	what := "added"
	if e.replaced {
		what = "replaced"
	}
	return append(notes, fmt.Sprintf("%s line %d of %s%s", what, e.number, k.path, kept),
		"sshd_config may name another file for the keys: sshd -T | grep -i authorizedkeysfile"), nil
}

// judge says what is to be done to the file.
func (k *keysFile) judge(o *initOptions) (*edited, error) {
	if err := k.second(o); err != nil {
		return nil, err
	}
	e, err := edit(k.old, o.line(), o.replace)
	if err != nil {
		return nil, prefixed(k.path, err)
	}
	return e, nil
}

func prefixed(path string, err error) error {
	var r *refusal
	if errors.As(err, &r) {
		return &refusal{fmt.Sprintf("%+q %s", path, r.problem), strings.ReplaceAll(r.hint, "FILE", path)}
	}
	return fmt.Errorf("%s %w", path, err)
}

// second looks into authorized_keys2, which sshd reads where sshd_config names no file: a line for the same key there would open what this
// one closes.
func (k *keysFile) second(o *initOptions) error {
	if o.keys != "" {
		return nil
	}
	path := k.path + "2"
	text, _, had, err := readKeys(k.dir, keysName+"2", path)
	if err != nil || !had {
		return err
	}
	if e, err := edit(text, o.line(), false); err != nil || e.text == nil {
		return refuse("take its line out there, or empty the file", "%+q, which sshd reads too, has this key, or cannot be judged", path)
	}
	return nil
}

// backup keeps what was read under a name with the time in it.
func (k *keysFile) backup(now string) (name string, err error) {
	for i := range maxBackups {
		name = k.name + ".ssh-gate-" + now
		if i > 0 {
			name += fmt.Sprintf("-%d", i)
		}
		if err = safefile.CreateAt(k.dir, name, k.old, 0o600); !errors.Is(err, unix.EEXIST) {
			break
		}
	}
	return name, err
}

func (k *keysFile) write(text []byte) error {
	if k.have {
		return safefile.ReplaceAt(k.dir, k.name, text, k.mode, k.unchanged)
	}
	err := safefile.CreateAt(k.dir, k.name, text, k.mode)
	if errors.Is(err, unix.EEXIST) {
		return k.unchanged()
	}
	return err
}

// unchanged says whether the file is still the one that was read. An editor that writes it between this look and the rename loses.
func (k *keysFile) unchanged() error {
	var now unix.Stat_t
	err := unix.Fstatat(k.dir, k.name, &now, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	if err != nil || !k.have || (now.Dev != k.was.Dev || now.Ino != k.was.Ino || now.Size != k.was.Size || now.Mtim != k.was.Mtim || now.Ctim != k.was.Ctim) {
		return refuse("try again", "%+q was changed by somebody else meanwhile, and is left alone", k.path)
	}
	return nil
}

// edited is what becomes of a file.
type edited struct {
	text     []byte // nil: nothing has to change
	number   int    // the line in question
	replaced bool
	notes    []string
}

// edit puts a line behind the others, which stay as they are byte for byte. One key never has two lines: sshd goes on to the second where
// the first refuses.
func edit(old []byte, line *keyline.Line, replace bool) (*edited, error) {
	lines, err := keyline.Parse(old)
	if err != nil {
		return nil, refuse("look at FILE, and take out what does not belong there", "%v", err)
	}
	e := &edited{number: len(lines) + 1}
	var same []*keyline.Line
	ignored := 0
	for i := range lines {
		l := &lines[i]
		switch {
		case l.Kind == keyline.Ignored:
			if ignored++; ignored == 1 {
				e.notes = append(e.notes, fmt.Sprintf("sshd passes over line %d: %s", l.Number, l.Why))
			}
		case l.Kind == keyline.Key && l.Public.Same(&line.Public):
			same = append(same, l)
		}
	}
	if ignored > 1 {
		e.notes = append(e.notes, fmt.Sprintf("and over %d lines more", ignored-1))
	}
	for _, l := range same {
		if l.CertAuthority() {
			return nil, refuse("take that line out of FILE by hand, or make another key", "has this key in line %d as a certificate authority", l.Number)
		}
	}
	switch {
	case len(same) == 1 && keyline.JoinOptions(same[0].Options) == keyline.JoinOptions(line.Options):
		e.number = same[0].Number
		return e, nil
	case len(same) > 0 && !replace:
		return nil, refuse("take that line out of FILE, or put the new one in its place with --replace", "has this key in line %d, %s", same[0].Number, told(same[0]))
	}
	e.text = make([]byte, 0, len(old)+keyline.MaxLine)
	from := 0
	for i, l := range same {
		e.text = append(e.text, old[from:l.Start]...)
		from = min(l.Start+len(l.Text)+len("\n"), len(old))
		if i == 0 {
			e.text = append(e.text, line.String()+"\n"...)
			e.number, e.replaced = l.Number, true
		}
	}
	e.text = append(e.text, old[from:]...)
	if len(same) == 0 {
		if len(old) > 0 && old[len(old)-1] != '\n' {
			e.text = append(e.text, '\n')
		}
		e.text = append(e.text, line.String()+"\n"...)
	}
	return e, nil
}

// told says what a line lets a key do.
func told(l *keyline.Line) string {
	command, forced := l.Command()
	switch call, ok := gateCall(l); {
	case !forced:
		return "without a command, so that it opens a shell"
	case ok && call.Key != "":
		return fmt.Sprintf("for the policy %+q with other options", call.Key)
	}
	const shown = 60
	return fmt.Sprintf("with the command %+q", command[:min(len(command), shown)])
}
