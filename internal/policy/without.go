package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Without returns the text of a policy without the rules of these numbers, and all else as it stands, comments included: a rule goes
// from the comment directly above its [[allow]] to the next table. It fails where the result would not be the policy it should be,
// as with rules in one inline list.
func (p *Policy) Without(text []byte, rules []int) ([]byte, error) {
	scanned := scan(string(text))
	tables := scanned.tables
	var ends []int // of values: none is cut, also where the last line of one looks like a comment
	for _, e := range scanned.found {
		ends = append(ends, e.value.end)
	}
	slices.Sort(ends)
	doomed := make([]string, len(rules))
	for i, n := range rules {
		doomed[i] = keyID("allow") + entryID(n-1)
		if !slices.ContainsFunc(tables, func(h heading) bool { return h.id == doomed[i] }) {
			return nil, fmt.Errorf("rule %s has no [[allow]] of its own, so it has to be taken out by hand", p.Rules[n-1].Label())
		}
	}
	var kept strings.Builder
	from := 0 // of what is not yet decided on
	for i, h := range tables {
		start, end := blockStart(string(text), h.start, ends), len(text)
		if i+1 < len(tables) {
			end = blockStart(string(text), tables[i+1].start, ends)
		}
		if slices.ContainsFunc(doomed, func(id string) bool { return strings.HasPrefix(h.id+"\x00", id+"\x00") }) {
			kept.Write(text[from:start])
			from = end
		}
	}
	kept.Write(text[from:])
	left, faults := Parse(p.Name, p.File, []byte(kept.String()))
	if faults != nil {
		return nil, fmt.Errorf("without these rules the policy would have a fault: %w", faults)
	}
	if len(left.Rules) != len(p.Rules)-len(rules) {
		return nil, fmt.Errorf("without these rules the policy would have %d, not %d", len(left.Rules), len(p.Rules)-len(rules))
	}
	return []byte(kept.String()), nil
}

// blockStart is where the block of a header begins: at the first of the comment lines directly above it, behind the value before.
func blockStart(text string, header int, ends []int) int {
	start, value := strings.LastIndexByte(text[:header], '\n')+1, 0
	if i, _ := slices.BinarySearch(ends, header); i > 0 {
		value = ends[i-1]
	}
	for start > 0 {
		above := strings.LastIndexByte(text[:start-1], '\n') + 1
		if above < value || !strings.HasPrefix(strings.TrimLeft(text[above:start], " \t"), "#") {
			break
		}
		start = above
	}
	return start
}
