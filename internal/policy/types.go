package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.org/ssh-gate/internal/argv"
)

// Type says which text a placeholder takes. All methods look at the text alone; a type that must look at the file system
// as well is a Located.
type Type interface {
	// Accepts says whether the whole value is of the type. The value is valid UTF-8.
	Accepts(value string) bool
	// Steps is how much work Accepts is at most, in looks at a byte or what takes about as long.
	Steps(value string) int
	// Guarded types take no value at the beginning of a word that begins with "-".
	Guarded() bool
	// String describes the type for people, in printable text.
	String() string
	// Words is the same in as few words as can be, for who sends requests.
	Words() string
	// Value is the type as JSON has it: the spelling of a policy.
	Value() any
}

// Files is what a decision may ask of the file system.
type Files interface {
	// Lookup returns the path that a program's name resolves to in the search path.
	Lookup(name string) (path string, ok bool)
	// Resolve follows the links of an absolute path, and counts the components that were walked for it, safefile.Resolve.
	Resolve(path string) (real string, walked int, err error)
}

func bounds(lo, hi int, unit string) string { return itoa(lo) + ".." + itoa(hi) + unit }

// Located is a Type whose value names a file: its text decides how a request is split, and then the file system must agree.
type Located interface {
	Type
	// Lies says, by an error that tells why not, whether an accepted value still is of the type when links are resolved, and where
	// it lies then.
	Lies(value string, files Files) (Place, error)
}

// Place is where a value lies, and what a confined program may do there.
type Place struct {
	Path   string // resolved
	Root   string // as the policy names it; the rule allows what is below it
	Below  string // what Path has behind the resolved root; empty for the root itself
	Access Access
}

// Access is what the kernel lets a confined program do.
type Access byte

const (
	NoAccess Access = iota // nothing that the value would give
	Read
	Write // and read
)

// oneOf is ["a", "b"].
type oneOf struct{ words []string }

