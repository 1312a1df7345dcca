// Package lint finds what is valid in a policy but most likely a slip: a rule wider than meant, one that never matches, a program that
// is a shell in disguise. It decides nothing, and reads no file itself: what it asks of the host goes through Host.
package lint

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"example.org/ssh-gate/internal/policy"
)

// Finding is one thing that was found, with its place. Message tells this case; Hint says what to write instead in this case, and is empty
// where the kind's Fix says it.
type Finding struct {
	Kind *Kind
	Rule string // the rule's label; empty where it is the policy
	*policy.Fault
}

// Host answers what findings depend on beside the policy.
type Host interface {
	policy.Files
	// Program judges the file that a path leads to, safefile.Program.
	Program(path string) error
	// Script judges a file that a program reads as code, safefile.Script.
	Script(path string) error
	// Astray says why the gate would not follow a path that a policy names, safefile.Open; nil where it would, or where nothing is there.
	Astray(path string) error
	// Exists says whether anything is at a path, links followed.
	Exists(path string) (bool, error)
	// Account says whether there is a login user of this name.
	Account(name string) bool
	// Homes are the homes of the accounts that somebody can log in to.
	Homes() []string
	// LandlockABI is confine.ABI.
	LandlockABI() int
}

const (
	maxFindings  = 200    // told of one policy; the worst, where there are more
	maxCollected = 20_000 // while it is examined
)

// Policy finds what is doubtful in a policy, in the order of its lines. text is what the policy was read from. What the policy accepts
// is left out.
func Policy(p *policy.Policy, text string, host Host, now time.Time) []Finding {
	l := &linter{policy: p, host: host, now: now, places: policy.NewPlaces(p.File, text)}
	l.whole()
	l.conditions()
	for i := range p.Rules {
		l.rule(&p.Rules[i])
	}
	l.neverMatches()
	l.accepted()
	return l.told()
}

// Accepts says whether a policy accepts a kind of finding about it as a whole.
func Accepts(p *policy.Policy, k *Kind) bool {
	return k.Severity != Error && slices.Contains(p.Accept, k.ID)
}

// linter goes over one policy.
type linter struct {
	policy *policy.Policy
	host   Host
	now    time.Time
	places *policy.Places

	found []suspicion
	seen  map[sight]bool
	used  map[accepted]bool // what was accepted and found

	programs map[string]verdict // by their names
	there    map[string]bool    // by path
	all      []string           // runs
	home     []string           // homes
}

// suspicion is a finding whose place is not yet looked up.
type suspicion struct {
	kind          *Kind
	rule          *policy.Rule // nil for the policy
	at            []any
	message, hint string
}

// sight keeps what several rules share, such as a type at the top, from being told for each.
type sight struct{ id, at, message string }

// accepted is an id in the accept of the policy, 0, or of a rule, by its number.
type accepted struct {
	rule int
	id   string
}

// add notes a finding about a rule, or about the policy where rule is nil.
func (l *linter) add(id string, rule *policy.Rule, at []any, message, hint string) {
	kind, ok := Of(id)
	if !ok || len(l.found) == maxCollected || l.accepts(kind, rule) {
		return
	}
	s := sight{id, key(at), message}
	if l.seen[s] {
		return
	}
	if l.seen == nil {
		l.seen = map[sight]bool{}
	}
	l.seen[s] = true
	l.found = append(l.found, suspicion{kind, rule, at, message, hint})
}

func (l *linter) accepts(kind *Kind, rule *policy.Rule) bool {
	if kind.Severity == Error {
		return false
	}
	taken := false
	note := func(number int) {
		if l.used == nil {
			l.used = map[accepted]bool{}
		}
		l.used[accepted{number, kind.ID}] = true
		taken = true
	}
	if slices.Contains(l.policy.Accept, kind.ID) {
		note(0)
	}
	if rule != nil && slices.Contains(rule.Accept, kind.ID) {
		note(rule.Number)
	}
	return taken
}

func key(at []any) string {
	var b []byte
	for _, step := range at {
		switch step := step.(type) {
		case string:
			b = append(append(b, '.'), step...)
		case int:
			b = strconv.AppendInt(append(b, '#'), int64(step), 10)
		}
	}
	return string(b)
}

// told gives the findings their places. Where there are too many, the worst are kept.
func (l *linter) told() []Finding {
	if len(l.found) > maxFindings {
		slices.SortStableFunc(l.found, func(a, b suspicion) int { return cmp.Compare(rank(a.kind), rank(b.kind)) })
		l.found = l.found[:maxFindings]
	}
	findings := make([]Finding, len(l.found))
	for i, s := range l.found {
		fault := l.places.At(s.at...)
		fault.Message, fault.Hint = s.message, s.hint
		findings[i] = Finding{Kind: s.kind, Fault: fault}
		if s.rule != nil && s.at[0] == "allow" { // what stands at the top is no single rule's
			findings[i].Rule = s.rule.Label()
		}
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(rank(a.Kind), rank(b.Kind)))
	})
	return findings
}

func rank(k *Kind) int { return slices.Index([]Severity{Error, Warning, Note}, k.Severity) }

// inRule is the place of a key of a rule, or of the default at the top where the rule leaves it out.
func (l *linter) inRule(rule *policy.Rule, path ...any) []any {
	own := append([]any{"allow", rule.Number - 1}, path...)
	if !l.places.Has(own...) && l.places.Has(path...) {
		return path
	}
	return own
}
