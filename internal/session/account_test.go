package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// deliver gives a text in pieces of so many bytes, with an interrupted call before each, and then its end.
func deliver(text string, size int, end error) func([]byte) (int, error) {
	interrupted := false
	return func(b []byte) (int, error) {
		if interrupted = !interrupted; interrupted {
			return -1, unix.EINTR
		}
		n := copy(b[:min(len(b), size)], text)
		text = text[n:]
		if n == 0 {
			return n, end
		}
		return n, nil
	}
}

var pieces = []int{1, 2, 7, 61, 4095, 4096, 1 << 20}

func TestScan(t *testing.T) {
	long := strings.Repeat("x", 2*maxPasswdLine)
	const (
		root = "root:x:0:0:root:/root:/bin/bash\n"
		app  = "app:x:1000:1000:App,,,:/home/app:/bin/sh\n"
		ops  = "ops:x:1000:1000::/home/ops:/bin/zsh\n"
	)
	for _, c := range []struct {
		name, text string
		uid        int
		logname    string
		want       string // name:home:shell; empty: not found
	}{
		{"the only one", root + app, 1000, "app", "app:/home/app:/bin/sh"},
		{"first line", root + app, 0, "root", "root:/root:/bin/bash"},
		{"logname unknown", root + app, 1000, "nobody", "app:/home/app:/bin/sh"},
		{"logname unset", app + ops, 1000, "", "app:/home/app:/bin/sh"},
		{"two names, the first", app + ops, 1000, "app", "app:/home/app:/bin/sh"},
		{"two names, the second", app + ops, 1000, "ops", "ops:/home/ops:/bin/zsh"},
		{"two names, neither", app + ops, 1000, "x", "app:/home/app:/bin/sh"},
		{"logname of another id", root + app, 1000, "root", "app:/home/app:/bin/sh"},
		{"no final newline", root + strings.TrimSuffix(app, "\n"), 1000, "app", "app:/home/app:/bin/sh"},
		{"only a line without newline", strings.TrimSuffix(app, "\n"), 1000, "app", "app:/home/app:/bin/sh"},
		{"not there", root + app, 1001, "app", ""},
		{"empty file", "", 0, "root", ""},
		{"blank lines", "\n\n\n" + app + "\n", 1000, "app", "app:/home/app:/bin/sh"},
		{"home and shell empty", "app:x:1000:1000:::\n", 1000, "app", "app:/:/bin/sh"},
		{"id in the group field only", "a:x:7:1000::/a:/a\n" + app, 1000, "app", "app:/home/app:/bin/sh"},
		{"id in the group field, nothing else", "a:x:7:1000::/a:/a\n", 1000, "a", ""},
		{"id as a prefix", "a:x:10000:1::/a:/a\nb:x:100:1::/b:/b\n", 1000, "a", ""},
		{"id with leading zero", "a:x:01000:1::/a:/a\n", 1000, "a", ""},
		{"too few fields", "app:x:1000:1000:/home/app:/bin/sh\n", 1000, "app", ""},
		{"too many fields", "app:x:1000:1000:::/home/app:/bin/sh\n", 1000, "app", ""},
		{"no name", ":x:1000:1000::/home/app:/bin/sh\n" + ops, 1000, "", "ops:/home/ops:/bin/zsh"},
		{"NIS", "+:x:1000:1000::/nis:/bin/nis\n+app:x:1000:1000::/nis:/bin/nis\n+@group:x:1000:1000::/nis:/n\n-ops:x:1000:1000::/nis:/bin/nis\n" + app, 1000, "+app", "app:/home/app:/bin/sh"},
		{"NIS alone", "+app:x:1000:1000::/nis:/bin/nis\n+::::::\n+\n", 1000, "app", ""},
		{"comment", "#app:x:1001:1::/a:/a\n" + app, 1000, "app", "app:/home/app:/bin/sh"},
		{"a long line before", long + ":x:1000:1000::/long:/long\n" + app, 1000, "", "app:/home/app:/bin/sh"},
		{"a long line whose end looks like an account", long + ops + app, 1000, "ops", "app:/home/app:/bin/sh"},
		{"a long line that is an account", "ops:x:1000:1000:" + long + ":/home/ops:/bin/sh\n" + app, 1000, "ops", "app:/home/app:/bin/sh"},
		{"a long line last", app + "ops:x:1000:1000:" + long + ":/home/ops:/bin/sh", 1000, "ops", "app:/home/app:/bin/sh"},
		{"just short enough", "ops:x:1000:1000:" + strings.Repeat("x", maxPasswdLine-1-len("ops:x:1000:1000::/o:/s")) + ":/o:/s\n" + app, 1000, "ops", "ops:/o:/s"},
		{"just too long", "ops:x:1000:1000:" + strings.Repeat("x", maxPasswdLine+1-len("ops:x:1000:1000::/o:/s")) + ":/o:/s\n" + app, 1000, "ops", "app:/home/app:/bin/sh"},
		{"other bytes", "\xff\x00:x:1:1::/\x1b:\n" + app, 1000, "app", "app:/home/app:/bin/sh"},
	} {
		for _, size := range pieces {
			for _, end := range []error{nil, unix.EIO} {
				got, found, _ := scan(deliver(c.text, size, end), c.uid, c.logname)
				checkAccount(t, fmt.Sprintf("%s, in pieces of %d", c.name, size), got, found, c.uid, c.want)
			}
		}
	}
}

