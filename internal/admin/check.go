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
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/confine"
	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/host"
	"example.org/ssh-gate/internal/lint"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/safefile"
	"example.org/ssh-gate/internal/session"
)

// checkOptions are what the verb check was called with.
type checkOptions struct {
	dir, config string
	kind        string // of the files that are named: policy or config; empty: by their names
	why         string
	level       lint.Severity
	list        bool
	json, sarif bool
}

// checkPolicies finds what is wrong and what is doubtful in policies: the whole set of this host, or what is named.
func checkPolicies(c *call) int {
	o := &checkOptions{level: lint.Note}
	options := flag.NewFlagSet("check", flag.ContinueOnError)
	options.StringVar(&o.dir, "policy-dir", "", "the policies of keys are in `DIR`")
	options.StringVar(&o.config, "config", "", "this configuration of the host, a `FILE`")
	options.Func("kind", "what the named files are, a `KIND`: policy or config (default: config for config.toml)", func(value string) error {
		if o.kind = value; value != kindPolicy && value != kindConfig {
			return errors.New("the kinds are policy and config")
		}
		return nil
	})
	options.Func("level", "tell what is at least so severe, a `LEVEL`: error, warning or note (default: note)", func(value string) error {
		if o.level = lint.Severity(value); !slices.Contains(severities, o.level) {
			return errors.New("the levels are error, warning and note")
		}
		return nil
	})
	options.BoolVar(&o.json, "json", false, "as JSON")
	options.BoolVar(&o.sarif, "sarif", false, "as SARIF 2.1.0")
	options.BoolVar(&o.list, "list", false, "list all that can be found")
	options.StringVar(&o.why, "why", "", "say what the finding `ID` means, and what to write instead")
	names, status, ok := c.parseNames(options)
	if !ok {
		return status
	}
	switch {
	case o.json && o.sarif:
		return c.misused("--json and --sarif exclude each other")
	case o.list:
		return c.listKinds(o.json)
	case o.why != "":
		return c.tellWhy(o.why)
	}
	if slices.Contains(names, "") {
		return c.misused("an empty name names no policy")
	}
	e, status := c.newExamination(o, names)
	if e == nil {
		return status
	}
	if len(names) == 0 {
		e.wholeSet()
	}
	for _, name := range names {
		e.named(name)
	}
	e.progress.done()
	return e.tell(c)
}

const (
	kindPolicy = "policy"
	kindConfig = "config"
)

// severities, the worst first.
var severities = []lint.Severity{lint.Error, lint.Warning, lint.Note}

// examination is one run of check.
type examination struct {
	*checkOptions
	c        *call
	config   *policy.Config
	host     *lintHost
	progress progress

	findings []*lint.Finding
	policies int
	texts    int // of policies that were judged by their text alone
	tests    int
	skipped  []string // what could not be looked at

	inFile  *fileFindings             // while a file of keys is looked at
	logins  map[string]*policy.Rule   // the rules for a login without a command, by the files of their policies
	accepts map[string]*policy.Policy // those that accept anything, by their files
}

// newExamination reads the configuration, whose search path all else depends on. A fault of it is itself what is found, where the
// configuration was asked about.
func (c *call) newExamination(o *checkOptions, names []string) (*examination, int) {
	e := &examination{checkOptions: o, c: c, config: policy.DefaultConfig(), progress: c.newProgress()}
	for _, path := range []*string{&o.dir, &o.config} {
		if *path == "" {
			continue
		}
		whole, err := filepath.Abs(*path)
		if err != nil {
			return nil, c.failFolder(err)
		}
		*path = whole
	}
	file := o.config
	if file == "" {
		file = policy.ConfigFile
	}
	switch config, problem := host.Config(file, o.config != ""); {
	case problem == nil:
		e.config = config
	case len(names) == 0, o.config != "":
		e.problem(file, problem, "")
	case !slices.Contains(names, file):
		c.warn("the host's configuration is passed over: %v", problem)
	}
	e.host = newLintHost(e.config.Path)
	return e, exitOK
}

