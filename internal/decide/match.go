package decide

import (
	"strings"

	"example.org/ssh-gate/internal/policy"
)

// matcher holds the words of one request against one pattern. It costs at most words times elements looks at a word.
type matcher struct {
	pattern *policy.Pattern
	run     *policy.Template // the rule's; nil where the words themselves run
	words   []string
	looks   *looks
	budget  *budget

	ops    []op
	places []policy.Place // of the values, once the pattern matched
	taken  taken          // so
	failed bitset         // (word, op) from which nothing matches

	// The furthest place where an attempt failed, for the nearest miss: this many words were described, and then this element
	// did not fit, or, if it is the number of elements, nothing more was allowed.
	furthest, element int
	why               string // instead of the element's description
}

// op is an element made ready: {x+} becomes one word and then any number.
type op struct {
	element int
	repeat  policy.Repeat   // never AtLeastOne, but for options that stand once
	options *policy.Options // nil for elements that describe one word
	from    int             // words [from, to) were taken, once the pattern matched
	to      int
}

// match returns what to execute.
func (m *matcher) match() (program string, argv []string, ok bool) {
	elements := m.pattern.Elements
	if len(elements) == 0 || len(m.words) == 0 {
		if len(elements) != len(m.words) {
			m.miss(0, 0)
			return "", nil, false
		}
		return m.run.Program(), template(m.run, nil), true
	}
	program, ok = m.program()
	if !ok {
		m.miss(0, 0)
		return "", nil, false
	}
	m.prepare()
	if !m.from(1, 1) {
		return "", nil, false
	}
	m.ops[0].to = 1
	if m.taken, ok = m.values(); !ok {
		return "", nil, false
	}
	if m.run == nil {
		return program, m.words, true
	}
	if part := dashes(m.run, m.taken); part != "" {
		m.miss(len(m.words), len(elements))
		m.why = "the value of {" + part + "} would begin an argument with -"
		return "", nil, false
	}
	return m.run.Program(), template(m.run, m.taken), true
}

// program compares the first word. Without run it names a program: the pattern's word, or exactly the path that it resolves
// to. The path returned is empty where the program does not exist.
func (m *matcher) program() (string, bool) {
	want, _ := m.pattern.Elements[0].Literal()
	got := m.words[0]
	if m.run != nil || strings.HasPrefix(want, "/") {
		return want, got == want
	}
	if got != want && !(strings.HasPrefix(got, "/") && strings.HasSuffix(got, "/"+want)) {
		return "", false
	}
	path, found := m.looks.Lookup(want)
	if !found {
		path = ""
	}
	return path, got == want || found && got == path
}

func (m *matcher) prepare() {
	m.ops = make([]op, 0, len(m.pattern.Elements)+4)
	for i := range m.pattern.Elements {
		e := &m.pattern.Elements[i]
		o := op{element: i, repeat: e.Repeat}
		if e.Repeat != policy.One {
			o.options, _ = e.Parts[0].Type.(*policy.Options)
		}
		once := o.options != nil && !o.options.Repeat
		if o.repeat == policy.AtLeastOne && !once {
			o.repeat = policy.One
			m.ops = append(m.ops, o)
			o.repeat = policy.AnyNumber
		}
		m.ops = append(m.ops, o)
	}
}

// from says whether the words from i on are described by the ops from k on, and notes what each took.
func (m *matcher) from(i, k int) bool {
	if k == len(m.ops) {
		if i < len(m.words) {
			m.miss(i, len(m.pattern.Elements))
			return false
		}
		return true
	}
	if m.failed.has(m.cell(i, k)) {
		return false
	}
	o := &m.ops[k]
	if o.repeat == policy.One && o.options == nil {
		// What most patterns are made of, without the detour over a list of ends.
		if m.take(i, o) == 1 && m.from(i+1, k+1) {
			o.from, o.to = i, i+1
			return true
		}
		m.fail(i, k)
		return false
	}
	if o.options == nil {
		for end := m.last(i, k); end >= i; end-- {
			if m.from(end, k+1) {
				o.from, o.to = i, end
				return true
			}
			if o.repeat == policy.AnyNumber {
				m.fail(end, k) // the same op, begun there, would try the same ends
			}
		}
		m.fail(i, k)
		return false
	}
	ends := m.reach(i, k)
	for n := len(ends) - 1; n >= 0; n-- {
		if m.from(ends[n], k+1) {
			o.from, o.to = i, ends[n]
			return true
		}
		if o.repeat == policy.AnyNumber && o.options.Repeat {
			m.fail(ends[n], k)
		}
	}
	m.fail(i, k)
	return false
}

