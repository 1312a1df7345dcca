package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"example.org/ssh-gate/internal/argv"
)

// parseElements reads a command, an option or a run: words that are literal or hold placeholders.
func parseElements(text string) ([]Element, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("it is %d bytes long, more than %d", len(text), maxPattern)
	}
	words, problem := argv.SplitTemplate(text)
	if problem != nil {
		return nil, problem
	}
	if len(words) > maxElements {
		return nil, fmt.Errorf("it has %d words, more than %d", len(words), maxElements)
	}
	elements := make([]Element, len(words))
	for i, w := range words {
		e, err := parseWord(w)
		if err != nil {
			return nil, fmt.Errorf("word %d, %s, %w", i+1, strconv.QuoteToASCII(w), err)
		}
		elements[i] = e
	}
	return elements, nil
}

func parseWord(w string) (Element, error) {
	if !strings.ContainsAny(w, "{}") {
		if w == "" {
			return Element{}, nil
		}
		return Element{Parts: []Part{{Text: w}}}, nil
	}
	var (
		e       Element
		literal strings.Builder
	)
	flush := func() {
		if literal.Len() > 0 {
			e.Parts = append(e.Parts, Part{Text: literal.String()})
			literal.Reset()
		}
	}
	for rest := w; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"):
			literal.WriteByte(rest[0])
			rest = rest[2:]
		case rest[0] == '}':
			return e, errors.New("has a } that closes nothing; write }} for a literal one")
		case rest[0] == '{':
			inside, after, ok := strings.Cut(rest[1:], "}")
			name, mark := cutMark(inside)
			if !ok || !isName(name) {
				return e, errors.New("has a { that opens no placeholder such as {name}; write {{ for a literal one")
			}
			if mark != One && inside != w[1:len(w)-1] {
				return e, fmt.Errorf("holds {%s}, which repeats and so must be a word of its own", inside)
			}
			flush()
			e.Parts, e.Repeat = append(e.Parts, Part{Name: name}), mark
			rest = after
		default:
			literal.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	flush()
	return e, nil
}

func cutMark(inside string) (string, Repeat) {
	if n := len(inside); n > 0 && strings.IndexByte("?*+", inside[n-1]) >= 0 {
		return inside[:n-1], Repeat(inside[n-1])
	}
	return inside, One
}

// isName says whether s is [a-z][a-z0-9_]*.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_')) {
			return false
		}
	}
	return s != ""
}

// spelled is a placeholder as a policy spells it.
func spelled(name string, repeat Repeat) string {
	if repeat == One {
		return "{" + name + "}"
	}
	return "{" + name + string(repeat) + "}"
}

// cleanPath says whether a path is absolute and has no empty, "." or ".." component.
func cleanPath(path string) bool {
	return path == "/" || strings.HasPrefix(path, "/") && len(path) <= maxPath && plainComponents(path[1:])
}

// checkProgram says what is wrong with the first word of a pattern whose words are executed.
func checkProgram(e *Element) error {
	word, ok := e.Literal()
	switch {
	case !ok:
		return errors.New("the first word must be literal: no request may choose the program")
	case word == "":
		return errors.New("the first word is empty, and no program has that name")
	case word == "." || word == "..":
		return fmt.Errorf("%q is a folder, not a program", word)
	case strings.Contains(word, "/") && (!cleanPath(word) || word == "/"):
		return fmt.Errorf("%s is neither a name nor an absolute path without empty, . or .. parts", strconv.QuoteToASCII(word))
	}
	return nil
}
