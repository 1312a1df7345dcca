package lint

import (
	"errors"
	"slices"
	"strings"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/safefile"
)

// verdict is what the host says about a program; many rules name the same one.
type verdict struct {
	path string // empty where the program does not exist
	real string // with the links resolved; empty where that is not known
	err  error
	ours bool // it lies elsewhere than the system's programs, so its name says little
}

// rule looks at one rule.
func (l *linter) rule(rule *policy.Rule) {
	l.settings(rule)
	l.types(rule)
	if rule.Run != nil {
		at := l.inRule(rule, "run")
		l.opens(rule, typed(rule), l.program(rule, rule.Run.Elements[0], at), at)
		return
	}
	for i, pattern := range rule.Patterns {
		at := l.command(rule, i)
		l.opens(rule, pattern.Elements, l.program(rule, pattern.Elements[0], at), at)
	}
}

// typed is what run executes, with the types that the placeholders have in the command.
func typed(rule *policy.Rule) []policy.Element {
	types := map[string]policy.Type{}
	for _, pattern := range rule.Patterns {
		for _, e := range pattern.Elements {
			for _, p := range e.Parts {
				types[p.Name] = p.Type
			}
		}
	}
	elements := slices.Clone(rule.Run.Elements)
	for i := range elements {
		elements[i].Parts = slices.Clone(elements[i].Parts)
		for k, p := range elements[i].Parts {
			if p.Name != "" {
				elements[i].Parts[k].Type = types[p.Name]
			}
		}
	}
	return elements
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
	v := l.verdict(name)
	var fault *safefile.Error
	switch {
	case v.path == "":
		l.add("program-missing", rule, at, "no folder of the search path has the program "+quote(name), "")
	case errors.As(v.err, &fault) && (fault.Fault == safefile.Missing || fault.Fault == safefile.Astray):
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

// script asks the host about a file that a program of the rule runs or reads as code: the gate judges the first program alone.
func (l *linter) script(rule *policy.Rule, name string, at []any) {
	if !strings.HasPrefix(name, "/") {
		return
	}
	var fault *safefile.Error
	if err := l.host.Script(name); errors.As(err, &fault) && fault.Fault == safefile.Unsafe {
		l.add("script-unsafe", rule, at, "what is run is not to be trusted: "+err.Error(), fault.Hint)
	}
}

// verdict asks the host, once for each program.
func (l *linter) verdict(name string) verdict {
	v, ok := l.programs[name]
	if !ok {
		v = l.judge(name)
		if l.programs == nil {
			l.programs = map[string]verdict{}
		}
		l.programs[name] = v
	}
	return v
}

func (l *linter) judge(name string) verdict {
	path := name
	if !strings.HasPrefix(name, "/") {
		found := false
		if path, found = l.host.Lookup(name); !found {
			return verdict{}
		}
	}
	real, _, _ := l.host.Resolve(path)
	return verdict{path: path, real: real, err: l.host.Program(path), ours: path == name && !systems(path)}
}

// systems says whether a path lies where a system has its programs.
func systems(p string) bool {
	for _, dir := range [...]string{"/bin/", "/sbin/", "/usr/", "/lib"} {
		if strings.HasPrefix(p, dir) {
			return true
		}
	}
	return false
}
