package suggest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/lint"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// Bounds on what is shown of what clients sent.
const (
	maxShown  = 100  // bytes of a request in a comment
	maxValue  = 48   // bytes of a value in a comment
	maxValues = 5    // values in a comment
	maxRaw    = 2048 // bytes of a request that is suggested as raw text
	maxBroken = 20   // requests that no rule can allow
	maxName   = 32   // bytes of a name that is made up
)

// writer writes the piece of a policy. A line of comment begins with "# "; a line of a draft with "#" alone, so that it is
// plain which # to take away.
type writer struct {
	strings.Builder
	names  map[string]bool // of rules
	rules  int
	drafts int
	left   int
}

func (w *writer) head(r *Requests) {
	different := ""
	if n := len(r.list); r.left == 0 && n < r.all {
		different = fmt.Sprintf(", %d of them different", n)
	}
	fmt.Fprintf(w, "# Suggested from %s%s. Whoever holds the key chose what it asks for:\n", count(r.all, "request"), different)
	w.WriteString("# read every rule, and what was guessed for it, before you paste it into a policy.\n")
}

func (w *writer) foot() {
	if w.left > 0 {
		fmt.Fprintf(w, "\n# %s more: too many for one answer. Suggest rules for fewer at a time.\n", count(w.left, "request"))
	}
}

// rule writes one rule that was held against its own requests; where it fails, the requests as they were sent.
func (w *writer) rule(d *draft) {
	if w.full(len(d.rows)) {
		return
	}
	text, name, fault := w.spell(d)
	if fault != "" && len(d.patterns) == 1 && len(d.rows) > 1 {
		for chunk := range slices.Chunk(d.rows, maxCommands) {
			exact := literal(chunk...)
			exact.label, exact.lines, exact.notes = d.label, d.lines, d.notes
			w.rule(exact)
		}
		return
	}
	switch {
	case fault != "" && len(d.rows) > 1: // one of them is too much for a policy
		for _, s := range d.rows {
			exact := literal(s)
			exact.label, exact.lines, exact.notes = d.label, d.lines, d.notes
			w.rule(exact)
		}
	case fault != "":
		fmt.Fprintf(w, "\n# %s, and no rule for it: %s: %s\n", times(d.rows), shown(fault, maxShown), quoteShown(d.rows[0].text))
	case w.Len()+len(text) > maxOutput:
		w.left += len(d.rows)
	default:
		w.names[name] = true
		w.rules++
		w.WriteString(text)
	}
}

func (w *writer) full(rows int) bool {
	if w.rules+w.drafts < maxRules && w.Len() < maxOutput {
		return false
	}
	w.left += rows
	return true
}

// spell spells a rule out, and says what keeps it from doing what it is for; empty where nothing does.
func (w *writer) spell(d *draft) (text, name, fault string) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n# %s", times(d.rows))
	if len(d.rows) > 1 {
		fmt.Fprintf(&b, ", in %d forms, such as", len(d.rows))
	}
	fmt.Fprintf(&b, ": %s\n", quoteShown(d.rows[0].text))
	for _, note := range d.notes {
		b.WriteString("# " + note + "\n")
	}
	name = w.name(d)
	b.WriteString("[[allow]]\nname = " + quote(name) + "\n")
	n := namer{names: make(map[string]bool), program: d.rows[0].words[0]}
	commands := make([]string, len(d.patterns))
	for i, pattern := range d.patterns {
		commands[i] = quote(n.command(pattern))
	}
	if len(commands) == 1 {
		b.WriteString("command = " + commands[0] + "\n")
	} else {
		b.WriteString("command = [\n  " + strings.Join(commands, ",\n  ") + ",\n]\n")
	}
	b.WriteString(n.args.String())
	for _, line := range d.lines {
		b.WriteString(line + "\n")
	}
	return b.String(), name, holds(b.String(), d.rows)
}

// name makes up a name for a rule: what is done, as in restart, or what does it.
func (w *writer) name(d *draft) string {
	program := base(d.rows[0].words[0])
	if first := d.patterns[0]; d.label == program && len(first) > 1 && len(d.patterns) == 1 {
		if action, ok := first[1].literal(); ok && isAction(action) {
			if hasActions(program) && !w.names[action] {
				return w.unique(action)
			}
			if w.names[tidy(program)] || hasActions(program) {
				return w.unique(program + "-" + action)
			}
		}
	}
	return w.unique(d.label)
}

