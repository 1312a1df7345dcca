package lint

import (
	"path"
	"slices"
	"strings"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/policy"
)

const (
	maxRequests = 64      // that one pattern takes, and that are each held against what stands before it
	maxBefore   = 256     // patterns with the same first word that one is held against
	maxHeld     = 8 << 20 // glances at two patterns, in one policy
	maxCompared = 100_000 // patterns held against each other, in one policy
	maxSteps    = 1_000   // of holding two patterns against each other
)

// before is what stands before a pattern: the patterns so far by their first word, and the raw texts.
type before struct {
	patterns map[string][]earlier
	raw      map[string]*policy.Rule
	held     int
	compared int
}

type earlier struct {
	rule    *policy.Rule
	pattern *policy.Pattern
}

// neverMatches finds what stands behind rules that take all it takes. A pattern that takes few requests is held against them by decide
// itself, any other element by element; what is not sure is not told.
func (l *linter) neverMatches() {
	b := &before{patterns: map[string][]earlier{}, raw: map[string]*policy.Rule{}}
	for i := range l.policy.Rules {
		rule := &l.policy.Rules[i]
		if rule.Raw != "" {
			l.rawNever(rule, b)
			continue
		}
		by := make([]*policy.Rule, len(rule.Patterns))
		for j := range rule.Patterns {
			this := earlier{rule, &rule.Patterns[j]}
			by[j] = l.taker(this, b)
			first := firstWord(this.pattern)
			b.patterns[first] = append(b.patterns[first], this)
		}
		l.patternsNever(rule, by)
	}
}

func (l *linter) rawNever(rule *policy.Rule, b *before) {
	at := []any{"allow", rule.Number - 1, "raw"}
	if same := b.raw[rule.Raw]; same != nil {
		l.add("never-matches", rule, at, "rule "+same.Label()+" has the same raw text", "")
		return
	}
	b.raw[rule.Raw] = rule
	words, problem := argv.Split(rule.Raw)
	if problem != nil || len(words) == 0 {
		return
	}
	pattern := &policy.Pattern{Elements: make([]policy.Element, len(words))}
	for i, w := range words {
		pattern.Elements[i] = policy.Element{Parts: []policy.Part{{Text: w}}}
	}
	if by := l.takes(b.rivals(earlier{rule, pattern}), words); by != nil {
		l.add("never-matches", rule, at, "the text is plain words, which rule "+by.Label()+" takes", "")
	}
}

// patternsNever tells which patterns of a rule never match. by has, for each, a rule that takes what it takes, or nil.
func (l *linter) patternsNever(rule *policy.Rule, by []*policy.Rule) {
	if len(by) > 1 && !slices.ContainsFunc(by, func(r *policy.Rule) bool { return r == nil || r == rule }) {
		l.add("never-matches", rule, []any{"allow", rule.Number - 1, "command"},
			"rules before it, such as "+by[0].Label()+", take all that this rule takes", "")
		return
	}
	for j, taker := range by {
		switch {
		case taker == nil:
		case taker == rule:
			l.add("never-matches", rule, l.command(rule, j),
				"a command before it in the list takes all that "+quote(rule.Patterns[j].Text)+" takes", "remove it")
		case len(by) == 1:
			l.add("never-matches", rule, l.command(rule, j), "rule "+taker.Label()+" takes all that this rule takes", "")
		default:
			l.add("never-matches", rule, l.command(rule, j), "rule "+taker.Label()+" takes all that "+quote(rule.Patterns[j].Text)+" takes",
				"")
		}
	}
}

func firstWord(p *policy.Pattern) string {
	if len(p.Elements) == 0 {
		return ""
	}
	word, _ := p.Elements[0].Literal()
	return word
}

// rivals lists what may take a request that this pattern takes. A path may be spelled where the policy has the name.
func (b *before) rivals(this earlier) []earlier {
	first := firstWord(this.pattern)
	var list []earlier
	for _, word := range []string{first, path.Base(first)} {
		for _, e := range b.patterns[word] {
			if b.held++; b.held > maxHeld || len(list) == maxBefore {
				return list
			}
			if !apart(e.pattern, this.pattern) {
				list = append(list, e)
			}
		}
		if !strings.HasPrefix(first, "/") {
			break
		}
	}
	return list
}

// apart says by a glance that no request is of both patterns: where each element so far takes one word, two words differ.
func apart(a, b *policy.Pattern) bool {
	for i := 1; i < len(a.Elements) && i < len(b.Elements); i++ {
		x, y := &a.Elements[i], &b.Elements[i]
		if x.Repeat != policy.One || y.Repeat != policy.One {
			return false
		}
		v, literal := x.Literal()
		w, both := y.Literal()
		if literal && both && v != w {
			return true
		}
	}
	return false
}

