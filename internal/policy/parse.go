package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.org/ssh-gate/internal/address"
	"example.org/ssh-gate/internal/argv"
)

// The keys of a policy, of a rule, and of the tables in them.
var (
	policyKeys = []string{"description", "users", "from", "expires", "fingerprints", "log", "messages", "help", "args", "allow", "test", "accept",
		"env", "pass_env", "cwd", "umask", "stdin", "limits", "confine", "privileges"}
	ruleKeys    = []string{"name", "command", "raw", "run", "args", "accept", "env", "pass_env", "cwd", "umask", "stdin", "limits", "confine", "privileges"}
	limitKeys   = []string{"timeout", "sessions", "rate", "cpu", "memory", "files", "file_size", "processes", "nice", "on_disconnect"}
	confineKeys = []string{"read", "write", "execute", "network", "fallback"}
	testKeys    = []string{"request", "expect", "client_ip", "user", "time"}
)

// Parse reads a policy. name is the file's name without .toml; file is its path, for messages. It returns a policy or faults,
// never both.
func Parse(name, file string, text []byte) (*Policy, Faults) {
	r := &reader{file: file}
	top, faults := r.decode(text)
	if faults != nil {
		return nil, faults
	}
	p := &Policy{Name: name, File: file}
	top.only(policyKeys)
	top.head(p)
	defaults := top.settings(Settings{}, true)
	shared := map[string]Type{}
	if args, ok := top.table("args"); ok {
		shared = args.argTypes()
	}
	rules := top.tables("allow")
	if len(rules) > maxRules {
		top.fault("allow", fmt.Sprintf("the policy has %d rules, more than %d", len(rules), maxRules), "")
		rules = nil
	}
	names := make(map[string]int, len(rules))
	p.Rules = make([]Rule, len(rules))
	for i, t := range rules {
		rr := ruleReader{table: t, shared: shared}
		rr.read(&p.Rules[i], i+1, defaults)
		if name := p.Rules[i].Name; name != "" {
			if first, taken := names[name]; taken {
				t.fault("name", fmt.Sprintf("rule %d has the name %q already", first, name), "give each rule a name of its own")
			}
			names[name] = i + 1
		}
	}
	p.Tests = top.readTests()
	if faults := r.result(); faults != nil {
		return nil, faults
	}
	return p, nil
}

// head reads what stands at the top of a policy, but for the defaults of its rules.
func (t *table) head(p *Policy) {
	p.Description, _ = t.str("description")
	p.Users = t.named("users")
	for i, u := range p.Users {
		if u == "" {
			t.r.fault(t.at.child("users").entry(i), atValue, "the user name is empty", "")
		}
	}
	for i, s := range t.named("from") {
		network, err := ParseNetwork(s)
		if err != nil {
			t.r.fault(t.at.child("from").entry(i), atValue, err.Error(), `write "203.0.113.7" or "203.0.113.0/24"`)
			continue
		}
		p.From = append(p.From, network)
	}
	p.Expires = t.moment("expires")
	p.Fingerprints = t.named("fingerprints")
	for i, f := range p.Fingerprints {
		if err := checkFingerprint(f); err != nil {
			t.r.fault(t.at.child("fingerprints").entry(i), atValue, err.Error(), "write what `ssh-keygen -lf key.pub` prints")
		}
	}
	p.LogAll = t.choice("log", "denied", "all") == "all"
	p.Full = t.choice("messages", "brief", "full") == "full"
	p.Help = t.boolean("help", false)
	p.Accept = t.accepted()
}

// ParseNetwork reads an address or a network in the notation of RFC 4632, such as 203.0.113.0/24.
func ParseNetwork(s string) (address.Network, error) {
	n, tidy, ok := address.ParseNetwork(s)
	switch {
	case !ok:
		return n, fmt.Errorf("%s is no address and no network", strconv.QuoteToASCII(s))
	case !tidy:
		return n, fmt.Errorf("%s has bits set behind those that its prefix length counts", s)
	}
	return n, nil
}

// checkFingerprint wants SHA256: and the 43 characters of 32 bytes in unpadded base64.
func checkFingerprint(f string) error {
	digest, ok := strings.CutPrefix(f, "SHA256:")
	if !ok || len(digest) != 43 || strings.Trim(digest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") != "" {
		return fmt.Errorf("%s is no SHA256 fingerprint", strconv.QuoteToASCII(f))
	}
	return nil
}

