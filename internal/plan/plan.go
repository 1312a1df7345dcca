// Package plan says what an allowed request gets, as a value: program, argv, environment, folder, limits and confinement. launch carries
// a plan out, explain shows it, and nothing here starts anything.
package plan

import (
	"errors"
	"io/fs"
	"strings"
	"unicode"

	"example.org/ssh-gate/internal/confine"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/session"
)

// Plan is all that an execution depends on.
type Plan struct {
	Path      string   // absolute
	Argv      []string // argv[0] included
	Env       []string
	Dir       string       // to be entered; empty: the present one
	Umask     *fs.FileMode // nil: the present one
	StdinNone bool         // standard input becomes /dev/null
	Keep      bool         // may get privileges by execve
	Limits    *policy.Limits
	Domain    *confine.Domain // nil: not confined
}

// Order is what a decision orders: the rule's settings, the program with its argv, and where the values of the request lie.
type Order struct {
	Settings *policy.Settings
	Program  string
	Argv     []string
	Places   []policy.Place
}

// New makes the plan for an order. path is the host's search path.
func New(o *Order, s *session.Session, path []string) *Plan {
	return &Plan{
		Path: o.Program, Argv: o.Argv,
		Env: environment(s, path, o.Settings),
		Dir: o.Settings.Dir, Umask: o.Settings.Umask, StdinNone: o.Settings.StdinNone,
		Keep: o.Settings.Keep, Limits: &o.Settings.Limits, Domain: domain(o),
	}
}

func domain(o *Order) *confine.Domain {
	c := o.Settings.Confine
	if c == nil {
		return nil
	}
	d := &confine.Domain{Read: c.Read, Write: c.Write, Execute: c.Execute, NoNetwork: c.NoNetwork, Program: o.Program, BestEffort: c.Fallback}
	for _, p := range o.Places {
		d.Values = append(d.Values, confine.Value{Path: p.Path, Root: p.Root, Below: p.Below, Write: p.Access == policy.Write})
	}
	return d
}

// ConfineReason is the code of what confine.New, or confine.Try, failed with.
func ConfineReason(err error) record.Reason {
	var unsupported *confine.UnsupportedError
	if errors.As(err, &unsupported) {
		return record.ConfineUnsupported
	}
	return record.ConfineFailed
}

// maxPassed bounds, in bytes, a value that pass_env takes from the client. A longer one is left out.
const maxPassed = 4096

// environment builds what the program gets from nothing: first from a fixed list, then from what the rule names. It is never
// the client's environment with bad names taken out.
func environment(s *session.Session, path []string, settings *policy.Settings) []string {
	var e variables
	e.set("HOME", s.Account.Home)
	e.set("USER", s.Account.Name)
	e.set("LOGNAME", s.Account.Name)
	e.set("SHELL", s.Account.Shell)
	e.set("PATH", strings.Join(path, ":"))
	for _, kv := range s.Locale() {
		name, value, _ := strings.Cut(kv, "=")
		e.set(name, value)
	}
	for _, v := range [...]policy.EnvVar{
		{Name: "TERM", Value: s.Term},
		{Name: "SSH_CONNECTION", Value: s.Connection},
		{Name: "SSH_CLIENT", Value: s.Client},
		{Name: "SSH_TTY", Value: s.TTY},
	} {
		if v.Value != "" {
			e.set(v.Name, v.Value)
		}
	}
	for _, name := range settings.PassEnv {
		if value, ok := s.Env(name); ok && len(value) <= maxPassed && !strings.ContainsFunc(value, unicode.IsControl) {
			e.set(name, value)
		}
	}
	for _, v := range settings.Env {
		e.set(v.Name, v.Value)
	}
	return e
}

type variables []string

// set adds a variable, or replaces the one of that name: two of one name would be read differently by different programs.
func (e *variables) set(name, value string) {
	for i, kv := range *e {
		if strings.HasPrefix(kv, name+"=") {
			(*e)[i] = name + "=" + value
			return
		}
	}
	*e = append(*e, name+"="+value)
}
