package lint

import (
	"regexp/syntax"
	"slices"
	"strings"

	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/policy"
)

// splits are characters at which programs split their arguments.
const splits = ":,=@;|"

// types looks at the placeholders of a rule: at their types, and at the words that they are in when they are executed.
func (l *linter) types(rule *policy.Rule) {
	for i := range rule.Patterns {
		at := l.command(rule, i)
		var run map[string]bool
		if rule.Run != nil {
			run = firstInRun(rule.Run)
		}
		ended := false
		for _, e := range rule.Patterns[i].Elements {
			word, _ := e.Literal()
			ended = ended || word == "--"
			l.element(rule, &e, at, func(name string, first bool) (executed, begins bool) {
				if rule.Run == nil {
					return true, first && !ended
				}
				begins, executed = run[name]
				return executed, begins
			})
			if rule.Run == nil {
				l.ambiguous(rule, &e, at)
			}
		}
	}
	if rule.Run != nil {
		for _, e := range typed(rule) {
			l.ambiguous(rule, &e, l.inRule(rule, "run"))
		}
	}
}

// firstInRun has the names that run uses, and whether the value of each begins an argument that can be an option.
func firstInRun(run *policy.Template) map[string]bool {
	names := map[string]bool{}
	ended := false
	for _, e := range run.Elements {
		word, _ := e.Literal()
		ended = ended || word == "--"
		for k, p := range e.Parts {
			if p.Name != "" {
				names[p.Name] = names[p.Name] || k == 0 && !ended
			}
		}
	}
	return names
}

// element looks at the placeholders of one word. where says of a name whether it is executed, and whether its value begins an argument.
func (l *linter) element(rule *policy.Rule, e *policy.Element, at []any, where func(name string, first bool) (executed, begins bool)) {
	for k, p := range e.Parts {
		if p.Name == "" {
			continue
		}
		place := l.inRule(rule, "args", p.Name)
		executed, begins := where(p.Name, k == 0)
		form := policy.FormOf(p.Type)
		switch form.Key {
		case "options":
			l.options(rule, p.Type.(*policy.Options), place, at, executed, begins)
			continue
		case "regex":
			l.regex(rule, p, form.Source, place, begins)
		case "path", "glob":
			l.held(rule, p, form, place)
		}
		if executed && (e.Repeat == policy.AnyNumber || e.Repeat == policy.AtLeastOne) && takesAny(p.Type) {
			l.add("takes-anything", rule, at, "{"+p.Name+string(e.Repeat)+"} takes any further arguments", "")
		}
	}
}

// takesAny says whether a type takes about any word.
func takesAny(t policy.Type) bool {
	for _, w := range [...]string{"/etc/shadow", "../../x", "a b;c", "x@y:z,+%="} {
		if !t.Accepts(w) {
			return false
		}
	}
	return true
}

// options looks at the words of a list of options, and, where each may stand again, at those that one before them takes first.
func (l *linter) options(rule *policy.Rule, o *policy.Options, place, at []any, executed, begins bool) {
	for i, option := range o.List {
		for _, e := range option.Elements {
			l.element(rule, &e, at, func(_ string, first bool) (bool, bool) { return executed, begins && first })
			l.ambiguous(rule, &e, at)
		}
		if !o.Repeat {
			continue
		}
		for _, before := range o.List[:i] {
			if l.optionCovers(before.Elements, option.Elements) {
				l.add("never-matches", rule, append(place[:len(place):len(place)], "options", i),
					"the option "+quote(before.Text)+", which stands before it, is taken in place of "+quote(option.Text), "")
				break
			}
		}
	}
}

// optionCovers says whether an option takes the first words of all that a later one takes. Options are taken by their text alone.
func (l *linter) optionCovers(out, in []policy.Element) bool {
	if len(out) > len(in) {
		return false
	}
	c := cover{}
	for i := range out {
		if words, ok := wordsOf(&in[i], maxRequests); ok {
			if slices.ContainsFunc(words, func(w string) bool { return !decide.Takes(out[i].Parts, w) }) {
				return false
			}
		} else if !c.pairwise(in[i].Parts, out[i].Parts) {
			return false
		}
	}
	return true
}

// held looks at a path whose program the kernel does not hold to it.
func (l *linter) held(rule *policy.Rule, p policy.Part, form policy.Form, place []any) {
	c := rule.Settings.Confine
	if form.Access == policy.Write && c != nil {
		l.writes(rule, form.Root, place)
	}
	if form.Access != policy.NoAccess {
		l.astray(rule, form.Root, place)
	}
	if c != nil || !form.Links {
		return
	}
	hint := ""
	if form.Key == "glob" {
		hint = "confine the rule and name the folder in read"
	}
	l.add("path-without-access", rule, place, "the file that {"+p.Name+"} leads to can be swapped between the check and its use", hint)
}

// ambiguous looks for values that may hold the character behind or before them at which a program splits.
func (l *linter) ambiguous(rule *policy.Rule, e *policy.Element, at []any) {
	for k, p := range e.Parts {
		if p.Name == "" || bounded(p.Type) {
			continue
		}
		splitter := splitterOf(e.Parts, k)
		if splitter == "" {
			continue
		}
		root := policy.FormOf(p.Type).Root
		for _, value := range []string{"a" + splitter + "a", "1" + splitter + "1", splitter, root + "/a" + splitter + "a", root + "/a" + splitter} {
			if p.Type.Accepts(value) {
				l.add("placeholder-ambiguous", rule, at,
					"the value of {"+p.Name+"} can be "+quote(value)+", which a program that splits at "+quote(splitter)+" reads differently", "")
				break
			}
		}
	}
}

