// Package sshd asks the host's own sshd what its configuration comes to. It starts that one program, with fixed arguments, for verbs that
// an administrator calls; nothing on the way from a client to execve comes here.
package sshd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"example.org/ssh-gate/internal/safefile"
	"example.org/ssh-gate/internal/session"
)

// ErrNone says that this host has no sshd.
var ErrNone = errors.New("there is no sshd")

// binaries are where sshd may be.
var binaries = []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"}

// maxOutput bounds, in bytes, what is read of its answer.
const maxOutput = 1 << 20

// Settings are the effective settings for one login, by their names in small letters, each with its values as they stand.
type Settings map[string][]string

// Value is the first value of a setting; empty where it is not set.
func (s Settings) Value(name string) string {
	if values := s[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Effective asks for the settings that hold for a user who comes from this host, Match blocks included: by sshd -T, which wants root and
// host keys, and else by sshd -G, which OpenSSH has since 9.3 and which wants to read the configuration only.
func Effective(user string) (Settings, error) {
	if !session.Plain(user, "$") {
		return nil, fmt.Errorf("%+q is no name that sshd can be asked about", user)
	}
	for _, path := range binaries {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if err := safefile.Program(path, safefile.RootOnly); err != nil {
			return nil, err
		}
		settings, err := ask(path, "-T", user)
		if err != nil {
			if settings, otherErr := ask(path, "-G", user); otherErr == nil {
				return settings, nil
			}
		}
		return settings, err
	}
	return nil, fmt.Errorf("%w in %s", ErrNone, strings.Join(binaries, ", "))
}

func ask(path, how, user string) (Settings, error) {
	answer, end, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		end.Close()
		return nil, err
	}
	defer null.Close()
	args := []string{path, how, "-C", "user=" + user + ",host=localhost,addr=127.0.0.1"}
	process, err := os.StartProcess(path, args, &os.ProcAttr{Dir: "/", Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, Files: []*os.File{null, end, end}})
	end.Close()
	if err != nil {
		return nil, err
	}
	text, readErr := io.ReadAll(io.LimitReader(answer, maxOutput))
	answer.Close() // an answer without end meets a closed pipe
	state, err := process.Wait()
	switch {
	case err != nil:
		return nil, err
	case readErr != nil:
		return nil, readErr
	case !state.Success():
		said, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		return nil, fmt.Errorf("sshd %s: %s", how, strings.TrimSpace(said))
	}
	return parse(string(text)), nil
}

// parse reads lines of a name and its values.
func parse(text string) Settings {
	s := Settings{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok {
			s[name] = append(s[name], value)
		}
	}
	return s
}

// KeyFiles are the files in which sshd looks for the keys of an account, AuthorizedKeysFile in sshd_config(5), with its tokens replaced.
// At a token that it does not know sshd ends the login, so what stands behind it is never looked at.
func (s Settings) KeyFiles(user, home string, uid int) []string {
	var files []string
	for _, value := range s["authorizedkeysfile"] {
		for _, file := range strings.Fields(value) {
			if strings.EqualFold(file, "none") {
				continue
			}
			file, ok := expand(file, map[byte]string{'%': "%", 'h': home, 'u': user, 'U': strconv.Itoa(uid)})
			if !ok {
				return files
			}
			if !strings.HasPrefix(file, "/") {
				file = strings.TrimSuffix(home, "/") + "/" + file
			}
			files = append(files, file)
		}
	}
	return files
}

// expand replaces tokens once: what a home or a name holds is no token.
func expand(text string, tokens map[byte]string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i++; i == len(text) {
			return "", false
		}
		value, known := tokens[text[i]]
		if !known {
			return "", false
		}
		b.WriteString(value)
	}
	return b.String(), true
}
