package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.org/ssh-gate/internal/forced"
	"example.org/ssh-gate/internal/keyline"
	"example.org/ssh-gate/internal/lint"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/session"
)

// keyLines holds the key lines of all accounts against the policies, both ways, where sshd looks for them.
func (e *examination) keyLines(files []listed) {
	survey := surveyLogins()
	named := map[string]bool{} // files of policies
	byProof := false
	unseen, why, whole := map[string]bool{}, "", true // accounts whose files may not be read, by their homes; whether all else was
	read := map[string]bool{}                         // files: accounts may share one
	var sources keySources
	for i := range survey.all {
		l := &survey.all[i]
		call, gated := forcedCall(&l.Account, l.settings)
		if gated && call.Problem == "" {
			byProof = byProof || call.KeyFrom != ""
			named[calledPolicy(&call, l.Home)] = true
		}
		sources.noteSources(l.settings, gated)
		for _, file := range l.keyFiles() {
			if read[file] {
				continue
			}
			lines, err := readKeyLines(&l.Account, file)
			read[file] = len(lines) > 0 || err != nil // one that this account may not read another perhaps may
			if hidden := (*keysUnseen)(nil); errors.As(err, &hidden) {
				unseen[l.Home], why = true, hidden.Error()
				delete(read, file)
				continue
			}
			if err != nil { // doctor calls these wrong, too
				e.about("key-file-unreadable", file, "the file "+err.Error())
				whole = false
				continue
			}
			e.inFile = &fileFindings{}
			for k := range lines {
				call, ok := gateCall(&lines[k])
				if call.Problem != "" {
					e.tellKeyLine(file, &lines[k], "key-line-faulty", call.Problem, "")
				}
				if !ok || call.Problem != "" {
					continue
				}
				byProof = byProof || call.KeyFrom != ""
				target := calledPolicy(&call, l.Home)
				named[target] = true
				e.keyLine(file, &lines[k], &call, target)
				e.loginElsewhere(file, &lines[k], &l.Account, target)
			}
			e.closeFile(file)
		}
	}
	skip := func(format string, args ...any) {
		e.skipped = append(e.skipped, fmt.Sprintf(format, args...))
		whole = false
	}
	root := os.Geteuid() == 0
	switch {
	case len(unseen) > 0 && root:
		skip("the key lines of %s were not looked at: %s", counted(len(unseen), "account"), why)
	case len(unseen) > 0:
		skip("the key lines of %s were not looked at: ask as root", counted(len(unseen), "account"))
	}
	if survey.unasked > 0 {
		ask := ""
		if !root {
			ask = "; ask as root"
		}
		skip("where sshd looks for the keys of %s is not known, so only ~/.ssh was looked at, and no policy is called unused: %s%s",
			counted(survey.unasked, "account"), survey.silence(), ask)
	}
	for _, from := range sources.elsewhere {
		skip("keys that sshd takes from %s were not looked at", from)
	}
	if !whole {
		return
	}
	for i := range files {
		if f := &files[i]; !f.Account && !byProof && !named[f.File] && !e.isAccepted(f.File, "policy-without-key-line") {
			e.about("policy-without-key-line", f.File, "no key line of an account of this host names it")
		}
	}
}

// maxInFile bounds what is told of one file of keys, which an account may fill as it likes.
const maxInFile = 20

// fileFindings are what is found in one file of keys: the first of each severity, as many as may be told and one more.
type fileFindings struct {
	kept  []*lint.Finding
	count map[lint.Severity]int
}

func (f *fileFindings) add(found *lint.Finding) {
	if f.count == nil {
		f.count = map[lint.Severity]int{}
	}
	if f.count[found.Kind.Severity]++; f.count[found.Kind.Severity] <= maxInFile+1 {
		f.kept = append(f.kept, found)
	}
}

// closeFile tells the worst of what was found in a file of keys, and how much more there is.
func (e *examination) closeFile(file string) {
	in := e.inFile
	e.inFile = nil
	more := -maxInFile
	for _, n := range in.count {
		more += n
	}
	slices.SortStableFunc(in.kept, func(a, b *lint.Finding) int {
		return slices.Index(severities, a.Kind.Severity) - slices.Index(severities, b.Kind.Severity)
	})
	for i, found := range in.kept[:min(len(in.kept), maxInFile+1)] {
		if i == maxInFile {
			found = &lint.Finding{Kind: found.Kind, Fault: &policy.Fault{File: file,
				Message: fmt.Sprintf("and %s more in this file; the worst %d are told", counted(more, "finding"), maxInFile),
				Hint:    "correct those that are told, and ask again"}}
		}
		e.add(found)
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
