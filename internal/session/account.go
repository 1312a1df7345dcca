package session

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	passwdFile    = "/etc/passwd"
	maxPasswdLine = 4096 // bytes; a longer line is passed over
)

// Account is the login user, passwd(5).
type Account struct {
	UID   int
	GID   int // of /etc/passwd; 0 where the account stands elsewhere
	Name  string
	Home  string
	Shell string
}

const maxPasswdFile = 64 << 20 // bytes that are read of it at once

// AccountNamed finds an account by its name, in /etc/passwd alone.
func AccountNamed(name string) (Account, error) {
	if name == "" || strings.ContainsAny(name, ":\n") {
		return Account{}, fmt.Errorf("%+q is no name of an account", name)
	}
	text, err := readPasswd()
	if err != nil {
		return Account{}, err
	}
	return named(text, name)
}

// Accounts are all that stand in /etc/passwd. Lines that are broken are passed over.
func Accounts() ([]Account, error) {
	text, err := readPasswd()
	if err != nil {
		return nil, err
	}
	var accounts []Account
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		id := strings.Split(line, ":")
		if len(id) != 7 {
			continue
		}
		account, ok := parse([]byte(line), id[2])
		uid, err := strconv.ParseUint(id[2], 10, 31)
		if ok && err == nil {
			account.UID = int(uid)
			accounts = append(accounts, account)
		}
	}
	return accounts, nil
}

func readPasswd() (string, error) {
	fd, err := unix.Open(passwdFile, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("%s: %w", passwdFile, err)
	}
	defer unix.Close(fd)
	var text []byte
	for buf := make([]byte, 64<<10); len(text) < maxPasswdFile; {
		n, err := unix.Read(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", passwdFile, err)
		}
		if n == 0 {
			break
		}
		text = append(text, buf[:n]...)
	}
	return string(text), nil
}

// named takes the first account of that name, as getpwnam(3) does. One with a number that is none is none.
func named(text, name string) (Account, error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		id := strings.Split(line, ":")
		if len(id) != 7 || id[0] != name {
			continue
		}
		account, ok := parse([]byte(line), id[2])
		uid, err := strconv.ParseUint(id[2], 10, 31)
		if !ok || err != nil {
			return Account{}, fmt.Errorf("the account %+q has a broken line in %s", name, passwdFile)
		}
		account.UID = int(uid)
		return account, nil
	}
	return Account{}, fmt.Errorf("there is no account %+q in %s", name, passwdFile)
}

// lookup finds the account of a user id in /etc/passwd. Where several names share the id, LOGNAME chooses among them, and only among
// them: whoever calls the gate by hand sets it as he likes, and the record is to say who it was. An account that stands elsewhere (LDAP,
// SSSD: asking for it would take cgo, which costs a login 0.8 ms) is described by what sshd put into the environment, which sshd
// takes from the account database after everything that a client may send; it can have no name that the file gives to another id.
func lookup(uid int, env Environ, remote bool) (Account, error) {
	logname := env.value("LOGNAME")
	// Not by the os package, which would set up epoll for it.
	if fd, err := unix.Open(passwdFile, unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		defer unix.Close(fd)
		read := func(b []byte) (int, error) { return unix.Read(fd, b) }
		account, ok, taken := scan(read, uid, logname)
		switch {
		case ok && remote && logname != "" && logname != account.Name:
			// A second name of the id in another database, or made up.
			return account, fmt.Errorf("user id %d is %+q in %s, and LOGNAME says otherwise", uid, account.Name, passwdFile)
		case ok:
			return account, nil
		case taken:
			return Account{UID: uid}, fmt.Errorf("user id %d is not in %s, and LOGNAME is the name of another one", uid, passwdFile)
		}
	}
	account := Account{UID: uid, Name: logname, Home: env.value("HOME"), Shell: env.value("SHELL")}
	if !Plain(account.Name, "$") || !strings.HasPrefix(account.Home, "/") {
		return Account{UID: uid}, fmt.Errorf("user id %d is not in %s, and LOGNAME and HOME do not say who it is", uid, passwdFile)
	}
	if account.Shell == "" {
		account.Shell = "/bin/sh" // passwd(5): an empty field stands for it
	}
	return account, nil
}

// scan goes through the lines that read delivers. It stops at the account of this id whose name is logname, else takes the first of the
// id. taken says that logname is the name of another id.
func scan(read func([]byte) (int, error), uid int, logname string) (first Account, found, taken bool) {
	var (
		id   = strconv.Itoa(uid)
		buf  = make([]byte, maxPasswdLine)
		kept int  // bytes of an unfinished line at the start of buf
		skip bool // the unfinished line is too long
	)
	for {
		n, err := read(buf[kept:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		ended := err != nil || n <= 0
		rest := buf[:kept+max(n, 0)]
		for len(rest) > 0 {
			line, after, whole := bytes.Cut(rest, []byte{'\n'})
			if !whole && !ended {
				break
			}
			if account, ok := parse(line, id); ok && !skip {
				account.UID = uid
				if account.Name == logname || logname == "" {
					return account, true, false
				}
				if !found {
					first, found = account, true
				}
			}
			taken = taken || logname != "" && bytes.HasPrefix(line, []byte(logname+":"))
			skip, rest = false, after
		}
		if ended {
			return first, found, taken
		}
		if kept = copy(buf, rest); kept == len(buf) {
			kept, skip = 0, true
		}
	}
}

// parse reads name:password:uid:gid:gecos:home:shell.
func parse(line []byte, id string) (Account, bool) {
	if !bytes.Contains(line, []byte(":"+id+":")) {
		return Account{}, false
	}
	f := strings.Split(string(line), ":")
	if len(f) != 7 || f[2] != id || f[0] == "" || f[0][0] == '+' || f[0][0] == '-' {
		return Account{}, false
	}
	gid, err := strconv.ParseUint(f[3], 10, 31)
	if err != nil {
		return Account{}, false
	}
	account := Account{GID: int(gid), Name: f[0], Home: f[5], Shell: f[6]}
	if account.Home == "" {
		account.Home = "/"
	}
	if account.Shell == "" {
		account.Shell = "/bin/sh"
	}
	return account, true
}
