package admin

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/forced"
	"example.org/ssh-gate/internal/keyline"
	"example.org/ssh-gate/internal/session"
	"example.org/ssh-gate/internal/sshd"
)

// This file is the one survey of the accounts of this host and of where sshd looks for their keys, for doctor and check.

// login is an account, with sshd's settings for it.
type login struct {
	session.Account
	settings sshd.Settings // nil: not known
	unseen   error         // why not; nil: it was not asked about
}

// logins are the accounts of this host.
type logins struct {
	all     []login
	unasked int   // accounts about which sshd was not asked
	deaf    error // why not; nil: there are too many, or their names are not plain
}

const (
	maxAsked  = 200              // accounts about which sshd is asked, a process each
	maxAsking = 30 * time.Second // for all of them
)

// surveyLogins asks sshd about each account: a key line may stand where only sshd_config says, and so may ForceCommand. Where there are too
// many, first about those that are known to be gated, then about those that can log in. Where sshd cannot be asked about one it cannot be
// about others, so one answer is enough. Two names of one account are one login unless sshd tells them apart.
func surveyLogins() *logins {
	accounts := accountsAtHome()
	if len(accounts) > maxAsked {
		ranks := make(map[string]int, len(accounts))
		for i := range accounts {
			ranks[accounts[i].Name] = urgency(&accounts[i])
		}
		slices.SortStableFunc(accounts, func(a, b session.Account) int { return cmp.Compare(ranks[a.Name], ranks[b.Name]) })
	}
	s := &logins{}
	seen := map[string][]int{} // by the rights and the home
	asked, begin := 0, time.Now()
	for _, a := range accounts {
		l := login{Account: a}
		if s.deaf == nil && session.Plain(a.Name, "$") && asked < maxAsked && time.Since(begin) < maxAsking {
			asked++
			l.settings, s.deaf = sshd.Effective(a.Name)
		}
		place := fmt.Sprintf("%d %s", a.UID, a.Home)
		if slices.ContainsFunc(seen[place], func(i int) bool { return l.same(&s.all[i]) }) {
			continue
		}
		if l.settings == nil {
			l.unseen = s.deaf
			s.unasked++
		}
		seen[place] = append(seen[place], len(s.all))
		s.all = append(s.all, l)
	}
	return s
}

// same says whether a second name of an account changes nothing.
func (l *login) same(other *login) bool {
	return l.Shell == other.Shell && maps.EqualFunc(l.settings, other.settings, slices.Equal) && slices.Equal(l.keyFiles(), other.keyFiles())
}

// silence says why sshd was not asked about some.
func (s *logins) silence() string {
	if s.deaf != nil {
		return s.deaf.Error()
	}
	return fmt.Sprintf("it is asked about %d at most, for %.0f seconds, and about plain names", maxAsked, maxAsking.Seconds())
}

// advice is what to type where sshd's settings are not known.
func (s *logins) advice() string {
	text := s.silence()
	_, dir, found := strings.Cut(text, "Missing privilege separation directory: ")
	switch {
	case os.Geteuid() != 0:
		return "sudo ssh-gate doctor"
	case found:
		return "mkdir -p -m 755 " + dir
	case strings.Contains(text, "no hostkeys available"):
		return "ssh-keygen -A"
	case errors.Is(s.deaf, sshd.ErrNone):
		return "ask where sshd is installed: apt install openssh-server, or dnf install openssh-server"
	case s.deaf != nil:
		return "sshd -t says what is wrong with its configuration"
	}
	return "sshd -T -C user=NAME,host=localhost,addr=127.0.0.1"
}

// urgency is 0 for accounts that the gate plainly stands before, and then for those that can log in.
func urgency(a *session.Account) int {
	if forced.IsGate(a.Shell) {
		return 0
	}
	for _, file := range defaultKeyFiles(a.Home) {
		lines, _ := readKeyLines(a, file)
		if slices.ContainsFunc(lines, func(l keyline.Line) bool { _, ok := gateCall(&l); return ok }) {
			return 0
		}
	}
	if !noLogin(a.Shell) {
		return 1
	}
	return 2
}

