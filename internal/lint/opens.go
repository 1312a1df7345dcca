package lint

import (
	"path"
	"slices"
	"strings"

	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/policy"
)

const (
	maxWrapped = 4  // programs within each other, as in sudo nice find
	maxWords   = 64 // of a list that are looked at one by one
)

// What an argument may be that opens a program: where it names a file, and where it names something to run.
var (
	paths  = [...]string{"/etc/shadow", "/root/.ssh/authorized_keys", "../../etc/passwd", "/tmp/x", "/home/x/.ssh/id_ed25519", "/var/spool/cron/x"}
	values = [...]string{"sh", "x", "/bin/sh", "ProxyCommand=sh", "1", "exec=sh", ":sh"}
)

// startups are files of a home by which shells and sshd run what they say.
var startups = [...]string{".bashrc", ".ssh/rc"}

// opening judges what one command executes.
type opening struct {
	*linter
	rule  *policy.Rule
	at    []any
	name  string // of the program
	slots []slot // its arguments
	known *program

	action  string // git and its subcommand, git:clone
	letters string // its short options, as far as they are known
	runs    bool   // an option was told of by which it runs programs
	raised  bool   // sudo or its like started it
	vars    []slot // what stands before it: the variables that env, or sudo, gives it

	writing bool // what is looked for names a file that is written, and the program starts in the home

	note string          // behind every message
	told map[string]bool // ids that are told once; nil where each is told as often as it is found
}

// slot is one argument, or a run of them.
type slot struct {
	policy.Element
	words []string // all it can be, where it is literal or a list
	value bool     // it is the value of the option before it

	before  []string // its bundles, once they were asked for
	bundled bool
}

// opens judges what a rule executes by one of its patterns, or by run.
func (l *linter) opens(rule *policy.Rule, elements []policy.Element, v verdict, at []any) {
	o := opening{linter: l, rule: rule, at: at}
	for _, e := range elements[1:] {
		o.slots = appendSlots(o.slots, e)
	}
	word, _ := elements[0].Literal()
	o.program(path.Base(word), v, 0)
}

// appendSlots lays an element open: the options of a list follow each other.
func appendSlots(slots []slot, e policy.Element) []slot {
	options, ok := typeOf(&e).(*policy.Options)
	if !ok {
		s := slot{Element: e}
		s.words, _ = wordsOf(&policy.Element{Parts: e.Parts}, maxWords)
		return append(slots, s)
	}
	for _, option := range options.List {
		for _, inside := range option.Elements {
			slots = appendSlots(slots, inside)
		}
	}
	return slots
}

// program judges a program by its arguments; where the first may be one of several bundles without a dash, as tar's, by each of them.
func (o *opening) program(name string, v verdict, depth int) {
	if !strings.HasPrefix(lettersOf(name), "!") || len(o.slots) == 0 || len(o.slots[0].words) == 1 {
		o.judge(name, v, depth)
		return
	}
	first, as := o.slots[0], *o
	with := func(word string) {
		each := as
		each.slots = append([]slot{fixed(word, false)}, as.slots[1:]...)
		if first.Repeat == policy.AnyNumber || first.Repeat == policy.AtLeastOne {
			each.slots = append([]slot{fixed(word, false)}, as.slots...)
		}
		if each.judge(name, v, depth); first.words == nil && each.known != nil && len(each.slots) > 1 {
			each.handed(first.what(), word)
		}
	}
	for _, word := range first.words {
		with(word)
	}
	if first.words != nil {
		return
	}
	as.told = map[string]bool{}
	each := as
	each.judge(name, v, depth)
	for _, tail := range [...]string{"If", "I", "Ff", "F", "f", "fC", "C", "Tf", "T", "fI", "fF", ""} {
		for _, mode := range [...]string{"c", "x", "t", ""} {
			for _, more := range [...]string{"", "z", "v", "vz", "zv"} {
				if word := mode + more + tail; word != "" && len(as.told) < 3 && first.takes(word) {
					as.note = ", where " + first.name() + " is " + quote(word)
					with(word)
					break
				}
			}
		}
	}
}

// handed looks for options without a dash that run whatever stands behind them.
func (o *opening) handed(what, word string) {
	for i := range len(word) {
		if flag := "-" + word[i:i+1]; isListed(o.known.runs, flag+"*") {
			o.note = ""
			o.say("runs-programs", what+", can be "+quote(word)+", options without a dash, of which "+quote(flag)+" runs an argument behind it",
				"write the letters out, or list those that are wanted")
			return
		}
	}
}

