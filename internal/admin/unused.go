package admin

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/logbook"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// Least privilege decays: what a key was once given and no longer uses only serves who steals it.

// unusedOptions are what the verb unused was called with.
type unusedOptions struct {
	since        time.Time
	dir          string
	ownDir       bool
	file, config string
	json         bool
	without      string
}

const defaultSince = "90d"

// Ways in which a rule stands.
const (
	ruleUsed    = "used"
	ruleUnused  = "unused"
	ruleUnknown = "unknown" // the host does not record what this policy allows
)

// standing is what the log says of one rule.
type standing struct {
	Key     string     `json:"key"`
	Policy  string     `json:"policy"`
	Number  int        `json:"number"`
	Rule    string     `json:"rule"`
	Command string     `json:"command"`
	State   string     `json:"state"`
	Matched int        `json:"matched"` // times since then
	Last    *time.Time `json:"last_matched"`
}

// review is the whole answer.
type review struct {
	Since   time.Time  `json:"since"`
	LogFrom *time.Time `json:"log_from"` // its oldest record
	Rules   []standing `json:"rules"`
	Notes   []string   `json:"notes"`

	faulty bool            // a policy could not be read
	short  map[string]bool // keys of which the log does not tell for long enough
}

func unused(c *call) int {
	o := &unusedOptions{dir: policy.KeysDir}
	o.since, _ = c.moment(defaultSince)
	options := flag.NewFlagSet("unused", flag.ContinueOnError)
	options.Func("since", "not matched since this `TIME`: 90d, 12w, 2026-01-01 (default "+defaultSince+")", func(value string) (err error) {
		o.since, err = c.moment(value)
		return err
	})
	options.Func("policy-dir", "the policies in `DIR` (default "+policy.KeysDir+")", func(value string) (err error) {
		o.dir, err = filepath.Abs(value)
		o.ownDir = true
		return err
	})
	options.StringVar(&o.file, "file", "", "the log `FILE`, rotated ones beside it included, not the one that the configuration names")
	options.StringVar(&o.config, "config", "", "this configuration of the host, a `FILE`")
	options.BoolVar(&o.json, "json", false, "the answer as JSON")
	options.StringVar(&o.without, "without", "", "print the policy of the key `NAME` without its unused rules")
	if status, ok := c.parse(options); !ok {
		return status
	}
	if o.json && o.without != "" {
		return c.misused("--json and --without exclude each other")
	}
	if o.since.After(c.now) {
		return c.misused("--since lies in the future, so nothing was matched since then")
	}
	if o.without != "" && !policy.IsName(o.without) {
		return c.misused(fmt.Sprintf("%+q is no name of a key", o.without))
	}
	host, status := c.hostConfig(o.config)
	if host == nil {
		return status
	}
	book, status := c.openBook(o.file, o.config)
	if book == nil {
		return status
	}
	defer book.Close()
	policies, err := o.policies()
	if err != nil {
		return c.fail(err, "name the folder with --policy-dir DIR")
	}
	answer := o.review(policies, seen(book, uses(policies), o.since), host.Log.All)
	if o.without != "" {
		return c.without(book, o, policies, answer)
	}
	return c.tellUnused(book, o, answer)
}

// use is what the log says of one rule of one key.
type use struct{ key, rule string }

// uses are all the rules there are. What else a log tells of is not held in memory: a log may be full of made-up names of keys.
func uses(policies []source) map[use]bool {
	all := make(map[use]bool)
	for _, p := range policies {
		for i := range p.Rules {
			all[use{p.Name, p.Rules[i].Label()}] = true
		}
	}
	return all
}

// usage is what the log says of all.
type usage struct {
	from    time.Time            // of the first record, which is the oldest also where the clock was once wrong; zero: there is none
	allowed map[string]time.Time // the first record of what a key was allowed; of any key under ""
	last    map[use]time.Time
	matched map[use]int // times since the time in question
}

// reaches says whether what a key is allowed has been recorded since then: a log may reach back further than that.
func (u *usage) reaches(key string, all bool, since time.Time) bool {
	if all {
		key = ""
	}
	first, any := u.allowed[key]
	return any && !first.After(since)
}

func (u *usage) note(key string, allowed time.Time) {
	if _, later := u.allowed[key]; !later {
		u.allowed[key] = allowed
	}
}

