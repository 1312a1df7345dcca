package admin

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/address"
	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/confine"
	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/host"
	"example.org/ssh-gate/internal/listing"
	"example.org/ssh-gate/internal/plan"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/safefile"
	"example.org/ssh-gate/internal/session"
)

// explainOptions are what the verb explain was called with.
type explainOptions struct {
	key, file, dir, config, log string
	last, json                  bool
	question
}

// accountKeys is how records and options call the policy of an account whose login shell is the gate.
const accountKeys = "users/"

// explain tells what the gate would do with a request, and why, by the gate's own code. It starts nothing.
func explain(c *call) int {
	o := &explainOptions{}
	options := flag.NewFlagSet("explain", flag.ContinueOnError)
	options.StringVar(&o.key, "key", "", "the policy of this key, a `NAME`; users/NAME is that of an account")
	options.StringVar(&o.file, "policy", "", "this policy, a `FILE`")
	options.StringVar(&o.dir, "policy-dir", "", "look for the key's policy in `DIR`")
	options.StringVar(&o.config, "config", "", "this configuration of the host, a `FILE`")
	options.StringVar(&o.user, "user", "", "the login user, a `NAME` (default: the policy's first)")
	options.StringVar(&o.ip, "from", "", "the client's `ADDRESS` (default: one of the policy's networks)")
	options.StringVar(&o.fingerprint, "fingerprint", "", "the key that was used, a `FINGERPRINT` (default: the policy's first)")
	options.Func("at", "the `TIME` of the login: 2026-11-22, \"2026-11-22 10:00\", 2d for two days ago (default: now)", func(value string) (err error) {
		o.at, err = c.moment(value)
		return err
	})
	options.BoolVar(&o.last, "last", false, "the last request that the log has as refused, of the key if one is named")
	options.StringVar(&o.log, "file", "", "this log, a `FILE`, for --last and REF")
	options.BoolVar(&o.json, "json", false, "as JSON")
	words, status, ok := c.parseWords(options)
	if !ok {
		return status
	}
	var from *record.Record
	switch {
	case o.ip != "" && !isAddress(o.ip):
		return c.misused(fmt.Sprintf("--from takes an address such as 203.0.113.7, not %+q", o.ip))
	case o.key != "" && o.file != "", o.file != "" && o.dir != "":
		return c.misused("--key, --policy and --policy-dir: name the policy by a key, with or without its folder, or by its file")
	case o.last && len(words) > 0:
		return c.misused("--last takes the request from the log, so none can be given")
	case o.last || o.key == "" && o.file == "" && len(words) == 1:
		if from, status = c.fromLog(o, words); from == nil {
			return status
		}
	case o.key == "" && o.file == "":
		return c.misused("name the policy with --key NAME or --policy FILE; or give the reference of a record, or --last")
	default:
		o.request = strings.Join(words, " ") // as ssh(1) joins them
	}
	source, err := o.source()
	if err != nil {
		return c.misused(err.Error())
	}
	config, problem, err := o.hostConfig()
	if err != nil {
		return c.failFolder(err)
	}
	e := &explanation{Request: record.Escape(o.request), Key: source.Key, Policy: source.File, question: &o.question, recorded: from}
	e.judge(source, config, problem, c.now)
	if e.problem != nil && o.file == "" && (e.Reason == record.PolicyMissing || e.Reason == record.NoUserPolicy) {
		if question := meant(nearest(o.key, knownKeys(o.dir))); question != "" {
			e.hint = question + " If not: " + e.problem.Hint()
		}
	}
	if o.json {
		return e.tellJSON(c)
	}
	return e.tell(c)
}

func isAddress(text string) bool {
	_, _, ok := address.ParseZoned(text)
	return ok
}

// hostConfig is the host's configuration, or what keeps the gate from any request.
func (o *explainOptions) hostConfig() (*policy.Config, *host.Problem, error) {
	if o.config == "" {
		config, problem := host.Config(policy.ConfigFile, false)
		return config, problem, nil
	}
	file, err := filepath.Abs(o.config)
	if err != nil {
		return nil, nil, err
	}
	config, problem := host.Config(file, true)
	return config, problem, nil
}