// judge looks a name up and judges by what is known of it. A shell is one by whatever name a link gives it; of anything else the
// name says little outside the folders of the system.
func (o *opening) judge(name string, v verdict, depth int) {
	as, whole := name, o.slots
	o.takeApart(as)
	known := o.lookup(as)
	if known != nil && known.style != interpreter && v.ours {
		return
	}
	if known == nil && v.path != "" {
		as, o.slots = path.Base(v.real), whole
		o.takeApart(as)
		if k := o.lookup(as); k != nil && k.style == interpreter {
			known = k
		}
	}
	if known == nil {
		return
	}
	o.name, o.known = name, known
	if quoted := quote(name); quoted != `"`+name+`"` {
		o.name = quoted // a link's name may be anything
	}
	switch known.style {
	case interpreter:
		o.interpreter()
	case commander:
		o.commander()
	case remote:
		o.remote()
	case protocol:
		if !o.closed() {
			bound := "confine the rule"
			if known.closed != "" {
				bound = "add " + spell(known.closed) + " to what is executed, or confine the rule"
			}
			o.say("no-containment", o.name+" reads from standard input which files the client wants, and nothing here bounds them", bound)
		}
	case wrapper:
		if o.wrapper(depth) {
			return
		}
	}
	if known.style == pager || known.pagerWith != "" && o.pages() {
		o.pager()
	}
	o.editor()
	o.stdin()
	o.inside(depth)
	o.options()
	o.operands()
	for _, more := range programsOf(o.action) {
		action := *o
		action.known = more
		action.options()
		action.operands()
	}
	o.saves()
	o.receives()
	o.pours()
}

// saves looks where a program writes a file into the home under the name that a URL ends in.
func (o *opening) saves() {
	if o.rule.Settings.Dir != "" || o.known.saves != "*" && !o.has(o.known.saves) || o.names(o.known.folder) || o.names(o.known.named) {
		return
	}
	for i := range o.slots {
		if s := &o.slots[i]; !o.isValue(i) && !strings.HasPrefix(s.leading(), "-") {
			if word, ok := s.anyOf([]string{"http://x/.bashrc", s.leading() + ".bashrc"}); ok {
				o.say("writes-anywhere", s.what()+", can be "+quote(word)+", which "+o.name+" saves as "+quote(".bashrc")+" in the account's home",
					"write cwd, a folder that holds data only, or name the file")
				return
			}
		}
	}
}

// takeApart looks at the arguments as a program of this name reads its short options.
func (o *opening) takeApart(name string) {
	from := 0
	if name == "git" {
		from = o.subcommand()
		if from == 0 {
			return
		}
		name += ":" + o.slots[from-1].words[0]
		o.action = name
	}
	o.letters = lettersOf(name)
	o.slots = append(o.slots[:from:from], unbundle(o.letters, o.slots[from:])...)
}

// subcommand is the place behind git's subcommand; 0 where none is written out.
func (o *opening) subcommand() int {
	for i := 0; i < len(o.slots); i++ {
		s := &o.slots[i]
		switch {
		case len(s.words) != 1:
			if s.words == nil && !strings.HasPrefix(s.leading(), "-") {
				return 0
			}
		case isListed("-C -c --git-dir --work-tree --exec-path --namespace --config-env", s.words[0]):
			i++
		case !strings.HasPrefix(s.words[0], "-"):
			return i + 1
		}
	}
	return 0
}

// options looks for the words of programs among the arguments.
func (o *opening) options() {
	o.runs = o.dangers(o.known.runs, "runs-programs", false) || o.dangers(o.known.obeys, "runs-programs", true)
	o.writing = o.rule.Settings.Dir == ""
	o.dangers(o.known.writes, "writes-anywhere", true)
	o.writing = false
	o.dangers(o.known.reads, "reads-anywhere", true)
}

// lookup finds a program by its name, or by its name without a version: python3.11, lua5.4, gcc-12.
func (o *opening) lookup(name string) *program {
	for _, n := range []string{name, versionless(name)} {
		for _, p := range programsOf(n) {
			among := o
			if p.own {
				among = &opening{slots: o.own()}
			}
			if p.with == "" || among.has(p.with) {
				return p
			}
		}
	}
	return nil
}

func versionless(name string) string { return strings.TrimRight(name, "0123456789.-") }

// own are the arguments before the first that is no option.
func (o *opening) own() []slot {
	for i := range o.slots {
		if s := &o.slots[i]; !s.value && !strings.HasPrefix(s.leading(), "-") {
			return o.slots[:i]
		}
	}
	return o.slots
}

// has says whether one of these words stands among the arguments, whatever the request; a long option also with its value attached.
func (o *opening) has(words string) bool {
	return slices.ContainsFunc(o.slots, func(s slot) bool {
		if s.Repeat != policy.One {
			return false
		}
		if s.words == nil {
			name, _, valued := strings.Cut(s.Parts[0].Text, "=")
			return valued && strings.HasPrefix(name, "--") && isListed(words, name)
		}
		name, _, _ := strings.Cut(s.words[0], "=")
		return len(s.words) == 1 && (isListed(words, s.words[0]) || strings.HasPrefix(name, "--") && isListed(words, name))
	})
}

func isListed(words, word string) bool { return slices.Contains(strings.Fields(words), word) }

// closed says whether an argument or a variable keeps shut what the program opens by itself.
func (o *opening) closed() bool { return o.has(o.known.closed) || o.env(o.known.closed) }

// env says whether a variable of the rule is one of these, NAME=value.
func (o *opening) env(list string) bool {
	before := opening{slots: o.vars}
	if o.raised { // sudo passes the rule's variables on to nobody
		return before.has(list)
	}
	return before.has(list) || slices.ContainsFunc(o.rule.Settings.Env, func(v policy.EnvVar) bool { return isListed(list, v.Name+"="+v.Value) })
}

