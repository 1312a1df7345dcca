package policy

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// TestScanAgreesWithTheDecoder cuts out what the scanner found and decodes it by itself: each value must be what the decoder
// made of the whole text, and each key must spell the name it stands for.
func TestScanAgreesWithTheDecoder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	nodes := 0
	for range 300 {
		w := tomlWriter{rng: rng}
		text := w.document()
		var top map[string]any
		if _, err := toml.Decode(text, &top); err != nil {
			t.Fatalf("the test writes no TOML: %v\n%s", err, text)
		}
		if deep, pairs := survey(text); deep >= 0 || pairs != leaves(top) {
			t.Fatalf("too deep at %d, %d pairs and %d leaves in\n%s", deep, pairs, leaves(top), text)
		}
		scanned := scan(text)
		if scanned.twice != (span{}) {
			t.Fatalf("%v stands twice in\n%s", scanned.twice, text)
		}
		s := scanCheck{t: t, text: text, spans: scanned.found}
		s.table(nil, top)
		nodes += s.nodes
		if t.Failed() {
			t.Fatalf("in\n%s", text)
		}
	}
	if nodes < 5_000 {
		t.Errorf("only %d nodes were looked at", nodes)
	}
}

// TestSurvey tells what nests from what only looks like it.
func TestSurvey(t *testing.T) {
	for _, c := range []struct {
		text  string
		deep  int // offset of what nests too deep, or -1
		pairs int
	}{
		{"", -1, 0},
		{"a = 1\n[b]\n[[c.d]]\ne = [1, 2]", -1, 2},
		{"a = {}\nb = \t{ c = 1, d = { e = [{ f = '=' }] } }", -1, 3},
		{"# a = 1\na = '= ' # b = 2\nc = \"\"\"\nd = 1\n\"\"\"\n'=' = \"=\"", -1, 3},
		{"a = [" + strings.Repeat("1.5, ", 100) + "]", -1, 1},
		{strings.Repeat("a.b.c.d = 1\n", 100), -1, 100},
		{"a = \"" + strings.Repeat("[{.", 100) + "\"", -1, 1},
		{"a = '''" + strings.Repeat("\n[{.", 100) + "'''", -1, 1},
		{"# " + strings.Repeat("[{.", 100), -1, 0},
		{"a.b.c.d.e.f.g.h = 1", -1, 1},
		{"a.b.c.d.e.f.g.h.i = 1", 15, 0},
		{"a = [[[[[[[[1]]]]]]]]", -1, 1},
		{"a = [[[[[[[[[1]]]]]]]]]", 12, 0},
		{"a = [1]\nb = [{c=[{d=[{e=[{f=[1]}]}]}]}]", 28, 0},
	} {
		deep, pairs := survey(c.text)
		if deep != c.deep || deep < 0 && pairs != c.pairs {
			t.Errorf("%.60q: too deep at %d with %d pairs, want %d and %d", c.text, deep, pairs, c.deep, c.pairs)
		}
	}
}

type scanCheck struct {
	t     *testing.T
	text  string
	spans map[string]entry
	nodes int
}

func (s *scanCheck) table(at *node, m map[string]any) {
	for key, v := range m {
		n := at.child(key)
		s.key(n, key)
		s.value(n, v)
	}
}

func (s *scanCheck) key(n *node, key string) {
	e, ok := s.spans[n.id()]
	if !ok {
		s.t.Errorf("the key %q was not found (%q)", key, n.id())
		return
	}
	found := s.text[e.key.start:e.key.end]
	md, err := toml.Decode(found+" = 1", &map[string]any{})
	if err != nil {
		s.t.Errorf("the key %q was found at %q, which is no key: %v", key, found, err)
		return
	}
	keys := md.Keys()
	for _, part := range keys[len(keys)-1] {
		if part == key {
			return
		}
	}
	s.t.Errorf("the key %q was found at %q", key, found)
}

func (s *scanCheck) value(n *node, v any) {
	s.nodes++
	e := s.spans[n.id()]
	if e.value.end > e.value.start {
		found := s.text[e.value.start:e.value.end]
		var again map[string]any
		if _, err := toml.Decode("x = "+found, &again); err != nil {
			s.t.Errorf("the value of %q was found at %q, which is no value: %v", n.id(), found, err)
		} else if !reflect.DeepEqual(plainTree(again["x"]), plainTree(v)) {
			s.t.Errorf("the value of %q was found at %q, it is %v", n.id(), found, v)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		s.table(n, v)
	case []any:
		for i, item := range v {
			s.entry(n.entry(i), item)
		}
	case []map[string]any:
		for i, item := range v {
			s.entry(n.entry(i), item)
		}
	default:
		if e.value.end == 0 {
			s.t.Errorf("the value of %q was not found", n.id())
		}
	}
}

func (s *scanCheck) entry(n *node, v any) {
	if _, ok := s.spans[n.id()]; !ok {
		s.t.Errorf("the entry %q was not found", n.id())
	}
	s.value(n, v)
}

// plainTree makes lists of tables comparable, which the decoder gives in two ways.
func plainTree(v any) any {
	switch v := v.(type) {
	case []map[string]any:
		list := make([]any, len(v))
		for i, m := range v {
			list[i] = plainTree(m)
		}
		return list
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = plainTree(e)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = plainTree(e)
		}
		return m
	}
	return v
}