// source is where the policy is.
func (o *explainOptions) source() (*host.Source, error) {
	s := &host.Source{Key: o.key, File: o.file, Pointed: o.file != "" || o.dir != ""}
	name, account := strings.CutPrefix(o.key, accountKeys)
	dir := policy.KeysDir
	if s.Account = account; account {
		dir = policy.UsersDir
		if o.user == "" {
			o.user = name
		}
	}
	if o.dir != "" {
		dir = o.dir
	}
	if o.file == "" {
		if !policy.IsName(name) {
			return nil, fmt.Errorf("%+q is no name of a key", o.key)
		}
		s.File = filepath.Join(dir, name+".toml")
	} else {
		s.Key = keyOf(o.file)
	}
	file, err := filepath.Abs(s.File)
	s.File = file
	return s, err
}

// keyOf is what records call the key of a policy that is named by its file.
func keyOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".toml") }

// fromLog takes the request and the login from a record.
func (c *call) fromLog(o *explainOptions, words []string) (*record.Record, int) {
	key := o.key
	if o.file != "" {
		key = keyOf(o.file)
	}
	wanted := func(r *record.Record) bool {
		return r.Event != record.Allowed && r.Key != "" && (key == "" || r.Key == key)
	}
	missing := "the log has no refused request"
	if key != "" {
		missing += fmt.Sprintf(" of the key %+q%s", key, didYouMean(key, knownKeys(o.dir)))
	}
	if len(words) == 1 {
		wanted = func(r *record.Record) bool { return r.Ref == strings.ToLower(words[0]) }
		missing = fmt.Sprintf("the log has no record with the reference %+q", words[0])
	}
	book, status := c.openBook(o.log, o.config)
	if book == nil {
		return nil, status
	}
	defer book.Close()
	var found *record.Record
	for l := range book.All() {
		if wanted(l.Record) {
			copied := *l.Record
			found = &copied
		}
	}
	switch {
	case found == nil && len(words) == 1 && slices.Contains(knownKeys(o.dir), words[0]):
		return nil, c.fail(errors.New(missing), fmt.Sprintf("to ask about the key %s: ssh-gate explain --key %[1]s -- REQUEST", words[0]))
	case found == nil:
		return nil, c.fail(errors.New(missing), "ssh-gate log shows what there is; to explain a request that was never sent: ssh-gate explain --key NAME -- 'REQUEST'")
	case found.Bytes > len(found.Request):
		return nil, c.fail(fmt.Errorf("the record has only the first %d bytes of the request's %d", len(found.Request), found.Bytes), "put the whole request, if you know it: ssh-gate explain --key NAME -- 'REQUEST'")
	case found.Key == "":
		return nil, c.fail(errors.New("the record names no key: the gate was called wrongly, see its detail: "+record.Escape(found.Detail)), "correct the key line, ssh-gate check finds it; to ask about a key: ssh-gate explain --key NAME -- 'REQUEST'")
	}
	o.take(found)
	if o.file == "" {
		o.key = found.Key
	}
	return found, exitOK
}

// explanation is the whole answer. Texts of the client's are escaped as in a record.
type explanation struct {
	Request string   `json:"request"`
	Words   []string `json:"words,omitempty"`
	Key     string   `json:"key"`
	Policy  string   `json:"policy"`
	User    string   `json:"user,omitempty"`
	IP      string   `json:"client_ip,omitempty"`
	At      string   `json:"time"`
	Steps   []step   `json:"steps"`

	Event  record.Event  `json:"event"`
	Reason record.Reason `json:"reason"`
	Rule   string        `json:"rule,omitempty"`
	Detail string        `json:"detail,omitempty"`
	Client string        `json:"client_sees"`
	Status *int          `json:"exit_status"` // null: the program's own
	Runs   *runs         `json:"runs,omitempty"`

	Unknown []string `json:"unknown,omitempty"` // what decides as well, and cannot be seen from here

	question *question
	recorded *record.Record // what the question was taken from; nil: nothing
	problem  *host.Problem  // why the policy cannot be had, or what is allowed not be started
	hint     string         // what to do about it, where more is known than the reason says
	policy   *policy.Policy
}

type step struct {
	Rule    string  `json:"rule"`
	Command string  `json:"command"`
	State   string  `json:"state"`         // matched, failed, untried
	Why     string  `json:"why,omitempty"` // it failed, or was not tried
	Took    []value `json:"took,omitempty"`
}

type value struct {
	Name  string   `json:"name"`
	Words []string `json:"words"`
}

const (
	stepMatched = "matched"
	stepFailed  = "failed"
	stepUntried = "untried"
)