// interpreter looks for the code, or the file of code, that is run.
func (o *opening) interpreter() {
	const fix = "name a script in run, and let the client choose its arguments only"
arguments:
	for i := 0; i < len(o.slots); i++ {
		s := o.slots[i]
		if s.value {
			continue // looked at with its option
		}
		if s.words == nil {
			text := s.Parts[0].Text
			loads := attaches(o.known.loads, text)
			if strings.HasPrefix(text, "-") && !attaches(o.known.code, text) && !loads || !s.free(false) && loads {
				continue
			}
			if !s.free(false) {
				return
			}
			o.say("opens-shell", s.what()+", is what "+o.name+" runs, or an option of it", fix)
			return
		}
		word, last := s.words[0], i+1 == len(o.slots)
		switch {
		case isListed("--version --help", word), o.known.feed == "" && len(o.slots) == 1 && isListed("-V -h -v -version", word):
			return
		case o.feeds(word):
			break arguments
		case word == "-" && o.known.feed != "" && !last: // to a shell the end of its options
		case isStdin(word):
			break arguments
		case o.takesCode(word):
			code := i + 1
			for o.known.feed != "" && code < len(o.slots) && o.slots[code].option() { // a shell's other options stand in between
				if code++; o.setsOption(o.slots[code-1].words[0]) {
					code++
				}
			}
			switch {
			case code >= len(o.slots):
				return
			case o.slots[code].free(false):
				o.say("opens-shell", o.slots[code].what()+", is code that "+o.name+" runs", fix)
				return
			case o.slots[code].words != nil && isStdin(o.slots[code].words[0]):
				break arguments
			}
			return
		case isListed(o.known.loads, word) || isListed(o.known.loads, word+"*"):
			if !last && o.slots[i+1].free(false) {
				o.say("opens-shell", o.slots[i+1].what()+", is code that "+o.name+" runs", fix)
				return
			}
			i++
		case isListed(o.known.value, word), o.setsOption(word):
			i++
		case !strings.HasPrefix(word, "-"):
			if o.known.operands == "" { // of awk and sed it is code
				o.script(o.rule, word, o.at)
			}
			return // a script, or code, of the policy's; what follows are its arguments
		case attaches(o.known.code, word):
			return
		}
	}
	if !o.rule.Settings.StdinNone {
		o.say("opens-shell", o.name+" runs what comes by its standard input", `name a script, or write stdin = "none"`)
	}
}

// takesCode says whether an option makes what follows code: also where it stands with a shell's other letters, as in bash -ec.
func (o *opening) takesCode(word string) bool {
	return isListed(o.known.code, word) || isListed(o.known.code, word+"*") || o.bundled(word) && strings.Contains(word, "c")
}

// setsOption says whether a shell's letters end in the one that takes the name of an option, as in bash -euo pipefail.
func (o *opening) setsOption(word string) bool {
	return o.bundled(word) && strings.ContainsRune("oO", rune(word[len(word)-1]))
}

// bundled says whether a word has short options of a shell.
func (o *opening) bundled(word string) bool {
	return o.known.feed != "" && len(word) > 1 && word[0] == '-' && word[1] != '-'
}

// option says whether the slot is an option of the policy's.
func (s *slot) option() bool {
	return len(s.words) == 1 && len(s.words[0]) > 1 && strings.ContainsRune("-+", rune(s.words[0][0]))
}

// feeds says whether an option makes a shell read code from standard input whatever follows, alone or among others, as in bash -es.
func (o *opening) feeds(word string) bool {
	return o.bundled(word) && strings.Contains(word, o.known.feed) && !strings.Contains(word, "c")
}

// isStdin says whether a word stands for standard input, where a file is named.
func isStdin(word string) bool { return isListed("- /dev/stdin /dev/fd/0 /proc/self/fd/0", word) }

// attaches says whether a word is one of these options with its value attached.
func attaches(options, word string) bool {
	return slices.ContainsFunc(strings.Fields(options), func(c string) bool {
		flag, attached := strings.CutSuffix(c, "*")
		if strings.HasPrefix(c, "--") {
			flag, attached = c+"=", true
		}
		return attached && strings.HasPrefix(word, flag)
	})
}

func (o *opening) commander() {
	operands := 0
	for _, s := range o.slots {
		if !s.value && s.words != nil && !strings.HasPrefix(s.words[0], "-") {
			operands++
		}
	}
	if o.known.terminal && !o.closed() && o.rule.Settings.StdinNone {
		o.pager() // it asks the terminal, whatever its standard input is
		return
	}
	if o.rule.Settings.StdinNone || o.closed() || o.known.pinned > 0 && operands >= o.known.pinned {
		return
	}
	does, hint := " takes commands by its standard input", `write stdin = "none", or name a script in run`
	if o.known.terminal {
		does, hint = " takes commands by its standard input or terminal", "name a script in run"
	}
	o.say("opens-shell", o.name+does+", and some of them run programs", hint)
}