// moment is an offset date-time. BurntSushi/toml marks the local ones by the name of their location.
func (t *table) moment(key string) time.Time {
	v, ok := t.m[key]
	if !ok {
		return time.Time{}
	}
	const hint = "write it with its offset, such as 2027-01-01T00:00:00Z"
	at, ok := v.(time.Time)
	if !ok {
		t.fault(key, "expected a date and time, found "+typeName(v), hint)
		return time.Time{}
	}
	switch {
	case strings.HasSuffix(at.Location().String(), "-local"):
		t.fault(key, "the date and time has no offset from UTC, so it means different moments in different places", hint)
	case at.Year() < 1970: // the first moment of the year 1 is Go's zero time, which means never
		t.fault(key, "the date lies before there were keys", hint)
	}
	return at
}

// settings reads what a program gets; what the table leaves out is as in the defaults. Variables of env are merged by name.
func (t *table) settings(defaults Settings, top bool) Settings {
	s := defaults
	s.Limits = t.limits(defaults.Limits, top)
	s.Confine = t.confine(defaults.Confine)
	if t.has("privileges") {
		s.Keep = t.choice("privileges", "drop", "keep") == "keep"
	}
	if env, ok := t.table("env"); ok {
		s.Env = env.variables(defaults.Env)
	}
	if names, ok := t.strs("pass_env", maxEnv); ok {
		s.PassEnv = names
		for i, name := range names {
			if err := checkPassed(name); err != nil {
				t.r.fault(t.at.child("pass_env").entry(i), atValue, err.Error(), "give it a fixed value in env, or leave it out")
			}
		}
	}
	if dir, ok := t.str("cwd"); ok {
		s.Dir = dir
		if !cleanPath(dir) {
			t.fault("cwd", strconv.QuoteToASCII(dir)+" is no absolute path without empty, . or .. parts", `write one such as "/srv/app"`)
		}
	}
	if text, ok := t.str("umask"); ok {
		bits, err := strconv.ParseUint(text, 8, 16)
		if err != nil || bits > 0o777 || len(text) < 3 || len(text) > 4 {
			t.fault("umask", strconv.QuoteToASCII(text)+" is no umask", `write octal digits, such as "027"`)
		}
		mode := fs.FileMode(bits)
		s.Umask = &mode
	}
	if t.has("stdin") {
		s.StdinNone = t.choice("stdin", "inherit", "none") == "none"
	}
	return s
}

func (t *table) variables(defaults []EnvVar) []EnvVar {
	if len(t.m) > maxEnv {
		t.r.fault(t.at, atValue, fmt.Sprintf("env has %d variables, more than %d", len(t.m), maxEnv), "")
		return defaults
	}
	vars := make([]EnvVar, 0, len(defaults)+len(t.m))
	for _, v := range defaults {
		if !t.has(v.Name) {
			vars = append(vars, v)
		}
	}
	for name := range t.m {
		if !isEnvName(name) {
			t.r.fault(t.at.child(name), atKey, strconv.QuoteToASCII(name)+" is no name of a variable", "write letters, digits and _, no digit first")
		}
		if value, ok := t.str(name); ok {
			vars = append(vars, EnvVar{name, value})
		}
	}
	slices.SortFunc(vars, func(a, b EnvVar) int { return strings.Compare(a.Name, b.Name) })
	return vars
}

func isEnvName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return name != "" && len(name) <= 256
}

// ruleReader reads one [[allow]].
type ruleReader struct {
	*table
	shared map[string]Type
	own    map[string]Type
	bound  map[string]Type // by name, once used
	used   map[string]bool // of own
	hidden map[string]bool // placeholders inside options
	dir    string

	unknown bool // some key is not known: what looks missing may be what it was to be
}

func (r *ruleReader) read(rule *Rule, number int, defaults Settings) {
	rule.Number = number
	r.unknown = r.only(ruleKeys)
	if name, ok := r.str("name"); ok {
		rule.Name = name
		if !IsName(name) {
			r.fault("name", strconv.QuoteToASCII(name)+" is no name", "write letters, digits and . _ -, a letter or digit first, at most 64")
		}
		if IsReserved(name) {
			r.fault("name", "a test that expects "+strconv.QuoteToASCII(name)+" could not tell the rule from the word", "give the rule another name")
		}
	}
	rule.Accept = r.accepted()
	rule.Settings = r.settings(defaults, false)
	r.dir = rule.Settings.Dir
	r.bound, r.used = map[string]Type{}, map[string]bool{}
	if args, ok := r.table.table("args"); ok {
		r.own = args.argTypes()
	}
	r.request(rule)
	r.template(rule)
	r.confined(rule)
	for name := range r.own {
		if !r.used[name] {
			r.r.fault(r.at.child("args").child(name), atKey, fmt.Sprintf("no command of this rule has the placeholder {%s}", name), "remove the type, or use it")
		}
	}
}