// wholeSet examines all policies of the host, and who names them.
func (e *examination) wholeSet() {
	keys := policy.KeysDir
	if e.dir != "" {
		keys = e.dir
	}
	files := e.folder(keys, false)
	if e.dir == "" {
		files = append(files, e.folder(policy.UsersDir, true)...)
	}
	if len(files) == 0 {
		e.about("no-policies", keys, "there is no policy in it")
	}
	for i := range files {
		e.progress.step(i, len(files))
		e.examine(&files[i])
	}
	if e.dir == "" {
		e.keyLines(files)
	}
}

// listed is a policy to examine.
type listed struct {
	host.Source
	fresh bool // it was seen in its folder, so it is there
	plain bool // it lies where no gate reads, so its place is not judged
}

func (e *examination) folder(dir string, account bool) []listed {
	policies, stray, err := listPolicies(dir, e.dir != "", account)
	if err != nil && !(errors.Is(err, fs.ErrNotExist) && (account || e.dir == "")) {
		e.about("policy-unreadable", dir, "the folder cannot be looked at: "+reasonOf(err))
	}
	for _, file := range stray {
		e.about("stray-file", file, "no key can name this file, so nothing reads it")
	}
	files := make([]listed, len(policies))
	for i := range policies {
		files[i] = listed{Source: policies[i], fresh: true}
	}
	return files
}

func reasonOf(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// named examines what an argument names: the policy of a key, that of an account as users/NAME, or a file. A file that does not lie where
// the gate reads is judged by its text alone: a configuration manager asks before it puts the file in place.
func (e *examination) named(name string) {
	account, isAccount := strings.CutPrefix(name, accountKeys)
	keys := policy.KeysDir
	if e.dir != "" {
		keys = e.dir
	}
	switch {
	case isAccount && policy.IsName(account) && !strings.HasSuffix(account, ".toml"):
		e.examine(&listed{Source: host.Source{Key: name, File: filepath.Join(policy.UsersDir, account+".toml"), Account: true}})
		return
	case policy.IsName(name) && !strings.HasSuffix(name, ".toml"):
		e.examine(&listed{Source: host.Source{Key: name, File: filepath.Join(keys, name+".toml"), Pointed: e.dir != ""}})
		return
	}
	file, err := filepath.Abs(name)
	if err != nil {
		e.about("policy-unreadable", name, err.Error())
		return
	}
	switch dir := filepath.Dir(file); {
	case e.kind == kindConfig || e.kind == "" && filepath.Base(file) == filepath.Base(policy.ConfigFile):
		e.configFile(file)
	case dir == keys || dir == policy.UsersDir:
		e.examine(&listed{Source: host.Source{Key: strings.TrimSuffix(filepath.Base(file), ".toml"), File: file, Pointed: e.dir != "", Account: dir == policy.UsersDir}})
	default:
		e.examine(&listed{Source: host.Source{Key: strings.TrimSuffix(filepath.Base(file), ".toml"), File: file, Pointed: true}, plain: true})
	}
}

func (e *examination) configFile(file string) {
	text, err := readPlain(file, policy.MaxBytes)
	if err != nil {
		e.unreadable(file, err, "config-missing", "config-unreadable")
		return
	}
	if _, faults := policy.ParseConfig(file, text); faults != nil {
		e.problem(file, &host.Problem{Reason: record.ConfigInvalid, Err: faults}, "")
	}
}

func (e *examination) unreadable(file string, err error, missing, unreadable string) {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		e.about(missing, file, "the file does not exist")
	case errors.Is(err, notRegular{}):
		e.about(unreadable, file, "the file "+err.Error())
	default:
		e.about(unreadable, file, "the file cannot be read: "+reasonOf(err))
	}
}

// maxReads bounds how often a file is read that changes meanwhile: one that is replaced once is whole the second time.
const maxReads = 5