// wrapper judges the command that a wrapper runs, and says whether there is one.
func (o *opening) wrapper(depth int) bool {
	skip := o.known.skip
	for i := 0; i < len(o.slots); i++ {
		s := o.slots[i]
		if s.value {
			continue
		}
		if s.words == nil {
			text := s.Parts[0].Text
			if name, _, ok := strings.Cut(text, "="); ok && isListed(loads+" "+searches, name) && s.free(false) {
				o.say("runs-programs", s.what()+", is in the value of "+quote(name)+", by which programs find what they run", "leave the variable out, or set it by env")
			}
			if strings.HasPrefix(text, "-") || strings.Contains(text, "=") {
				continue
			}
			if skip > 0 {
				skip--
				continue
			}
			if !s.free(false) {
				return true
			}
			o.say("opens-shell", s.what()+", is the program that "+o.name+" runs, or an option of it",
				"name the program, and let the client choose its arguments only")
			return false
		}
		word := s.words[0]
		switch {
		case isListed(o.known.pairs, word):
			i += 2
		case i+1 < len(o.slots) && o.slots[i+1].value: // passed over next
		case isListed(o.known.value, word):
			i++
		case strings.HasPrefix(word, "-") || strings.Contains(word, "="):
		case skip > 0:
			skip--
		case depth < maxWrapped:
			if o.known.feeds && !o.rule.Settings.StdinNone {
				o.say("no-containment", o.name+" gives "+quote(word)+" arguments that come by standard input, where nothing judges them", "")
			}
			inner := opening{linter: o.linter, rule: o.rule, at: o.at, slots: o.slots[i+1:], note: o.note, told: o.told,
				raised: o.raised || strings.Contains(lend, " "+o.name+" "), vars: o.vars}
			for _, before := range o.slots[:i] {
				if strings.Contains(before.leading(), "=") {
					inner.vars = append(inner.vars[:len(inner.vars):len(inner.vars)], before)
				}
			}
			before := *o
			before.slots = o.slots[:i]
			before.options()
			for _, word := range s.words {
				if o.known.with == "" { // behind exec the path is a container's
					o.script(o.rule, word, o.at)
				}
				inner.program(path.Base(word), o.verdict(word), depth+1)
			}
			return true
		default:
			return true
		}
	}
	if o.known.login && !o.closed() && (skip <= 0 || len(o.slots) == 0) || o.has(o.known.shells) {
		o.say("opens-shell", o.name+" opens a shell where no command is named",
			"name the command, and let the client choose its arguments only")
	}
	return false
}

// remote looks at what a shell on another host gets.
func (o *opening) remote() {
	hosts := 0
	for i := 0; i < len(o.slots); i++ {
		s := &o.slots[i]
		switch {
		case s.value:
		case s.words != nil && isListed(o.known.value, s.words[0]) && len(s.words[0]) == 2 && !(i+1 < len(o.slots) && o.slots[i+1].value):
			i++
		case s.words != nil && strings.HasPrefix(s.words[0], "-") && hosts == 0:
		case hosts == 0:
			hosts++
		case hosts == 1 && s.words == nil && s.free(false):
			o.say("opens-shell", s.what()+", is what a shell on the other host runs",
				"name the command, and let the client choose values that a shell takes as they stand")
			return
		case s.words == nil && s.free(false):
			if word, ok := s.anyOf([]string{"a;b", "$(b)", "`b`", "a|b", "a&b"}); ok {
				o.say("opens-shell", s.what()+", can be "+quote(word)+", and a shell on the other host reads it",
					"use a type that takes letters and digits only")
				return
			}
		default:
			hosts++
		}
	}
	if hosts == 1 && !o.closed() {
		o.say("opens-shell", o.name+" opens a shell on the other host where no command is named", "name the command")
	}
}

// editor looks for words with which a program starts an editor, which runs programs and reads its commands where the client sends them.
func (o *opening) editor() {
	for _, words := range strings.Split(o.known.edits, ",") {
		fields := strings.Fields(words)
		i := slices.IndexFunc(o.slots, func(s slot) bool { return len(fields) > 0 && len(s.words) == 1 && s.words[0] == fields[0] })
		if i < 0 || !o.first(i) || slices.ContainsFunc(fields[1:], func(w string) bool { return !o.has(w) }) {
			continue
		}
		behind := opening{slots: o.slots[i+1:]}
		text := slices.ContainsFunc(behind.slots, func(s slot) bool { // -m among others, as in -am
			word := s.leading()
			return len(word) > 1 && word[0] == '-' && word[1] != '-' && slices.ContainsFunc(strings.Fields(o.known.unedited), func(w string) bool {
				return len(w) == 2 && strings.Contains(word, w[1:])
			})
		})
		if text || o.rule.Settings.StdinNone || behind.has(o.known.unedited) || o.env(o.known.unedited) {
			return
		}
		hint := `write stdin = "none", or name a script in run`
		if o.known.unedited != "" {
			hint = "add " + spell(o.known.unedited) + ", among the arguments or in env; or " + hint
		}
		o.say("opens-shell", quote(strings.Join(fields, " "))+" makes "+o.name+" start an editor, which runs programs", hint)
		return
	}
}