// last is where op k, which is no option and may take no word, ends at most when it begins at word i; it may end at each word before.
func (m *matcher) last(i, k int) int {
	o := &m.ops[k]
	for j := i; ; j++ {
		switch {
		case m.take(j, o) == 0:
			return j
		case o.repeat == policy.Optional:
			return j + 1
		case m.failed.has(m.cell(j+1, k)):
			return j
		}
	}
}

// reach lists, in rising order, where op k, of options, may end when it begins at word i.
func (m *matcher) reach(i, k int) []int {
	o := &m.ops[k]
	if !o.options.Repeat {
		return m.once(i, o)
	}
	if o.repeat == policy.One { // the first of {x+}
		if n := m.take(i, o); n > 0 {
			return []int{i + n}
		}
		return nil
	}
	ends := []int{i}
	for j := i; ; {
		n := m.take(j, o)
		if n == 0 {
			return ends
		}
		if j += n; m.failed.has(m.cell(j, k)) {
			return ends
		}
		ends = append(ends, j)
	}
}

// take returns how many words one repetition of an op takes at word i; 0 if it does not fit.
func (m *matcher) take(i int, o *op) int {
	if o.options != nil {
		_, size := m.firstFit(i, o.options.List, nil)
		if size == 0 {
			m.miss(i, o.element)
		}
		return size
	}
	e := &m.pattern.Elements[o.element]
	if i < len(m.words) {
		if _, ok := m.budget.word(m.words[i], e.Parts); ok {
			return 1
		}
	}
	m.miss(i, o.element)
	return 0
}

// once lists where options may end that stand once each: the first that fits and was not used, again and again.
func (m *matcher) once(i int, o *op) []int {
	var ends []int
	if o.repeat == policy.AnyNumber {
		ends = append(ends, i)
	}
	used := make([]bool, len(o.options.List))
	for {
		n, size := m.firstFit(i, o.options.List, used)
		if size == 0 {
			m.miss(i, o.element)
			return ends
		}
		used[n] = true
		i += size
		ends = append(ends, i)
	}
}

func (m *matcher) firstFit(i int, list []policy.Pattern, used []bool) (n, size int) {
	for n := range list {
		if used != nil && used[n] {
			continue
		}
		if size := m.option(i, &list[n]); size > 0 {
			return n, size
		}
	}
	return 0, 0
}

// option returns how many words an option takes at word i; 0 if it does not fit.
func (m *matcher) option(i int, option *policy.Pattern) int {
	if len(m.words)-i < len(option.Elements) {
		return 0
	}
	for n := range option.Elements {
		if _, ok := m.budget.word(m.words[i+n], option.Elements[n].Parts); !ok {
			return 0
		}
	}
	return len(option.Elements)
}

func (m *matcher) cell(i, k int) int { return i*len(m.ops) + k }

func (m *matcher) fail(i, k int) {
	if m.failed == nil {
		m.failed = make(bitset, (len(m.words)+1)*len(m.ops)/64+1)
		m.budget.spend(cellSteps * len(m.failed))
	}
	m.failed.set(m.cell(i, k))
}

func (m *matcher) miss(i, element int) {
	if i > m.furthest {
		m.furthest, m.element = i, element
	}
}

type bitset []uint64

func (b bitset) has(i int) bool { return b != nil && b[i/64]>>(i%64)&1 == 1 }
func (b bitset) set(i int)      { b[i/64] |= 1 << (i % 64) }