// examine holds one policy against all that is known of slips, and runs its tests.
func (e *examination) examine(f *listed) {
	e.policies++
	if f.plain {
		e.texts++
	}
	var (
		p             *host.Policy
		problem       *host.Problem
		changed, gone bool
	)
	for range maxReads {
		before, _ := look(f.File)
		p, problem = e.load(f)
		after, missing := look(f.File)
		if changed, gone = before != after, missing; !changed {
			break
		}
	}
	switch {
	case changed || gone && f.fresh:
		e.about("changed-while-read", f.File, "the file vanished or changed while it was read")
	case problem != nil:
		question := ""
		if !f.plain && !f.fresh && (problem.Reason == record.PolicyMissing || problem.Reason == record.NoUserPolicy) {
			question = meant(nearest(f.Key, knownKeys(e.dir)))
		}
		e.problem(f.File, problem, question)
	default:
		for _, found := range lint.Policy(p.Policy, string(p.Text), e.host, e.c.now) {
			e.add(&found)
		}
		e.runTests(p)
		e.noteLogin(f.File, p.Policy)
		e.noteAccepts(f.File, p.Policy)
		if !f.Pointed && closed(f.File) {
			e.about("policy-unreadable", f.File, "its mode lets nobody read it but root, and the gate reads it as the login user")
		}
	}
}

// closed says whether a policy, or a folder on the way to it, is open to root alone: neither others nor a group may read it. What a group
// may read is the administrator's choice.
func closed(file string) bool {
	if os.Geteuid() != 0 {
		return false // who reads it here is the login user, or may be
	}
	for path, need := file, uint32(0o044); ; path, need = filepath.Dir(path), 0o011 {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil || st.Uid == 0 && st.Mode&need&0o007 == 0 && (st.Gid == 0 || st.Mode&need&0o070 == 0) {
			return err == nil
		}
		if path == "/" {
			return false
		}
	}
}

// load reads a policy as the gate does, or, where no gate reads it, as a text.
func (e *examination) load(f *listed) (*host.Policy, *host.Problem) {
	if !f.plain {
		return f.Policy()
	}
	text, err := readPlain(f.File, policy.MaxBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &host.Problem{Reason: record.PolicyMissing, Err: &safefile.Error{Path: f.File, Problem: "does not exist"}}
	case errors.Is(err, unix.ENOTDIR):
		return nil, &host.Problem{Reason: record.PolicyMissing, Err: &safefile.Error{Path: f.File, Problem: "lies below a file"}}
	case errors.Is(err, notRegular{}):
		return nil, &host.Problem{Reason: record.PolicyUnreadable, Err: &safefile.Error{Path: f.File, Problem: err.Error(),
			Hint: "Name files that hold a policy each; a folder of policies is named by --policy-dir."}}
	case err != nil:
		return nil, &host.Problem{Reason: record.PolicyUnreadable, Err: &safefile.Error{Path: f.File, Problem: "cannot be read: " + reasonOf(err)}}
	}
	p, faults := policy.Parse(f.Key, f.File, text)
	if faults != nil {
		return nil, &host.Problem{Reason: record.PolicyInvalid, Err: faults}
	}
	return &host.Policy{Policy: p, Text: text, Own: os.Geteuid() != 0}, nil
}

// notRegular is told of what is no file, by its type in st_mode; errors.Is takes it for any.
type notRegular struct{ mode uint32 }

func (n notRegular) Error() string {
	what := map[uint32]string{unix.S_IFDIR: "folder", unix.S_IFIFO: "FIFO", unix.S_IFSOCK: "socket", unix.S_IFBLK: "device", unix.S_IFCHR: "device"}
	return "is a " + what[n.mode] + ", not a regular file"
}

func (notRegular) Is(target error) bool { _, ok := target.(notRegular); return ok }

// readPlain reads a regular file of which nothing is known, of at most max bytes and one more, by which the reader sees that it is too long.
// It opens no device, which may do something, waits for no FIFO and no file of /proc that has nothing to say yet, and stops at the bound.
// The calls are raw because package os waits where the kernel says that there is nothing.
func readPlain(file string, max int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return nil, err
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG {
		return nil, notRegular{kind}
	}
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG {
		return nil, notRegular{kind}
	}
	text := make([]byte, 0, min(max, int(st.Size))+512)
	for len(text) <= max {
		if len(text) == cap(text) {
			text = slices.Grow(text, len(text))
		}
		n, err := unix.Read(fd, text[len(text):min(cap(text), max+1)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.EAGAIN) { // of what waits for something yet to come
			return nil, notRegular{}
		}
		if err != nil || n <= 0 {
			return text, err
		}
		text = text[:len(text)+n]
	}
	return text, nil
}

// state is what changes with a file.
type state struct {
	dev, inode   uint64
	size         int64
	wrote, moved unix.Timespec
}

func look(file string) (s state, gone bool) {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return state{}, errors.Is(err, unix.ENOENT)
	}
	return state{uint64(st.Dev), st.Ino, st.Size, st.Mtim, st.Ctim}, false
}