func (w *writer) unique(label string) string {
	label = tidy(label)
	name := label
	for i := 2; w.names[name] || policy.IsReserved(name); i++ {
		name = label + "-" + strconv.Itoa(i)
	}
	return name
}

// tidy makes a name for a rule of any text.
func tidy(label string) string {
	b := []byte(label[:min(len(label), maxName)])
	for i, c := range b {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c)
		if !letter && (c != '.' && c != '_' && c != '-') {
			b[i] = '-'
		}
	}
	if label = strings.Trim(string(b), "._-"); label == "" {
		return "rule"
	}
	return label
}

func (d *word) literal() (string, bool) {
	if len(d.parts) == 1 && d.parts[0].guess == nil {
		return d.parts[0].text, true
	}
	return "", false
}

// namer spells the words of one rule, gives placeholders their names, and gathers their types.
type namer struct {
	program string
	names   map[string]bool
	args    strings.Builder
}

func (n *namer) command(pattern []word) string {
	words := make([]string, len(pattern))
	before := ""
	for i := range pattern {
		words[i] = n.word(&pattern[i], before)
		before, _ = pattern[i].literal()
	}
	return strings.Join(words, " ")
}

// word spells one word of a pattern. Braces that stand for themselves are doubled; quotes leave placeholders what they are.
func (n *namer) word(w *word, before string) string {
	var bare, quoted strings.Builder
	plain := true
	for _, p := range w.parts {
		if p.guess != nil {
			name := "{" + n.placeholder(p.guess, before, len(w.parts) == 1) + w.repeat + "}"
			bare.WriteString(name)
			quoted.WriteString(name)
			continue
		}
		text := strings.NewReplacer("{", "{{", "}", "}}").Replace(p.text)
		plain = plain && argv.Quote([]string{text}) == text
		bare.WriteString(text)
		quoted.WriteString(strings.ReplaceAll(text, "'", `'\''`))
	}
	if plain {
		return bare.String()
	}
	return "'" + quoted.String() + "'"
}

// placeholder names a guess, and writes its type with what it was made from.
func (n *namer) placeholder(g *guess, before string, whole bool) string {
	name := n.unique(n.hint(g, before, whole))
	text := g.text
	if g.kind == kindOptions {
		inside := make([]string, len(g.inside))
		for i := range g.inside {
			inside[i] = quote(n.word(&g.inside[i], ""))
		}
		text = "{ options = [" + strings.Join(inside, ", ") + "] }"
	}
	fmt.Fprintf(&n.args, "# {%s}: %s seen, %s: %s.\nargs.%s = %s\n", name, count(len(g.values), "value"), showValues(g.values), g.why, name, text)
	return name
}

// hint is what a placeholder is named after: the option before it, what the program calls it, or what it looks like.
func (n *namer) hint(g *guess, before string, whole bool) string {
	valued := whole && isOption(before) && !strings.Contains(before, "=")
	switch own := named(n.program); {
	case g.kind == kindOptions, g.hint == "option", g.hint == "files", g.hint == "flags":
	case valued && strings.HasPrefix(before, "--"):
		return before
	case whole && own != "" && g.kind != kindInt && g.kind != kindForm:
		return own
	case valued && g.kind != kindPath && len(before) == 2:
		return before
	}
	return g.hint
}

func (n *namer) unique(hint string) string {
	b := []byte(strings.ToLower(hint[:min(len(hint), maxName)]))
	for i, c := range b {
		if !(c >= 'a' && c <= 'z' || isDigit(c)) {
			b[i] = '_'
		}
	}
	hint = strings.TrimRight(strings.TrimLeft(string(b), "_0123456789"), "_")
	if hint == "" {
		hint = "value"
	}
	name := hint
	for i := 2; n.names[name]; i++ {
		name = hint + "_" + strconv.Itoa(i)
	}
	n.names[name] = true
	return name
}

// raw writes a draft for a request that needs a shell.
func (w *writer) raw(s *seen) {
	if w.full(1) {
		return
	}
	_, problem := argv.Split(s.text)
	name := w.unique("raw")
	text := fmt.Sprintf("\n# %s. It is no plain words: %v.\n", times([]*seen{s}), problem) +
		"# Have the client send plain words instead; or write a program that does what this means, name it in run, and take away the # before these lines.\n" +
		"#[[allow]]\n#name = " + quote(name) + "\n#raw = " + quote(s.text) + "\n#" + needsRun + "\n"
	if w.Len()+len(text) > maxOutput {
		w.left++
		return
	}
	w.names[name] = true
	w.drafts++
	w.WriteString(text)
}