// keyFiles are where sshd looks for the keys of the account, or, where its settings are not known, where it does if not told otherwise.
func (l *login) keyFiles() []string {
	if l.settings == nil {
		return defaultKeyFiles(l.Home)
	}
	return l.settings.KeyFiles(l.Name, l.Home, l.UID)
}

// forcedCall is the call of the gate in ForceCommand, if there is one, and the account can log in.
func forcedCall(a *session.Account, settings sshd.Settings) (forced.Call, bool) {
	call, ok := forced.Command(settings.Value("forcecommand"))
	return call, ok && (forced.IsGate(a.Shell) || !noLogin(a.Shell))
}

// noLogin says whether a login shell lets nobody in, nor a forced command run.
func noLogin(shell string) bool {
	return slices.Contains([]string{"/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false"}, shell)
}

// keySources are where sshd takes keys from that are in no file: programs and authorities, as sshd names them.
type keySources struct {
	elsewhere []string
	reached   map[string]int // accounts by those
}

const maxElsewhere = 10 // programs and authorities that are told of

// noteSources takes down what holds for one account. A ForceCommand that is the gate stands before every key.
func (k *keySources) noteSources(settings sshd.Settings, gated bool) {
	for _, from := range []string{"AuthorizedKeysCommand", "TrustedUserCAKeys"} {
		if value := settings.Value(strings.ToLower(from)); value != "" && value != "none" && !gated {
			k.reach(from + " " + value)
		}
	}
}

func (k *keySources) reach(from string) {
	if k.reached == nil {
		k.reached = map[string]int{}
	}
	if k.reached[from] == 0 && len(k.elsewhere) < maxElsewhere {
		k.elsewhere = append(k.elsewhere, from)
	}
	k.reached[from]++
}

// accountsAtHome are those of /etc/passwd that have a home.
func accountsAtHome() []session.Account {
	all, _ := session.Accounts()
	return slices.DeleteFunc(all, func(a session.Account) bool { return !strings.HasPrefix(a.Home, "/") })
}

// defaultKeyFiles are where sshd looks for the keys of an account unless AuthorizedKeysFile says otherwise, sshd_config(5).
func defaultKeyFiles(home string) []string {
	return []string{filepath.Join(home, ".ssh/authorized_keys"), filepath.Join(home, ".ssh/authorized_keys2")}
}

// keysUnseen is told of keys that this process may not look at, which is no fault of theirs.
type keysUnseen struct {
	file, why string
}

func (e *keysUnseen) Error() string { return e.file + " cannot be read: " + e.why }

// readKeyLines reads a file of an account's keys. There are none where sshd finds none either: without a file, and where the account's own
// rights, which sshd takes on, do not let it read. The error is keysUnseen, or says why a file that sshd perhaps reads is none for us.
func readKeyLines(account *session.Account, file string) ([]keyline.Line, error) {
	text, err := readKeyFile(account, file)
	switch {
	case errors.As(err, new(*keysUnseen)):
		return nil, err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR): // as is a home of /dev/null
		return nil, nil
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() == 0:
		return nil, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, &keysUnseen{file, reasonOf(err)}
	case errors.Is(err, notRegular{}):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %s", reasonOf(err))
	}
	return keyline.Parse(text)
}

// readKeyFile reads a file of an account's keys as sshd does, with that account's own rights: a link of the account's must not make root
// read where it leads.
func readKeyFile(account *session.Account, file string) (text []byte, err error) {
	if os.Geteuid() != 0 || account.UID == 0 {
		return readPlain(file, keyline.MaxFile)
	}
	actErr := actAs(*account, func() error {
		text, err = readPlain(file, keyline.MaxFile)
		return nil
	})
	if actErr != nil {
		return nil, &keysUnseen{file, actErr.Error()}
	}
	return text, err
}
