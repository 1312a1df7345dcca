package decide

import (
	"strings"
	"unicode/utf8"

	"example.org/ssh-gate/internal/policy"
)

// maxWork bounds how much one request may cost, in steps: a look at a byte, or what takes about as long. Dear are words that can be cut
// into values in many ways, such as ":::::::" against {a}:{b}:{c}, and regular expressions of many states, which look at each byte in
// each of them. What people send stays far below it. Beyond it nothing matches, no later rule either: the rule that was given up
// could have been the first that describes the request.
const maxWork = 64 << 20

// What is not a look at a byte, in steps.
const (
	wordSteps = 16  // a word held against an element
	cutSteps  = 128 // a value tried inside a word, and remembered
	lookSteps = 128 // a component of a path that is asked of the file system
	walkSteps = 16  // a component that the kernel walks for that
	cellSteps = 2   // 64 places of which it is remembered that nothing matches from there
)

type budget struct{ used int }

func (b *budget) spent() bool { return b.used > maxWork }

// spend says whether there is enough left for what is about to be done.
func (b *budget) spend(n int) bool {
	b.used = min(b.used+n, maxWork+1)
	return !b.spent()
}

// word cuts a word into the values of its placeholders, in the order of the parts: each takes as many characters as still let
// the rest match, the leftmost first. Values of Located types are judged by their text alone.
func (b *budget) word(w string, parts []policy.Part) (values []string, ok bool) {
	if !b.spend(wordSteps) {
		return nil, false
	}
	switch {
	case len(parts) == 0:
		return nil, w == ""
	case len(parts) == 1 && parts[0].Name == "":
		return nil, w == parts[0].Text
	case len(parts) == 1:
		return []string{w}, b.accepts(&parts[0], w, w, 0)
	}
	c := cutter{word: w, parts: parts, budget: b}
	if !c.from(0, 0) {
		return nil, false
	}
	return c.values, true
}

// known is word for one that matched already. What is a value as a whole need not be asked again.
func (b *budget) known(w string, parts []policy.Part) (values []string, ok bool) {
	if len(parts) == 1 && parts[0].Name != "" {
		return []string{w}, true
	}
	return b.word(w, parts)
}

// accepts asks a placeholder's type about a value at this offset of its word.
func (b *budget) accepts(p *policy.Part, word, value string, at int) bool {
	if at == 0 && strings.HasPrefix(word, "-") && p.Type.Guarded() {
		return false
	}
	return b.spend(p.Type.Steps(value)) && p.Type.Accepts(value)
}

// cutter tries the cuts of one word, and none twice.
type cutter struct {
	word   string
	parts  []policy.Part
	budget *budget
	failed map[[2]int]bool // (offset, part) from which nothing matches
	values []string        // found, in order, once the word matched
}

func (c *cutter) from(at, part int) bool {
	if part == len(c.parts) {
		return at == len(c.word)
	}
	p := &c.parts[part]
	if p.Name == "" {
		return strings.HasPrefix(c.word[at:], p.Text) && c.from(at+len(p.Text), part+1)
	}
	key := [2]int{at, part}
	if c.failed[key] {
		return false
	}
	for end := c.before(at, len(c.word), part); end >= at; end = c.before(at, end-1, part) {
		if !c.budget.spend(cutSteps) {
			return false
		}
		if !c.budget.accepts(p, c.word, c.word[at:end], at) {
			continue
		}
		depth := len(c.values)
		c.values = append(c.values, c.word[at:end])
		if c.from(end, part+1) {
			return true
		}
		c.values = c.values[:depth]
	}
	if c.failed == nil {
		c.failed = map[[2]int]bool{}
	}
	c.failed[key] = true
	return false
}

// before returns the last place up to end where a value of this part, begun at, could end by what comes next; -1 if there is none.
func (c *cutter) before(at, end, part int) int {
	switch {
	case end < at:
		return -1
	case part+1 == len(c.parts):
		if end < len(c.word) {
			return -1
		}
		return end
	case c.parts[part+1].Name != "":
		for end > at && end < len(c.word) && !utf8.RuneStart(c.word[end]) {
			end--
		}
		return end
	}
	next := c.parts[part+1].Text
	if i := strings.LastIndex(c.word[at:min(len(c.word), end+len(next))], next); i >= 0 {
		return at + i
	}
	return -1
}