// inside judges the programs that stand among the arguments: find -exec.
func (o *opening) inside(depth int) {
	for i := 0; i+1 < len(o.slots); i++ {
		command := &o.slots[i+1]
		if len(o.slots[i].words) != 1 || !isListed(o.known.holds, o.slots[i].words[0]) || len(command.words) != 1 || depth >= maxWrapped {
			continue
		}
		inner := opening{linter: o.linter, rule: o.rule, at: o.at, slots: o.slots[i+2:], note: o.note, told: o.told, raised: o.raised, vars: o.vars}
		if end := slices.IndexFunc(inner.slots, func(s slot) bool { return len(s.words) == 1 && (s.words[0] == ";" || s.words[0] == "+") }); end >= 0 {
			inner.slots = inner.slots[:end]
		}
		inner.program(path.Base(command.words[0]), o.verdict(command.words[0]), depth+1)
	}
}

// pages says whether the program may be asked for what it shows by a pager.
func (o *opening) pages() bool {
	if o.known.pagerWith == "*" {
		return true
	}
	for i := range o.slots {
		for _, w := range strings.Fields(o.known.pagerWith) {
			if o.slots[i].takes(w) && (w[0] == '-' || o.first(i)) {
				return true
			}
		}
	}
	return false
}

func (o *opening) pager() {
	if o.closed() {
		return
	}
	does, hint := o.name+" shows its output by a pager", "close it by "+spell(o.known.closed)+", among the arguments or in env"
	if o.known.terminal {
		does = o.name + " opens a shell at the press of a key"
	}
	if o.known.closed == "" {
		hint = "name a script in run"
	}
	if o.raised && o.rule.Settings.Keep { // with other rights than the client's: a shell, not a nuisance
		if strings.Contains(o.known.closed, "=") {
			hint = "close it by " + spell(o.known.closed) + ", among the arguments or by env behind sudo, which passes no variables on"
		}
		o.say("opens-shell", does+" where the client has a terminal, with the rights of another account", hint)
		return
	}
	o.say("starts-pager", does+" where the client has a terminal", hint)
}

// spell lists words for people.
func spell(words string) string { return strings.Join(strings.Fields(words), " or ") }

// stdin looks for words with which the arguments that were judged are not all.
func (o *opening) stdin() {
	for _, danger := range strings.Fields(o.known.stdin) {
		flag := strings.TrimRight(danger, "*!")
		for _, s := range o.slots {
			word := flag
			if found, ok := s.begins(flag, strings.HasSuffix(danger, "*"), values[:]); ok {
				word = found
			} else if s.words == nil && s.takes(flag) {
				word = flag
			} else if !slices.ContainsFunc(s.words, func(w string) bool { return strings.HasPrefix(w, flag) && !strings.HasPrefix(w, "--sender") }) {
				continue
			}
			o.say("no-containment", "with "+quote(word)+" "+o.name+" takes its paths by standard input, where nothing judges them",
				"take it out, or confine the rule")
			return
		}
	}
}

// dangers looks for the words of a list in what the client may choose, and says whether there is one. file: their value is a file.
func (o *opening) dangers(list, id string, file bool) bool {
	for _, danger := range strings.Fields(list) {
		if message := o.danger(danger, file); message != "" {
			o.say(id, message, "")
			return true
		}
	}
	return false
}

// danger says how the client may give a word of programs, and is empty where he may not.
func (o *opening) danger(danger string, file bool) string {
	flag := strings.TrimRight(danger, "*!")
	attached, alone := strings.HasSuffix(danger, "*"), strings.HasSuffix(danger, "!")
	short := len(flag) == 2 && flag[0] == '-' && letterOf(o.letters, flag[1]) != unknown ||
		len(flag) == 3 && flag[0] == '-' && pairOf(o.letters, flag[1:]) != unknown
	if o.name == "git" && len(flag) == 2 && !alone && isBare(o.letters, flag[1]) {
		return "" // of this subcommand it has no value
	}
	attached = attached || short && !alone
	tails := values[:]
	if file {
		tails = paths[:]
	}
	if o.writing {
		tails = append(tails[:len(tails):len(tails)], startups[:]...)
	}
	for i := range o.slots {
		s := &o.slots[i]
		if o.isValue(i) {
			continue
		}
		if s.words != nil {
			if slices.Contains(s.words, flag) {
				if next := o.valueOf(i, flag, alone, file); next != nil {
					message := next.what() + ", is the value of " + quote(flag)
					if name := next.startup(); o.writing && name != "" && !next.free(true) {
						message += ", and can be " + quote(name) + " in the account's home"
					}
					return message
				}
			}
			if o.letters != "" && flag[0] == '-' && len(s.words) == 1 && s.words[0] == "--" {
				return ""
			}
			continue
		}
		if flag[0] == '-' && s.shut() {
			continue
		}
		if rest, ok := strings.CutPrefix(s.leading(), flag+"="); ok && rest != "" && strings.HasPrefix(flag, "--") {
			if value := s.behind(rest, true); value.free(file) {
				return s.what() + ", is in the value of " + quote(flag)
			}
		}
		spelled := []string{flag}
		if short {
			for _, others := range s.bundles(o.letters) {
				spelled = append(spelled, others+flag[1:])
			}
		}
		for k, flag := range spelled {
			ends := tails
			if k > 0 {
				ends = tails[:2] // there are many of these
			}
			if word, ok := s.begins(flag, attached || strings.HasPrefix(flag, "--"), ends); ok {
				return s.what() + ", can be " + quote(word)
			}
			if s.takes(flag) && (flag[0] == '-' || o.first(i)) && (alone || attached || o.next(i, file) != nil) {
				return s.what() + ", can be " + quote(flag)
			}
		}
	}
	return ""
}

