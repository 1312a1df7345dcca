package lint

import "example.org/ssh-gate/internal/policy"

// This file says of words alone what the table of programs knows, for those who write rules.

// IsInterpreter says whether a program of this name, whatever its version, reads code from standard input where it is told nothing.
func IsInterpreter(name string) bool {
	return named(name, func(p *program) bool {
		return p.style == interpreter && p.operands == "" || p.names == applets
	})
}

// IsWrapper says whether the arguments of a program are a command.
func IsWrapper(name string) bool {
	return named(name, func(p *program) bool { return p.style == wrapper && p.with == "" && p.names != applets })
}

// RunsOthers says whether a program is one whose arguments, or standard input, make it run others as a matter of course.
func RunsOthers(name string) bool {
	return named(name, func(p *program) bool {
		return p.with == "" && p.style != plain && p.style != pager || isListed(p.runs, "exec!") || isListed(p.runs, "run!")
	})
}

// RunsFiles says whether the files that a program is given are what it runs, or hooks in them.
func RunsFiles(name string) bool {
	return named(name, func(p *program) bool { return p.operands == "x" })
}

func named(name string, is func(*program) bool) bool {
	for _, n := range []string{name, versionless(name)} {
		for _, p := range programsOf(n) {
			if is(p) {
				return true
			}
		}
	}
	return false
}

// Opens says whether words that a client has no choice about open a shell, or run what comes by standard input.
func Opens(words []string) (message string, opens bool) {
	l := &linter{policy: &policy.Policy{}, host: anywhere{}}
	elements := make([]policy.Element, len(words))
	for i, word := range words {
		elements[i] = fixed(word, false).Element
	}
	l.opens(&policy.Rule{}, elements, l.verdict(words[0]), nil)
	for _, found := range l.found {
		if found.kind.ID == "opens-shell" {
			return found.message, true
		}
	}
	return "", false
}

// anywhere is a host with every program, no links and the usual homes: words are judged by their text.
type anywhere struct{}

func (anywhere) Lookup(name string) (string, bool)        { return "/usr/bin/" + name, true }
func (anywhere) Resolve(path string) (string, int, error) { return path, 0, nil }
func (anywhere) Program(string) error                     { return nil }
func (anywhere) Script(string) error                      { return nil }
func (anywhere) Exists(string) (bool, error)              { return true, nil }
func (anywhere) Astray(string) error                      { return nil }
func (anywhere) Account(string) bool                      { return true }
func (anywhere) Homes() []string                          { return nil }
func (anywhere) LandlockABI() int                         { return newestABI }

// newestABI lacks nothing.
const newestABI = 99

// Widened is what a policy's placeholders open, by its text alone; empty where they open nothing.
func Widened(p *policy.Policy, text string) string {
	for _, found := range Policy(p, text, anywhere{}, p.Expires) {
		switch found.Kind.ID {
		case "opens-shell", "opens-shell-confined", "runs-programs", "reads-anywhere", "writes-anywhere", "no-containment", "takes-anything",
			"regex-takes-anything", "write-where-policies-lie":
			return found.Message
		}
	}
	return ""
}