// taker returns a rule that takes all that a pattern takes, or one of those that do so together; nil where there is none for sure.
func (l *linter) taker(this earlier, b *before) *policy.Rule {
	list := b.rivals(this)
	if b.compared += len(list); b.compared > maxCompared {
		return nil
	}
	for _, e := range list {
		if l.covers(e, this) {
			return e.rule
		}
	}
	if len(list) == 0 {
		return nil
	}
	return l.takesEach(this, list)
}

// takesEach holds every request that a pattern takes against the patterns before it.
func (l *linter) takesEach(this earlier, list []earlier) *policy.Rule {
	requests, ok := requestsOf(this.pattern.Elements)
	if !ok {
		return nil
	}
	if first := firstWord(this.pattern); this.rule.Run == nil && !strings.HasPrefix(first, "/") {
		if path, found := l.host.Lookup(first); found {
			for _, words := range requests[:len(requests):len(requests)] {
				requests = append(requests, append([]string{path}, words[1:]...))
			}
		}
	}
	return l.takes(list, requests...)
}

// takes asks decide whether the patterns take each of these requests, and returns the rule of one that does.
func (l *linter) takes(list []earlier, requests ...[]string) *policy.Rule {
	p := policy.Policy{Rules: make([]policy.Rule, len(list))}
	for i, e := range list {
		p.Rules[i] = policy.Rule{Number: i + 1, Patterns: []policy.Pattern{*e.pattern}, Run: e.rule.Run}
	}
	var by *policy.Rule
	for _, words := range requests {
		d := decide.Decide(decide.Input{Policy: &p, Files: l.host, Request: argv.Quote(words), Now: l.now})
		if d.Rule == nil {
			return nil
		}
		by = list[d.Rule.Number-1].rule
	}
	return by
}

// requestsOf returns all the requests that elements take, where there are at most maxRequests.
func requestsOf(elements []policy.Element) ([][]string, bool) {
	requests := [][]string{nil}
	for i := range elements {
		words, ok := wordsOf(&elements[i], maxRequests)
		if !ok || len(words)*len(requests) > maxRequests {
			return nil, false
		}
		var longer [][]string
		for _, r := range requests {
			if elements[i].Repeat == policy.Optional {
				longer = append(longer, r)
			}
			for _, w := range words {
				longer = append(longer, append(r[:len(r):len(r)], w))
			}
		}
		requests = longer
	}
	return requests, len(requests) <= maxRequests
}

// wordsOf returns all words that an element takes, where there are at most max.
func wordsOf(e *policy.Element, max int) ([]string, bool) {
	if e.Repeat != policy.One && e.Repeat != policy.Optional {
		return nil, false
	}
	words := []string{""}
	for _, p := range e.Parts {
		values := []string{p.Text}
		if p.Name != "" {
			var ok bool
			if values, ok = policy.Values(p.Type, max); !ok {
				return nil, false
			}
		}
		if len(values)*len(words) > max {
			return nil, false
		}
		var longer []string
		for _, w := range words {
			for _, v := range values {
				longer = append(longer, w+v)
			}
		}
		words = longer
	}
	return words, true
}

// covers says whether a pattern surely takes all that a later one takes.
func (l *linter) covers(e, later earlier) bool {
	out, in := e.pattern.Elements, later.pattern.Elements
	if len(out) == 0 || len(in) == 0 {
		return len(out) == len(in)
	}
	if !l.coversProgram(e, later) || !sure(e) {
		return false
	}
	c := cover{files: l.host, in: in, out: out}
	return c.from(1, 1, false)
}

// coversProgram compares first words as decide does: a name without run is met by the path that it resolves to as well.
func (l *linter) coversProgram(e, later earlier) bool {
	out, in := firstWord(e.pattern), firstWord(later.pattern)
	names := func(x earlier, word string) bool { return x.rule.Run == nil && !strings.HasPrefix(word, "/") }
	if names(e, out) {
		path, found := l.host.Lookup(out)
		return in == out || found && in == path && !names(later, in)
	}
	if in != out {
		return false
	}
	if names(later, in) {
		_, found := l.host.Lookup(in)
		return !found
	}
	return true
}

// sure says whether a pattern takes a request whenever each of its elements takes its words. It may not where values are judged by
// more than their words: by the file system, after one of several splits was chosen, or by run, where they would begin an argument.
func sure(e earlier) bool {
	repeats, located := 0, false
	for i := range e.pattern.Elements {
		el := &e.pattern.Elements[i]
		if el.Repeat != policy.One {
			repeats++
		}
		placeholders, here := 0, false
		for k, p := range el.Parts {
			if p.Name == "" {
				continue
			}
			placeholders++
			if k > 0 && p.Type.Guarded() && e.rule.Run != nil {
				return false
			}
			here = here || judged(p.Type)
		}
		if here && placeholders > 1 {
			return false
		}
		located = located || here
	}
	return !located || repeats <= 1
}