// runs is what would run.
type runs struct {
	Program  string    `json:"program"`
	Argv     []string  `json:"argv"`
	Env      []string  `json:"env"`
	PassEnv  []string  `json:"pass_env,omitempty"`
	Dir      string    `json:"dir"`
	Umask    string    `json:"umask,omitempty"`
	Stdin    string    `json:"stdin"`
	Keeps    bool      `json:"keeps_privileges"`
	Limits   []string  `json:"limits,omitempty"`
	Confined *confined `json:"confined,omitempty"`
}

type confined struct {
	Read     []string `json:"read"`
	Write    []string `json:"write"`
	Execute  []string `json:"execute"`
	Starters []string `json:"started_by,omitempty"`
	Network  bool     `json:"network"`
	ABI      int      `json:"landlock_abi"`
	Gaps     []string `json:"not_held,omitempty"`
}

// judge puts the question to the gate's own code. unset is what is wrong with the configuration.
func (e *explanation) judge(source *host.Source, config *policy.Config, unset *host.Problem, now time.Time) {
	if e.question.at.IsZero() { // only tests stand in the days of a policy that has expired
		e.question.at = now
	}
	if words, problem := argv.Split(e.question.request); problem == nil {
		e.Words = escapeAll(words)
	}
	if unset != nil {
		e.fail(unset, "")
		return
	}
	loaded, problem := source.Policy()
	if problem != nil {
		e.fail(problem, "")
		return
	}
	p := loaded.Policy
	e.policy = p
	e.question.complete(p, now)
	if problem := unreadableFor(e.question.user, source); problem != nil {
		e.fail(problem, "")
		return
	}
	steps := map[[2]int]decide.Step{}
	d := decide.Decide(e.question.input(p, host.Files{Path: config.Path}, func(s decide.Step) {
		steps[[2]int{s.Rule.Number, s.Pattern}] = s
	}))
	e.steps(p, steps)
	rule := ""
	if d.Rule != nil {
		rule = d.Rule.Label()
	}
	e.end(d.Reason, rule, d.Detail, p.Full)
	if d.Listing != decide.NoListing {
		e.Client = listing.Text(p) + e.Client
		if d.Listing == decide.ListingJSON {
			e.Client = listing.JSON(p)
		}
	}
	if !d.Allowed {
		return
	}
	if problem := host.Program(d.Program, loaded.Own); problem != nil {
		e.fail(problem, rule)
	}
	e.plan(&d, config)
}

// unreadableFor says that the gate, which runs as the login user, could not read a policy that root could.
func unreadableFor(user string, source *host.Source) *host.Problem {
	if source.Pointed { // who runs this is the login user
		return nil
	}
	account, err := session.AccountNamed(user)
	shut := closed(source.File)
	if err == nil && os.Geteuid() == 0 && account.UID != 0 {
		err := actAs(account, func() error {
			f, err := os.Open(source.File)
			if err == nil {
				f.Close()
			}
			return err
		})
		shut = errors.Is(err, fs.ErrPermission)
	}
	if !shut {
		return nil
	}
	return &host.Problem{Reason: record.PolicyUnreadable, Err: &safefile.Error{Fault: safefile.Unreadable, Path: source.File,
		Problem: "cannot be read by the login user, as whom the gate runs", Hint: fmt.Sprintf("chmod a+r %+q, and a+x the folders above it", source.File)}}
}

// fail says how the gate would end for what stands in the way; the first of it.
func (e *explanation) fail(problem *host.Problem, rule string) {
	if e.problem == nil {
		e.problem = problem
		e.end(problem.Reason, rule, problem.Error(), false)
	}
}

// steps lists each command of each rule, tried or not. Why one was not is said where any was: otherwise it is the end that tells.
func (e *explanation) steps(p *policy.Policy, tried map[[2]int]decide.Step) {
	matched := false
	untried := func(raw bool) string {
		switch {
		case len(tried) == 0:
			return ""
		case matched:
			return "the first rule that matches wins"
		case e.Words == nil && !raw:
			return "the request is no plain words"
		}
		return "what was given up before could have been the first that matches"
	}
	for i := range p.Rules {
		rule := &p.Rules[i]
		texts, first := []string{rule.Raw}, -1
		if rule.Raw == "" {
			texts, first = nil, 0
			for _, pattern := range rule.Patterns {
				texts = append(texts, pattern.Text)
			}
		}
		for j, text := range texts {
			s := step{Rule: rule.Label(), Command: text, State: stepUntried, Why: untried(rule.Raw != "")}
			if t, ok := tried[[2]int{rule.Number, first + j}]; ok {
				s.State, s.Why = stepFailed, t.Why
				if t.Matched {
					s.State, matched = stepMatched, true
				}
				for _, v := range t.Took {
					s.Took = append(s.Took, value{v.Name, escapeAll(v.Words)})
				}
			}
			e.Steps = append(e.Steps, s)
		}
	}
}

