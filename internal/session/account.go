package session

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

const (
	passwdFile    = "/etc/passwd"
	maxPasswdLine = 4096     // bytes; a longer line is passed over
	maxPasswd     = 64 << 20 // bytes; what comes after is not read
)

// Account is the login user, passwd(5).
type Account struct {
	UID   int
	Name  string
	Home  string
	Shell string
}

// lookup finds the account of a user id in /etc/passwd. Where several names share the id, LOGNAME chooses among them. An account
// that stands elsewhere (LDAP, SSSD: asking for it would take cgo, which costs a login 0.8 ms) is described by what sshd put into
// the environment, which sshd takes from the account database after everything that a client may send.
func lookup(uid int, env Environ) (Account, error) {
	logname := env.value("LOGNAME")
	if f, err := os.Open(passwdFile); err == nil {
		defer f.Close()
		if account, ok := scan(io.LimitReader(f, maxPasswd), uid, logname); ok {
			return account, nil
		}
	}
	account := Account{UID: uid, Name: logname, Home: env.value("HOME"), Shell: env.value("SHELL")}
	if !Plain(account.Name, "$") || !strings.HasPrefix(account.Home, "/") {
		return Account{}, fmt.Errorf("user id %d is not in %s, and LOGNAME and HOME do not say who it is", uid, passwdFile)
	}
	if account.Shell == "" {
		account.Shell = "/bin/sh" // passwd(5): an empty field stands for it
	}
	return account, nil
}

func scan(r io.Reader, uid int, logname string) (Account, bool) {
	var (
		first Account
		found bool
		id    = strconv.Itoa(uid)
		lines = bufio.NewReaderSize(r, maxPasswdLine)
	)
	for {
		line, err := lines.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			for err == bufio.ErrBufferFull {
				_, err = lines.ReadSlice('\n')
			}
			line = nil
		}
		if account, ok := parse(line, id); ok {
			account.UID = uid
			if account.Name == logname || logname == "" {
				return account, true
			}
			if !found {
				first, found = account, true
			}
		}
		if err != nil {
			return first, found
		}
	}
}

// parse reads name:password:uid:gid:gecos:home:shell.
func parse(line []byte, id string) (Account, bool) {
	f := strings.Split(strings.TrimSuffix(string(line), "\n"), ":")
	if len(f) != 7 || f[2] != id || f[0] == "" || f[0][0] == '+' || f[0][0] == '-' {
		return Account{}, false
	}
	account := Account{Name: f[0], Home: f[5], Shell: f[6]}
	if account.Home == "" {
		account.Home = "/"
	}
	if account.Shell == "" {
		account.Shell = "/bin/sh"
	}
	return account, true
}