// judged says whether the file system is asked about a type's values, or those inside its options.
func judged(t policy.Type) bool {
	if o, ok := t.(*policy.Options); ok {
		return slices.ContainsFunc(o.List, func(p policy.Pattern) bool {
			return slices.ContainsFunc(p.Elements, func(e policy.Element) bool {
				return slices.ContainsFunc(e.Parts, func(p policy.Part) bool { return p.Name != "" && judged(p.Type) })
			})
		})
	}
	_, ok := t.(policy.Located)
	return ok
}

// cover holds the elements of a pattern against those of an earlier one.
type cover struct {
	files   policy.Files
	in, out []policy.Element
	steps   int
}

// from says whether the elements of out from j on take all that those of in from i on take. begun: the element j of out, which
// takes one word or more, has one already.
func (c *cover) from(i, j int, begun bool) bool {
	if c.steps++; c.steps > maxSteps {
		return false
	}
	if j == len(c.out) {
		return i == len(c.in)
	}
	out := &c.out[j]
	may := out.Repeat == policy.Optional || out.Repeat == policy.AnyNumber || begun // take no word more
	if may && c.from(i, j+1, false) {
		return true
	}
	if i == len(c.in) || !c.within(&c.in[i], out) {
		return false
	}
	in := &c.in[i]
	if _, ok := typeOf(out).(*policy.Options); ok {
		return in.Repeat == out.Repeat && c.from(i+1, j+1, false)
	}
	switch out.Repeat {
	case policy.AnyNumber:
		return c.from(i+1, j, false)
	case policy.AtLeastOne:
		some := in.Repeat == policy.One || in.Repeat == policy.AtLeastOne
		return (some || begun) && c.from(i+1, j, true)
	case policy.Optional:
		return (in.Repeat == policy.One || in.Repeat == policy.Optional) && c.from(i+1, j+1, false)
	}
	return in.Repeat == policy.One && c.from(i+1, j+1, false)
}

// within says whether out takes each word that in takes.
func (c *cover) within(in, out *policy.Element) bool {
	inside, isOptions := typeOf(in).(*policy.Options)
	outside, areOptions := typeOf(out).(*policy.Options)
	if isOptions || areOptions {
		return isOptions && areOptions && c.sameOptions(inside, outside)
	}
	single := policy.Element{Parts: in.Parts}
	if words, ok := wordsOf(&single, maxRequests); ok {
		return !slices.ContainsFunc(words, func(w string) bool { return !c.takes(out, w) })
	}
	return c.pairwise(in.Parts, out.Parts)
}

func (c *cover) pairwise(in, out []policy.Part) bool {
	if len(in) != len(out) {
		return false
	}
	for i := range in {
		if (in[i].Name == "") != (out[i].Name == "") || in[i].Text != out[i].Text {
			return false
		}
		if in[i].Name != "" && !policy.Within(in[i].Type, out[i].Type, c.files) {
			return false
		}
	}
	return true
}

// takes says whether an element takes a word, its file included: sure has seen to it that there is one value in such a word.
func (c *cover) takes(e *policy.Element, word string) bool {
	if !decide.Takes(e.Parts, word) {
		return false
	}
	for i, p := range e.Parts {
		if located, ok := p.Type.(policy.Located); ok {
			front, back := 0, len(word)
			if i > 0 {
				front = len(e.Parts[0].Text)
			}
			if i+1 < len(e.Parts) {
				back -= len(e.Parts[i+1].Text)
			}
			if _, err := located.Lies(word[front:back], c.files); err != nil {
				return false
			}
		}
	}
	return true
}

// sameOptions wants the same list: options are taken as they first fit, so a longer list is not a wider one.
func (c *cover) sameOptions(in, out *policy.Options) bool {
	if in.Repeat != out.Repeat || len(in.List) != len(out.List) {
		return false
	}
	for i := range in.List {
		a, b := in.List[i].Elements, out.List[i].Elements
		if in.List[i].Text != out.List[i].Text {
			return false
		}
		for k := range a {
			for n := range a[k].Parts {
				x, y := a[k].Parts[n], b[k].Parts[n]
				if x.Name != "" && !(policy.Within(x.Type, y.Type, nil) && policy.Within(y.Type, x.Type, nil) && policy.Within(x.Type, y.Type, c.files)) {
					return false
				}
			}
		}
	}
	return true
}

// typeOf is the type of an element that is one placeholder; nil of any other.
func typeOf(e *policy.Element) policy.Type {
	if len(e.Parts) != 1 {
		return nil
	}
	return e.Parts[0].Type
}