func seen(book *logbook.Book, asked map[use]bool, since time.Time) *usage {
	u := &usage{allowed: make(map[string]time.Time), last: make(map[use]time.Time), matched: make(map[use]int)}
	for l := range book.All() {
		if u.from.IsZero() {
			u.from = l.Time
		}
		of := use{l.Key, l.Rule}
		if l.Event != record.Allowed {
			continue
		}
		u.note("", l.Time)
		if !asked[of] {
			continue
		}
		u.note(l.Key, l.Time)
		if l.Time.After(u.last[of]) {
			u.last[of] = l.Time
		}
		if !l.Time.Before(since) {
			u.matched[of]++
		}
	}
	return u
}

// source is a policy with its text, or what is wrong with it.
type source struct {
	*policy.Policy
	text    []byte
	changed time.Time
	err     error
}

// unnamed says whether a rule is known by its number alone, which changes when rules are moved or taken out.
func (s *source) unnamed() bool {
	return slices.ContainsFunc(s.Rules, func(r policy.Rule) bool { return r.Name == "" })
}

// policies reads all policies of the folder, in the order of their names.
func (o *unusedOptions) policies() ([]source, error) {
	listed, _, err := listPolicies(o.dir, o.ownDir, false)
	if err != nil {
		return nil, err
	}
	var all []source
	for _, at := range listed {
		s := source{Policy: &policy.Policy{Name: at.Key, File: at.File}}
		if info, err := os.Stat(at.File); err == nil {
			s.changed = info.ModTime()
		}
		if p, problem := at.Policy(); problem != nil {
			s.err = problem
		} else {
			s.Policy, s.text = p.Policy, p.Text
		}
		all = append(all, s)
	}
	return all, nil
}

// review holds the policies against the log.
func (o *unusedOptions) review(policies []source, log *usage, hostRecordsAll bool) *review {
	r := &review{Since: o.since.UTC(), Rules: []standing{}, Notes: []string{}, short: make(map[string]bool)}
	if !log.from.IsZero() {
		r.LogFrom = &log.from
	}
	if log.from.IsZero() || log.from.After(o.since) {
		r.note("the log does not reach back so far: what was matched before its first record is listed as unused")
	}
	for _, p := range policies {
		if p.err != nil {
			r.faulty = true
			r.note("%s cannot be judged: %v", p.File, p.err)
			continue
		}
		recorded := hostRecordsAll || p.LogAll
		if !recorded && len(p.Rules) > 0 {
			r.note(`%s: what the key %s is allowed is not recorded; write log = "all" into the policy, or events = "all" into the configuration`, p.File, p.Name)
		}
		r.judge(o, &p, log, recorded, hostRecordsAll)
	}
	return r
}

// judge holds one policy against the log, and notes what makes the answer less than sure.
func (r *review) judge(o *unusedOptions, p *source, log *usage, recorded, hostRecordsAll bool) {
	unused := false
	for i := range p.Rules {
		s := o.stand(p.Policy, &p.Rules[i], log, recorded)
		unused = unused || s.State == ruleUnused
		r.Rules = append(r.Rules, s)
	}
	if !unused {
		return
	}
	if !log.reaches(p.Name, hostRecordsAll, o.since) {
		r.short[p.Name] = true
		r.note("%s: there is no record so old of what the key %s is allowed: it may be in use, and not be recorded for long", p.File, p.Name)
	}
	if p.changed.After(o.since) && p.unnamed() {
		r.short[p.Name] = true
		r.note("%s: has changed since, and has rules without a name, which may have had other numbers", p.File)
	}
}

func (r *review) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (o *unusedOptions) stand(p *policy.Policy, rule *policy.Rule, log *usage, recorded bool) standing {
	of := use{p.Name, rule.Label()}
	s := standing{Key: p.Name, Policy: p.File, Number: rule.Number, Rule: rule.Label(), Command: commandOf(rule), Matched: log.matched[of]}
	if last, ok := log.last[of]; ok {
		s.Last = &last
	}
	switch {
	case s.Matched > 0:
		s.State = ruleUsed
	case recorded:
		s.State = ruleUnused
	default:
		s.State = ruleUnknown
	}
	return s
}

func commandOf(rule *policy.Rule) string {
	if len(rule.Patterns) == 0 {
		return rule.Raw
	}
	return rule.Patterns[0].Text
}

// tellUnused prints the answer; the status says whether it names anything to do.
func (c *call) tellUnused(book *logbook.Book, o *unusedOptions, answer *review) int {
	out := bufio.NewWriter(c.out)
	if o.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(answer); err != nil {
			return c.failOutput(err)
		}
	} else {
		c.table(out, answer)
		for _, note := range answer.Notes {
			c.warn("%s", note)
		}
	}
	if status := c.finish(book, out); status != exitOK {
		return status
	}
	if answer.faulty || answer.count(ruleUnused) > 0 {
		return exitFindings
	}
	return exitOK
}

