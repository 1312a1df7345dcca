package lint

import (
	"errors"
	"strings"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/safefile"
)

// verdict is what the host says about a program; many rules name the same one.
type verdict struct {
	path string // empty where the program does not exist
	err  error
}

// rule looks at one rule.
func (l *linter) rule(rule *policy.Rule) {
	for i, pattern := range rule.Patterns {
		if rule.Run == nil {
			l.program(rule, pattern.Elements[0], l.command(rule, i))
		}
	}
	if rule.Run != nil {
		l.program(rule, rule.Run.Elements[0], l.inRule(rule, "run"))
	}
}

// command is the place of a rule's pattern.
func (l *linter) command(rule *policy.Rule, i int) []any {
	if at := []any{"allow", rule.Number - 1, "command", i}; l.places.Has(at...) {
		return at
	}
	return []any{"allow", rule.Number - 1, "command"}
}

// program asks the host about a program.
func (l *linter) program(rule *policy.Rule, word policy.Element, at []any) verdict {
	name, _ := word.Literal()
	v, ok := l.programs[name]
	if !ok {
		v = l.judge(name)
		if l.programs == nil {
			l.programs = map[string]verdict{}
		}
		l.programs[name] = v
	}
	var fault *safefile.Error
	switch {
	case v.path == "":
		l.add("program-missing", rule, at, "no folder of the search path has the program "+quote(name), "")
	case errors.As(v.err, &fault) && fault.Fault == safefile.Missing:
		l.add("program-missing", rule, at, "the program "+quote(v.path)+" does not exist", "")
	case v.err != nil:
		hint := ""
		if fault != nil {
			hint = fault.Hint
		}
		l.add("program-unsafe", rule, at, "the program is not to be trusted: "+v.err.Error(), hint)
	}
	return v
}

func (l *linter) judge(name string) verdict {
	path := name
	if !strings.HasPrefix(name, "/") {
		path, _ = l.host.Lookup(name)
		if path == "" {
			return verdict{}
		}
	}
	return verdict{path, l.host.Program(path)}
}
