package decide

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"example.org/ssh-gate/internal/argv"
)

// The model is the matching of a request written down once more, as plainly as it can be: it tries everything in the order that
// the design gives, remembers nothing and costs exponential time.

// modelType is an argument type by its spelling in a policy and by a judgement that shares no code with the product.
type modelType struct {
	spelled string
	guarded bool
	accepts func(string) bool
}

var modelTypes = []modelType{
	{`["a", "b", "ab"]`, false, func(v string) bool { return v == "a" || v == "b" || v == "ab" }},
	{`["", "-", "a:"]`, false, func(v string) bool { return v == "" || v == "-" || v == "a:" }},
	{`{ int = [-5, 11] }`, false, func(v string) bool {
		n, err := strconv.Atoi(v)
		return err == nil && n >= -5 && n <= 11 && strconv.Itoa(n) == v
	}},
	{`{ chars = "ab:-", len = [0, 3] }`, true, func(v string) bool { return len(v) <= 3 && strings.Trim(v, "ab:-") == "" }},
	{`{ chars = "a-b1-9é" }`, true, func(v string) bool { return v != "" && strings.Trim(v, "ab123456789é") == "" }},
	{`{ regex = 'a|ab|[:1]*' }`, false, regexp.MustCompile(`\A(?:a|ab|[:1]*)\z`).MatchString},
	{`{ regex = '-?b*?' }`, false, regexp.MustCompile(`\A(?:-?b*?)\z`).MatchString},
	{`{ text = [0, 4] }`, true, func(v string) bool { return len(v) <= 4 }},
	{`{ text = [2, 9] }`, true, func(v string) bool { return len(v) >= 2 && len(v) <= 9 }},
}

type modelPart struct {
	text string // literal, where name is empty
	name string
	typ  modelType
}

type modelElement struct {
	parts   []modelPart
	repeat  string // "", "?", "*" or "+"
	options [][]modelElement
	again   bool // an option may stand more than once
}

// cutWord gives the values of a word's placeholders, the leftmost as long as can be; nil where the word does not fit.
func cutWord(word string, parts []modelPart, at int) []string {
	if len(parts) == 0 {
		if word[at:] != "" {
			return nil
		}
		return []string{}
	}
	p := parts[0]
	if p.name == "" {
		if !strings.HasPrefix(word[at:], p.text) {
			return nil
		}
		return cutWord(word, parts[1:], at+len(p.text))
	}
	for end := len(word); end >= at; end-- {
		if !utf8.ValidString(word[at:end]) || at == 0 && p.typ.guarded && strings.HasPrefix(word, "-") || !p.typ.accepts(word[at:end]) {
			continue
		}
		if rest := cutWord(word, parts[1:], end); rest != nil {
			return append([]string{word[at:end]}, rest...)
		}
	}
	return nil
}

// ends lists where an element may end that begins at word i, the furthest first.
func (e *modelElement) ends(words []string, i int) []int {
	found := []int{}
	if e.repeat == "?" || e.repeat == "*" {
		found = append(found, i)
	}
	used := make([]bool, len(e.options))
	for n := 1; ; n++ {
		size := 0
		if e.options == nil {
			if i < len(words) && cutWord(words[i], e.parts, 0) != nil {
				size = 1
			}
		} else {
			for k, option := range e.options {
				if fits(words[i:], option) && !used[k] {
					size, used[k] = len(option), !e.again
					break
				}
			}
		}
		if size == 0 || n > 1 && (e.repeat == "" || e.repeat == "?") {
			slices.Reverse(found)
			return found
		}
		i += size
		found = append(found, i)
	}
}

func fits(words []string, option []modelElement) bool {
	if len(words) < len(option) {
		return false
	}
	for i, e := range option {
		if cutWord(words[i], e.parts, 0) == nil {
			return false
		}
	}
	return true
}

