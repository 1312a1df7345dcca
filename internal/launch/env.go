package launch

import (
	"strings"
	"unicode"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/session"
)

// maxPassed bounds, in bytes, a value that pass_env takes from the client. A longer one is left out.
const maxPassed = 4096

// Environment builds what the program gets from nothing: first from a fixed list, then from what the rule names. It is never
// the client's environment with bad names taken out.
func Environment(s *session.Session, path []string, settings *policy.Settings) []string {
	var e environment
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

type environment []string

// set adds a variable, or replaces the one of that name: two of one name would be read differently by different programs.
func (e *environment) set(name, value string) {
	for i, kv := range *e {
		if strings.HasPrefix(kv, name+"=") {
			(*e)[i] = name + "=" + value
			return
		}
	}
	*e = append(*e, name+"="+value)
}