// refShown stands for the reference that a record would have.
const refShown = "........"

// end says how the gate would end.
func (e *explanation) end(reason record.Reason, rule, detail string, full bool) {
	m := record.Of(reason)
	e.Event, e.Reason, e.Rule, e.Detail = m.Event, reason, rule, detail
	e.Status, e.Client = nil, ""
	if reason != record.Matched {
		e.Status = &m.Status
	}
	if m.Event != record.Allowed {
		e.Client = m.Told(detail, refShown, full) + "\n"
	}
}

// plan says what would run, also where something keeps it from that.
func (e *explanation) plan(d *decide.Decision, config *policy.Config) {
	account, err := session.AccountNamed(e.question.user)
	if err != nil { // of no account here: what the environment would have of it is left out
		account = session.Account{}
	}
	s := &session.Session{Account: account}
	order := plan.Order{Settings: &d.Rule.Settings, Program: d.Program, Argv: d.Argv, Places: d.Places}
	p := plan.New(&order, s, config.Path)
	e.Runs = &runs{Program: p.Path, Argv: escapeAll(p.Argv), PassEnv: d.Rule.Settings.PassEnv, Dir: p.Dir, Stdin: "the client's", Keeps: p.Keep, Limits: p.Limits.Words()}
	for _, kv := range p.Env {
		if !strings.HasSuffix(kv, "=") {
			e.Runs.Env = append(e.Runs.Env, record.Escape(kv))
		}
	}
	if p.Dir == "" {
		e.Runs.Dir = "~"
		if account.Home != "" {
			e.Runs.Dir = account.Home
		}
	}
	if p.Umask != nil {
		e.Runs.Umask = fmt.Sprintf("%04o", p.Umask.Perm())
	}
	if p.StdinNone {
		e.Runs.Stdin = "/dev/null"
	}
	if p.Domain != nil {
		e.confinement(p.Domain, d)
	}
	if l := p.Limits; l.Sessions > 0 || l.Rate.Times > 0 {
		e.Unknown = append(e.Unknown, "whether a limit of sessions or rate is used up at that moment")
	}
	if err := enter(p.Dir); err != nil {
		e.fail(&host.Problem{Reason: record.FolderUnavailable, Err: fmt.Errorf("the folder %+q cannot be entered: %w", p.Dir, err)}, d.Rule.Label())
	}
	if e.problem == nil {
		e.start(p.Path, &account, d.Rule.Label())
	}
	if e.problem != nil {
		e.Unknown = nil
	}
}

// start says what execve(2) would say of the program.
func (e *explanation) start(program string, account *session.Account, rule string) {
	unknown, err := confine.Start(program)
	var st unix.Stat_t
	switch looked := unix.Stat(program, &st); {
	case errors.Is(err, unix.ENOEXEC) && otherFormats():
		unknown, err = "whether the kernel can start it: it is no program of this machine and no script with #!, but binfmt_misc has other formats", nil
	case err != nil:
	case looked == nil && account.Name != "" && account.UID != 0 && st.Mode&0o011 == 0 && int(st.Uid) != account.UID:
		unknown, err = "", unix.EACCES
	}
	if unknown != "" {
		e.Unknown = append(e.Unknown, unknown)
	}
	if err == nil {
		return
	}
	switch {
	case errors.Is(err, unix.ENOEXEC):
		e.hint = "it is no program of this machine, and no shell is asked: a script begins with a line such as #!/bin/sh"
	case errors.Is(err, unix.ENOENT):
		e.hint = "the interpreter in its first line, or the loader that it was built for, does not exist here"
	case errors.Is(err, unix.EACCES):
		e.hint = "the login user may not execute it, or its interpreter, or it lies on a file system mounted noexec: ls -l, findmnt -T"
	}
	e.fail(&host.Problem{Reason: record.ProgramFailed, Err: fmt.Errorf("%+q: %w", program, err)}, rule)
}

// formatsDir is where binfmt_misc lists what the kernel starts beside its own formats.
const formatsDir = "/proc/sys/fs/binfmt_misc"

