package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// reader decodes one file and collects every fault in it. The file is decoded into maps, not into structs: BurntSushi/toml
// matches struct fields without regard to case and picks among "path" and "PATH" at random, maps keep keys as they stand.
type reader struct {
	file, text string
	states     int // of the regular expressions so far
	faults     []reported
}

// decode returns the file's top table, or nil where the text is no TOML that can be worked on.
func (r *reader) decode(text []byte) (*table, Faults) {
	r.text = string(text)
	if len(text) > MaxBytes {
		f := at(r.file, r.text[:min(len(r.text), maxShown)], 0, 1)
		f.Message = fmt.Sprintf("the file is longer than the %d MiB that are read", MaxBytes>>20)
		f.Hint = "shorten it: one rule can stand for many, with a list of words or another type"
		return nil, Faults{f}
	}
	if strings.HasPrefix(r.text, "\uFEFF") || strings.HasPrefix(r.text, "\xff\xfe") || strings.HasPrefix(r.text, "\xfe\xff") {
		f := at(r.file, r.text, 0, 1)
		f.Message, f.Hint = "the file begins with a byte order mark", "save it as UTF-8 without one"
		return nil, Faults{f}
	}
	deep, pairs := survey(r.text)
	if deep >= 0 {
		f := at(r.file, r.text, deep, deep+1)
		f.Message, f.Hint = "this nests deeper than any key does", "leave out brackets, quotes or parts of the key"
		return nil, Faults{f}
	}
	var top any // into a map the decoder would copy what it has, by reflection
	if _, err := toml.Decode(r.text, &top); err != nil {
		return nil, Faults{r.syntax(err)}
	}
	if leaves(top) != pairs {
		where := scan(r.text).twice
		f := at(r.file, r.text, where.start, where.end)
		f.Message, f.Hint = "the key stands twice", "a key may stand once; remove one of them"
		return nil, Faults{f}
	}
	m, _ := top.(map[string]any)
	return &table{r: r, m: m}, nil
}

// syntax is BurntSushi/toml's own finding, in our words for the place.
func (r *reader) syntax(err error) *Fault {
	parse, ok := err.(toml.ParseError)
	if !ok {
		f := at(r.file, r.text, 0, 1)
		f.Message = err.Error()
		return f
	}
	start := parse.Position.Start
	f := at(r.file, r.text, start, start+parse.Position.Len)
	f.Message = parse.Message
	if strings.Contains(f.Message, "expected value but found") {
		f.Hint = `put a text into quotes: "..."`
	}
	if strings.Contains(f.Message, "already been defined") || strings.Contains(f.Message, "already exists") {
		f.Hint = "a key may stand once; remove one of them"
	}
	return f
}

func (r *reader) fault(n *node, s side, message, hint string) {
	if len(r.faults) == maxFaultsKept {
		return
	}
	r.faults = append(r.faults, reported{n, s, message, hint})
}

// result returns the faults with their places, nil if there are none.
func (r *reader) result() Faults {
	if len(r.faults) == 0 {
		return nil
	}
	return place(r.file, r.text, r.faults)
}

// table is a TOML table under examination. Its getters say whether the key is there with a value that can be worked on; a
// wrong type is a fault and looks absent.
type table struct {
	r  *reader
	at *node
	m  map[string]any
}

func (t *table) has(key string) bool { _, ok := t.m[key]; return ok }

func (t *table) fault(key, message, hint string) { t.r.fault(t.at.child(key), atValue, message, hint) }

// only reports every key that is not known, and says whether there is one.
func (t *table) only(known []string) (unknown bool) {
	for key := range t.m {
		if !slices.Contains(known, key) {
			unknown = true
			t.r.fault(t.at.child(key), atKey, "unknown key "+strconv.QuoteToASCII(key), suggest(key, known))
		}
	}
	return unknown
}

func (t *table) str(key string) (string, bool) {
	v, ok := t.m[key]
	if !ok {
		return "", false
	}
	return t.r.str(t.at.child(key), v, "a string", `write "..."`)
}

func (r *reader) str(n *node, v any, want, hint string) (string, bool) {
	s, ok := v.(string)
	if !ok {
		r.fault(n, atValue, "expected "+want+", found "+typeName(v), hint)
		return "", false
	}
	if strings.IndexByte(s, 0) >= 0 {
		r.fault(n, atValue, "the string holds a NUL character", "remove it: no program can be given one")
		return "", false
	}
	return s, true
}

func (t *table) boolean(key string, absent bool) bool {
	v, ok := t.m[key]
	if !ok {
		return absent
	}
	b, ok := v.(bool)
	if !ok {
		t.fault(key, "expected true or false, found "+typeName(v), "write "+key+" = true, or false, without quotes")
		return absent
	}
	return b
}

// choice is a string that must be one of a few words; the first is what an absent key means.
func (t *table) choice(key string, words ...string) string {
	s, ok := t.str(key)
	if !ok {
		return words[0]
	}
	if !slices.Contains(words, s) {
		t.fault(key, strconv.QuoteToASCII(s)+" is none of its values", "write "+quoteAll(words, " or "))
		return words[0]
	}
	return s
}

