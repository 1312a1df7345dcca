// Package forced reads a call of the gate, which is a forced command for sshd: what its options are, and what is wrong with them. The
// gate reads its own arguments with it, and the verbs what a key line, a certificate or ForceCommand says.
package forced

import (
	"slices"
	"strconv"
	"strings"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/policy"
)

// Program is what the gate is called, in whatever folder it lies.
const Program = "ssh-gate"

// IsGate says whether a program, as a command or the account database names it, is the gate by its name.
func IsGate(program string) bool { return program[strings.LastIndexByte(program, '/')+1:] == Program }

// Options that say which key it is and nothing of where files are.
const (
	KeyOption     = "--key"
	KeyFromOption = "--key-from"
)

// Where --key-from finds the name of the key.
const (
	Fingerprint   = "fingerprint"
	CertificateID = "cert-id"
)

// Options are the gate's own arguments, as they were given. None can be empty, so that the empty text means: not given.
type Options struct{ Key, KeyFrom, Policy, PolicyDir, Config string }

// Error is what is wrong with a call.
type Error string

func (e Error) Error() string { return string(e) }

// value is where the value of an option is kept; nil where there is no such option.
func (o *Options) value(name string) *string {
	switch name {
	case KeyOption:
		return &o.Key
	case KeyFromOption:
		return &o.KeyFrom
	case "--policy":
		return &o.Policy
	case "--policy-dir":
		return &o.PolicyDir
	case "--config":
		return &o.Config
	}
	return nil
}

// Read reads the arguments behind the gate's name. What stands before the first fault is read beside it.
func Read(args []string) (o Options, err error) {
	for len(args) > 0 {
		name, value, joined := strings.Cut(args[0], "=")
		args = args[1:]
		at := o.value(name)
		switch {
		case at == nil && !strings.HasPrefix(name, "-"):
			return o, Error("unexpected argument " + strconv.QuoteToASCII(name) + ", which is no verb, and the gate takes options only; see ssh-gate help")
		case at == nil:
			return o, Error("unknown option " + strconv.QuoteToASCII(name) + "; known are --key, --key-from, --policy, --policy-dir, --config")
		case *at != "":
			return o, Error("the option " + name + " is given twice")
		case !joined && len(args) == 0:
			return o, Error("the option " + name + " needs a value")
		case !joined:
			value, args = args[0], args[1:]
		}
		if value == "" {
			return o, Error("the option " + name + " needs a value that is not empty")
		}
		*at = value
	}
	return o, o.check()
}

// check says what the options are not together.
func (o *Options) check() error {
	switch {
	case o.Key != "" && o.Policy != "", o.KeyFrom != "" && o.Policy != "", o.Key != "" && o.KeyFrom != "":
		return Error("--key, --key-from and --policy each name the policy; give one of them")
	case o.Policy != "" && o.PolicyDir != "":
		return Error("--policy names the file itself, so --policy-dir has no use beside it; give one of them")
	case o.KeyFrom == Fingerprint, o.KeyFrom == CertificateID:
		return nil
	case o.KeyFrom != "":
		return Error("--key-from takes fingerprint or cert-id, not " + strconv.QuoteToASCII(o.KeyFrom))
	case o.Key == "" && o.Policy == "":
		return Error("no key is named; give --key NAME, --key-from fingerprint, --key-from cert-id or --policy FILE")
	}
	if name := o.Name(); !policy.IsName(name) {
		return Error(strconv.QuoteToASCII(name) + " is no name of a key; it takes letters, digits and . _ -, a letter or digit first, at most 64")
	}
	return nil
}

// Name is that of the key; empty where that takes the proof of the key.
func (o *Options) Name() string {
	if o.Policy != "" {
		return strings.TrimSuffix(o.Policy[strings.LastIndexByte(o.Policy, '/')+1:], ".toml")
	}
	return o.Key
}

// Dir is the folder of the policies of keys.
func (o *Options) Dir() string {
	if o.PolicyDir != "" {
		return o.PolicyDir
	}
	return policy.KeysDir
}

// File is the file of the policy, as relative as it was given; empty where that takes the proof of the key.
func (o *Options) File() string {
	if o.Key != "" {
		return o.Dir() + "/" + o.Key + ".toml"
	}
	return o.Policy
}

// PointsElsewhere says whether any argument looks like an option that points policy or configuration elsewhere, whatever else is wrong
// with the arguments.
func PointsElsewhere(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		return strings.HasPrefix(arg, "--policy") || strings.HasPrefix(arg, "--config")
	})
}

// Call is a call of the gate in a forced command.
type Call struct {
	Options
	Program string // as the command names it
	Problem string // what the gate would refuse, or what stands between sshd and it
}

// Command is the call of the gate in the text of a forced command: of a key line, of a certificate, or of ForceCommand in
// sshd_config(5). A text that only a shell could read is no call, even if it names the gate; Problem then says so.
func Command(text string) (call Call, ok bool) {
	words, problem := argv.Split(text)
	if problem != nil {
		if strings.Contains(text, Program) {
			call.Problem = "a shell stands before the gate: " + problem.Error()
		}
		return call, false
	}
	if len(words) == 0 || !IsGate(words[0]) {
		return call, false
	}
	call.Program = words[0]
	if len(words) > 1 && !strings.HasPrefix(words[1], "-") { // it may be a verb, which such a command would run in place of the gate
		call.Problem = "the gate does not know " + strconv.QuoteToASCII(words[1])
		return call, true
	}
	options, err := Read(words[1:])
	if call.Options = options; err != nil {
		call.Problem = err.Error()
	}
	return call, true
}