// runTests holds each [[test]] against the rules.
func (e *examination) runTests(p *host.Policy) {
	var places *policy.Places
	for i := range p.Tests {
		test := &p.Tests[i]
		e.tests++
		q := question{request: test.Request, user: test.User, ip: test.ClientIP, at: test.Time}
		got := failed(test, &q, p.Policy, e)
		if got == "" {
			continue
		}
		if places == nil {
			places = policy.NewPlaces(p.File, string(p.Text))
		}
		at := places.At("test", i, "expect")
		at.Message = fmt.Sprintf("the test expects %s, and gets %s", test.Expect.String(), got)
		at.Hint = asked(test, &q, p.Policy, e)
		if name := test.Expect.Rule; name != "" && !slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.Name == name }) {
			at.Message = fmt.Sprintf("the test expects the rule %s, which there is not, and gets %s", name, got)
			at.Hint = policy.ExpectHint
		}
		kind, _ := lint.Of("test-failed")
		e.add(&lint.Finding{Kind: kind, Fault: at})
	}
}

// failed says what a test got in place of what it expects; empty where that is the same.
func failed(test *policy.Test, q *question, p *policy.Policy, e *examination) string {
	q.complete(p, e.c.now)
	d := decide.Decide(q.input(p, e.host, nil))
	var argv []string
	if d.Rule != nil {
		argv = append([]string{d.Program}, d.Argv[1:]...)
	}
	x := &test.Expect
	switch {
	case x.Deny && d.Rule == nil && d.Reason != record.Helped,
		x.Allow && (d.Rule != nil || d.Reason == record.Helped),
		x.Rule != "" && d.Rule != nil && d.Rule.Name == x.Rule,
		x.Argv != nil && d.Rule != nil && slices.Equal(x.Argv, argv):
		return ""
	case d.Rule == nil && d.Reason == record.Helped:
		return "the list of what the key may run"
	case d.Rule == nil:
		return "deny: " + string(d.Reason) + ", " + d.Detail
	case d.Program == "":
		return "the rule " + d.Rule.Label() + ", whose program does not exist: " + d.Detail
	case x.Argv != nil:
		return strings.Join(quoteAll(escapeAll(argv)), " ") + ", by the rule " + d.Rule.Label()
	}
	return "the rule " + d.Rule.Label()
}

// asked is the call of explain that puts the question of a test.
func asked(test *policy.Test, q *question, p *policy.Policy, e *examination) string {
	words := "ssh-gate explain --policy " + shellWord(p.File)
	if test.User != "" {
		words += " --user " + shellWord(test.User)
	}
	if test.ClientIP != "" {
		words += " --from " + shellWord(test.ClientIP)
	}
	if !q.at.Equal(e.c.now) {
		words += " --at " + q.at.UTC().Format(time.RFC3339)
	}
	return words + " -- " + shellWord(test.Request)
}

// shellWord spells a text so that a shell reads it back: bash, ksh and zsh where it holds what a terminal would not show.
func shellWord(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) && utf8.ValidString(text) {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return "$'" + strings.ReplaceAll(record.Escape(text), "'", `\'`) + "'"
}

// problem adds what keeps a file from being read as the gate reads it. The ids are the reason codes. question asks whether another was meant.
func (e *examination) problem(file string, p *host.Problem, question string) {
	kind, known := lint.Of(string(p.Reason))
	if !known { // an account without a policy
		kind, _ = lint.Of("policy-missing")
	}
	var faults policy.Faults
	if errors.As(p.Err, &faults) {
		for _, f := range faults {
			e.add(&lint.Finding{Kind: kind, Fault: f})
		}
		return
	}
	var fault *safefile.Error
	f := &policy.Fault{File: file, Message: p.Error()}
	if errors.As(p.Err, &fault) {
		f.Message, f.Hint = "the file "+fault.Problem, fault.Hint
		if fault.Path != file {
			f.Message = fault.Path + " " + fault.Problem
		}
	}
	if question != "" {
		f.Hint = question + " If not: " + kind.Fix
	}
	e.add(&lint.Finding{Kind: kind, Fault: f})
}