// confined makes a rule confined that has a value with an access, and refuses what cannot go together.
func (r *ruleReader) confined(rule *Rule) {
	for name, t := range r.bound {
		s, ok := t.(*subtree)
		if !ok || s.access == NoAccess || rule.Settings.Confine != nil {
			continue
		}
		if r.has("confine") {
			r.fault("confine", fmt.Sprintf("{%s} has an access, which only a confined program is held to", name), "leave confine out, or the access")
			return
		}
		rule.Settings.Confine = &Confine{}
	}
	if rule.Settings.Confine != nil && rule.Settings.Keep {
		at := "privileges"
		if !r.has(at) {
			at = "command"
		}
		r.fault(at, `a program that keeps its privileges cannot be confined: the kernel confines only without them`, `leave privileges = "keep" out, or write confine = false`)
	}
}

// request reads command or raw.
func (r *ruleReader) request(rule *Rule) {
	switch {
	case r.has("command") && r.has("raw"):
		r.r.fault(r.at.child("raw"), atKey, "a rule has a command or a raw text, not both", "make two rules")
	case r.has("raw"):
		if raw, ok := r.str("raw"); ok {
			rule.Raw = raw
			if strings.Trim(raw, " \t") == "" {
				r.fault("raw", "the raw text is blank", `write command = "" for the request without a command`)
			}
		}
	case r.has("command"):
		r.commands(rule)
	case !r.unknown:
		r.r.fault(r.at, atKey, "the rule has no command", `write command = "...", and run = "..." if something else shall run`)
	}
}

func (r *ruleReader) commands(rule *Rule) {
	n := r.at.child("command")
	if s, ok := r.m["command"].(string); ok {
		if s, ok = r.r.str(n, s, "a string", ""); ok {
			r.command(rule, n, s)
		}
		return
	}
	if _, ok := r.m["command"].([]any); !ok {
		r.fault("command", "expected a string or a list of strings, found "+typeName(r.m["command"]), `write command = "..."`)
		return
	}
	list, ok := r.strs("command", maxList)
	if ok && len(list) == 0 {
		r.fault("command", "the list is empty, so nothing could ever match", "name at least one command")
	}
	for i, s := range list {
		r.command(rule, n.entry(i), s)
	}
}

func (r *ruleReader) command(rule *Rule, n *node, text string) {
	elements, err := parseElements(text)
	if err == nil && len(elements) == 0 && text != "" {
		err = errors.New(`the command is blank; write "" for the request without one`)
	}
	if err == nil && len(elements) > 0 {
		if _, literal := elements[0].Literal(); !literal {
			err = errors.New("the first word must be literal: no request may choose the program")
		} else if !r.has("run") {
			err = checkProgram(&elements[0])
		}
	}
	if err != nil {
		message, hint := err.Error(), ""
		var problem *argv.Problem
		if errors.As(err, &problem) && problem.Kind == argv.NeedsShell {
			message, _, _ = strings.Cut(message, ", and there is none; ")
			hint = "a command is compared without a shell: write a placeholder such as {name}, with its type in args, for what changes, or quote the character"
		}
		r.r.fault(n, atValue, message, hint)
		return
	}
	if len(elements) == 0 && !r.has("run") {
		r.r.fault(n, atValue, "the request without a command names no program", `add run = "/path/to/program"`)
		return
	}
	r.link(n, elements)
	rule.Patterns = append(rule.Patterns, Pattern{text, elements})
}

// link gives each placeholder its type.
func (r *ruleReader) link(n *node, elements []Element) {
	for i := range elements {
		e := &elements[i]
		for j := range e.Parts {
			part := &e.Parts[j]
			if part.Name == "" {
				continue
			}
			part.Type = r.typeOf(n, part.Name)
			if part.Type == nil && len(r.r.faults) == 0 {
				r.r.fault(n, atValue, fmt.Sprintf("{%s} stands inside its own options", part.Name), "give the placeholder inside another name")
			}
			if _, ok := part.Type.(*Options); ok && e.Repeat != AnyNumber && e.Repeat != AtLeastOne {
				r.r.fault(n, atValue, fmt.Sprintf("{%s} holds options, so it must repeat", part.Name),
					fmt.Sprintf("write {%s*} as a word of its own", part.Name))
			}
		}
	}
}

