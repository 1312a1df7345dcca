// Package listing tells the holder of a key what its policy lets it run, and nothing else about the host: no program behind an alias, no
// environment, no limits.
package listing

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// maxColumn is how far to the right, in characters, the types may stand; behind a longer command they stand on a line of their own.
const maxColumn = 40

// Text is the list for people: one line a command, with the types of its placeholders in words.
func Text(p *policy.Policy) string {
	var lines []line
	width := 0
	for i := range p.Rules {
		for _, l := range ofRule(&p.Rules[i]) {
			if n := utf8.RuneCountInString(l.usage); n <= maxColumn && l.types != "" {
				width = max(width, n)
			}
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return "This key may run nothing.\n"
	}
	var b strings.Builder
	b.WriteString("This key may run:\n")
	for _, l := range lines {
		l.write(&b, width)
	}
	return b.String()
}

// line is one command.
type line struct{ usage, types string }

func (l *line) write(b *strings.Builder, width int) {
	b.WriteString("  " + l.usage)
	if l.types != "" {
		room := width - utf8.RuneCountInString(l.usage)
		if room < 0 {
			b.WriteString("\n  ")
			room = width
		}
		b.WriteString(strings.Repeat(" ", room) + "   " + l.types)
	}
	b.WriteByte('\n')
}

func ofRule(rule *policy.Rule) []line {
	if rule.Raw != "" {
		return []line{{usage: shown(rule.Raw), types: "exactly this text"}}
	}
	lines := make([]line, len(rule.Patterns))
	for i := range rule.Patterns {
		p := &rule.Patterns[i]
		lines[i].usage = harmless(p.Usage())
		if len(p.Elements) == 0 {
			lines[i].usage = "(no command)"
		}
		var types []string
		for _, a := range arguments(p) {
			types = append(types, strings.ToUpper(a.name)+" "+a.kind.Words())
		}
		lines[i].types = harmless(strings.Join(types, ", "))
	}
	return lines
}

// shown is a raw text as it is to be sent, unless a terminal would not show it so.
func shown(raw string) string {
	if strings.ContainsFunc(raw, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToASCII(raw)
	}
	return raw
}

// harmless spells what a terminal would not show as it is, or obey, as \u202e. A pattern may hold it, and a request then must.
func harmless(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// argument is a placeholder of a pattern, or of an option in it.
type argument struct {
	name string
	kind policy.Type
}

// arguments are in the order in which they first stand.
func arguments(p *policy.Pattern) []argument {
	var found []argument
	seen := map[string]bool{}
	var visit func(elements []policy.Element)
	visit = func(elements []policy.Element) {
		for _, e := range elements {
			for _, part := range e.Parts {
				if part.Name == "" || seen[part.Name] {
					continue
				}
				seen[part.Name] = true
				found = append(found, argument{part.Name, part.Type})
				if options, ok := part.Type.(*policy.Options); ok {
					for _, option := range options.List {
						visit(option.Elements)
					}
				}
			}
		}
	}
	visit(p.Elements)
	return found
}

// command is one command as JSON has it.
type command struct {
	Usage   string         `json:"usage"`             // as Text has it
	Command *string        `json:"command,omitempty"` // the pattern, as the policy spells it; "" is the request without a command
	Raw     string         `json:"raw,omitempty"`     // or the exact text
	Args    map[string]any `json:"args,omitempty"`    // the types of its placeholders, as the policy spells them
}

// JSON is the list for programs: {"commands":[{"usage":...,"command":...,"args":{...}}]}, with the types as a policy spells them.
func JSON(p *policy.Policy) string {
	commands := []command{}
	for i := range p.Rules {
		rule := &p.Rules[i]
		lines := ofRule(rule)
		if rule.Raw != "" {
			commands = append(commands, command{Usage: lines[0].usage, Raw: rule.Raw})
			continue
		}
		for j := range rule.Patterns {
			c := command{Usage: lines[j].usage, Command: &rule.Patterns[j].Text, Args: map[string]any{}}
			for _, a := range arguments(&rule.Patterns[j]) {
				c.Args[a.name] = a.kind.Value()
			}
			commands = append(commands, c)
		}
	}
	text, err := json.MarshalIndent(map[string]any{"commands": commands}, "", "  ")
	if err != nil { // of strings, numbers and booleans none can fail
		return "{}\n"
	}
	return string(record.ASCII(text)) + "\n"
}
