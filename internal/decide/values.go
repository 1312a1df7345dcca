package decide

import (
	"errors"
	"strings"

	"example.org/ssh-gate/internal/policy"
)

// taken is what the placeholders of a pattern took, by name. A name that stands twice has the last, but then no run may use it.
type taken map[string]value

type value struct {
	words   []string
	guarded bool
}

// values collects what the placeholders took, and asks the file system about those that name files.
func (m *matcher) values() (taken, bool) {
	t := taken{}
	for _, o := range m.ops[1:] {
		e := &m.pattern.Elements[o.element]
		if o.options != nil {
			if !m.insideOptions(&o) {
				return nil, false
			}
			t.add(e.Parts[0].Name, m.words[o.from:o.to], false)
			continue
		}
		if e.Repeat != policy.One {
			t.add(e.Parts[0].Name, nil, e.Parts[0].Type.Guarded())
		}
		for i := o.from; i < o.to; i++ {
			if !m.collect(t, i, o.element, e) {
				return nil, false
			}
		}
	}
	return t, true
}

// collect adds the values of word i. An element of one word has each name anew; one that repeats adds to what it took.
func (m *matcher) collect(t taken, i, element int, e *policy.Element) bool {
	values, ok := m.budget.known(m.words[i], e.Parts)
	if !ok || !m.lies(i, element, e.Parts, values) {
		return false
	}
	for _, p := range e.Parts {
		if p.Name == "" {
			continue
		}
		if e.Repeat == policy.One {
			delete(t, p.Name)
		}
		t.add(p.Name, values[:1], p.Type.Guarded())
		values = values[1:]
	}
	return true
}

func (t taken) add(name string, words []string, guarded bool) {
	t[name] = value{append(t[name].words, words...), guarded}
}

// insideOptions goes through the options that were taken once more, for the values that name files.
func (m *matcher) insideOptions(o *op) bool {
	used := make([]bool, len(o.options.List))
	for i := o.from; i < o.to; {
		n, size := m.firstFit(i, o.options.List, used)
		if size == 0 {
			return false
		}
		used[n] = !o.options.Repeat
		for k := range size {
			parts := o.options.List[n].Elements[k].Parts
			values, ok := m.budget.known(m.words[i+k], parts)
			if !ok || !m.lies(i+k, o.element, parts, values) {
				return false
			}
		}
		i += size
	}
	return true
}

// lies asks the file system about the values of one word.
func (m *matcher) lies(i, element int, parts []policy.Part, values []string) bool {
	for _, p := range parts {
		if p.Name == "" {
			continue
		}
		if located, ok := p.Type.(policy.Located); ok {
			place, err := located.Lies(values[0], m.looks)
			if m.budget.spent() {
				return false
			}
			if err != nil {
				m.furthest, m.element = i, element
				m.why = describeWord(i, m.words[i]) + " " + err.Error()
				return false
			}
			if place.Access != policy.NoAccess {
				m.places = append(m.places, place)
			}
		}
		values = values[1:]
	}
	return true
}

// looks asks the file system once about each path of a request, and counts what that costs.
type looks struct {
	policy.Files
	budget *budget
	known  map[string]look
}

type look struct {
	real string
	err  error
}

func (l *looks) Resolve(path string) (string, int, error) {
	if found, ok := l.known[path]; ok {
		return found.real, 0, found.err
	}
	if !l.budget.spend(lookSteps * (1 + strings.Count(path, "/"))) {
		return "", 0, errors.New("takes more work than is done for one request")
	}
	var found look
	var walked int
	found.real, walked, found.err = l.Files.Resolve(path)
	l.budget.spend(walkSteps * walked)
	if l.known == nil {
		l.known = map[string]look{}
	}
	l.known[path] = found
	return found.real, walked, found.err
}

// took lists what the placeholders took, in their order.
func (m *matcher) took() []Value {
	var list []Value
	seen := map[string]bool{}
	for _, e := range m.pattern.Elements {
		for _, p := range e.Parts {
			if p.Name != "" && !seen[p.Name] {
				seen[p.Name] = true
				list = append(list, Value{p.Name, m.taken[p.Name].words})
			}
		}
	}
	return list
}

// template fills in run.
func template(run *policy.Template, t taken) []string {
	argv := make([]string, 0, len(run.Elements))
	for i := range run.Elements {
		e := &run.Elements[i]
		if e.Repeat != policy.One {
			argv = append(argv, t[e.Parts[0].Name].words...)
			continue
		}
		var b strings.Builder
		for _, p := range e.Parts {
			b.WriteString(p.Text)
			if p.Name != "" {
				b.WriteString(t[p.Name].words[0])
			}
		}
		argv = append(argv, b.String())
	}
	return argv
}

// dashes returns the placeholder whose value would make an argument of run an option: in the request the value stood inside a
// word, where a leading - was harmless.
func dashes(run *policy.Template, t taken) string {
	for i := range run.Elements {
		e := &run.Elements[i]
		if e.Repeat != policy.One {
			continue
		}
		for _, p := range e.Parts {
			text := p.Text
			if p.Name != "" {
				text = t[p.Name].words[0]
			}
			if text == "" {
				continue
			}
			if p.Name != "" && t[p.Name].guarded && text[0] == '-' {
				return p.Name
			}
			break
		}
	}
	return ""
}