// splitterOf is the character beside a placeholder at which a program is likely to split the word.
func splitterOf(parts []policy.Part, k int) string {
	if k+1 < len(parts) && parts[k+1].Text != "" && strings.Contains(splits, parts[k+1].Text[:1]) {
		return parts[k+1].Text[:1]
	}
	if k == 0 || parts[k-1].Text == "" {
		return ""
	}
	if last := parts[k-1].Text[len(parts[k-1].Text)-1:]; strings.Contains(":,", last) {
		return last
	}
	return ""
}

// regex looks at a regular expression: what it takes, and what it most likely does not mean. first: its value begins a word.
func (l *linter) regex(rule *policy.Rule, p policy.Part, source string, place []any, first bool) {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return
	}
	add := func(id, message string) { l.add(id, rule, append(place[:len(place):len(place)], "regex"), message, "") }
	accepts := p.Type.Accepts
	if accepts("/etc/shadow") && accepts("../../x") && accepts(strings.Repeat("x@y:z,+%=~", 30)) {
		add("regex-takes-anything", "it takes any text without blanks, such as \"../../x\"")
		return
	}
	if accepts("") {
		add("regex-takes-empty", "it takes the empty text")
	}
	if first && begins(tree, '-') == byClass {
		add("regex-takes-dash", "it takes values that begin with -, which are options to a program")
	}
	if value := traversal(tree, accepts); value != "" {
		add("regex-takes-traversal", "it takes "+quote(value))
	}
	if loneDot(tree) {
		add("regex-unescaped-dot", "the . in it takes any character, and most likely means itself")
	}
}

// How a value can begin with a character.
type start byte

const (
	never    start = iota
	byChoice       // the expression names the character by itself
	byClass        // a class or a dot takes it among others
)

// begins says how a value of an expression can begin with a character; one that is named by itself is meant.
func begins(re *syntax.Regexp, c rune) start {
	switch re.Op {
	case syntax.OpLiteral:
		if len(re.Rune) > 0 && re.Rune[0] == c {
			return byChoice
		}
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i] <= c && c <= re.Rune[i+1] {
				if len(re.Rune) == 2 && re.Rune[0] == re.Rune[1] {
					return byChoice
				}
				return byClass
			}
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return byClass
	case syntax.OpCapture, syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return begins(re.Sub[0], c)
	case syntax.OpAlternate:
		how := never
		for _, sub := range re.Sub {
			how = max(how, begins(sub, c))
		}
		return how
	case syntax.OpConcat:
		how := never
		for _, sub := range re.Sub {
			how = max(how, begins(sub, c))
			if !emptyable(sub) {
				break
			}
		}
		return how
	}
	return never
}

// emptyable says whether an expression takes the empty text.
func emptyable(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpStar, syntax.OpQuest, syntax.OpBeginLine, syntax.OpBeginText, syntax.OpEndLine, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	case syntax.OpCapture, syntax.OpPlus:
		return emptyable(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min == 0 || emptyable(re.Sub[0])
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, emptyable)
	case syntax.OpConcat:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !emptyable(sub) })
	}
	return false
}

// traversal finds a value that leads out of a folder: a component "..", or an absolute path where a name is taken as well.
func traversal(tree *syntax.Regexp, accepts func(string) bool) string {
	front, back := "", ""
	if tree.Op == syntax.OpConcat {
		front, back = literal(tree.Sub[0]), literal(tree.Sub[len(tree.Sub)-1])
	}
	if strings.Contains(front, "://") {
		return "" // of a URL the other host makes what it likes
	}
	for _, value := range [...]string{"..", "../x", "../../x", "x/../../x", "/../x", "/.."} {
		for _, whole := range [...]string{value, front + value, value + back, front + value + back} {
			if led(whole) && accepts(whole) {
				return whole
			}
		}
	}
	for _, whole := range [...]string{"/etc/passwd", "/etc/passwd" + back} {
		if accepts(whole) && accepts(whole[len("/etc/"):]) {
			return whole
		}
	}
	return ""
}

// led says whether a component of a path is "..".
func led(p string) bool { return slices.Contains(strings.Split(p, "/"), "..") }

func literal(re *syntax.Regexp) string {
	if re.Op != syntax.OpLiteral {
		return ""
	}
	return string(re.Rune)
}

// loneDot says whether a dot that does not repeat stands between other characters.
func loneDot(re *syntax.Regexp) bool {
	if re.Op == syntax.OpConcat {
		for i := 1; i+1 < len(re.Sub); i++ {
			if dot(re.Sub[i]) && !dotted(re.Sub[i-1]) && !dotted(re.Sub[i+1]) {
				return true
			}
		}
	}
	return slices.ContainsFunc(re.Sub, loneDot)
}

func dot(re *syntax.Regexp) bool {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	return re.Op == syntax.OpAnyCharNotNL || re.Op == syntax.OpAnyChar
}

func dotted(re *syntax.Regexp) bool { return dot(re) || slices.ContainsFunc(re.Sub, dotted) }
