package policy

import (
	"strconv"
	"strings"
)

// BurntSushi/toml gives no positions for what it decoded, so a scanner of our own finds them: only when there is a fault to
// tell, and only in a text that BurntSushi/toml has accepted, so that it need not judge anything.

type span struct{ start, end int }

type entry struct{ key, value span } // value is empty for a table header

// scanner walks a valid TOML document and notes where each key and each entry of a list stands, under node.id's spelling.
type scanner struct {
	text   string
	pos    int
	found  map[string]entry
	counts map[string]int // entries so far of each array of tables
	twice  span           // the first key that stands where it stood before
	tables []heading      // as they follow each other
}

// heading is a table's header: [a.b] or [[a.b]].
type heading struct {
	start int // of its bracket
	id    string
}

func scan(text string) *scanner {
	s := &scanner{text: text, found: map[string]entry{}, counts: map[string]int{}}
	table := ""
	for {
		s.blanks(true)
		if s.pos >= len(s.text) {
			return s
		}
		if s.text[s.pos] == '[' {
			start := s.pos
			table = s.header()
			s.tables = append(s.tables, heading{start, table})
		} else if !s.pair(table) {
			return s
		}
	}
}

// header reads [a.b] or [[a.b]] and returns the id of the table it opens.
func (s *scanner) header() string {
	s.pos++
	list := s.pos < len(s.text) && s.text[s.pos] == '['
	if list {
		s.pos++
	}
	keys, where := s.keys()
	id := ""
	for i, k := range keys {
		id += keyID(k)
		if list && i == len(keys)-1 {
			s.counts[id]++
		}
		s.note(id, entry{key: where})
		if n := s.counts[id]; n > 0 {
			id += entryID(n - 1)
			s.note(id, entry{key: where})
		}
	}
	for s.pos < len(s.text) && s.text[s.pos] != '\n' {
		s.pos++
	}
	return id
}

// pair reads key = value below the table with the given id.
func (s *scanner) pair(table string) bool {
	keys, where := s.keys()
	s.blanks(false)
	if len(keys) == 0 || s.pos >= len(s.text) || s.text[s.pos] != '=' {
		return false
	}
	s.pos++
	s.blanks(false)
	id := table
	for _, k := range keys[:len(keys)-1] {
		id += keyID(k)
		s.note(id, entry{key: where})
	}
	id += keyID(keys[len(keys)-1])
	if _, taken := s.found[id]; taken && s.twice == (span{}) {
		s.twice = where
	}
	s.note(id, entry{where, s.value(id)})
	return true
}

func (s *scanner) note(id string, e entry) {
	if _, ok := s.found[id]; !ok {
		s.found[id] = e
	}
}

// keys reads a dotted key.
func (s *scanner) keys() ([]string, span) {
	var keys []string
	where := span{s.pos, s.pos}
	for {
		s.blanks(false)
		if len(keys) == 0 {
			where.start = s.pos
		}
		start := s.pos
		if s.pos < len(s.text) && (s.text[s.pos] == '"' || s.text[s.pos] == '\'') {
			s.pos = skipString(s.text, s.pos)
			key := s.text[start+1 : max(start+1, s.pos-1)]
			if s.text[start] == '"' {
				if plain, err := strconv.Unquote(s.text[start:s.pos]); err == nil {
					key = plain
				}
			}
			keys = append(keys, key)
		} else {
			for s.pos < len(s.text) && strings.IndexByte("=.] \t\r\n", s.text[s.pos]) < 0 {
				s.pos++
			}
			keys = append(keys, s.text[start:s.pos])
		}
		where.end = s.pos
		s.blanks(false)
		if s.pos >= len(s.text) || s.text[s.pos] != '.' {
			return keys, where
		}
		s.pos++
	}
}

// value reads a value, notes what is inside it, and returns where it stands.
func (s *scanner) value(id string) span {
	start := s.pos
	if s.pos >= len(s.text) {
		return span{start, start}
	}
	switch s.text[s.pos] {
	case '"', '\'':
		s.pos = skipString(s.text, s.pos)
	case '[':
		s.sequence(']', func(i int) bool {
			at := s.value(id + entryID(i))
			s.note(id+entryID(i), entry{at, at})
			return at.end > at.start
		})
	case '{':
		s.sequence('}', func(int) bool { return s.pair(id) })
	default:
		for s.pos < len(s.text) && strings.IndexByte(",]}#\r\n", s.text[s.pos]) < 0 {
			s.pos++
		}
		return span{start, start + len(strings.TrimRight(s.text[start:s.pos], " \t"))}
	}
	return span{start, s.pos}
}