// model returns which words each element took, as offsets; nil where the request is not described.
func model(words []string, elements []modelElement, i int) []int {
	if len(elements) == 0 {
		if i < len(words) {
			return nil
		}
		return []int{i}
	}
	for _, end := range elements[0].ends(words, i) {
		if rest := model(words, elements[1:], end); rest != nil {
			return append([]int{i}, rest...)
		}
	}
	return nil
}

// modelCase is a random pattern, spelled for a policy, with a run that shows what each placeholder took.
type modelCase struct {
	rng      *rand.Rand
	elements []modelElement
	args     strings.Builder
	names    int
}

var modelLetters = []string{"a", "b", "-", ":", "1", "é"}

func (c *modelCase) text(n int) string {
	var b strings.Builder
	for range c.rng.IntN(n) {
		b.WriteString(modelLetters[c.rng.IntN(len(modelLetters))])
	}
	return b.String()
}

func (c *modelCase) placeholder() modelPart {
	c.names++
	p := modelPart{name: fmt.Sprintf("x%d", c.names), typ: modelTypes[c.rng.IntN(len(modelTypes))]}
	fmt.Fprintf(&c.args, "%s = %s\n", p.name, p.typ.spelled)
	return p
}

func (c *modelCase) word() modelElement {
	var e modelElement
	for range 1 + c.rng.IntN(3) {
		if c.rng.IntN(3) == 0 {
			if text := c.text(3); text != "" && (len(e.parts) == 0 || e.parts[len(e.parts)-1].name != "") {
				e.parts = append(e.parts, modelPart{text: text})
			}
		} else {
			e.parts = append(e.parts, c.placeholder())
		}
	}
	return e
}

func (c *modelCase) element() modelElement {
	switch c.rng.IntN(6) {
	case 0, 1:
		return modelElement{parts: []modelPart{c.placeholder()}, repeat: []string{"?", "*", "+"}[c.rng.IntN(3)]}
	case 2:
		e := modelElement{repeat: []string{"*", "+"}[c.rng.IntN(2)], again: c.rng.IntN(2) == 0}
		var spelled []string
		for range 1 + c.rng.IntN(3) {
			var option []modelElement
			for range 1 + c.rng.IntN(2) {
				option = append(option, c.word())
			}
			e.options = append(e.options, option)
			spelled = append(spelled, strconv.Quote(spell(option)))
		}
		c.names++
		e.parts = []modelPart{{name: fmt.Sprintf("x%d", c.names)}}
		fmt.Fprintf(&c.args, "%s = { options = [%s], repeat = %v }\n", e.parts[0].name, strings.Join(spelled, ", "), e.again)
		return e
	}
	return c.word()
}

func spell(elements []modelElement) string {
	words := make([]string, len(elements))
	for i, e := range elements {
		for _, p := range e.parts {
			if p.name != "" {
				words[i] += "{" + p.name + e.repeat + "}"
			} else {
				words[i] += p.text
			}
		}
		if words[i] == "" {
			words[i] = "''"
		}
	}
	return strings.Join(words, " ")
}

// run shows each placeholder between marks, and at the end some of them joined into one word.
func (c *modelCase) run() (spelled string, joined []string) {
	var b strings.Builder
	b.WriteString("/opt/show")
	var single []string
	for _, e := range c.elements {
		for _, p := range e.parts {
			if p.name == "" {
				continue
			}
			mark := p.name + "="
			if e.repeat != "" {
				fmt.Fprintf(&b, " %s {%s%s}", mark, p.name, e.repeat)
			} else {
				fmt.Fprintf(&b, " %s{%s}", mark, p.name)
				single = append(single, p.name)
			}
		}
	}
	c.rng.Shuffle(len(single), func(i, j int) { single[i], single[j] = single[j], single[i] })
	joined = single[:c.rng.IntN(len(single)+1)]
	if len(joined) > 0 {
		b.WriteString(" {" + strings.Join(joined, "}{") + "}")
	}
	return b.String(), joined
}