// valueOf is the free value behind a word that the policy itself has: for an option the next argument, for a subcommand such as exec
// any later one that can be a program.
func (o *opening) valueOf(i int, flag string, alone, file bool) *slot {
	if flag[0] == '-' {
		if alone {
			return nil
		}
		if i+1 < len(o.slots) && (o.slots[i+1].free(file) || o.writing && o.slots[i+1].startup() != "") {
			return &o.slots[i+1]
		}
		return nil
	}
	for k := i + 1; k < len(o.slots); k++ {
		if s := &o.slots[k]; !o.isValue(k) && s.words == nil && (s.takes("sh") || s.takes("/bin/sh")) {
			return s
		}
	}
	return nil
}

// isValue says whether slot i is the value of the option before it.
func (o *opening) isValue(i int) bool {
	return o.slots[i].value || i > 0 && len(o.slots[i-1].words) == 1 && !o.slots[i-1].value && isListed(o.known.value, o.slots[i-1].words[0])
}

// first says whether slot i is the first argument that is no option, nor the value of one: where a subcommand stands.
func (o *opening) first(i int) bool {
	option := false
	for _, s := range o.slots[:i] {
		if s.words == nil {
			continue
		}
		was := option
		if option = strings.HasPrefix(s.words[0], "-"); !option && !was {
			return false
		}
	}
	return true
}

// next is the argument behind slot i, which may be the same slot again, if it is free.
func (o *opening) next(i int, file bool) *slot {
	for k := i; k < len(o.slots) && k <= i+1; k++ {
		s := &o.slots[k]
		if (k > i || s.Repeat == policy.AnyNumber || s.Repeat == policy.AtLeastOne) && s.free(file) {
			return s
		}
	}
	return nil
}

// operands looks at the arguments that name files.
func (o *opening) operands() {
	kind := o.known.operands
	if kind == "" {
		return
	}
	skip, told := o.known.skip, ""
	if o.has(o.known.instead) {
		skip = 0
	}
	for i := range o.slots {
		s := &o.slots[i]
		if o.isValue(i) {
			continue
		}
		if s.words != nil {
			if !strings.HasPrefix(s.words[0], "-") {
				skip--
			}
			continue
		}
		if skip--; skip >= 0 && s.Repeat == policy.One {
			continue
		}
		id := map[string]string{"r": "reads-anywhere", "w": "writes-anywhere", "x": "runs-programs", "rw": "reads-anywhere"}[kind]
		if kind == "rw" && (i == len(o.slots)-1 || s.Repeat != policy.One) && !o.has("--sender") && !o.names(o.known.folder) {
			id = "writes-anywhere"
		}
		if told == id || told != "" && id == "reads-anywhere" || kind == "x" && o.runs {
			continue
		}
		if word, ok := s.file(); ok {
			o.say(id, s.what()+", can be "+quote(word), "")
			told = id
		} else if name := s.startup(); name != "" && id == "writes-anywhere" && o.rule.Settings.Dir == "" {
			o.say(id, s.what()+", can be "+quote(name)+" in the account's home", "write cwd, a folder that holds data only")
			told = id
		} else if what := o.roots(s); what != "" && id == "writes-anywhere" {
			o.say(id, s.what()+", lets the client write "+what, "name a folder that holds data only")
			told = id
		}
	}
}

// roots says what decides on access where a free path leads.
func (o *opening) roots(s *slot) string {
	if len(s.Parts) != 1 || s.Parts[0].Name == "" {
		return ""
	}
	switch form := policy.FormOf(s.Parts[0].Type); form.Key {
	case "path":
		return o.decides(form.Root)
	case "glob":
		return o.decides(path.Dir(form.Source))
	}
	return ""
}

// receives looks where a program writes files under names that the client sends: in a home that is authorized_keys as well.
func (o *opening) receives() {
	if o.known.into != "*" && !slices.ContainsFunc(strings.Fields(o.known.into), o.has) || o.has(o.known.from) || len(o.slots) == 0 {
		return
	}
	folder := &slot{words: []string{"."}}
	if o.known.archive == "" {
		folder = &o.slots[len(o.slots)-1]
	} else {
		archive := o.given(o.known.archive)
		if o.known.archive == "*" {
			archive = o.operand()
		}
		if archive != nil && archive.words != nil && !slices.ContainsFunc(archive.words, isStdin) {
			return // one of the policy's
		}
		if o.has(o.known.anyplace) {
			o.say("writes-anywhere", o.name+" writes files wherever the client says: the archive's absolute names are kept", "take out "+spell(o.known.anyplace))
			return
		}
		if named := o.given(o.known.folder); named != nil {
			folder = named
		}
	}
	o.lands(folder, o.name+" writes files into ", " under names that the client sends")
}

