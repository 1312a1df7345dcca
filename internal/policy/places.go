package policy

// Places finds where the keys of a file stand in its text, for what is told about a file that has no fault.
type Places struct {
	file, text string
	found      map[string]entry
}

// NewPlaces takes a text that Parse or ParseConfig has read without a fault.
func NewPlaces(file, text string) *Places {
	return &Places{file, text, scan(text).found}
}

// At is the place of a value, by the keys and, as ints, the indices that lead to it: At("allow", 2, "command") for the command of the
// third rule. What does not stand in the file has the place of what is nearest above it. Message and Hint are left empty.
func (p *Places) At(path ...any) *Fault {
	where := find(p.found, nodeOf(path), atValue)
	return at(p.file, p.text, where.start, where.end)
}

// Has says whether something stands in the file at this path.
func (p *Places) Has(path ...any) bool {
	_, ok := p.found[nodeOf(path).id()]
	return ok
}

func nodeOf(path []any) *node {
	var n *node
	for _, step := range path {
		switch step := step.(type) {
		case string:
			n = n.child(step)
		case int:
			n = n.entry(step)
		}
	}
	return n
}