func checkAccount(t *testing.T, name string, got Account, found bool, uid int, want string) {
	t.Helper()
	if found != (want != "") {
		t.Errorf("%s: found %t (%v), want %q", name, found, got, want)
	}
	if !found {
		return
	}
	if spelled := got.Name + ":" + got.Home + ":" + got.Shell; spelled != want || got.UID != uid {
		t.Errorf("%s: %v, want %q of user id %d", name, got, want, uid)
	}
}

// TestScanAnyPieces holds scan against a plain reading of the whole text, which random files are cut into pieces for.
func TestScanAnyPieces(t *testing.T) {
	const seed = 1
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		var lines []string
		for range r.IntN(8) {
			gecos := strings.Repeat("x", []int{0, 10, maxPasswdLine / 2, maxPasswdLine - 100, maxPasswdLine + 100, 3 * maxPasswdLine}[r.IntN(6)])
			lines = append(lines, fmt.Sprintf("u%d:x:%d:5:%s:/h%d:/s", r.IntN(5), r.IntN(3), gecos, r.IntN(9)))
		}
		text := strings.Join(lines, "\n")
		uid, logname := r.IntN(3), fmt.Sprintf("u%d", r.IntN(5))
		want := ""
		for _, line := range lines {
			f := strings.Split(line, ":")
			if len(line) > maxPasswdLine || f[2] != strconv.Itoa(uid) || want != "" && f[0] != logname {
				continue
			}
			want = f[0] + ":" + f[5] + ":" + f[6]
			if f[0] == logname {
				break
			}
		}
		size := 1 + r.IntN(2*maxPasswdLine)
		got, found, _ := scan(deliver(text, size, nil), uid, logname)
		checkAccount(t, fmt.Sprintf("seed %d, %d lines in pieces of %d", seed, len(lines), size), got, found, uid, want)
	}
}

