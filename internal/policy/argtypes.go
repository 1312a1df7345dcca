package policy

import (
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
)

// typeKeys are the keys that name a type, each with the keys that may stand beside it.
var typeKeys = [...]struct {
	name   string
	beside []string
}{
	{"int", nil},
	{"chars", []string{"len"}},
	{"regex", nil},
	{"path", []string{"itself", "links", "access"}},
	{"glob", nil},
	{"text", nil},
	{"options", []string{"repeat"}},
}

const typeHint = `write a list of words, or one of { int = [min, max] }, { chars = "a-z" }, { regex = '...' }, { path = "/..." }, { glob = "/..." }, { text = [min, max] }, { options = [...] }`

// options is a type whose patterns are not yet linked: their placeholders have their types in each rule.
type unlinkedOptions struct {
	Options
	at *node
}

// argTypes reads a table of types. A type that cannot be read is a fault, and stands in the result as nil.
func (t *table) argTypes() map[string]Type {
	types := make(map[string]Type, len(t.m))
	for name, v := range t.m {
		n := t.at.child(name)
		if !isName(name) {
			t.r.fault(n, atKey, strconv.QuoteToASCII(name)+" is no name of a placeholder", "write small letters, digits and _, a letter first")
			continue
		}
		types[name] = t.r.argType(n, v)
	}
	return types
}

func (r *reader) argType(n *node, v any) Type {
	if list, ok := v.([]any); ok {
		return r.words(n, list)
	}
	m, ok := v.(map[string]any)
	if !ok {
		r.fault(n, atValue, "expected a type, found "+typeName(v), typeHint)
		return nil
	}
	t := &table{r, n, m}
	for _, k := range typeKeys {
		if t.has(k.name) {
			t.only(append([]string{k.name}, k.beside...))
			return t.typed(k.name)
		}
	}
	known := make([]string, len(typeKeys))
	for i, k := range typeKeys {
		known[i] = k.name
	}
	for key := range m {
		r.fault(n.child(key), atKey, strconv.QuoteToASCII(key)+" is no type", suggest(key, known))
	}
	if len(m) == 0 {
		r.fault(n, atValue, "the table names no type", typeHint)
	}
	return nil
}

// typed reads the type that the key names. It returns a nil interface on a fault.
func (t *table) typed(key string) Type {
	switch key {
	case "int":
		if lo, hi, ok := t.pair(key, -1<<63, 1<<63-1); ok {
			return &integer{lo, hi}
		}
	case "text":
		if lo, hi, ok := t.pair(key, 0, maxText); ok {
			return &text{int(lo), int(hi)}
		}
	case "chars":
		return t.charClass()
	case "regex":
		return t.regex()
	case "path":
		return t.path()
	case "glob":
		return t.glob()
	case "options":
		return t.options()
	}
	return nil
}

func (r *reader) words(n *node, list []any) Type {
	words, ok := r.strs(n, list, maxList)
	if !ok {
		return nil
	}
	if len(words) == 0 {
		r.fault(n, atValue, "the list is empty, so nothing could ever match", "name at least one word")
		return nil
	}
	for i, w := range words {
		if strings.ContainsFunc(w, unicode.IsControl) {
			r.fault(n.entry(i), atValue, "the word holds a control character, which no request may", "remove it")
			return nil
		}
	}
	return &oneOf{words}
}

func (t *table) charClass() Type {
	source, ok := t.str("chars")
	if !ok {
		return nil
	}
	c := &class{text: source, min: 1, max: maxChars}
	if err := c.parse([]rune(source)); err != nil {
		t.fault("chars", err.Error(), `write single characters and ranges, as in "A-Za-z0-9._-"`)
		return nil
	}
	if t.has("len") {
		lo, hi, ok := t.pair("len", 0, maxChars)
		if !ok {
			return nil
		}
		c.min, c.max = int(lo), int(hi)
	}
	return c
}

func (t *class) parse(source []rune) error {
	if len(source) == 0 {
		return fmt.Errorf("the class is empty")
	}
	for i := 0; i < len(source); i++ {
		r := source[i]
		if unicode.IsControl(r) {
			return fmt.Errorf("the class holds a control character, which no request may")
		}
		if r == '-' && i > 0 && i < len(source)-1 || i+2 < len(source) && source[i+1] == '-' && (r == '-' || source[i+2] == '-') {
			return fmt.Errorf("a - that is itself must stand first or last, and begin or end no range")
		}
		if i+2 >= len(source) || source[i+1] != '-' {
			t.add(r, r)
			continue
		}
		if mixed(r, source[i+2]) {
			return fmt.Errorf("the range %s mixes digits, small letters, capitals and others", strconv.QuoteToASCII(string(source[i:i+3])))
		}
		if source[i+2] < r {
			return fmt.Errorf("the range %s is the wrong way round", strconv.QuoteToASCII(string(source[i:i+3])))
		}
		t.add(r, source[i+2])
		i += 2
	}
	return nil
}