// sequence reads what stands between brackets, separated by commas.
func (s *scanner) sequence(closing byte, item func(int) bool) {
	s.pos++
	for i := 0; ; i++ {
		s.blanks(true)
		if s.pos >= len(s.text) {
			return
		}
		if s.text[s.pos] == closing {
			s.pos++
			return
		}
		if !item(i) {
			return
		}
		s.blanks(true)
		if s.pos < len(s.text) && s.text[s.pos] == ',' {
			s.pos++
		}
	}
}

// blanks skips white space, and comments and line ends where lines is set.
func (s *scanner) blanks(lines bool) {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == ' ' || c == '\t' || lines && (c == '\r' || c == '\n'):
			s.pos++
		case lines && c == '#':
			s.pos = skipComment(s.text, s.pos)
		default:
			return
		}
	}
}

// skipString returns the offset behind the string that begins at pos; the end of the text if it is open.
func skipString(text string, pos int) int {
	quote := text[pos]
	if strings.HasPrefix(text[pos:], strings.Repeat(string(quote), 3)) {
		return skipMultiline(text, pos+3, quote)
	}
	for pos++; pos < len(text) && text[pos] != '\n'; pos++ {
		switch {
		case text[pos] == quote:
			return pos + 1
		case text[pos] == '\\' && quote == '"':
			pos++
		}
	}
	return min(pos, len(text))
}

func skipMultiline(text string, pos int, quote byte) int {
	for ; pos < len(text); pos++ {
		switch {
		case text[pos] == '\\' && quote == '"':
			pos++
		case strings.HasPrefix(text[pos:], strings.Repeat(string(quote), 3)):
			pos += 3
			for n := 0; n < 2 && pos < len(text) && text[pos] == quote; n++ {
				pos++ // up to two quotes may stand before the closing three
			}
			return pos
		}
	}
	return len(text)
}

func skipComment(text string, pos int) int {
	if i := strings.IndexByte(text[pos:], '\n'); i >= 0 {
		return pos + i
	}
	return len(text)
}

// survey goes over a text before the decoder does. It returns the offset of the first bracket, brace or dot that nests deeper than
// a policy ever needs, or -1: the decoder takes quadratic time for deep dotted keys and overflows the stack on a flood of
// brackets. And it counts the pairs of a key and a value that is no inline table.
func survey(text string) (deep, pairs int) {
	depth, dots := 0, 0
	for pos := 0; pos < len(text); pos++ {
		switch c := text[pos]; c {
		case '"', '\'':
			pos = skipString(text, pos) - 1
			if pos+1 < len(text) && text[pos+1] == c && text[pos] == c {
				return pos + 1, 0 // more quotes than close a string: here the decoder may read on where we do not
			}
		case '#':
			pos = skipComment(text, pos) - 1
		case '[', '{':
			if depth++; depth > maxNesting {
				return pos, 0
			}
		case ']', '}':
			depth = max(depth-1, 0)
		case '.':
			if dots++; dots >= maxKeyParts {
				return pos, 0
			}
		case '=':
			dots = 0
			if !strings.HasPrefix(strings.TrimLeft(text[pos+1:], " \t"), "{") {
				pairs++
			}
		case '\n', ',':
			dots = 0
		}
	}
	return -1, pairs
}

// leaves counts what survey counts, in what the decoder made of the text. Where a key stands twice, once as a table by the way of a
// dotted key and once with a list, the decoder says nothing and keeps one of them; then there are fewer leaves than pairs.
func leaves(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for _, below := range v {
			switch below.(type) {
			case map[string]any, []map[string]any: // of headers and dotted keys, or an inline table
			default:
				n++
			}
			n += leaves(below)
		}
	case []map[string]any:
		for _, table := range v {
			n += leaves(table)
		}
	case []any:
		for _, below := range v {
			n += leaves(below)
		}
	}
	return n
}
