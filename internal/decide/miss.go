package decide

import (
	"fmt"
	"strconv"
	"strings"

	"example.org/ssh-gate/internal/policy"
)

const (
	maxDetail    = 600 // bytes of what stood in the way
	maxQuoteWord = 100 // bytes of one word of the client's in it
)

// miss is the rule that described the most words of a request before one did not fit; the first such rule.
type miss struct {
	rule *policy.Rule
	at   matcher
}

func (n *miss) consider(rule *policy.Rule, m *matcher) {
	if n.rule == nil || m.furthest > n.at.furthest {
		n.rule, n.at = rule, *m
	}
}

func (n *miss) String() string {
	m := &n.at
	switch {
	case n.rule == nil:
		return "the policy has no rule for plain commands"
	case len(m.words) == 0:
		return "no command was requested"
	case m.furthest == 0:
		return "no rule begins with " + quote(m.words[0])
	}
	return cut("nearest rule " + n.rule.Label() + ": " + m.missed())
}

func cut(s string) string {
	if len(s) > maxDetail {
		return s[:maxDetail] + "..."
	}
	return s
}

// missed says where the words first differed from the pattern.
func (m *matcher) missed() string {
	switch {
	case len(m.words) == 0:
		return "no command was requested"
	case len(m.pattern.Elements) == 0:
		return "it is for the request without a command"
	case m.why != "":
		return m.why
	case m.furthest == len(m.words):
		return cut(fmt.Sprintf("word %d is missing: %s", m.furthest+1, describe(m)))
	case m.element == len(m.pattern.Elements):
		return fmt.Sprintf("nothing may follow word %d; it goes on with %s", m.furthest, quote(m.words[m.furthest]))
	}
	word := m.words[m.furthest]
	if e := &m.pattern.Elements[m.element]; len(e.Parts) == 1 && e.Parts[0].Name != "" && e.Parts[0].Type.Guarded() && strings.HasPrefix(word, "-") {
		return cut(describeWord(m.furthest, word) + " begins with -, which a value of {" + e.Parts[0].Name + "} never does; it is " + describe(m))
	}
	return cut(describeWord(m.furthest, word) + " is not " + describe(m))
}

func describeWord(i int, word string) string {
	return fmt.Sprintf("word %d, %s,", i+1, quote(word))
}

// describe says what the element that did not fit would have taken.
func describe(m *matcher) string {
	e := &m.pattern.Elements[m.element]
	if literal, ok := e.Literal(); ok {
		return quote(literal)
	}
	if len(e.Parts) == 1 {
		return e.Parts[0].Type.String()
	}
	var word, types strings.Builder
	for _, p := range e.Parts {
		if p.Name == "" {
			word.WriteString(p.Text)
			continue
		}
		word.WriteString("{" + p.Name + "}")
		if types.Len() > 0 {
			types.WriteString(" and ")
		}
		types.WriteString("{" + p.Name + "} " + p.Type.String())
	}
	return quote(word.String()) + " with " + types.String()
}

// quote spells a word of the client's in printable ASCII.
func quote(word string) string {
	if len(word) > maxQuoteWord {
		return strconv.QuoteToASCII(word[:maxQuoteWord]) + "..."
	}
	return strconv.QuoteToASCII(word)
}

func list(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, ", ")
}