// mixed says whether the ends of a range are of different kinds: what stands between them in ASCII is then seldom what was meant,
// as in "A-z", or in ".-_", which holds the slash.
func mixed(lo, hi rune) bool {
	kind := func(r rune) int {
		switch {
		case r >= '0' && r <= '9':
			return 1
		case r >= 'a' && r <= 'z':
			return 2
		case r >= 'A' && r <= 'Z':
			return 3
		case r >= 0x80:
			return 4
		}
		return 0
	}
	return kind(lo) == 0 || kind(lo) != kind(hi)
}

// regex checks the source by parsing it alone; regexp.Compile fails on nothing that this parses.
func (t *table) regex() Type {
	source, ok := t.str("regex")
	if !ok {
		return nil
	}
	if len(source) > maxRegex {
		t.fault("regex", fmt.Sprintf("it is %d bytes long, more than %d", len(source), maxRegex), "")
		return nil
	}
	if _, err := syntax.Parse(source, syntax.Perl); err != nil {
		t.fault("regex", "it does not compile: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "),
			"write RE2 syntax, which must be complete by itself")
		return nil
	}
	whole, err := syntax.Parse(anchored(source), syntax.Perl)
	if err != nil {
		t.fault("regex", `it holds a \Q that is never closed`, `close it with \E`)
		return nil
	}
	states, longest := sizeOf(whole)
	if states > maxStates {
		t.fault("regex", fmt.Sprintf("with its counted repetitions written out it has more than %d states", maxStates),
			"write * or + in place of a large count, or a smaller count: repetitions inside each other multiply")
		return nil
	}
	before := t.r.states
	if t.r.states += states; before <= maxAllStates && t.r.states > maxAllStates {
		t.fault("regex", fmt.Sprintf("with this one the policy's regular expressions have more than %d states, their counted repetitions written out", maxAllStates),
			"give rules that take the same one type at the top, in [args], and write smaller counts")
	}
	return &expression{source: source, states: states, weight: weightOf(whole), longest: longest}
}

// path reads a subtree whose root and folder bind sets, because a relative root depends on the rule.
func (t *table) path() Type {
	shown, ok := t.str("path")
	if !ok {
		return nil
	}
	root := shown
	if root != "/" {
		root = strings.TrimSuffix(root, "/")
	}
	if shown != "/" && !plainComponents(strings.TrimPrefix(root, "/")) {
		t.fault("path", strconv.QuoteToASCII(shown)+" is no path without empty, . or .. parts", `write an absolute one such as "/srv/backup"`)
		return nil
	}
	links := t.has("links")
	if links && t.choice("links", "ignore") != "ignore" {
		return nil
	}
	s := &subtree{root: root, shown: shown, itself: t.boolean("itself", true), links: !links}
	if t.has("access") {
		s.access = map[string]Access{"read": Read, "write": Write}[t.choice("access", "read", "write")]
		if links {
			t.fault("access", "what the kernel is to hold has to be resolved, and links = \"ignore\" resolves nothing", "leave one of the two out")
		}
	}
	return s
}

func (t *table) glob() Type {
	pattern, ok := t.str("glob")
	if !ok {
		return nil
	}
	if !cleanPath(pattern) || pattern == "/" {
		t.fault("glob", strconv.QuoteToASCII(pattern)+" is no absolute path without empty, . or .. parts", `write one such as "/var/log/app/*.log"`)
		return nil
	}
	return &glob{pattern}
}

func (t *table) options() Type {
	list, ok := t.strs("options", maxOptions)
	if !ok {
		return nil
	}
	if len(list) == 0 {
		t.fault("options", "the list is empty, so nothing could ever match", "name at least one option")
		return nil
	}
	o := &unlinkedOptions{at: t.at.child("options")}
	o.Repeat = t.boolean("repeat", false)
	for i, text := range list {
		elements, err := parseElements(text)
		if err == nil && len(elements) == 0 {
			err = fmt.Errorf("the option is empty")
		}
		for _, e := range elements {
			if e.Repeat != One {
				err = fmt.Errorf("inside options no placeholder repeats")
			}
		}
		if err != nil {
			t.r.fault(o.at.entry(i), atValue, err.Error(), `write options such as "-v" or "--bwlimit={n}"`)
			return nil
		}
		o.List = append(o.List, Pattern{text, elements})
	}
	return o
}

// bind gives a type what it needs to know of its rule: the folder that relative paths are relative to.
func bind(t Type, dir string) (Type, error) {
	s, ok := t.(*subtree)
	if !ok {
		return t, nil
	}
	bound := *s
	bound.dir = dir
	if strings.HasPrefix(s.root, "/") {
		return &bound, nil
	}
	if dir == "" {
		return nil, fmt.Errorf("the path %s is relative, and the rule sets no cwd", strconv.QuoteToASCII(s.shown))
	}
	bound.root = joinPath(dir, s.root)
	return &bound, nil
}
