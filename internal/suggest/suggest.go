// Package suggest makes rules of requests that were seen: requests in, a piece of a policy out. It guesses what words that differ are
// meant to be, no wider than it has to, and says beside each guess what it was made from. Whoever holds a key chose its requests,
// so what is suggested is for people to read, and what a client sent stands in comments only as printable ASCII of a bounded length.
package suggest

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"example.org/ssh-gate/internal/argv"
)

// Bounds on what is held and written. What lies beyond them is counted, and told.
const (
	maxRequests = 5000      // different ones
	maxBytes    = 4 << 20   // of all of them
	maxRules    = 500       // that are suggested, drafts included
	maxOutput   = 512 << 10 // bytes of what is written, half of what a policy may have
)

// Requests are those seen, each text once, in the order in which they came.
type Requests struct {
	list  []*seen
	index map[string]*seen
	bytes int
	all   int // how many came
	left  int // how many were passed over because there were too many
}

// seen is one request.
type seen struct {
	text  string
	words []string
	times int
}

// Add takes one more request, as it was sent.
func (r *Requests) Add(text string) {
	r.all++
	if s := r.index[text]; s != nil {
		s.times++
		return
	}
	if len(r.list) == maxRequests || r.bytes+len(text) > maxBytes {
		r.left++
		return
	}
	if r.index == nil {
		r.index = make(map[string]*seen)
	}
	s := &seen{text: strings.Clone(text), times: 1}
	r.list, r.index[s.text] = append(r.list, s), s
	r.bytes += len(text)
}

// Answer is what is suggested.
type Answer struct {
	Text   string // a piece of a policy
	Rules  int    // that are in force when it is pasted
	Drafts int    // that are commented out, for lack of what only people know
	Left   int    // requests that no rule was made for, because there are too many
}

// Rules suggests rules for all requests.
func (r *Requests) Rules() Answer {
	w := writer{names: make(map[string]bool), left: r.left}
	w.head(r)
	s := r.sort()
	for _, rows := range s.plain {
		for _, d := range drafts(rows) {
			w.rule(d)
		}
	}
	for _, one := range s.shells {
		w.raw(one)
	}
	if s.blank.times > 0 {
		w.blank(&s.blank)
	}
	w.broken(s.broken)
	w.foot()
	return Answer{Text: w.String(), Rules: w.rules, Drafts: w.drafts, Left: w.left}
}

// sorted are requests by what can be done about them.
type sorted struct {
	plain  [][]*seen // those that may share rules together
	shells []*seen
	blank  seen
	broken []*seen
}

func (r *Requests) sort() *sorted {
	s := &sorted{}
	var plain []*seen
	for _, one := range r.list {
		words, problem := argv.Split(one.text)
		switch {
		case problem == nil && len(words) == 0:
			s.blank.times += one.times
		case problem == nil:
			one.words = words
			plain = append(plain, one)
		case problem.Kind == argv.NeedsShell && writable(one.text):
			s.shells = append(s.shells, one)
		default:
			s.broken = append(s.broken, one)
		}
	}
	s.plain = split(plain, func(one *seen) string { return partition(one.words) })
	return s
}

// writable says whether a request that needs a shell can ever be allowed: the gate compares raw text before anything else, but nobody
// should allow what holds control characters other than the ends of lines.
func writable(text string) bool {
	if len(text) > maxRaw || !utf8.ValidString(text) {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' && r != '\n' })
}
