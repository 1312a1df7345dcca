// Package admin holds the verbs that people call, one file a verb. It never imports the gate, and no verb can reach launch: what a
// client sends can start a program only through the gate.
package admin

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"example.org/ssh-gate/internal/host"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/privilege"
)

// Exit statuses of the verbs.
const (
	exitOK       = 0
	exitFindings = 1 // the verb found what it looks for, or could not do its work
	exitUsage    = 2
)

// Version is the release, which the build sets.
var Version = "development"

// verb is one thing that ssh-gate does for people.
type verb struct {
	usage   string // begins with the verb's name
	summary string
	example string // calls that people may copy, one a line
	run     func(*call) int
}

func (v *verb) name() string {
	name, _, _ := strings.Cut(v.usage, " ")
	return name
}

// verbs is the whole list. It is a function because help, which stands in it, reads it.
func verbs() []verb {
	return []verb{
		{"init NAME [OPTION...]", "write the first policy of a key, and its key line",
			"ssh-gate init deploy --public-key deploy.pub\nssh-gate init deploy --public-key deploy.pub --install deploy --from 203.0.113.0/24 --expires 90d", initKey},
		{"check [OPTION...] [FILE|NAME...]", "find what is wrong and what is doubtful in policies",
			"ssh-gate check\nssh-gate check deploy\nssh-gate check ./deploy.toml", checkPolicies},
		{"explain [--key NAME | --policy FILE | --last | REF] [OPTION...] [-- REQUEST...]", "say what the gate would do with a request, and why",
			"ssh-gate explain --key deploy -- systemctl restart app.service\nssh-gate explain --last\nssh-gate explain k3v9t2ma", explain},
		{"log [OPTION...]", "read the log: who asked for what, and why not", "ssh-gate log --since today --event denied", log},
		{"unused [OPTION...]", "list rules and policies that the log has not seen matched", "ssh-gate unused --since 90d", unused},
		{"suggest [OPTION...] [-- REQUEST...]", "print rules for requests, or for what a key was denied",
			"ssh-gate suggest -- 'systemctl restart app' 'systemctl restart worker'\nssh-gate suggest < requests.txt\nssh-gate suggest --key deploy --since 30d", suggestRules},
		{"doctor [OPTION...]", "say whether this host is set up well: log, policies, kernel, sshd, accounts", "ssh-gate doctor", doctor},
		{"help [VERB]", "show this text, or the options of a verb", "ssh-gate help\nssh-gate help log", help},
		{"version", "show the release", "ssh-gate version", version},
	}
}

func verbNames() []string {
	var names []string
	for _, v := range verbs() {
		names = append(names, v.name())
	}
	return names
}

// call is what one verb was called with.
type call struct {
	verb   string
	args   []string // behind the verb
	env    map[string]string
	out    io.Writer
	errs   io.Writer
	lent   *privilege.Privilege // given back already
	now    time.Time
	zone   *time.Location
	colour bool // out is a terminal that wants it
	width  int  // columns of that terminal; 0: out is none
}

// Run calls the verb that Asks has found. --help, -h and --version are spelt as options because people try them first. A group that
// the installation lends is for the gate: it is given back before a verb does anything.
func Run(args, env []string, out, errs io.Writer) int {
	lent := privilege.Held()
	v, _ := find(args[0])
	c := &call{verb: v.name(), args: args[1:], env: variables(env), out: out, errs: errs, lent: lent, now: time.Now()}
	if lent.Lent() || lent.Setuid() {
		if err := lent.Drop(); err != nil {
			return c.fail(err, "see who runs it and how: ls -l /usr/bin/ssh-gate; id")
		}
	}
	if c.verb != "explain" { // which says what a record would
		nameOwners()
	}
	c.zone = c.localZone()
	c.colour = isTerminal(out) && c.env["NO_COLOR"] == "" && c.env["TERM"] != "dumb"
	c.width = columns(out)
	return v.run(c)
}

func variables(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		m[name] = value
	}
	return m
}

// Asks says whether the arguments call a verb. All else is the gate's, which refuses what it does not know: a key line that lacks
// an option must end as a refusal, and on the record.
func Asks(args []string) bool {
	if len(args) == 0 {
		return false
	}
	_, known := find(args[0])
	return known
}

func find(word string) (verb, bool) {
	switch word {
	case "-h", "--help":
		word = "help"
	case "--version":
		word = "version"
	}
	for _, v := range verbs() {
		if v.name() == word {
			return v, true
		}
	}
	return verb{}, false
}

// parse reads the verb's options, and says with which status to end where they are wrong, or only asked about.
func (c *call) parse(options *flag.FlagSet) (status int, ok bool) {
	words, status, ok := c.parseWords(options)
	if ok && len(words) > 0 {
		problem := fmt.Sprintf("%+q is one argument too many", words[0])
		if options.Lookup("key") != nil && policy.IsName(words[0]) {
			problem += "; for a key: --key " + words[0]
		}
		return c.misused(problem), false
	}
	return status, ok
}

