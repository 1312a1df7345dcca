// Package policy reads a policy or the host's configuration from TOML, strictly, into values that the decision works on. A
// file with one fault yields no policy at all, and every fault is told with its line and what to write instead.
package policy

import (
	"io/fs"
	"strings"
	"time"

	"example.org/ssh-gate/internal/address"
	"example.org/ssh-gate/internal/argv"
)

// Bounds on what a policy may hold. They are far above what people write, and keep a login's cost in sight.
const (
	MaxBytes      = 1 << 20 // of a policy or configuration file
	maxRules      = 10_000
	maxList       = 10_000   // entries in one list
	maxPattern    = 8 << 10  // bytes of one command, run or option
	maxElements   = 256      // words of one command, run or option
	maxOptions    = 64       // options of one placeholder
	maxRegex      = 4 << 10  // bytes of one regular expression
	maxStates     = 16 << 10 // of one regular expression: what it is compiled to
	maxAllStates  = 256 << 10
	maxText       = 64 << 10 // bytes that a text value may be allowed to have: a whole request
	maxChars      = 255      // bytes that a chars value may be allowed to have
	maxEnv        = 256      // variables of env, and of pass_env
	maxNesting    = 8        // brackets and braces within each other
	maxKeyParts   = 8        // dotted parts of one key
	maxFaultsKept = 1000     // while a file is read
	maxFaultsTold = 50       // of them, the first in the file
)

// Policy is what one key may do.
type Policy struct {
	Name         string // the file's name without .toml
	File         string
	Description  string
	Users        []string          // login users who may use it; empty: any
	From         []address.Network // client addresses; empty: any
	Expires      time.Time         // zero: never
	Fingerprints []string          // "SHA256:...", one of which the login must have proved; empty: not asked
	LogAll       bool              // record what is allowed, too
	Full         bool              // tell the caller the nearest miss
	Help         bool              // the request "help" lists what the key may run
	Rules        []Rule
	Tests        []Test
	Accept       []string // findings of check that are meant
}

// Rule allows the requests that one of its patterns, or its raw text, describes.
type Rule struct {
	Number   int       // counted from 1
	Name     string    // may be empty
	Patterns []Pattern // none for a raw rule
	Raw      string    // the exact request of a raw rule
	Run      *Template // nil: the request's own words run
	Settings Settings
	Accept   []string // findings of check that are meant
}

// Label is how a record and an explanation call the rule.
func (r *Rule) Label() string {
	if r.Name != "" {
		return r.Name
	}
	return "#" + itoa(r.Number)
}

// Settings is what a program gets beside its argv.
type Settings struct {
	Env       []EnvVar
	PassEnv   []string
	Dir       string       // absolute; empty: where sshd starts the gate, the home folder
	Umask     *fs.FileMode // nil: inherited
	StdinNone bool         // standard input is /dev/null
	Limits    Limits
	Confine   *Confine // nil: not confined
	Keep      bool     // privileges = "keep": no_new_privs is not set
}

// EnvVar is one variable of env.
type EnvVar struct{ Name, Value string }

// Pattern describes requests word by word. The pattern without elements is the request without a command.
type Pattern struct {
	Text     string
	Elements []Element
}

// Usage is how people write what a pattern takes: placeholders in capitals, brackets around what may be left out.
func (p *Pattern) Usage() string {
	words := make([]string, len(p.Elements))
	for i := range p.Elements {
		words[i] = p.Elements[i].usage()
	}
	return strings.Join(words, " ")
}

func (e *Element) usage() string {
	if literal, ok := e.Literal(); ok {
		return argv.Quote([]string{literal})
	}
	var b strings.Builder
	for _, part := range e.Parts {
		if part.Name != "" {
			b.WriteString(strings.ToUpper(part.Name))
		} else {
			b.WriteString(argv.Quote([]string{part.Text}))
		}
	}
	switch e.Repeat {
	case Optional:
		return "[" + b.String() + "]"
	case AnyNumber:
		return "[" + b.String() + " ...]"
	case AtLeastOne:
		return b.String() + " ..."
	}
	return b.String()
}

// Repeat says how many words an element takes.
type Repeat byte

const (
	One        Repeat = 0
	Optional   Repeat = '?'
	AnyNumber  Repeat = '*'
	AtLeastOne Repeat = '+'
)

// Element describes one word of a request, or a run of words if it repeats or holds options.
type Element struct {
	Parts  []Part
	Repeat Repeat
}

// Literal returns the text of an element without placeholders.
func (e *Element) Literal() (string, bool) {
	switch {
	case len(e.Parts) == 0:
		return "", true
	case len(e.Parts) == 1 && e.Parts[0].Name == "":
		return e.Parts[0].Text, true
	}
	return "", false
}

// Part is a piece of a word: literal text, or a placeholder with its type.
type Part struct {
	Text string // literal text, where Name is empty
	Name string
	Type Type // nil in a Template
}

// Template is the argv of run: elements whose placeholders stand for what the pattern's took.
type Template struct {
	Text     string
	Elements []Element
}

// Program is the absolute path that a Template runs.
func (t *Template) Program() string {
	path, _ := t.Elements[0].Literal()
	return path
}
