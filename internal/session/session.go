// Package session says, as a value, what sshd and the account database tell about a login: the client, the user, the terminal,
// the request and the proof of the key. It decides nothing.
package session

import (
	"strconv"
	"strings"

	"example.org/ssh-gate/internal/address"
)

// maxValue bounds, in bytes, every environment value that is read here, but for the request.
const maxValue = 1024

// Session is one login as sshd describes it.
type Session struct {
	Account    Account
	Request    string // SSH_ORIGINAL_COMMAND; empty when unset, which sshd(8) does for a session without a command
	Connection string // SSH_CONNECTION where well formed, else empty
	Client     string // SSH_CLIENT where well formed, else empty
	TTY        string // SSH_TTY where plain, else empty
	Term       string // TERM where plain and there is a TTY, else empty
	ClientIP   string // as sshd spells it; empty where not known
	ClientPort uint16
	ClientAddr address.Addr // the same; the zero Addr where not known

	remote bool
	env    Environ
}

// Remote says whether sshd started the gate; otherwise somebody tries it by hand.
func (s *Session) Remote() bool { return s.remote }

// Env gives the value of a variable of the gate's own environment, for what a policy passes on by name.
func (s *Session) Env(name string) (string, bool) { return s.env.Get(name) }

// Environ is an environment as execve(2) hands it over: NAME=value strings.
type Environ []string

// Get returns the first value of a name, as getenv(3) does.
func (e Environ) Get(name string) (string, bool) {
	for _, kv := range e {
		if len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name {
			return kv[len(name)+1:], true
		}
	}
	return "", false
}

func (e Environ) value(name string) string {
	v, _ := e.Get(name)
	if len(v) > maxValue {
		return ""
	}
	return v
}

// New reads the session from the environment that sshd made. uid is the login user's id. The error says that the account is not
// known; the session then has everything else.
func New(env Environ, uid int) (*Session, error) {
	s := &Session{env: env}
	s.Request, _ = env.Get("SSH_ORIGINAL_COMMAND")
	connection := env.value("SSH_CONNECTION")
	s.remote = connection != ""
	var err error
	s.Account, err = lookup(uid, env, s.remote)
	if f, ok := endpoints(connection, "apap"); ok {
		s.Connection = connection
		if s.ClientAddr, ok = parseAddress(f[0]); ok {
			port, _ := strconv.ParseUint(f[1], 10, 16)
			s.ClientIP, s.ClientPort = f[0], uint16(port)
		}
	}
	if _, ok := endpoints(env.value("SSH_CLIENT"), "app"); ok {
		s.Client = env.value("SSH_CLIENT")
	}
	if tty := env.value("SSH_TTY"); strings.HasPrefix(tty, "/dev/") && Plain(tty, "/") {
		s.TTY = tty
		if term := env.value("TERM"); Plain(term, "+") {
			s.Term = term
		}
	}
	return s, err
}

// endpoints reads SSH_CONNECTION ("client port server port") or SSH_CLIENT ("client port port"), ssh(1): a for an address, p for
// a port. sshd writes UNKNOWN and 65535 where its standard input is no socket; the text is well formed then, and no address
// is known, which no policy's from matches.
func endpoints(text, form string) ([]string, bool) {
	f := strings.Split(text, " ")
	if len(f) != len(form) {
		return nil, false
	}
	for i, field := range f {
		if form[i] == 'p' {
			if _, err := strconv.ParseUint(field, 10, 16); err != nil {
				return nil, false
			}
		} else if _, ok := parseAddress(field); !ok && field != "UNKNOWN" {
			return nil, false
		}
	}
	return f, true
}

// parseAddress reads an address that sshd wrote. One with a zone that is not plain is refused.
func parseAddress(text string) (address.Addr, bool) {
	a, zone, ok := address.ParseZoned(text)
	return a, ok && (zone == "" || Plain(zone, ":"))
}

// Plain says whether a value is a short word of ASCII letters, digits, "._@-" and the extra characters: nothing that a terminal,
// a log, a locale loader or a terminfo reader could take for anything else.
func Plain(value, extra string) bool {
	if value == "" || len(value) > 64 {
		return false
	}
	for i := range len(value) {
		c := value[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("._@-", c) < 0 && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return !strings.Contains(value, "..")
}

// Locale returns LANG and the LC_ variables whose value is plain, in the order they came, at most maxLocale of them. sshd's
// AcceptEnv usually lets the client choose names and values.
func (s *Session) Locale() []string {
	var kept []string
	for _, kv := range s.env {
		name, value, _ := strings.Cut(kv, "=")
		if !isLocaleName(name) || !Plain(value, "") {
			continue
		}
		if kept = append(kept, kv); len(kept) == maxLocale {
			break
		}
	}
	return kept
}

const maxLocale = 20 // locale(7) has 13 categories

func isLocaleName(name string) bool {
	if name == "LANG" {
		return true
	}
	if !strings.HasPrefix(name, "LC_") || len(name) == 3 || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return true
}