// otherFormats says whether there are any, or that they cannot be seen.
func otherFormats() bool {
	entries, err := os.ReadDir(formatsDir)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != "register" && e.Name() != "status" })
}

// enter says why chdir(2) would fail.
func enter(dir string) error {
	if dir == "" {
		return nil
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.X_OK, unix.AT_EACCESS)
}

func (e *explanation) confinement(domain *confine.Domain, d *decide.Decision) {
	in := &confined{Read: nonNil(domain.Read), Write: nonNil(domain.Write), Execute: append([]string{domain.Program}, domain.Execute...),
		Network: !domain.NoNetwork, ABI: confine.ABI()}
	for _, v := range domain.Values {
		if v.Write {
			in.Write = append(in.Write, v.Path)
		} else {
			in.Read = append(in.Read, v.Path)
		}
	}
	in.Read, in.Write, in.Execute = escapeAll(in.Read), escapeAll(in.Write), escapeAll(in.Execute)
	in.Gaps = confine.Gaps(in.ABI, domain.NoNetwork)
	e.Runs.Confined = in
	if e.problem != nil {
		return
	}
	starters, err := confine.Try(domain)
	if err != nil {
		e.fail(&host.Problem{Reason: plan.ConfineReason(err), Err: err}, d.Rule.Label())
	}
	slices.Sort(starters)
	in.Starters = escapeAll(slices.Compact(starters))
}

func nonNil(list []string) []string { return append([]string{}, list...) }

func escapeAll(words []string) []string {
	escaped := make([]string, len(words))
	for i, w := range words {
		escaped[i] = record.Escape(w)
	}
	return escaped
}

// exit is 0 only where the program would start, or the list be shown.
func (e *explanation) exit() int {
	if e.Event == record.Allowed {
		return exitOK
	}
	return exitFindings
}

func (e *explanation) tellJSON(c *call) int {
	e.User, e.IP, e.At = record.Escape(e.question.user), e.question.ip, e.question.at.UTC().Format(time.RFC3339)
	if e.Steps == nil {
		e.Steps = []step{}
	}
	return c.print(e, e.exit())
}

func (e *explanation) tell(c *call) int {
	p := &page{width: c.width}
	e.tellQuestion(c, p)
	p.gap()
	e.tellSteps(c, p)
	e.tellEnd(c, p)
	if e.Runs != nil {
		p.gap()
		e.Runs.tell(p)
	}
	for i, text := range e.Unknown {
		label := ""
		if i == 0 {
			label = "not known"
		}
		p.row(label, text)
	}
	fmt.Fprint(c.out, p.b.String())
	return e.exit()
}

func (e *explanation) tellQuestion(c *call, p *page) {
	q := e.question
	if e.Request == "" {
		p.row("request", "(no command)")
	} else {
		p.row("request", e.Request)
	}
	for i, w := range e.Words {
		label := ""
		if i == 0 {
			label = "words"
		}
		p.row(label, strconv.Itoa(i+1)+"  "+w)
	}
	p.row("policy", record.Escape(e.Policy))
	if e.policy == nil {
		return
	}
	assumed := func(text string, is bool) string {
		if is {
			return text + " (assumed)"
		}
		return text
	}
	var login []string
	if q.user != "" {
		login = append(login, assumed("user "+record.Escape(q.user), q.assumed.user))
	}
	if q.ip != "" {
		login = append(login, assumed("from "+record.Escape(q.ip), q.assumed.ip))
	}
	if q.fingerprint != "" {
		login = append(login, assumed("key "+record.Escape(q.fingerprint), q.assumed.fingerprint))
	}
	p.row("login", strings.Join(append(login, "at "+q.at.In(c.zone).Format("2006-01-02 15:04:05 MST")), ", "))
	if e.recorded != nil {
		p.row("recorded", fmt.Sprintf("%s %s, ref %s; what follows is by the policy of today", e.recorded.Event, record.Escape(string(e.recorded.Reason)), record.Escape(e.recorded.Ref)))
	}
}