// parseWords is parse for verbs that take words behind their options.
func (c *call) parseWords(options *flag.FlagSet) (words []string, status int, ok bool) {
	options.SetOutput(io.Discard)
	err := options.Parse(c.args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.usage(options)
		return nil, exitOK, false
	case err != nil:
		return nil, c.misused(optionProblem(err, options)), false
	}
	return options.Args(), exitOK, true
}

// parseNames is parseWords for verbs whose words are no requests: options may stand behind them, as people type them.
func (c *call) parseNames(options *flag.FlagSet) (names []string, status int, ok bool) {
	for {
		words, status, ok := c.parseWords(options)
		if !ok || len(words) == 0 {
			return names, status, ok
		}
		names, c.args = append(names, words[0]), words[1:]
	}
}

// optionProblem is what package flag says of an option, in our words, with the dashes that people type.
func optionProblem(err error, options *flag.FlagSet) string {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		known := []string{"help"}
		options.VisitAll(func(f *flag.Flag) { known = append(known, f.Name) })
		near := nearest(name, known)
		for i := range near {
			near[i] = dashed(near[i])
		}
		return "unknown option " + dashed(name) + orAsk(near)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return "the option " + dashed(name) + " needs a value"
	}
	if head, tail, ok := strings.Cut(text, " for flag -"); ok {
		name, why, _ := strings.Cut(tail, ": ")
		switch why { // of a number
		case "parse error":
			why = "it takes a whole number"
		case "value out of range":
			why = "the number is too large"
		}
		return dashed(name) + " " + strings.TrimPrefix(head, "invalid value ") + ": " + why
	}
	if word, ok := strings.CutPrefix(text, "bad flag syntax: "); ok {
		return fmt.Sprintf("%+q is no option", word)
	}
	return text
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// usage tells a verb's options, with two dashes before names of more than one letter, as people type them.
func (c *call) usage(options *flag.FlagSet) {
	v, _ := find(c.verb)
	fmt.Fprintf(c.out, "Example:\n  %s\n\n%s\n", strings.ReplaceAll(v.example, "\n", "\n  "), fold("ssh-gate "+v.usage+": "+v.summary, c.width, 0))
	options.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		spelled := strings.TrimSpace(dashed(f.Name) + " " + value)
		c.listed(optionWidth, spelled, text)
	})
}

const optionWidth = 22

// listed prints what a name of an option or a verb stands for, behind it or, where there is no room, below it.
func (c *call) listed(width int, name, text string) {
	if c.width > 0 && c.width < narrow {
		fmt.Fprintf(c.out, "  %s\n      %s\n", name, fold(text, c.width, len("      ")))
		return
	}
	if len(name) > width {
		name += "\n  " + strings.Repeat(" ", width)
	}
	fmt.Fprintf(c.out, "  %-*s %s\n", width, name, fold(text, c.width, width+3))
}

// plain is for verbs without options.
func (c *call) plain() (status int, ok bool) {
	return c.parse(flag.NewFlagSet(c.verb, flag.ContinueOnError))
}

func (c *call) misused(problem string) int {
	c.tell("error", problem)
	c.tell("hint", "ssh-gate "+c.verb+" --help")
	return exitUsage
}

// fail reports what kept the verb from its work.
func (c *call) fail(err error, hint string) int {
	c.tell("error", err.Error())
	if hint != "" {
		c.tell("hint", hint)
	}
	return exitFindings
}

// failOutput reports that what was asked for could not be printed.
func (c *call) failOutput(err error) int {
	return c.fail(fmt.Errorf("standard output: %w", err), "see where it goes: a full disk (df -h), or a program behind | that has ended")
}

// failFolder reports that a relative name means nothing.
func (c *call) failFolder(err error) int {
	return c.fail(err, "the current folder is gone: cd /, and give the whole path")
}

// tellProblem says what is wrong with a file of the host's, as a compiler does where it has a fault.
func (c *call) tellProblem(p *host.Problem) int {
	var faults policy.Faults
	if errors.As(p.Err, &faults) {
		fmt.Fprint(c.errs, faults.Render())
		return exitFindings
	}
	return c.fail(p.Err, cmp.Or(p.Hint(), "ssh-gate doctor"))
}

func (c *call) warn(format string, args ...any) {
	c.tell("warning", fmt.Sprintf(format, args...))
}

// tell writes one line to people. Options and names of files come from them, but they may have pasted what somebody else chose.
func (c *call) tell(kind, text string) {
	var b strings.Builder
	for i := range len(text) {
		switch char := text[i]; {
		case char == '\n':
			b.WriteString("; ") // between errors that were joined
		case char < 0x20 || char > 0x7e:
			fmt.Fprintf(&b, `\x%02x`, char)
		default:
			b.WriteByte(char)
		}
	}
	head := "ssh-gate: " + kind + ": "
	fmt.Fprintf(c.errs, "%s%s\n", head, fold(b.String(), columns(c.errs), len(head)))
}