func (r *review) count(state string) (n int) {
	for i := range r.Rules {
		if r.Rules[i].State == state {
			n++
		}
	}
	return n
}

// table lists what is unused or unknown; a policy of which nothing is used is one line.
func (c *call) table(out *bufio.Writer, answer *review) {
	rules := answer.Rules
	summary := fmt.Sprintf("%d of %d rules not matched since %s", answer.count(ruleUnused), len(rules), answer.Since.In(c.zone).Format("2006-01-02 15:04"))
	if n := answer.count(ruleUnknown); n > 0 {
		summary += fmt.Sprintf(", and %d of which the log cannot tell", n)
	}
	fmt.Fprintln(out, fold(summary, c.width, 0))
	if answer.count(ruleUsed) < len(rules) {
		out.WriteByte('\n')
		if title := fmt.Sprintf(tableRow, "KEY", "RULE", "LAST MATCHED", "COMMAND"); c.width == 0 || c.width >= len(title) {
			fmt.Fprintln(out, c.paint(bold, title))
		}
	}
	for len(rules) > 0 {
		n := 1
		for n < len(rules) && rules[n].Key == rules[0].Key {
			n++
		}
		c.rows(out, rules[:n])
		rules = rules[n:]
	}
}

const tableRow = "%-16s %-20s %-16s %s"

// row is one line, or two, where a terminal is too narrow, with the command in the second.
func (c *call) row(out *bufio.Writer, key, rule, last, command string) {
	text := strings.TrimRight(fmt.Sprintf(tableRow, key, rule, last, command), " ")
	if c.width > 0 && len(text) > c.width {
		text = fold(fmt.Sprintf("%s, %s, last matched: %s", key, rule, last), c.width, 0)
		if command != "" {
			text += "\n" + strings.Repeat(" ", recordIndent) + fold(command, c.width, recordIndent)
		}
	}
	fmt.Fprintln(out, text)
}

// rows are the lines of one policy.
func (c *call) rows(out *bufio.Writer, rules []standing) {
	whole := len(rules) > 1
	for i := range rules {
		whole = whole && rules[i].State == ruleUnused && rules[i].Last == nil
	}
	if whole {
		c.row(out, rules[0].Key, fmt.Sprintf("all %d of them", len(rules)), "never", "")
		return
	}
	for i := range rules {
		s := &rules[i]
		if s.State == ruleUsed {
			continue
		}
		last := "never"
		switch {
		case s.Last != nil:
			last = s.Last.In(c.zone).Format("2006-01-02 15:04")
		case s.State == ruleUnknown:
			last = "not recorded"
		}
		c.row(out, s.Key, s.Rule, last, record.Escape(s.Command))
	}
}

// without prints a policy without its unused rules, unless the log is no ground to judge them on.
func (c *call) without(book *logbook.Book, o *unusedOptions, policies []source, answer *review) int {
	for _, p := range policies {
		if p.Name != o.without {
			continue
		}
		var drop []int
		for i := range answer.Rules {
			s := &answer.Rules[i]
			switch {
			case s.Key != p.Name:
			case s.State == ruleUnknown:
				return c.fail(fmt.Errorf("%s: what this key is allowed is not recorded, so no rule can be called unused", p.File),
					`write log = "all" into the policy, and ask again when the log has seen enough`)
			case s.State == ruleUnused:
				drop = append(drop, s.Number)
			}
		}
		if p.err != nil {
			return c.fail(p.err, "ssh-gate check "+argv.Quote([]string{p.File}))
		}
		if answer.LogFrom == nil || answer.LogFrom.After(o.since) {
			return c.fail(errors.New("the log does not reach back so far, so a rule that it has not seen matched may be in use"), "ask with a later --since")
		}
		if answer.short[p.Name] {
			return c.fail(fmt.Errorf("%s: since then the policy or what is recorded of it has changed, so a rule that is not seen matched may be in use", p.File),
				"ask with a later --since, and give the rules names; ssh-gate unused tells more")
		}
		if len(book.Problems) > 0 {
			return c.fail(fmt.Errorf("a part of the log cannot be read, so a rule that is not seen matched may be in use: %w", errors.Join(book.Problems...)),
				"mend it, or move it away")
		}
		text, err := p.Without(p.text, drop)
		if err != nil {
			return c.fail(err, "take the rules out by hand; ssh-gate unused names them")
		}
		out := bufio.NewWriter(c.out)
		out.Write(text)
		return c.finish(book, out)
	}
	return c.fail(fmt.Errorf("there is no policy %+q in %+q", o.without+".toml", o.dir), cmp.Or(meant(nearest(o.without, knownKeys(o.dir))), "ls "+argv.Quote([]string{o.dir})))
}