func (t *oneOf) Accepts(v string) bool { return slices.Contains(t.words, v) }
func (t *oneOf) Steps(v string) int    { return len(t.words) + len(v)/16 }
func (t *oneOf) Guarded() bool         { return false }
func (t *oneOf) String() string {
	quoted := make([]string, len(t.words))
	for i, w := range t.words {
		quoted[i] = strconv.QuoteToASCII(w)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return "one of " + strings.Join(quoted, ", ")
}
func (t *oneOf) Words() string {
	quoted := make([]string, len(t.words))
	for i, w := range t.words {
		quoted[i] = argv.Quote([]string{w})
	}
	return strings.Join(quoted, " | ")
}
func (t *oneOf) Value() any { return t.words }

// integer is { int = [min, max] }.
type integer struct{ min, max int64 }

// maxDigits is how many bytes an int64 has at most. ParseInt copies what it refuses, however long.
const maxDigits = 20

func (t *integer) Accepts(v string) bool {
	if len(v) > maxDigits {
		return false
	}
	n, err := strconv.ParseInt(v, 10, 64)
	return err == nil && n >= t.min && n <= t.max && strconv.FormatInt(n, 10) == v
}
func (t *integer) Steps(v string) int { return min(len(v), maxDigits) }
func (t *integer) Guarded() bool      { return false }
func (t *integer) String() string     { return fmt.Sprintf("a whole number from %d to %d", t.min, t.max) }
func (t *integer) Words() string {
	return strconv.FormatInt(t.min, 10) + ".." + strconv.FormatInt(t.max, 10)
}
func (t *integer) Value() any { return map[string]any{"int": [2]int64{t.min, t.max}} }

// class is { chars = "A-Za-z0-9._-", len = [1, 64] }.
type class struct {
	text     string
	ascii    [2]uint64
	ranges   [][2]rune // beyond ASCII
	min, max int
}

func (t *class) add(lo, hi rune) {
	for r := lo; r <= hi && r < 128; r++ {
		t.ascii[r/64] |= 1 << (r % 64)
	}
	if hi >= 128 {
		t.ranges = append(t.ranges, [2]rune{max(lo, 128), hi})
	}
}

func (t *class) has(r rune) bool {
	if r < 128 {
		return t.ascii[r/64]>>(r%64)&1 == 1
	}
	return slices.ContainsFunc(t.ranges, func(g [2]rune) bool { return g[0] <= r && r <= g[1] })
}

func (t *class) Accepts(v string) bool {
	if len(v) < t.min || len(v) > t.max {
		return false
	}
	for _, r := range v {
		if !t.has(r) {
			return false
		}
	}
	return !hasDots(v)
}
func (t *class) Steps(v string) int {
	if len(v) > t.max {
		return 0
	}
	return len(v) * (1 + len(t.ranges))
}
func (t *class) Guarded() bool { return true }
func (t *class) String() string {
	return fmt.Sprintf("%d to %d bytes of the characters %s", t.min, t.max, strconv.QuoteToASCII(t.text))
}
func (t *class) Words() string { return bounds(t.min, t.max, " bytes of ") + t.text }
func (t *class) Value() any    { return map[string]any{"chars": t.text, "len": [2]int{t.min, t.max}} }

// hasDots says whether a component of the value is "." or "..", which would lead a program that takes it for a path elsewhere.
func hasDots(v string) bool {
	for {
		component, rest, more := strings.Cut(v, "/")
		if component == "." || component == ".." {
			return true
		}
		if !more {
			return false
		}
		v = rest
	}
}

// expression is { regex = '...' }. It is compiled when the first value is held against it: most logins never need it.
type expression struct {
	source   string
	states   int // instructions that it is compiled to, or somewhat more
	weight   int // of each, in steps
	longest  int // bytes that it takes at most
	compiled *regexp.Regexp
}

// Accepts matches from the first byte to the last. Without the anchors the matcher would begin anew at every byte, which a counted
// repetition makes thousands of times as dear.
func (t *expression) Accepts(v string) bool {
	if len(v) > t.longest {
		return false
	}
	if t.compiled == nil {
		re, err := regexp.Compile(anchored(t.source))
		if err != nil {
			return false // refused when the policy was read
		}
		t.compiled = re
	}
	return t.compiled.MatchString(v)
}

// anchored is right only for a source that compiles alone, which "a)|(b" does not, and still does so in here, which "\Qa" does not.
func anchored(source string) string { return `\A(?:` + source + `)\z` }

// Steps: the matcher looks at each byte in each of the states at most.
func (t *expression) Steps(v string) int {
	if len(v) > t.longest {
		return 0
	}
	return (1 + len(v)) * t.states * t.weight
}
func (t *expression) Guarded() bool { return false }
func (t *expression) String() string {
	return "text that matches " + shownSource(t.source)
}

// shownSource spells an expression as a policy would, so that it can be copied.
func shownSource(source string) string {
	if strings.ContainsFunc(source, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '\'' }) {
		return strconv.QuoteToASCII(source)
	}
	return "'" + source + "'"
}
func (t *expression) Words() string { return "matching " + t.source }
func (t *expression) Value() any    { return map[string]any{"regex": t.source} }

// text is { text = [1, 200] }.
type text struct{ min, max int }

func (t *text) Accepts(v string) bool {
	if len(v) < t.min || len(v) > t.max {
		return false
	}
	for _, r := range v {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return utf8.ValidString(v)
}
func (t *text) Steps(v string) int { return min(len(v), t.max) }
func (t *text) Guarded() bool      { return true }
func (t *text) String() string     { return fmt.Sprintf("printable text of %d to %d bytes", t.min, t.max) }
func (t *text) Words() string      { return "text of " + bounds(t.min, t.max, " bytes") }
func (t *text) Value() any         { return map[string]any{"text": [2]int{t.min, t.max}} }

// Options is { options = [...] }: the words of an element that repeats.
type Options struct {
	List   []Pattern // none is empty, and none of their elements repeats
	Repeat bool      // each any number of times, not once
}

// Accepts is never asked: options are matched by words, not by text.
func (t *Options) Accepts(string) bool { return false }
func (t *Options) Steps(string) int    { return 0 }
func (t *Options) Guarded() bool       { return false }
func (t *Options) String() string {
	quoted := make([]string, len(t.List))
	for i, o := range t.List {
		quoted[i] = strconv.QuoteToASCII(o.Text)
	}
	return "one of the options " + strings.Join(quoted, ", ")
}
func (t *Options) Words() string {
	texts := make([]string, len(t.List))
	for i, o := range t.List {
		texts[i] = o.Usage()
	}
	return strings.Join(texts, " | ")
}
func (t *Options) Value() any {
	texts := make([]string, len(t.List))
	for i, o := range t.List {
		texts[i] = o.Text
	}
	return map[string]any{"options": texts, "repeat": t.Repeat}
}

func itoa(n int) string { return strconv.Itoa(n) }