func (e *explanation) tellSteps(c *call, p *page) {
	tried := false
	for _, s := range e.Steps {
		tried = tried || s.State != stepUntried
	}
	if !tried { // the login, or the request as such, was refused before any rule
		return
	}
	last := ""
	for _, s := range e.Steps {
		label := s.Rule
		if label == last {
			label = ""
		}
		last = s.Rule
		switch s.State {
		case stepMatched:
			text := c.paint(green, "matches")
			for i, v := range s.Took {
				separator := ", "
				if i == 0 {
					separator = ": "
				}
				text += separator + v.Name + " = " + strings.Join(quoteAll(v.Words), " ")
			}
			p.painted(label, c.paint(bold, label), text)
		case stepFailed:
			p.row(label, s.Why)
		default:
			p.row(label, "not tried: "+s.Why)
		}
	}
	p.gap()
}

func quoteAll(words []string) []string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = `"` + w + `"`
	}
	return quoted
}

func (e *explanation) tellEnd(c *call, p *page) {
	m := record.Of(e.Reason)
	colour := map[record.Event]string{record.Allowed: green, record.Denied: red, record.Error: yellow}[e.Event]
	text := string(e.Reason)
	if e.Reason == record.Matched {
		text = "by the rule " + e.Rule
	} else {
		text += ": " + m.Text
	}
	p.painted(string(e.Event), c.paint(colour, string(e.Event)), text)
	var faults policy.Faults
	switch {
	case e.problem != nil && errors.As(e.problem.Err, &faults):
		for _, f := range faults {
			p.row("", fmt.Sprintf("%s:%d:%d: %s", policy.Printable(f.File), f.Line, f.Col, policy.Printable(f.Message)))
			p.b.WriteString(c.source(f, colour))
			if f.Hint != "" {
				p.b.WriteString("  hint: " + fold(policy.Printable(f.Hint), c.width, len("  hint: ")) + "\n")
			}
		}
	case e.Detail != "":
		p.row("", policy.Printable(e.Detail))
	}
	if e.problem != nil {
		p.row("hint", record.Escape(cmp.Or(e.hint, e.problem.Hint())))
	} else if m.Next != "" {
		p.row("hint", m.Next)
	}
	for i, line := range strings.Split(strings.TrimSuffix(e.Client, "\n"), "\n") {
		label := ""
		if i == 0 {
			label = "client sees"
		}
		if line != "" {
			p.row(label, line)
		}
	}
	if e.Status != nil {
		p.row("exit status", strconv.Itoa(*e.Status))
	}
}

func (r *runs) tell(p *page) {
	p.row("program", record.Escape(r.Program))
	for i, w := range r.Argv {
		label := ""
		if i == 0 {
			label = "argv"
		}
		p.row(label, strconv.Itoa(i)+"  "+w)
	}
	p.row("folder", record.Escape(r.Dir))
	for i, kv := range r.Env {
		label := ""
		if i == 0 {
			label = "environment"
		}
		p.row(label, kv)
	}
	from := "the connection's SSH_CONNECTION, SSH_CLIENT, SSH_TTY, TERM, LANG and LC_*, where they are plain"
	if !slices.ContainsFunc(r.Env, func(kv string) bool { return strings.HasPrefix(kv, "USER=") }) {
		from = "HOME, USER, LOGNAME and SHELL of the login user (--user tells them), " + from
	}
	if len(r.PassEnv) > 0 {
		from += "; of the client's " + strings.Join(r.PassEnv, ", ")
	}
	p.row("", "and "+from)
	p.row("stdin", r.Stdin)
	if r.Umask != "" {
		p.row("umask", r.Umask)
	}
	if r.Keeps {
		p.row("privileges", "kept: setuid programs such as sudo work")
	} else {
		p.row("privileges", "none can be gained (no_new_privs)")
	}
	limits := "none"
	if len(r.Limits) > 0 {
		limits = strings.Join(r.Limits, ", ")
	}
	p.row("limits", limits)
	if r.Confined == nil {
		p.row("confinement", "none: it reaches what the account reaches")
		return
	}
	r.Confined.tell(p)
}

func (in *confined) tell(p *page) {
	list := func(paths []string) string {
		if len(paths) == 0 {
			return "nothing more"
		}
		return strings.Join(paths, " ")
	}
	p.row("confinement", "reads "+list(in.Read))
	p.row("", "writes "+list(in.Write))
	p.row("", "executes "+list(in.Execute))
	if len(in.Starters) > 0 {
		p.row("", "started by "+strings.Join(in.Starters, " "))
	}
	if in.Network {
		p.row("", "network: as the account")
	} else {
		p.row("", "network: none")
	}
	for _, gap := range in.Gaps {
		p.row("", fmt.Sprintf("this kernel, Landlock version %d: %s", in.ABI, gap))
	}
}