// typeOf returns the type of a placeholder of this rule; a fault is told once a name.
func (r *ruleReader) typeOf(n *node, name string) Type {
	if t, ok := r.bound[name]; ok {
		return t
	}
	t, ok := r.own[name]
	if ok {
		r.used[name] = true
	} else if t, ok = r.shared[name]; !ok {
		r.r.fault(n, atValue, fmt.Sprintf("the placeholder {%s} has no type", name), fmt.Sprintf("add args.%s = ... to the rule", name))
	}
	r.bound[name] = nil
	if t == nil {
		return nil
	}
	if o, ok := t.(*unlinkedOptions); ok {
		t = r.linkOptions(o)
	} else if b, err := bind(t, r.dir); err != nil {
		r.r.fault(n, atValue, err.Error(), `add cwd = "/..." to the rule, or write the path out`)
		return nil
	} else {
		t = b
	}
	r.bound[name] = t
	return t
}

func (r *ruleReader) linkOptions(o *unlinkedOptions) Type {
	linked := &Options{List: make([]Pattern, len(o.List)), Repeat: o.Repeat}
	for i, pattern := range o.List {
		elements := make([]Element, len(pattern.Elements))
		for j, e := range pattern.Elements {
			e.Parts = append([]Part(nil), e.Parts...)
			elements[j] = e
		}
		r.link(o.at.entry(i), elements)
		for _, e := range elements {
			for _, part := range e.Parts {
				if part.Name != "" {
					if r.hidden == nil {
						r.hidden = map[string]bool{}
					}
					r.hidden[part.Name] = true
				}
			}
		}
		linked.List[i] = Pattern{pattern.Text, elements}
	}
	return linked
}

// template reads run and holds it against the patterns.
func (r *ruleReader) template(rule *Rule) {
	if !r.has("run") {
		if r.has("raw") {
			r.r.fault(r.at.child("raw"), atKey, "a raw text names no program", `add run = "/path/to/program"`)
		}
		return
	}
	text, ok := r.str("run")
	if !ok {
		return
	}
	elements, err := parseElements(text)
	if err == nil && len(elements) == 0 {
		err = errors.New("run is empty")
	}
	if err == nil {
		if program, literal := elements[0].Literal(); !literal || !cleanPath(program) || program == "/" {
			err = errors.New("the first word of run must be an absolute path, literal, without empty, . or .. parts")
		}
	}
	if err != nil {
		r.fault("run", err.Error(), `write one such as "/usr/local/bin/deploy --to {place}"`)
		return
	}
	rule.Run = &Template{text, elements}
	for _, e := range elements {
		for _, part := range e.Parts {
			if part.Name == "" {
				continue
			}
			if err := r.available(rule, part.Name, e.Repeat); err != nil {
				r.fault("run", err.Error(), "")
			}
		}
	}
}

// available says whether run may use a placeholder: each pattern must have it exactly once, repeated alike.
func (r *ruleReader) available(rule *Rule, name string, repeat Repeat) error {
	if r.hidden[name] {
		return fmt.Errorf("{%s} stands inside options, so run cannot use it", name)
	}
	if len(rule.Patterns) == 0 {
		return fmt.Errorf("no command of this rule has the placeholder %s", spelled(name, repeat))
	}
	for _, pattern := range rule.Patterns {
		count := 0
		for _, e := range pattern.Elements {
			for _, part := range e.Parts {
				if part.Name != name {
					continue
				}
				count++
				if e.Repeat != repeat {
					return fmt.Errorf("run has %s where the command has %s", spelled(name, repeat), spelled(name, e.Repeat))
				}
			}
		}
		switch {
		case count == 0:
			return fmt.Errorf("the command %s does not have the placeholder %s", strconv.QuoteToASCII(pattern.Text), spelled(name, repeat))
		case count > 1:
			return fmt.Errorf("{%s} stands %d times in the command, so run cannot use it", name, count)
		}
	}
	return nil
}

// IsReserved says whether no rule may have the name: what a test expects could not tell it from the words "allow" and "deny".
func IsReserved(name string) bool { return name == expectAllow || name == expectDeny }

// IsName says whether s is a name of a key or of a rule: [A-Za-z0-9][A-Za-z0-9._-]{0,63}.
func IsName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return true
}