// blank writes a draft for the request without a command.
func (w *writer) blank(s *seen) {
	name := w.unique("no-command")
	w.names[name] = true
	w.drafts++
	fmt.Fprintf(w, "\n# %s, without a command, as for a login. If something shall run then, name it in run and take away the # before these lines.\n", times([]*seen{s}))
	w.WriteString("#[[allow]]\n#name = " + quote(name) + "\n#command = \"\"\n#" + needsRun + "\n")
}

// broken tells of requests that no rule should allow.
func (w *writer) broken(rows []*seen) {
	if len(rows) > 0 {
		w.WriteString("\n")
	}
	for i, s := range rows {
		if i == maxBroken {
			fmt.Fprintf(w, "# %s more for which there can be no rule.\n", count(len(rows)-i, "request"))
			return
		}
		_, problem := argv.Split(s.text)
		why := problem.Error()
		switch {
		case problem.Kind == argv.TooLong:
			why = fmt.Sprintf("the request is longer than the %d bytes that are read", argv.MaxRequest)
		case problem.Kind == argv.NeedsShell && !utf8.ValidString(s.text):
			why += ", and it is not valid UTF-8"
		case problem.Kind == argv.NeedsShell && len(s.text) > maxRaw:
			why += fmt.Sprintf(", and with %d bytes it is too long to suggest as raw text", len(s.text))
		case problem.Kind == argv.NeedsShell:
			why += ", and it holds control characters"
		}
		fmt.Fprintf(w, "# %s, and no rule for it: %s: %s\n", times([]*seen{s}), why, quoteShown(s.text))
	}
}

func times(rows []*seen) string {
	n := 0
	for _, s := range rows {
		n += s.times
	}
	if n == 1 {
		return "Seen once"
	}
	return fmt.Sprintf("Seen %d times", n)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// quoteShown is what a client sent as a comment has it: printable ASCII, which cannot end the line, and cut.
func quoteShown(text string) string { return shown(text, maxShown) }

func shown(text string, limit int) string {
	if len(text) > limit {
		return fmt.Sprintf(`"%s..." (%d bytes)`, record.Escape(text[:limit]), len(text))
	}
	return `"` + record.Escape(text) + `"`
}

func showValues(values []string) string {
	var told []string
	for _, v := range values[:min(len(values), maxValues)] {
		told = append(told, shown(v, maxValue))
	}
	if len(values) > maxValues {
		told = append(told, "...")
	}
	return strings.Join(told, ", ")
}

// quote spells a TOML string in printable ASCII: between single quotes where that spares escapes.
func quote(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '\'' }) && strings.ContainsAny(s, `"\`) {
		return "'" + s + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		case r < 0x20 || r > 0x7e:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// stranger is a word that no client is likely to have sent.
const stranger = "\u2603 no such word"

// holds says what is wrong with a rule; nothing, if it parses, allows its own requests, and none with a word more, another program or, in
// the place of one of the first request's words, something that was never seen.
func holds(text string, rows []*seen) string {
	p, faults := policy.Parse("suggested", "suggested.toml", []byte(text))
	if faults != nil {
		return faults[0].Message
	}
	allowed := func(request string) bool {
		return decide.Decide(decide.Input{Policy: p, Files: everywhere{}, Request: request}).Allowed
	}
	for _, s := range rows {
		switch {
		case !allowed(s.text):
			return "a rule of these words does not match it"
		case allowed(argv.Quote(append(slices.Clone(s.words), stranger))):
			return "the rule would take any word more"
		}
	}
	for i := range rows[0].words {
		other := slices.Clone(rows[0].words)
		other[i] = stranger
		if allowed(argv.Quote(other)) {
			return "the rule would take any word in the place of " + argv.Quote(rows[0].words[i:i+1])
		}
	}
	if len(rows) > 1 { // something was guessed
		return lint.Widened(p, text)
	}
	return ""
}

// everywhere is a host with every program and no links: a guess is judged by its text.
type everywhere struct{}

func (everywhere) Lookup(name string) (string, bool)        { return "/usr/bin/" + name, true }
func (everywhere) Resolve(path string) (string, int, error) { return path, 0, nil }