// strs is a list of strings; it may be empty.
func (t *table) strs(key string, limit int) ([]string, bool) {
	v, ok := t.m[key]
	if !ok {
		return nil, false
	}
	return t.r.strs(t.at.child(key), v, limit)
}

func (r *reader) strs(n *node, v any, limit int) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		r.fault(n, atValue, "expected a list of strings, found "+typeName(v), `write ["...", "..."]`)
		return nil, false
	}
	if len(list) > limit {
		r.fault(n, atValue, fmt.Sprintf("the list has %d entries, more than %d", len(list), limit), "")
		return nil, false
	}
	words := make([]string, 0, len(list))
	for i, e := range list {
		s, good := r.str(n.entry(i), e, "a string", `write "..."`)
		ok = ok && good
		words = append(words, s)
	}
	return words, ok
}

// named is a list of strings that may not be empty: for keys whose empty list would read like "everybody" and mean "nobody".
func (t *table) named(key string) []string {
	words, ok := t.strs(key, maxList)
	if ok && len(words) == 0 {
		t.fault(key, "the list is empty, so nothing could ever match", "name somebody, or leave the key out")
	}
	return words
}

// pair is [min, max] within the bounds.
func (t *table) pair(key string, low, high int64) (lo, hi int64, ok bool) {
	list, isList := t.m[key].([]any)
	if isList && len(list) == 2 {
		lo, isLow := list[0].(int64)
		hi, isHigh := list[1].(int64)
		if isLow && isHigh {
			switch {
			case lo > hi:
				t.fault(key, fmt.Sprintf("[%d, %d] is no range: nothing lies between", lo, hi), "write the smaller bound first")
				return 0, 0, false
			case lo < low || hi > high:
				t.fault(key, fmt.Sprintf("[%d, %d] is not within %d and %d", lo, hi, low, high), "")
				return 0, 0, false
			}
			return lo, hi, true
		}
	}
	t.fault(key, "expected two whole numbers, found "+typeName(t.m[key]), "write [min, max]")
	return 0, 0, false
}

// table returns a table below this one, with ok false where there is none.
func (t *table) table(key string) (*table, bool) {
	v, ok := t.m[key]
	if !ok {
		return nil, false
	}
	m, ok := v.(map[string]any)
	if !ok {
		t.fault(key, "expected a table, found "+typeName(v), "write ["+key+"] above its keys, or "+key+" = { ... }")
		return nil, false
	}
	return &table{t.r, t.at.child(key), m}, true
}

// tables returns an array of tables below this one.
func (t *table) tables(key string) []*table {
	v, ok := t.m[key]
	if !ok {
		return nil
	}
	var found []*table
	switch list := v.(type) {
	case []map[string]any:
		for i, m := range list {
			found = append(found, &table{t.r, t.at.child(key).entry(i), m})
		}
		return found
	case []any:
		for i, e := range list {
			m, ok := e.(map[string]any)
			if !ok {
				t.r.fault(t.at.child(key).entry(i), atValue, "expected a table, found "+typeName(e), "write [["+key+"]] above its keys")
				continue
			}
			found = append(found, &table{t.r, t.at.child(key).entry(i), m})
		}
		return found
	}
	t.fault(key, "expected tables, found "+typeName(v), "write [["+key+"]], with double brackets, above the keys of each")
	return nil
}

func typeName(v any) string {
	switch v := v.(type) {
	case string:
		return "a string"
	case int64:
		return "a whole number"
	case float64:
		return "a number with a fraction"
	case bool:
		return "a boolean"
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case []map[string]any:
		return "a list of tables"
	case map[string]any:
		return "a table"
	case nil:
		return "nothing"
	}
	return "a date or time"
}

// suggest finds the key that was probably meant.
func suggest(key string, known []string) string {
	if key == "deny" {
		return "there are no deny rules: what no [[allow]] describes is denied"
	}
	inRule, inTest := slices.Contains(known, "command"), slices.Contains(known, "expect")
	if meant := map[string]string{"from": "client_ip", "users": "user"}[key]; meant != "" && inTest {
		return fmt.Sprintf("did you mean %q?", meant)
	}
	if slices.Contains(policyKeys, key) && (inRule || inTest) {
		return key + " stands at the top of the policy, above the first [[allow]]" + map[bool]string{true: ", or in a rule"}[slices.Contains(ruleKeys, key)]
	}
	if slices.Contains(ruleKeys, key) && inTest {
		return key + " is a key of a rule, below its [[allow]]"
	}
	best, distance := "", 3
	for _, k := range known {
		if strings.EqualFold(k, key) {
			return fmt.Sprintf("keys are written in lower case: %q", k)
		}
		if d := edits(key, k); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known here: " + strings.Join(known, ", ")
}

// edits is the Levenshtein distance in bytes, over keys of at most 64.
func edits(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func quoteAll(words []string, separator string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.QuoteToASCII(w)
	}
	return strings.Join(quoted, separator)
}
