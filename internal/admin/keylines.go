package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/forced"
	"example.org/ssh-gate/internal/keyline"
	"example.org/ssh-gate/internal/lint"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/session"
)

// keyFiles are where sshd looks for the keys of an account unless AuthorizedKeysFile says otherwise, sshd_config(5).
var keyFiles = []string{".ssh/authorized_keys", ".ssh/authorized_keys2"}

// keyLines holds the key lines of all accounts against the policies, both ways.
func (e *examination) keyLines(files []listed) {
	named := map[string]bool{} // files of policies
	byProof := false
	unseen, whole := map[string]bool{}, true // accounts whose files may not be read; whether all else was
	for _, account := range loginAccounts() {
		for _, file := range defaultKeyFiles(account.Home) {
			text, err := readKeyFile(&account, file)
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR): // as is a home of /dev/null
				continue
			case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
				unseen[account.Home] = true
				continue
			case errors.Is(err, fs.ErrPermission): // with the account's own rights sshd cannot read it either
				continue
			case err != nil: // doctor calls these wrong, too
				e.about("key-file-unreadable", file, "the file "+unreadOf(err))
				whole = false
				continue
			}
			lines, err := keyline.Parse(text)
			if err != nil {
				e.about("key-file-unreadable", file, "the file "+err.Error())
				whole = false
				continue
			}
			for i := range lines {
				call, ok := gateCall(&lines[i])
				if call.Problem != "" {
					e.tellKeyLine(file, &lines[i], "key-line-faulty", call.Problem, "")
				}
				if !ok || call.Problem != "" {
					continue
				}
				byProof = byProof || call.KeyFrom != ""
				target := calledPolicy(&call, account.Home)
				named[target] = true
				e.keyLine(file, &lines[i], &call, target)
				e.loginElsewhere(file, &lines[i], &account, target)
			}
		}
	}
	if len(unseen) > 0 {
		e.skipped = append(e.skipped, fmt.Sprintf("the key lines of %s were not looked at: ask as root", counted(len(unseen), "account")))
	}
	if len(unseen) > 0 || !whole {
		return
	}
	for i := range files {
		if f := &files[i]; !f.Account && !byProof && !named[f.File] && !e.isAccepted(f.File, "policy-without-key-line") {
			e.about("policy-without-key-line", f.File, "no key line of an account of this host names it")
		}
	}
}

// gateCall is the call of the gate in a key line's command=, if there is one.
func gateCall(line *keyline.Line) (forced.Call, bool) {
	command, _ := line.Command()
	return forced.Command(command)
}

// calledPolicy is the file of the policy that a call of the gate names; empty where that takes the proof of the key. sshd starts the gate
// in the account's home.
func calledPolicy(call *forced.Call, home string) string {
	switch file := call.File(); {
	case file == "":
		return ""
	case filepath.IsAbs(file):
		return filepath.Clean(file)
	default:
		return filepath.Join(home, file)
	}
}

func (e *examination) tellKeyLine(file string, line *keyline.Line, id, message, hint string) {
	kind, _ := lint.Of(id)
	e.add(&lint.Finding{Kind: kind, Fault: &policy.Fault{File: file, Line: line.Number, Col: 1, Len: 1, Message: message, Hint: hint, Source: line.Text}})
}

func (e *examination) keyLine(file string, line *keyline.Line, call *forced.Call, target string) {
	tell := func(id, message, hint string) {
		if !e.isAccepted(target, id) {
			e.tellKeyLine(file, line, id, message, hint)
		}
	}
	if target != "" {
		if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
			tell("key-line-without-policy", "there is no "+target, "")
		}
	}
	if p := line.Permits(); p != (keyline.Permits{}) {
		var what []string
		for _, permit := range []struct {
			is   bool
			name string
		}{{p.PortForwarding, "forward ports"}, {p.AgentForwarding, "forward an agent"}, {p.X11Forwarding, "forward X11"}, {p.PTY, "get a terminal"}, {p.UserRC, "run ~/.ssh/rc"}} {
			if permit.is {
				what = append(what, permit.name)
			}
		}
		tell("key-line-unrestricted", "the key may "+strings.Join(what, ", ")+" without the gate being asked", "write restrict, in front of command=")
	}
	if self, err := os.Readlink("/proc/self/exe"); err == nil && strings.HasPrefix(call.Program, "/") && !sameFile(self, call.Program) {
		tell("key-line-other-binary", call.Program+" is another binary than this one, "+self, "")
	}
}

// unreadOf says why a file of keys was not read.
func unreadOf(err error) string {
	if errors.Is(err, notRegular{}) {
		return err.Error()
	}
	return "cannot be read: " + reasonOf(err)
}

// noteLogin keeps the rule of a policy for the request without a command.
func (e *examination) noteLogin(file string, p *policy.Policy) {
	for i := range p.Rules {
		if slices.ContainsFunc(p.Rules[i].Patterns, func(pattern policy.Pattern) bool { return len(pattern.Elements) == 0 }) {
			if e.logins == nil {
				e.logins = map[string]*policy.Rule{}
			}
			e.logins[file] = &p.Rules[i]
			return
		}
	}
}

// noteAccepts keeps a policy that accepts findings, for those about the key lines that name it.
func (e *examination) noteAccepts(file string, p *policy.Policy) {
	if len(p.Accept) == 0 {
		return
	}
	if e.accepts == nil {
		e.accepts = map[string]*policy.Policy{}
	}
	e.accepts[file] = p
}

// isAccepted says whether the policy of a key line accepts what is found about the line. All policies were examined before.
func (e *examination) isAccepted(target, id string) bool {
	kind, known := lint.Of(id)
	p := e.accepts[target]
	return known && p != nil && lint.Accepts(p, kind)
}

// loginElsewhere tells of a rule for a login without a command that is never asked for: where the gate is the login shell, the policy of
// the account decides it. All policies were examined before.
func (e *examination) loginElsewhere(file string, line *keyline.Line, account *session.Account, target string) {
	rule := e.logins[target]
	own := filepath.Join(policy.UsersDir, account.Name+".toml")
	const id = "key-line-login-elsewhere"
	if rule == nil || !forced.IsGate(account.Shell) || e.logins[own] != nil || e.isAccepted(target, id) || slices.Contains(rule.Accept, id) {
		return
	}
	e.tellKeyLine(file, line, id, fmt.Sprintf("the rule %s of %s is not asked for a login without a command: %s decides it", rule.Label(), target, own),
		"write the rule into "+own)
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	other, otherErr := os.Stat(b)
	return err == nil && otherErr == nil && os.SameFile(one, other)
}

// loginAccounts are those of /etc/passwd that have a home, each with its own rights once: two names of one user are one account.
func loginAccounts() []session.Account {
	all, _ := session.Accounts()
	type place struct {
		home string
		uid  int
	}
	seen := map[place]bool{}
	return slices.DeleteFunc(all, func(a session.Account) bool {
		at := place{a.Home, a.UID}
		again := seen[at]
		seen[at] = true
		return again || !strings.HasPrefix(a.Home, "/")
	})
}

func defaultKeyFiles(home string) []string {
	files := make([]string, len(keyFiles))
	for i, name := range keyFiles {
		files[i] = filepath.Join(home, name)
	}
	return files
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
	return text, errors.Join(actErr, err)
}
