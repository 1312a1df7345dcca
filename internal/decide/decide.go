// Package decide holds a request against a policy. It is the only place where a request becomes allowed; it is pure but for
// the questions it asks of policy.Files, and the gate, explain and check all call it.
package decide

import (
	"slices"
	"time"

	"example.org/ssh-gate/internal/address"
	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// Input is all that a decision depends on.
type Input struct {
	Policy  *policy.Policy
	Files   policy.Files
	Request string // as sent; empty where none was

	User       string
	ClientIP   string       // for messages
	ClientAddr address.Addr // the zero Addr where not known
	Now        time.Time
	// Fingerprints are those that the login proved, or why they are not known; asked for only where the
	// policy has fingerprints.
	Fingerprints func() ([]string, error)

	// Observe, if set, is told how each pattern and each raw text that was tried fared, in order: for people who ask why.
	Observe func(Step)
}

// Step is one attempt of a rule.
type Step struct {
	Rule    *policy.Rule
	Pattern int // index in Rule.Patterns; -1: its raw text
	Matched bool
	Why     string  // where it first failed; printable
	Took    []Value // what the placeholders took, in their order, where it matched
}

// Value is what a placeholder took: one word, or as many as it repeats.
type Value struct {
	Name  string
	Words []string
}

// Decision is the end of it.
type Decision struct {
	Allowed bool
	Reason  record.Reason
	Rule    *policy.Rule   // what matched; nil where nothing did
	Program string         // the absolute path to execute, where Allowed
	Argv    []string       // what to execute it with, where Allowed
	Places  []policy.Place // what of the request a confined program may reach
	Detail  string         // what stood in the way, for the record; printable ASCII
	Listing Listing        // what the caller is shown of the policy
}

// Listing is the form in which the caller is told what the key may run.
type Listing byte

const (
	NoListing Listing = iota
	ListingText
	ListingJSON
)

// Decide returns the decision. Allowed is set in this function and nowhere else.
func Decide(in Input) Decision {
	if reason, detail := conditions(in); reason != "" {
		return Decision{Reason: reason, Detail: detail}
	}
	words, problem := argv.Split(in.Request)
	found := search(in, words, problem)
	if found.rule == nil {
		return refuse(in.Policy, words, problem, found.nearest)
	}
	d := Decision{Rule: found.rule, Program: found.program, Argv: found.argv, Places: found.places, Reason: record.Matched}
	if d.Program == "" {
		d.Reason = record.ProgramMissing
		d.Detail = quote(found.argv[0]) + " is in no folder of the search path"
		return d
	}
	d.Allowed = true
	return d
}

// conditions are what the policy asks of the login, whatever the request.
func conditions(in Input) (record.Reason, string) {
	p := in.Policy
	if len(p.Users) > 0 && !slices.Contains(p.Users, in.User) {
		return record.WrongUser, "the login user " + quote(in.User) + " is not one of the policy's users"
	}
	if len(p.From) > 0 && !slices.ContainsFunc(p.From, func(n address.Network) bool { return n.Contains(in.ClientAddr) }) {
		return record.WrongAddress, "the client address " + quote(in.ClientIP) + " is in none of the policy's networks"
	}
	if !p.Expires.IsZero() && !in.Now.Before(p.Expires) {
		return record.Expired, "the policy expired at " + p.Expires.UTC().Format(time.RFC3339)
	}
	if len(p.Fingerprints) == 0 {
		return "", ""
	}
	if in.Fingerprints == nil {
		return record.KeyNotProved, "it is not known which key was used"
	}
	proved, err := in.Fingerprints()
	if err != nil {
		return record.KeyNotProved, err.Error()
	}
	for _, f := range proved {
		if slices.Contains(p.Fingerprints, f) {
			return "", ""
		}
	}
	return record.WrongKey, "the login used " + list(proved)
}

// refuse finds the reason for a request that no rule describes. Where the policy has help, the words "help" and "help --json" are a
// question about the policy.
func refuse(p *policy.Policy, words []string, problem *argv.Problem, nearest string) Decision {
	switch {
	case problem != nil:
		return Decision{Reason: problemReason(problem), Detail: problem.Error()}
	case len(words) == 0 && p.Help:
		return Decision{Reason: record.NoCommand, Detail: "no command was requested", Listing: ListingText}
	case len(words) == 0:
		return Decision{Reason: record.NoCommand, Detail: "no command was requested"}
	case p.Help && slices.Equal(words, []string{"help"}):
		return Decision{Reason: record.Helped, Listing: ListingText}
	case p.Help && slices.Equal(words, []string{"help", "--json"}):
		return Decision{Reason: record.Helped, Listing: ListingJSON}
	}
	return Decision{Reason: record.NoRule, Detail: nearest}
}

func problemReason(p *argv.Problem) record.Reason {
	switch p.Kind {
	case argv.Control:
		return record.ControlCharacter
	case argv.NotUTF8:
		return record.NotUTF8
	case argv.TooLong:
		return record.TooLong
	}
	return record.NeedsShell
}

// found is the first rule that describes the request, or the nearest miss.
type found struct {
	rule    *policy.Rule
	program string // empty where it does not exist
	argv    []string
	places  []policy.Place
	nearest string
	work    int // steps that it took
}

func search(in Input, words []string, problem *argv.Problem) found {
	near, work := miss{}, budget{}
	looks := &looks{Files: in.Files, budget: &work}
	watched := in.Observe != nil
	for i := range in.Policy.Rules {
		rule := &in.Policy.Rules[i]
		if rule.Raw != "" {
			if rule.Raw == in.Request {
				if watched {
					in.Observe(Step{Rule: rule, Pattern: -1, Matched: true})
				}
				return found{rule: rule, program: rule.Run.Program(), argv: template(rule.Run, nil)}
			}
			if watched {
				in.Observe(Step{Rule: rule, Pattern: -1, Why: "the request is not exactly its raw text"})
			}
			continue
		}
		if problem != nil {
			continue
		}
		for j := range rule.Patterns {
			m := matcher{pattern: &rule.Patterns[j], words: words, looks: looks, run: rule.Run, budget: &work}
			program, argv, ok := m.match()
			if work.spent() {
				const tooMuch = "to hold the request against it takes more work than is done for one"
				if watched {
					in.Observe(Step{Rule: rule, Pattern: j, Why: tooMuch})
				}
				return found{nearest: "rule " + rule.Label() + ": " + tooMuch, work: work.used}
			}
			if ok {
				if watched {
					in.Observe(Step{Rule: rule, Pattern: j, Matched: true, Took: m.took()})
				}
				return found{rule: rule, program: program, argv: argv, places: m.places, work: work.used}
			}
			if watched {
				in.Observe(Step{Rule: rule, Pattern: j, Why: m.missed()})
			}
			near.consider(rule, &m)
		}
	}
	return found{nearest: near.String(), work: work.used}
}