// pours looks where a program writes what the client sends, or another file of his choice, to a place that the policy names.
func (o *opening) pours() {
	if !o.known.pours && (o.known.folder == "" || o.known.archive != "") {
		return
	}
	target, chosen := -1, o.known.pours
	for i := range o.slots {
		switch s := &o.slots[i]; {
		case s.value || strings.HasPrefix(s.leading(), "-"):
		case s.words == nil:
			chosen = true
		case o.known.operands != "":
			target = i
		}
	}
	to := o.given(o.known.folder)
	if to == nil && target >= 0 {
		to = &o.slots[target]
	}
	if to == nil || to.words == nil || !chosen {
		return
	}
	for _, word := range to.words {
		if what := o.decides(path.Join(o.rule.Settings.Dir, word)); what != "" {
			o.say("writes-anywhere", o.name+" lets the client write "+what+", by "+quote(word), "name a file or folder that holds data only")
			return
		}
	}
}

// operand is the first argument that is no option.
func (o *opening) operand() *slot {
	for i := range o.slots {
		if s := &o.slots[i]; !s.value && !strings.HasPrefix(s.leading(), "-") {
			return s
		}
	}
	return nil
}

// lands tells where files of the client's naming are written into a folder that decides on access.
func (o *opening) lands(folder *slot, does, how string) {
	const fix = "name a folder that holds data only"
	if folder.words == nil {
		if what := o.roots(folder); what != "" && o.known.archive != "" {
			o.say("writes-anywhere", does+folder.what()+how+", and so may write "+what, fix)
		}
		return // operands looks at the rest
	}
	for _, word := range folder.words {
		if !strings.HasPrefix(word, "/") && path.Clean(word) == "." && o.rule.Settings.Dir == "" {
			o.say("writes-anywhere", does+"the account's home"+how+", such as .ssh/authorized_keys",
				"name a folder below it, or elsewhere, that holds data only")
			return
		}
		if what := o.decides(path.Join(o.rule.Settings.Dir, word)); what != "" {
			o.say("writes-anywhere", does+quote(word)+how+", and so may write "+what, fix)
			return
		}
	}
}

// given is what the last of these options is given, with its value attached or not; nil where none is there.
func (o *opening) given(options string) *slot {
	var value *slot
	for i := range o.slots {
		s := &o.slots[i]
		if s.value {
			continue
		}
		text := s.leading()
		for _, option := range strings.Fields(options) {
			rest, attached := strings.CutPrefix(text, strings.TrimSuffix(option, "=")+"=")
			switch {
			case text == option && len(s.words) == 1 && i+1 < len(o.slots):
				value = &o.slots[i+1]
			case attached && len(s.words) == 1:
				given := fixed(rest, true)
				value = &given
			case attached && s.words == nil:
				given := s.behind(rest, true)
				value = &given
			}
		}
	}
	return value
}

// names says whether one of these options stands among the arguments.
func (o *opening) names(options string) bool { return options != "" && o.given(options) != nil }

// free says whether the client chooses what the slot is; with file, also beyond every folder.
func (s *slot) free(file bool) bool {
	if s.words != nil || !slices.ContainsFunc(s.Parts, func(p policy.Part) bool { return p.Name != "" && !bounded(p.Type) }) {
		return false
	}
	if file {
		_, ok := s.file()
		return ok
	}
	return true
}

// file is a file beyond every folder that the slot can name: also behind text that a program takes away, such as @, or that .. leaves.
func (s *slot) file() (string, bool) {
	if word, ok := s.anyOf(paths[:]); ok {
		return word, true
	}
	text := s.leading()
	switch {
	case strings.HasPrefix(text, "-"):
	case strings.HasSuffix(text, "@"), strings.HasSuffix(text, "="), strings.HasSuffix(text, "<"):
		return s.anyOf([]string{text + paths[0]})
	case strings.HasSuffix(text, "/"):
		return s.anyOf([]string{text + paths[2]})
	}
	return "", false
}

// startup is a file of the home which runs what it says at the next login, if the slot can name one without its folder.
func (s *slot) startup() string {
	word, _ := s.anyOf(startups[:])
	return word
}

// bounded types take no text of the client's making.
func bounded(t policy.Type) bool {
	key := policy.FormOf(t).Key
	return key == "int" || key == "list"
}

// shut says that no word of the slot begins with "-".
func (s *slot) shut() bool {
	if len(s.Parts) == 0 {
		return true
	}
	first := s.Parts[0]
	if first.Name == "" {
		return !strings.HasPrefix(first.Text, "-")
	}
	return first.Type.Guarded()
}

func (s *slot) takes(word string) bool {
	if s.words != nil {
		return slices.Contains(s.words, word)
	}
	return s.free(false) && decide.Takes(s.Parts, word)
}

