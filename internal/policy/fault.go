package policy

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fault is one thing that is wrong with a file.
type Fault struct {
	File      string
	Line, Col int // counted from 1; Col in characters
	Len       int // characters to underline
	Message   string
	Hint      string // what to write instead; may be empty
	Source    string // the line as it stands in the file
}

// Error is one line: file:line:col: message; hint. It is printable whatever the file holds.
func (f *Fault) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", Printable(f.File), f.Line, f.Col, Printable(f.Message))
	if f.Hint != "" {
		s += "; " + f.Hint
	}
	return s
}

// maxShown is how many characters of a source line are shown.
const maxShown = 160

// Render shows the fault as a compiler does: the place, the line, a caret, and what to write instead.
func (f *Fault) Render() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s\n", Printable(f.File), f.Line, f.Col, Printable(f.Message))
	source := []rune(Printable(f.Source))
	if len(source) > maxShown {
		source = source[:maxShown]
	}
	number := strconv.Itoa(f.Line)
	fmt.Fprintf(&b, "  %s | %s\n", number, string(source))
	if col := f.Col - 1; col <= len(source) {
		n := max(1, min(f.Len, len(source)-col))
		fmt.Fprintf(&b, "  %s | %s%s\n", strings.Repeat(" ", len(number)), strings.Repeat(" ", col), strings.Repeat("^", n))
	}
	if f.Hint != "" {
		fmt.Fprintf(&b, "  hint: %s\n", f.Hint)
	}
	return b.String()
}

// Printable keeps the number of characters, so that the caret stays right.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return '?'
	}, s)
}

// Faults is all that is wrong with a file, in the order of its lines; at most maxFaultsTold.
type Faults []*Fault

func (f Faults) Error() string {
	if len(f) == 1 {
		return f[0].Error()
	}
	return fmt.Sprintf("%s (and %d more)", f[0].Error(), len(f)-1)
}

// Render shows all faults.
func (f Faults) Render() string {
	var b strings.Builder
	for _, fault := range f {
		b.WriteString(fault.Render())
	}
	return b.String()
}

// node is a place in the decoded file: a key in its table, or an entry of a list. The zero of up is the file itself.
type node struct {
	up    *node
	key   string
	index int // of an entry; -1 for a key
}

func (n *node) child(key string) *node { return &node{n, key, -1} }
func (n *node) entry(i int) *node      { return &node{n, "", i} }

// id spells a node as the scanner does.
func (n *node) id() string {
	if n == nil {
		return ""
	}
	if n.index >= 0 {
		return n.up.id() + entryID(n.index)
	}
	return n.up.id() + keyID(n.key)
}

func keyID(key string) string { return "\x00." + key }
func entryID(i int) string    { return "\x00#" + strconv.Itoa(i) }

// side says whether a fault is a key's or its value's.
type side int

const (
	atValue side = iota
	atKey
)

// reported is a fault whose place is not yet looked up.
type reported struct {
	at            *node
	side          side
	message, hint string
}

// place turns what was reported into faults. Only now, when something is wrong, the text is scanned for positions.
func place(file, text string, list []reported) Faults {
	spans := scan(text).found
	faults := make(Faults, 0, len(list))
	starts := make([]int, 0, len(list))
	for _, r := range list {
		where := find(spans, r.at, r.side)
		f := at(file, text, where.start, where.end)
		f.Message, f.Hint = r.message, r.hint
		faults = append(faults, f)
		starts = append(starts, where.start)
	}
	sort.Stable(byStart{faults, starts})
	if len(faults) > maxFaultsTold {
		faults = faults[:maxFaultsTold]
	}
	return faults
}

// find returns the span of a node, or of the nearest one above it that stands in the file.
func find(spans map[string]entry, n *node, s side) span {
	for ; n != nil; n = n.up {
		e, ok := spans[n.id()]
		if !ok {
			continue
		}
		if s == atKey || e.value.end == 0 {
			return e.key
		}
		return e.value
	}
	return span{0, 1}
}

type byStart struct {
	faults Faults
	starts []int
}

func (b byStart) Len() int           { return len(b.faults) }
func (b byStart) Less(i, j int) bool { return b.starts[i] < b.starts[j] }
func (b byStart) Swap(i, j int) {
	b.faults[i], b.faults[j] = b.faults[j], b.faults[i]
	b.starts[i], b.starts[j] = b.starts[j], b.starts[i]
}

// at describes the place of the bytes start to end.
func at(file, text string, start, end int) *Fault {
	start = min(max(start, 0), len(text))
	for start > 0 && start < len(text) && !utf8.RuneStart(text[start]) {
		start--
	}
	line := 1 + strings.Count(text[:start], "\n")
	begin := strings.LastIndexByte(text[:start], '\n') + 1
	stop := len(text)
	if i := strings.IndexByte(text[start:], '\n'); i >= 0 {
		stop = start + i
	}
	end = min(max(end, start), stop)
	return &Fault{
		File: file,
		Line: line, Col: 1 + utf8.RuneCountInString(text[begin:start]), Len: max(1, utf8.RuneCountInString(text[start:end])),
		Source: strings.TrimSuffix(text[begin:stop], "\r"),
	}
}
