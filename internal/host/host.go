// Package host reads what the administrator has written on this host: the configuration and the policies. The gate and the verbs read it
// here, so that what one refuses the other does. It judges who may have written a file, and nothing of what a request may do.
package host

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/safefile"
)

// Problem is why something cannot be had, with the reason that the gate would record.
type Problem struct {
	Reason record.Reason
	Err    error
}

func (p *Problem) Error() string { return p.Err.Error() }
func (p *Problem) Unwrap() error { return p.Err }

// Hint is what to do about it: as exact as what went wrong knows, else what the reason says.
func (p *Problem) Hint() string {
	var fault *safefile.Error
	if errors.As(p.Err, &fault) && fault.Hint != "" {
		return fault.Hint
	}
	return record.Of(p.Reason).Next
}

// Owner is who may own what an option points to, and the programs that a policy of one's own runs: beside root, who runs this.
func Owner(own bool) safefile.Owner {
	if own {
		return safefile.Owner(unix.Getuid())
	}
	return safefile.RootOnly
}

// Config reads the configuration. Only a file that was not pointed to, and at whose path there plainly is nothing, means the built-in
// values: a link that leads to nothing was meant to lead somewhere.
func Config(file string, pointed bool) (*policy.Config, *Problem) {
	text, _, err := safefile.Read(file, policy.MaxBytes, Owner(pointed))
	if fault := faultOf(err); fault == safefile.Missing && !pointed {
		return policy.DefaultConfig(), nil
	} else if err != nil {
		return nil, &Problem{configReasons[fault], err}
	}
	config, faults := policy.ParseConfig(file, text)
	if faults != nil {
		return nil, &Problem{record.ConfigInvalid, faults}
	}
	return config, nil
}

// Source says where a policy is.
type Source struct {
	Key     string // its name, for records
	File    string
	Pointed bool // an option points to it, so who runs this may own it
	Account bool // it is that of an account whose login shell is the gate
}

// Policy is a policy as it was read.
type Policy struct {
	*policy.Policy
	Text []byte
	Own  bool // who runs this may have written it, not root alone
}

// Policy reads a policy.
func (s *Source) Policy() (*Policy, *Problem) {
	text, own, err := safefile.Read(s.File, policy.MaxBytes, Owner(s.Pointed))
	if faultOf(err) == safefile.Missing && s.Account {
		return nil, &Problem{record.NoUserPolicy, fmt.Errorf("the account has no policy, %+q, which decides keys without a command= and logins that request no command", s.File)}
	}
	if err != nil {
		return nil, &Problem{policyReasons[faultOf(err)], err}
	}
	p, faults := policy.Parse(s.Key, s.File, text)
	if faults != nil {
		return nil, &Problem{record.PolicyInvalid, faults}
	}
	return &Policy{p, text, own}, nil
}

// Program says what keeps the program of a policy from being started; own is the policy's.
func Program(path string, own bool) *Problem {
	if err := safefile.Program(path, Owner(own)); err != nil {
		return &Problem{programReasons[faultOf(err)], err}
	}
	return nil
}

var (
	configReasons = [...]record.Reason{safefile.Missing: record.ConfigMissing, safefile.Unsafe: record.ConfigUnsafe,
		safefile.Unreadable: record.ConfigUnreadable, safefile.TooLarge: record.ConfigInvalid, safefile.Astray: record.ConfigMissing}
	policyReasons = [...]record.Reason{safefile.Missing: record.PolicyMissing, safefile.Unsafe: record.PolicyUnsafe,
		safefile.Unreadable: record.PolicyUnreadable, safefile.TooLarge: record.PolicyInvalid, safefile.Astray: record.PolicyMissing}
	programReasons = [...]record.Reason{safefile.Missing: record.ProgramMissing, safefile.Unsafe: record.ProgramUnsafe,
		safefile.Unreadable: record.ProgramUnsafe, safefile.TooLarge: record.ProgramUnsafe, safefile.Astray: record.ProgramMissing}
)

func faultOf(err error) safefile.Fault {
	var fault *safefile.Error
	if errors.As(err, &fault) {
		return fault.Fault
	}
	return 0
}

// Files answers a decision's questions about the file system, by the host's search path.
type Files struct{ Path []string }

// Lookup is policy.Files'.
func (f Files) Lookup(name string) (string, bool) { return safefile.Lookup(name, f.Path) }

// Resolve is policy.Files'.
func (f Files) Resolve(path string) (string, int, error) { return safefile.Resolve(path) }