// name is the placeholder that is free in the slot.
func (s *slot) name() string {
	name, _, _ := strings.Cut(s.what(), ",")
	return name
}

func (s *slot) anyOf(words []string) (string, bool) {
	if s.words != nil || !s.free(false) {
		return "", false
	}
	for _, w := range words {
		if decide.Takes(s.Parts, w) {
			return w, true
		}
	}
	return "", false
}

// begins finds a word that begins with the flag and has a value attached.
func (s *slot) begins(flag string, attached bool, tails []string) (string, bool) {
	if s.words != nil || !attached || !s.free(false) {
		return "", false
	}
	if strings.HasPrefix(flag, "--") {
		flag += "="
	}
	for _, tail := range tails {
		if decide.Takes(s.Parts, flag+tail) {
			return flag + tail, true
		}
	}
	return "", false
}

// what describes a free argument: {x}, printable text of 1 to 200 bytes.
func (s *slot) what() string {
	for _, p := range s.Parts {
		if p.Name != "" && !bounded(p.Type) {
			return "{" + p.Name + "}, " + shorten(p.Type.String())
		}
	}
	return "the argument"
}

func shorten(s string) string {
	if len(s) > quoteMax {
		return s[:quoteMax] + "..."
	}
	return s
}

// say tells what a program opens, as far as the kernel does not hold it: a confined program reads and writes nothing but what its rule
// names, and executes nothing but itself and what execute names. Where that is every home, or the settings of the host, it holds nothing.
func (o *opening) say(id, message, hint string) {
	c := o.rule.Settings.Confine
	held, shells := c != nil && !c.Fallback, c != nil && o.executesShells(c)
	if held {
		reached := ""
		switch id {
		case "writes-anywhere":
			reached = o.reaches(o.rule, "write")
		case "opens-shell", "reads-anywhere", "no-containment":
			if reached = o.reaches(o.rule, "write"); reached == "" {
				reached = o.reaches(o.rule, "read")
			}
		}
		switch {
		case reached != "":
			message += "; that it is confined is no bound, for it may " + reached
			if hint == "" {
				hint = "let confine and access name folders that hold data only"
			}
		case id == "opens-shell" && !shells:
			id, hint = "opens-shell-confined", ""
		case shells && (id == "opens-shell" || id == "runs-programs" || id == "starts-pager"):
		default:
			return
		}
	}
	if o.told != nil {
		if o.told[id] {
			return
		}
		o.told[id] = true
	}
	message += o.note
	if o.rule.Settings.Keep && id != "starts-pager" {
		message += `; and privileges = "keep" lets what it runs gain privileges`
	}
	o.add(id, o.rule, o.at, message, hint)
}

// everything are folders that hold every home, or what the whole host is set up by: who may reach one of them whole reaches keys.
var everything = [...]string{"/home", "/root", "/etc", "/var"}

// reaches says what bounds nothing of what a rule's program may read or write, as confine has it or the access of a placeholder: / and
// whatever else holds all homes, /etc or /var. What may be written may be read.
func (l *linter) reaches(rule *policy.Rule, access string) string {
	c := rule.Settings.Confine
	roots := slices.Clone(c.Write)
	if access == "read" {
		roots = append(roots, c.Read...)
	}
	var values func(e *policy.Element)
	values = func(e *policy.Element) {
		if options, ok := typeOf(e).(*policy.Options); ok {
			for _, option := range options.List {
				for i := range option.Elements {
					values(&option.Elements[i])
				}
			}
			return
		}
		for _, p := range e.Parts {
			if p.Name == "" {
				continue
			}
			if form := policy.FormOf(p.Type); form.Access == policy.Write || form.Access == policy.Read && access == "read" {
				roots = append(roots, path.Join(rule.Settings.Dir, form.Root))
			}
		}
	}
	for i := range rule.Patterns {
		for k := range rule.Patterns[i].Elements {
			values(&rule.Patterns[i].Elements[k])
		}
	}
	for _, root := range roots {
		for _, whole := range everything {
			if covers(root, whole) {
				return access + " " + quote(root) + l.holding(root)
			}
		}
		for _, home := range l.homes() {
			if root != home && covers(root, home) {
				return access + " " + quote(root) + l.holding(root)
			}
		}
	}
	return ""
}

// holding says what lies in a folder that bounds nothing.
func (l *linter) holding(root string) string {
	switch root {
	case "/":
		return ", which is all there is"
	case "/etc", "/var":
		return ", which holds what the host is set up by"
	}
	return ", which holds the homes of accounts"
}

// executesShells says whether what a confined program may execute holds shells.
func (o *opening) executesShells(c *policy.Confine) bool {
	return slices.ContainsFunc(c.Execute, func(p string) bool {
		known := o.lookup(path.Base(p))
		return known != nil && known.style == interpreter || isListed("/ /usr /bin /usr/bin /usr/local /usr/local/bin /sbin /usr/sbin", p)
	})
}

// homes are the homes of accounts that anybody can log in to.
func (l *linter) homes() []string {
	if l.home == nil {
		l.home = append([]string{}, l.host.Homes()...)
	}
	return l.home
}
