// Package argv turns one untrusted string into words exactly as a POSIX shell would, or says why a shell would be needed;
// no other package splits a request, and nothing here starts anything.
package argv

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/shlex"
)

// MaxRequest is the longest request, in bytes, that is split. sshd itself carries up to 131,050.
const MaxRequest = 64 << 10

// Kind says what stands in the way of splitting a request.
type Kind int

const (
	NeedsShell Kind = iota + 1 // a character that only a shell gives a meaning
	Control                    // U+0000-001F but tab, U+007F-009F
	NotUTF8                    // a byte that is no valid UTF-8
	TooLong                    // more than MaxRequest bytes
	Malformed                  // in a template only: a brace that opens no placeholder
)

// Problem is the first thing in a request that keeps it from being plain words.
type Problem struct {
	Kind Kind
	Char rune // the character; for NotUTF8 the byte
	Byte int  // its position in bytes, counted from 1; for TooLong the length of the request
	Why  string
}

// Error is printable ASCII whatever the request held.
func (p *Problem) Error() string {
	switch p.Kind {
	case TooLong:
		return fmt.Sprintf("the request is %d bytes long, more than the %d that are read", p.Byte, MaxRequest)
	case NotUTF8:
		return fmt.Sprintf("byte %d, 0x%02x, is not valid UTF-8", p.Byte, p.Char)
	}
	return fmt.Sprintf("%+q at byte %d %s", p.Char, p.Byte, p.Why)
}

// Split returns the words of a request, none for a blank one, as dash and bash split it (POSIX.1-2024, Shell Command
// Language, 2.2 and 2.3), or the first reason why it is not plain words.
//
// google/shlex does the splitting. It differs from a shell in what it does with comments, metacharacters, backslashes in
// double quotes, newlines and invalid bytes, and afterwards nothing tells; so a guard stands before it, refuses what the two
// would read differently and spells the rest so that both read it alike.
func Split(request string) ([]string, *Problem) {
	return split(request, false)
}

// SplitTemplate splits a command pattern of a policy by the rules of Split, but lets placeholders such as {x} and {x*} and
// the doubled braces {{ and }} through, as they stand. Braces inside quotes are left alone as well.
func SplitTemplate(text string) ([]string, *Problem) {
	return split(text, true)
}

func split(text string, template bool) ([]string, *Problem) {
	if len(text) > MaxRequest {
		return nil, &Problem{Kind: TooLong, Byte: len(text)}
	}
	g := guard{text: text, template: template}
	spelled, problem := g.run()
	if problem != nil {
		return nil, problem
	}
	if template && !g.quoted {
		// shlex allots 4 KiB for every call, which a policy of a thousand rules would pay a thousand times in every login. Without
		// quotes and backslashes blanks are all that separates words.
		return strings.FieldsFunc(spelled, func(r rune) bool { return r == ' ' || r == '\t' }), nil
	}
	words, err := shlex.Split(spelled)
	if err != nil {
		// The guard lets only closed quotes and finished escapes through, so this says that it is wrong: refuse.
		return nil, &Problem{Kind: NeedsShell, Char: rune(text[0]), Byte: 1, Why: "cannot be split: " + err.Error()}
	}
	return words, nil
}

// guard reads a request once, character by character, with the state that a shell's tokenizer would have.
type guard struct {
	text     string
	template bool
	out      strings.Builder
	pos      int // byte offset of the character under consideration

	copied    int  // text up to here is in out
	wordStart bool // no character of the current word was seen, quoted or not
	afterSign bool // the character before is an unquoted = or :
	quoted    bool // a quote or a backslash was seen
}

func (g *guard) run() (string, *Problem) {
	g.wordStart = true
	for g.pos < len(g.text) {
		r, size, problem := g.char()
		if problem != nil && !(problem.Char == '\n' && problem.Kind == Control) {
			return "", problem
		}
		switch r {
		case ' ', '\t':
			g.wordStart, g.afterSign = true, false
			g.pos += size
			continue
		case '\\':
			problem = g.escaped()
		case '\'':
			problem = g.singleQuoted()
		case '"':
			problem = g.doubleQuoted()
		default:
			problem = g.plain(r, size)
		}
		if problem != nil {
			return "", problem
		}
		g.wordStart = false
		g.quoted = g.quoted || r == '\\' || r == '\'' || r == '"'
		g.afterSign = r == '=' || r == ':'
	}
	if g.copied == 0 {
		return g.text, nil
	}
	g.out.WriteString(g.text[g.copied:])
	return g.out.String(), nil
}