// tomlWriter writes documents that a person might, and some that no person would.
type tomlWriter struct {
	rng  *rand.Rand
	b    strings.Builder
	keys int
}

func (w *tomlWriter) one(choices ...string) string { return choices[w.rng.IntN(len(choices))] }

func (w *tomlWriter) document() string {
	w.pairs()
	for range w.rng.IntN(5) {
		header := w.key()
		brackets, closing := "[", "]"
		times := 1
		if w.rng.IntN(2) == 0 {
			brackets, closing, times = "[[", "]]", 1+w.rng.IntN(3)
		}
		for range times {
			w.line(brackets + w.one("", " ") + header + w.one("", "\t") + closing)
			w.pairs()
			for range w.rng.IntN(2) {
				w.line("[" + header + " . " + w.key() + "]")
				w.pairs()
			}
			for range w.rng.IntN(2) {
				below := header + "." + w.bareKey()
				w.line("[[" + below + "]]")
				w.pairs()
				w.line("[[" + below + "]]")
				w.pairs()
			}
		}
	}
	return w.b.String()
}

func (w *tomlWriter) line(s string) {
	w.b.WriteString(w.one("", "", "  ", "\t") + s + w.one("", "", " ", " # [[comment]] = \"x", "#") + w.one("\n", "\n", "\n\n", "\r\n", "\n# 'x\n"))
}

func (w *tomlWriter) pairs() {
	for range w.rng.IntN(4) {
		w.line(w.key() + w.one("", " ", "   ") + "=" + w.one("", " ", "\t") + w.value(3))
	}
}

// bareKey never gives a key twice.
func (w *tomlWriter) bareKey() string {
	w.keys++
	return fmt.Sprintf("k%d", w.keys)
}

func (w *tomlWriter) key() string {
	k := w.bareKey()
	switch w.rng.IntN(9) {
	case 0:
		return `"` + k + w.one("", " ", ".", "]", "#", "=", "'", `\"`, `\\`, `\t`, `\u00e9`, `\U0001F600`, "é") + `"`
	case 1:
		return "'" + k + w.one("", " ", ".", "]", "#", "=", `"`, `\`, "é") + "'"
	case 2:
		return k + w.one(".", " . ", "\t.") + w.bareKey()
	case 3:
		return k + "." + w.bareKey() + `."` + w.bareKey() + `."`
	}
	return k
}

func (w *tomlWriter) value(depth int) string {
	if depth > 0 {
		switch w.rng.IntN(4) {
		case 0:
			return w.list(depth - 1)
		case 1:
			return w.inline(depth - 1)
		}
	}
	return w.one(`"a"`, `""`, `''`, `'a\'`, `"a\"b]"`, `"a\\"`, `'a"]#'`, `"é, 漢"`, `"\u0041\t"`,
		"\"\"\"a\n]\"\"\"", `"""a"""""`, `"""a""""`, `""""a"""`, `""""""`, `"""a\"""b"""`, `''''''`, "'''a\n'b''\\'''''", `"""a\""""""`, "\"\"\"a\\\n  b # \"\"\"",
		"0", "-17", "+9", "1_000", "0xff", "0o17", "0b1", "1.5", "-1e6", "inf", "true", "false",
		"2027-01-01T00:00:00Z", "2027-01-01 00:00:00+02:00", "2027-01-01T00:00:00.5", "2027-01-01", "12:34:56")
}

func (w *tomlWriter) list(depth int) string {
	var b strings.Builder
	b.WriteString("[")
	n := w.rng.IntN(4)
	for i := range n {
		b.WriteString(w.one("", " ", "\n  ", " # a, \"b]\n") + w.value(depth) + w.one("", " ", "\n"))
		if i < n-1 || w.rng.IntN(3) == 0 {
			b.WriteString("," + w.one("", "# ]\n"))
		}
	}
	b.WriteString(w.one("", " ", "\n\t") + "]")
	return b.String()
}

func (w *tomlWriter) inline(depth int) string {
	var b strings.Builder
	b.WriteString("{" + w.one("", " "))
	n := w.rng.IntN(4)
	for i := range n {
		b.WriteString(w.key() + w.one("=", " = ") + w.value(depth) + w.one("", " "))
		if i < n-1 {
			b.WriteString(w.one(",", ", ", ",\n  "))
		}
	}
	b.WriteString("}")
	return b.String()
}