// want is what the model says that runs; nil for a denial.
func (c *modelCase) want(words []string, joined []string) []string {
	at := model(words, c.elements, 1)
	if at == nil {
		return nil
	}
	shown := []string{"/opt/show"}
	values, guarded := map[string]string{}, map[string]bool{}
	for k, e := range c.elements {
		if e.repeat != "" {
			shown = append(append(shown, e.parts[0].name+"="), words[at[k]:at[k+1]]...)
			continue
		}
		cut := cutWord(words[at[k]], e.parts, 0)
		for _, p := range e.parts {
			if p.name != "" {
				shown = append(shown, p.name+"="+cut[0])
				values[p.name], guarded[p.name] = cut[0], p.typ.guarded
				cut = cut[1:]
			}
		}
	}
	last, dash := "", false
	for _, name := range joined {
		dash = dash || last == "" && guarded[name] && strings.HasPrefix(values[name], "-")
		last += values[name]
	}
	if dash {
		return nil
	}
	if len(joined) > 0 {
		shown = append(shown, last)
	}
	return shown
}

// words makes a request that has a chance: mostly of what the pattern's own literals and types are made of.
func (c *modelCase) words() []string {
	words := []string{"p"}
	for _, e := range c.elements {
		times := 1
		if e.repeat != "" {
			times = c.rng.IntN(4)
		}
		for range times {
			if e.options == nil {
				words = append(words, c.likely(e.parts))
				continue
			}
			for _, inside := range e.options[c.rng.IntN(len(e.options))] {
				words = append(words, c.likely(inside.parts))
			}
		}
	}
	switch c.rng.IntN(6) {
	case 0:
		words = append(words, c.text(4))
	case 1:
		words = words[:max(1, len(words)-1)]
	}
	return words
}

func (c *modelCase) likely(parts []modelPart) string {
	var b strings.Builder
	for _, p := range parts {
		if p.name == "" {
			b.WriteString(p.text)
			continue
		}
		value := c.text(4)
		for range 8 {
			if p.typ.accepts(value) {
				break
			}
			value = c.text(4)
		}
		b.WriteString(value)
	}
	return b.String()
}

func TestDecideAgreesWithTheModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	compared, allowed, plain := 0, 0, 0
	for range 1500 {
		c := &modelCase{rng: rng}
		for range 1 + rng.IntN(4) {
			c.elements = append(c.elements, c.element())
		}
		run, joined := c.run()
		head := "[args]\n" + c.args.String() + "[[allow]]\ncommand = " + strconv.Quote("p "+spell(c.elements)) + "\n"
		in := Input{Policy: mustParse(t, head+"run = "+strconv.Quote(run)+"\n"), Files: host{}}
		without := Input{Policy: mustParse(t, head), Files: host{}}
		for range 20 {
			words := c.words()
			in.Request = argv.Quote(words)
			d := Decide(in)
			want := c.want(words, joined)
			compared++
			if d.Allowed != (want != nil) || d.Allowed && !slices.Equal(d.Argv, want) {
				t.Fatalf("%srun = %q\nrequest %s\ngot  %s\nwant %q", head, run, in.Request, describeDecision(d), want)
			}
			if d.Allowed {
				allowed++
			}
			without.Request = in.Request
			d = Decide(without)
			if described := model(words, c.elements, 1) != nil; d.Allowed != described {
				t.Fatalf("%srequest %s\ngot %s, the model says %v", head, in.Request, describeDecision(d), described)
			}
			if d.Allowed {
				plain++
				if !slices.Equal(d.Argv, words) {
					t.Fatalf("%srequest %s\ngot %q", head, in.Request, d.Argv)
				}
			}
		}
	}
	t.Logf("%d requests, %d allowed with run, %d without", compared, allowed, plain)
	if compared < 30_000 || allowed < compared/10 || plain < compared/10 || plain > compared*9/10 {
		t.Errorf("%d requests, %d allowed with run, %d without: too few of one kind", compared, allowed, plain)
	}
}