// char decodes the character at g.pos and refuses what may stand nowhere in a request, in quotes or out of them.
func (g *guard) char() (rune, int, *Problem) {
	r, size := rune(g.text[g.pos]), 1
	if r >= utf8.RuneSelf {
		r, size = utf8.DecodeRuneInString(g.text[g.pos:])
	}
	switch {
	case r == utf8.RuneError && size == 1:
		return r, size, &Problem{Kind: NotUTF8, Char: rune(g.text[g.pos]), Byte: g.pos + 1}
	case r < 0x20 && r != '\t', r >= 0x7f && r <= 0x9f:
		return r, size, g.problem(Control, r, "is a control character; leave it out")
	}
	return r, size, nil
}

// plain judges a character outside quotes.
func (g *guard) plain(r rune, size int) *Problem {
	switch r {
	case ';', '&', '|', '<', '>', '(', ')', '$', '`', '*', '?', '[', '\n':
		return g.needsShell(r)
	case '{':
		if g.template {
			return g.placeholder()
		}
		return g.needsShell(r)
	case '#':
		if g.wordStart {
			return g.problem(NeedsShell, r, "begins a comment for a shell; quote it, or send one plain command")
		}
	case '~':
		if g.wordStart || g.afterSign {
			return g.problem(NeedsShell, r, "is a home folder for a shell; write the path out, or quote it")
		}
	}
	g.pos += size
	return nil
}

// escaped handles a backslash outside quotes: the next character is data, whatever it is.
func (g *guard) escaped() *Problem {
	if g.pos+1 == len(g.text) {
		return g.problem(NeedsShell, '\\', "is the last character, so a shell would wait for more; leave it out or double it")
	}
	backslash := g.pos
	g.pos++
	r, size, problem := g.char()
	if problem != nil {
		return problem
	}
	if g.template && (r == '{' || r == '}') {
		g.pos = backslash
		return g.problem(Malformed, '\\', "does not quote a brace; write {{ or }} for a literal one")
	}
	g.pos += size
	return nil
}

func (g *guard) singleQuoted() *Problem {
	open := g.pos
	for g.pos++; g.pos < len(g.text); {
		r, size, problem := g.char()
		if problem != nil {
			return problem
		}
		g.pos += size
		if r == '\'' {
			return nil
		}
	}
	g.pos = open
	return g.problem(NeedsShell, '\'', "opens a quote that is never closed")
}

// doubleQuoted follows POSIX 2.2.3: inside double quotes a backslash quotes only $ ` " \ and newline, and otherwise stands for
// itself. shlex drops it before any character, so a backslash that stands for itself is doubled for shlex.
func (g *guard) doubleQuoted() *Problem {
	open := g.pos
	for g.pos++; g.pos < len(g.text); {
		r, size, problem := g.char()
		if problem != nil {
			return problem
		}
		switch r {
		case '"':
			g.pos += size
			return nil
		case '$', '`':
			return g.needsShell(r)
		case '\\':
			if g.pos+1 < len(g.text) && strings.IndexByte("$`\"\\", g.text[g.pos+1]) >= 0 {
				size = 2
				break
			}
			g.out.WriteString(g.text[g.copied:g.pos])
			g.out.WriteByte('\\')
			g.copied = g.pos
		}
		g.pos += size
	}
	g.pos = open
	return g.problem(NeedsShell, '"', "opens a quote that is never closed")
}

// placeholder lets {{ and {name}, with one of ? * + before the closing brace, through.
func (g *guard) placeholder() *Problem {
	rest := g.text[g.pos+1:]
	if strings.HasPrefix(rest, "{") {
		g.pos += 2
		return nil
	}
	end := strings.IndexByte(rest, '}')
	if end < 0 || !isPlaceholder(rest[:end]) {
		return g.problem(Malformed, '{', "opens no placeholder such as {name}; write {{ for a literal brace")
	}
	g.pos += 1 + end + 1
	return nil
}

func isPlaceholder(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c == '_' || c >= '0' && c <= '9'
		mark := i == len(s)-1 && (c == '?' || c == '*' || c == '+')
		if !letter && !mark {
			return false
		}
	}
	return s != ""
}

func (g *guard) needsShell(r rune) *Problem {
	why := "needs a shell, and there is none; quote it, or send one plain command"
	if r == '\n' {
		why = "separates commands for a shell; send one plain command"
	}
	return g.problem(NeedsShell, r, why)
}

func (g *guard) problem(kind Kind, r rune, why string) *Problem {
	return &Problem{Kind: kind, Char: r, Byte: g.pos + 1, Why: why}
}