func TestAccountOfRoot(t *testing.T) {
	passwd, err := os.ReadFile(passwdFile)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Environ{"LOGNAME=root", "HOME=/wrong", "SHELL=/wrong", "USER=wrong"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.Account; a.UID != 0 || a.Name != "root" || !strings.Contains("\n"+string(passwd), "\nroot:") || !strings.Contains(string(passwd), ":"+a.Home+":"+a.Shell+"\n") {
		t.Errorf("%+v is not what %s says", a, passwdFile)
	}
}

// elsewhere is a user id that no /etc/passwd holds.
const elsewhere = 4000000123

func TestAccountElsewhere(t *testing.T) {
	for _, c := range []struct {
		env  Environ
		want Account
	}{
		{Environ{"LOGNAME=ada", "HOME=/home/ada", "SHELL=/bin/zsh"}, Account{UID: elsewhere, Name: "ada", Home: "/home/ada", Shell: "/bin/zsh"}},
		{Environ{"LOGNAME=ada", "HOME=/"}, Account{UID: elsewhere, Name: "ada", Home: "/", Shell: "/bin/sh"}},
		{Environ{"LOGNAME=ada", "HOME=/home/ada", "SHELL="}, Account{UID: elsewhere, Name: "ada", Home: "/home/ada", Shell: "/bin/sh"}},
		{Environ{"LOGNAME=host$", "HOME=/home/host"}, Account{UID: elsewhere, Name: "host$", Home: "/home/host", Shell: "/bin/sh"}},
		{Environ{"LOGNAME=ada@corp.example", "HOME=/home/ada"}, Account{UID: elsewhere, Name: "ada@corp.example", Home: "/home/ada", Shell: "/bin/sh"}},
	} {
		s, err := New(c.env, elsewhere)
		if err != nil || s.Account != c.want {
			t.Errorf("%q: %v, %v; want %+v", c.env, s, err, c.want)
		}
	}
}

func TestAccountUnknown(t *testing.T) {
	for _, env := range []Environ{
		nil, {"LOGNAME=ada"}, {"HOME=/home/ada"}, {"USER=ada", "HOME=/home/ada"}, {"LOGNAME=", "HOME=/home/ada"}, {"LOGNAME=ada", "HOME="}, {"LOGNAME=ada", "HOME=home/ada"},
		{"LOGNAME=a b", "HOME=/home/ada"}, {"LOGNAME=\x1b[2J", "HOME=/home/ada"}, {"LOGNAME=a/b", "HOME=/home/ada"}, {"LOGNAME=" + strings.Repeat("a", 65), "HOME=/home/ada"},
		{"LOGNAME=ada", "HOME=/" + strings.Repeat("a", maxValue)},
	} {
		s, err := New(env, elsewhere)
		if err == nil || s.Account != (Account{UID: elsewhere}) {
			t.Errorf("%q: %+v, %v", env, s.Account, err)
		} else if want := "user id 4000000123 is not in /etc/passwd, and LOGNAME and HOME do not say who it is"; err.Error() != want {
			t.Errorf("%q: %v, want %s", env, err, want)
		}
	}
}

// TestAccountUnknownSession: what else sshd said is known nevertheless, for the record of the refusal.
func TestAccountUnknownSession(t *testing.T) {
	s, err := New(Environ{"SSH_CONNECTION=192.0.2.1 51234 198.51.100.2 22", "SSH_ORIGINAL_COMMAND=ls"}, elsewhere)
	if err == nil || s == nil || s.Account.UID != elsewhere || s.Account.Name != "" || s.ClientIP != "192.0.2.1" || s.ClientPort != 51234 || s.Request != "ls" || !s.Remote() {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestAccountOtherName: an id of /etc/passwd may be shared with a name that stands elsewhere, or LOGNAME be made up by who calls the gate
// by hand. A login under another name is refused, and recorded under the file's.
func TestAccountOtherName(t *testing.T) {
	connection := "SSH_CONNECTION=192.0.2.1 51234 198.51.100.2 22"
	for _, c := range []struct {
		env   Environ
		known bool
	}{
		{Environ{connection, "LOGNAME=toor", "HOME=/home/toor", "SHELL=/bin/zsh"}, false},
		{Environ{connection, "LOGNAME=root", "HOME=/wrong"}, true},
		{Environ{connection, "HOME=/wrong"}, true},
		{Environ{connection, "LOGNAME=toor"}, false},
		{Environ{connection, "LOGNAME=a b", "HOME=/home/toor"}, false},
		{Environ{"LOGNAME=toor", "HOME=/home/toor"}, true}, // by hand, such as under su
	} {
		s, err := New(c.env, 0)
		if (err == nil) != c.known || s.Account.Name != "root" || s.Account.UID != 0 {
			t.Errorf("%q: %+v, %v", c.env, s.Account, err)
		}
	}
}

// TestAccountTakenNameRegression: a user id that is in no file took the name of an account that is.
func TestAccountTakenNameRegression(t *testing.T) {
	for _, env := range []Environ{{"LOGNAME=root", "HOME=/root"}, {behindSSHD, "LOGNAME=root", "HOME=/root"}} {
		if s, err := New(env, elsewhere); err == nil || s.Account.Name == "root" {
			t.Errorf("%q: %+v, %v", env, s.Account, err)
		}
	}
}

// TestScanStops: what follows the account is not read.
func TestScanStops(t *testing.T) {
	calls := 0
	read := func(b []byte) (int, error) {
		if calls++; calls > 1 {
			t.Error("read again after the account was found")
			return 0, errors.New("no more")
		}
		return copy(b, "root:x:0:0:root:/root:/bin/bash\nrest"), nil
	}
	if _, found, _ := scan(read, 0, "root"); !found {
		t.Error("not found")
	}
}

func TestAccountNamed(t *testing.T) {
	root, err := AccountNamed("root")
	if err != nil || root.UID != 0 || root.GID != 0 || root.Home == "" {
		t.Errorf("%+v, %v", root, err)
	}
	const text = "root:x:0:0:root:/root:/bin/bash\napp:x:1000:1001::/home/app:\napp:x:7:7::/second:/bin/sh\n+:x:1:1::/:\n-x:x:1:1::/:\nno:x:-1:0::/:\nno2:x:1:x::/:\nno3:x:4294967295:1::/:\nshort:x:1\nlast:x:5:6:::"
	for name, want := range map[string]Account{
		"root": {UID: 0, GID: 0, Name: "root", Home: "/root", Shell: "/bin/bash"},
		"app":  {UID: 1000, GID: 1001, Name: "app", Home: "/home/app", Shell: "/bin/sh"},
		"last": {UID: 5, GID: 6, Name: "last", Home: "/", Shell: "/bin/sh"},
	} {
		if got, err := named(text, name); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "x", "Root", "+", "-x", "no", "no2", "no3", "short", "root:x", "app\n", "0"} {
		if got, err := named(text, name); err == nil {
			t.Errorf("%q: %+v", name, got)
		}
		if name != "root" {
			if _, err := AccountNamed(name + "\x1b"); err == nil || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
}
