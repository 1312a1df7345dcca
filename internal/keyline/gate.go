package keyline

import (
	"strconv"
	"strings"

	"example.org/ssh-gate/internal/argv"
)

const gateName = "ssh-gate"

// Call is a call of the gate in a forced command.
type Call struct {
	Program string // as the command names it

	Key, KeyFrom, Policy, PolicyDir, Config string // values of the options; empty where they are not given

	Problem string // what the gate would refuse, or what stands between sshd and it
}

// Gate is the call of the gate in a key line's command=; ok says whether there is one.
func (l *Line) Gate() (call Call, ok bool) {
	command, _ := l.Command()
	return ForcedCommand(command)
}

// ForcedCommand is the call of the gate in the text of a forced command: of a key line, of a certificate, or of ForceCommand in
// sshd_config(5). A text that only a shell could read is no call, even if it names the gate; Problem then says so.
func ForcedCommand(text string) (call Call, ok bool) {
	words, problem := argv.Split(text)
	if problem != nil {
		if strings.Contains(text, gateName) {
			call.Problem = "a shell stands before the gate: " + problem.Error()
		}
		return call, false
	}
	if len(words) == 0 || words[0][strings.LastIndexByte(words[0], '/')+1:] != gateName {
		return call, false
	}
	call.Program = words[0]
	call.Problem = call.options(words[1:])
	return call, true
}

// options reads what the gate's own options are given, and what is wrong with them.
func (c *Call) options(args []string) (problem string) {
	values := [...]struct {
		name  string
		value *string
	}{{"--key", &c.Key}, {"--key-from", &c.KeyFrom}, {"--policy", &c.Policy}, {"--policy-dir", &c.PolicyDir}, {"--config", &c.Config}}
	for len(args) > 0 {
		name, value, joined := strings.Cut(args[0], "=")
		args = args[1:]
		if !joined && len(args) > 0 {
			value, args = args[0], args[1:]
		}
		known := false
		for _, v := range values {
			if v.name != name {
				continue
			}
			known = true
			if *v.value != "" || value == "" {
				return name + " takes one value, once"
			}
			*v.value = value
		}
		if !known {
			return "the gate does not know " + strconv.QuoteToASCII(name)
		}
	}
	named := 0
	for _, value := range []string{c.Key, c.KeyFrom, c.Policy} {
		if value != "" {
			named++
		}
	}
	switch {
	case named != 1:
		return "the gate takes one of --key, --key-from and --policy"
	case c.Policy != "" && c.PolicyDir != "":
		return "the gate takes no --policy-dir beside --policy"
	case c.Key != "" && (strings.Contains(c.Key, "/") || strings.HasPrefix(c.Key, ".") || strings.HasPrefix(c.Key, "-")):
		return strconv.QuoteToASCII(c.Key) + " is no name of a key"
	case c.KeyFrom != "" && c.KeyFrom != "fingerprint" && c.KeyFrom != "cert-id":
		return "--key-from takes fingerprint or cert-id"
	}
	return ""
}