// about adds a finding about a file as a whole.
func (e *examination) about(id, file, message string) {
	kind, _ := lint.Of(id)
	e.add(&lint.Finding{Kind: kind, Fault: &policy.Fault{File: file, Message: message}})
}

// maxTold bounds the findings of one run that are kept.
const maxTold = 100_000

func (e *examination) add(f *lint.Finding) {
	switch {
	case slices.Index(severities, f.Kind.Severity) > slices.Index(severities, e.level) || len(e.findings) >= maxTold:
		return
	case e.inFile != nil:
		e.inFile.add(f)
		return
	}
	e.findings = append(e.findings, f)
}

// sorted puts the findings in the order of their files, and of their lines.
func (e *examination) sorted() []*lint.Finding {
	slices.SortStableFunc(e.findings, func(a, b *lint.Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return e.findings
}

func (e *examination) count(s lint.Severity) int {
	n := 0
	for _, f := range e.findings {
		if f.Kind.Severity == s {
			n++
		}
	}
	return n
}

// lintHost answers what findings depend on, and asks the host once for what many policies share.
type lintHost struct {
	host.Files
	looked   map[string]string
	judged   map[string]error
	resolved map[string]resolution
	accounts map[string]bool
	homes    []string // of those that somebody can log in to
}

func newLintHost(path []string) *lintHost {
	all, _ := session.Accounts()
	return &lintHost{host.Files{Path: path}, map[string]string{}, map[string]error{}, map[string]resolution{}, accountNames(), loginHomes(all)}
}

// resolution is what a path leads to.
type resolution struct {
	path   string
	walked int
	err    error
}

// maxResolved bounds the paths that are remembered.
const maxResolved = 100_000

func (h *lintHost) Resolve(path string) (string, int, error) {
	r, seen := h.resolved[path]
	if !seen {
		r.path, r.walked, r.err = h.Files.Resolve(path)
		if len(h.resolved) < maxResolved {
			h.resolved[path] = r
		}
	}
	return r.path, r.walked, r.err
}

func (h *lintHost) Lookup(name string) (string, bool) {
	path, seen := h.looked[name]
	if !seen {
		path, _ = h.Files.Lookup(name)
		h.looked[name] = path
	}
	return path, path != ""
}

func (h *lintHost) Program(path string) error {
	err, seen := h.judged[path]
	if !seen {
		err = safefile.Program(path, host.Owner(os.Geteuid() != 0))
		h.judged[path] = err
	}
	return err
}

func (h *lintHost) Script(path string) error {
	return safefile.Script(path, host.Owner(os.Geteuid() != 0))
}

func (h *lintHost) Astray(path string) error {
	fd, err := safefile.Open(path)
	if err == nil {
		return unix.Close(fd)
	}
	if fault := (*safefile.Error)(nil); errors.As(err, &fault) && fault.Fault == safefile.Unsafe {
		return err
	}
	return nil // it is missing, or not to be looked at, which is not the way's fault
}

func (h *lintHost) Exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	return err == nil, err
}

func (h *lintHost) Account(name string) bool { return h.accounts[name] }
func (h *lintHost) Homes() []string          { return h.homes }
func (h *lintHost) LandlockABI() int         { return confine.ABI() }

func accountNames() map[string]bool {
	names := map[string]bool{}
	all, _ := session.Accounts() // without the file no account is known
	for _, a := range all {
		names[a.Name] = true
	}
	return names
}

// loginHomes are the homes in which keys let somebody in: sshd asks for no key where the shell is none.
func loginHomes(all []session.Account) []string {
	var homes []string
	for _, a := range all {
		home := filepath.Clean(a.Home)
		switch filepath.Base(a.Shell) {
		case "nologin", "false", "sync", "halt", "shutdown":
			continue
		}
		if filepath.IsAbs(home) && home != "/" && !slices.Contains(homes, home) && len(homes) < maxHomes {
			homes = append(homes, home)
		}
	}
	return homes
}

// maxHomes bounds the homes that the paths of policies are held against.
const maxHomes = 10_000
