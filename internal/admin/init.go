package admin

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/keyline"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/safefile"
	"example.org/ssh-gate/internal/session"
)

// initOptions are what the verb init was called with, and what it found out.
type initOptions struct {
	name    string
	key     *keyline.PublicKey
	from    []string
	expires time.Time
	dir     string // of the policies
	ownDir  bool
	print   bool
	format  string

	install string // the account; empty: none
	keys    string // its authorized_keys; empty: where sshd looks if not told otherwise
	replace bool
	account session.Account
}

const (
	gateProgram = "/usr/bin/ssh-gate" // where the package puts it
	policyMode  = 0o644
	maxFrom     = 100 // addresses in one key line
)

// Formats of what is printed.
const (
	formatText    = "text"
	formatAnsible = "ansible"
	formatPuppet  = "puppet"
)

// initKey writes the first policy of a key, and the key line that leads to it.
func initKey(c *call) int {
	o, status, ok := c.initOptions()
	if !ok {
		return status
	}
	if status := c.initInputs(o); status != exitOK {
		return status
	}
	if o.print {
		fmt.Fprintf(c.out, "# %s\n%s\n# authorized_keys\n", o.policyFile(), o.policyText())
		return c.printLine(o)
	}
	if o.installs() {
		if status := c.installLine(o, true); status != exitOK { // before there is a policy for nothing
			return status
		}
	}
	if status := c.writePolicy(o); status != exitOK {
		return status
	}
	if o.installs() {
		if status := c.installLine(o, false); status != exitOK {
			c.tell("note", fmt.Sprintf("the policy %s stands, and no key line names it yet: mend that, and repeat this", o.policyFile()))
			return status
		}
	}
	if status := c.printLine(o); status != exitOK {
		return status
	}
	if o.install == "" && o.format == formatText {
		c.tell("note", "put this line into ~/.ssh/authorized_keys of the account, or repeat this with --install USER")
	}
	if err := safefile.Program(gateProgram, safefile.RootOnly); err != nil {
		c.warn("the key line calls %s, which cannot be used yet: %v", gateProgram, err)
	}
	return exitOK
}

// installs says whether a key line is put in; for other tools the account is only named.
func (o *initOptions) installs() bool { return o.install != "" && o.format == formatText }

func (c *call) initOptions() (o *initOptions, status int, ok bool) {
	o = &initOptions{dir: policy.KeysDir, format: formatText}
	options := flag.NewFlagSet("init", flag.ContinueOnError)
	public := options.String("public-key", "", "the public key, a `FILE` as ssh-keygen writes it")
	options.Func("from", "let the key in from these addresses and networks only: `ADDR[,ADDR...]`", o.setFrom)
	options.Func("expires", "until this `DATE` only: 90d from now, 2027-01-01, 2027-01-01T12:00:00Z", func(value string) error { return o.setExpires(value, c.now) })
	options.Func("policy-dir", "write the policy into `DIR` (default "+policy.KeysDir+")", o.setDir)
	options.StringVar(&o.install, "install", "", "put the key line into the authorized_keys of the account `USER`")
	options.Func("authorized-keys", "with --install: into this `FILE`, where sshd_config names another", func(value string) (err error) {
		o.keys, err = filepath.Abs(value)
		return err
	})
	options.BoolVar(&o.replace, "replace", false, "with --install: in place of the line that this key has there")
	options.BoolVar(&o.print, "print", false, "print the policy and the key line, and write nothing")
	options.StringVar(&o.format, "format", formatText, "print the key line for `TOOL`: text, ansible or puppet")
	if len(c.args) > 0 && !strings.HasPrefix(c.args[0], "-") {
		o.name, c.args = c.args[0], c.args[1:]
	}
	if status, ok := c.parse(options); !ok {
		return nil, status, false
	}
	problem := o.misuse()
	if problem == "" && *public == "" {
		problem = "--public-key is missing; give the .pub file that ssh-keygen writes beside the private key"
	}
	if problem != "" {
		return nil, c.misused(problem), false
	}
	o.key, status = c.publicKey(*public)
	return o, status, o.key != nil
}

func (o *initOptions) misuse() string {
	switch {
	case o.name == "":
		return "the name of the key is missing; it comes first: ssh-gate init NAME --public-key FILE"
	case !policy.IsName(o.name):
		return fmt.Sprintf("%+q is no name of a key; it takes letters, digits and . _ -, a letter or digit first, at most 64", o.name)
	case o.format != formatText && o.format != formatAnsible && o.format != formatPuppet:
		return fmt.Sprintf("--format takes text, ansible or puppet, not %+q", o.format)
	case o.print && o.installs():
		return "--print writes nothing, and --install writes; give one of them"
	case (o.replace || o.keys != "") && !o.installs():
		return "--replace and --authorized-keys go with --install only, and with --format text"
	}
	return ""
}

// setFrom reads addresses that the policy and sshd understand alike: sshd knows an IPv4 client by its IPv4 address alone.
func (o *initOptions) setFrom(value string) error {
	for _, text := range strings.Split(value, ",") {
		if _, err := policy.ParseNetwork(text); err != nil {
			return err
		}
		if strings.Contains(text, ":") && strings.Contains(text, ".") {
			return fmt.Errorf("%+q is an IPv4 address in the spelling of IPv6; write it as 192.0.2.1", text)
		}
		o.from = append(o.from, text)
	}
	if len(o.from) > maxFrom {
		return fmt.Errorf("more than %d addresses; give networks", maxFrom)
	}
	return nil
}

func (o *initOptions) setExpires(value string, now time.Time) error {
	if span, ok := duration(value); ok && span >= time.Minute {
		o.expires = now.Add(span).UTC().Truncate(time.Minute)
		return nil
	}
	for _, layout := range []string{"2006-01-02", time.RFC3339} {
		at, err := time.Parse(layout, value) // a date without a zone is one in UTC, as in the policy
		if err != nil {
			continue
		}
		if at = at.UTC(); !at.After(now) {
			return errors.New("that moment is over")
		}
		if at.Year() > 9999 || at.Nanosecond() != 0 {
			break
		}
		o.expires = at
		return nil
	}
	return fmt.Errorf("%+q is no date; write 90d, 2027-01-01 or 2027-01-01T12:00:00Z", value)
}

// setDir takes only what needs no quotes anywhere: the folder stands in the key line, which sshd, a shell and other tools read.
func (o *initOptions) setDir(value string) (err error) {
	o.ownDir = true
	if o.dir, err = filepath.Abs(value); err != nil {
		return err
	}
	if !isPlain(o.dir, "/._-+") {
		return fmt.Errorf("%+q stands in the key line, so it takes letters, digits and / . _ - + only", o.dir)
	}
	return nil
}

func isPlain(text, extra string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune(extra, r)
	})
}

// publicKey reads the key, and never waits. Nothing that is told repeats what the file holds.
func (c *call) publicKey(file string) (*keyline.PublicKey, int) {
	text, err := readPlain(file, keyline.MaxPublicKey)
	switch {
	case errors.Is(err, notRegular{}):
		return nil, c.fail(fmt.Errorf("the public key %+q is not a regular file", file), "write the key into a file, and give that")
	case err != nil:
		return nil, c.fail(fmt.Errorf("the public key %+q: %w", file, err), c.publicHint(file, err))
	}
	key, fault := keyline.ReadPublic(text)
	if fault != nil {
		return nil, c.fail(fmt.Errorf("%+q %w", file, fault), strings.ReplaceAll(fault.Hint, "FILE", argv.Quote([]string{file})))
	}
	key.Comment = cleanComment(key.Comment)
	return key, exitOK
}

// publicHint is what to type where a public key is not there, or not to be read.
func (c *call) publicHint(file string, err error) string {
	quoted := argv.Quote([]string{file})
	switch private, isPublic := strings.CutSuffix(file, ".pub"); {
	case !errors.Is(err, fs.ErrNotExist):
		return "ls -l " + quoted
	case isPublic:
		return "ssh-keygen -t ed25519 -f " + argv.Quote([]string{private}) + " makes it, with its private half; for a key that you have: ssh-keygen -y -f PRIVATE > " + quoted
	}
	return "give the .pub file that ssh-keygen writes beside the private key; ssh-keygen -t ed25519 makes both"
}

const maxComment = 100 // characters

// cleanComment leaves what no tool gives a meaning: the comment was written by whoever made the key, and goes to terminals and templates.
func cleanComment(comment string) string {
	clean := strings.Map(func(r rune) rune {
		if isPlain(string(r), "@._-+:/=,") {
			return r
		}
		return '_'
	}, comment)
	return clean[:min(len(clean), maxComment)]
}

// initInputs looks up what can be wrong before anything is written.
func (c *call) initInputs(o *initOptions) int {
	if o.install != "" && !session.Plain(o.install, "$") {
		return c.misused(fmt.Sprintf("%+q is no name of an account", o.install))
	}
	if !o.installs() {
		return exitOK
	}
	account, err := session.AccountNamed(o.install)
	if err != nil {
		hint := "make it with useradd; for an account of another database leave --install out, and put the printed line into its authorized_keys"
		if question := meant(nearest(o.install, slices.Collect(maps.Keys(accountNames())))); question != "" {
			hint = question + " If not: " + hint
		}
		return c.fail(err, hint)
	}
	if euid := os.Geteuid(); euid != 0 && euid != account.UID {
		return c.fail(fmt.Errorf("only root and %s itself may write the keys of %s", o.install, o.install), "sudo ssh-gate init ...")
	}
	o.account = account
	return exitOK
}

func (o *initOptions) policyFile() string { return filepath.Join(o.dir, o.name+".toml") }

func (o *initOptions) owner() safefile.Owner {
	if o.ownDir {
		return safefile.Owner(os.Getuid())
	}
	return safefile.RootOnly
}

// writePolicy makes the policy, or leaves the one that stands there, which others may rely on.
func (c *call) writePolicy(o *initOptions) int {
	file := o.policyFile()
	text := []byte(o.policyText())
	if _, faults := policy.Parse(o.name, file, text); faults != nil {
		return c.fail(faults, "give other options, and report this: ssh-gate version") // never written, so never trusted
	}
	err := safefile.Create(file, text, policyMode, o.owner())
	var fault *safefile.Error
	switch {
	case err == nil:
		c.tell("note", fmt.Sprintf("wrote the policy %s, which allows uptime and nothing else; edit it", file))
		return exitOK
	case errors.As(err, &fault) && fault.Fault == safefile.Exists:
		return c.keepPolicy(o, file)
	case errors.As(err, &fault) && fault.Fault == safefile.Missing:
		return c.fail(err, fmt.Sprintf("install -d -m 755 %s", o.dir))
	case errors.As(err, &fault) && fault.Fault == safefile.Astray:
		return c.fail(err, "remove the link, or take another name for the key")
	case errors.As(err, &fault):
		return c.fail(err, cmp.Or(fault.Hint, "namei -l "+o.dir))
	}
	hint := whatToDo(err, o.dir)
	if errors.Is(err, unix.EACCES) {
		hint = "do it as root, or name a folder of your own: --policy-dir DIR"
	}
	return c.fail(fmt.Errorf("the policy %+q cannot be written: %w", file, err), hint)
}

func (c *call) keepPolicy(o *initOptions, file string) int {
	text, _, err := safefile.Read(file, policy.MaxBytes, o.owner())
	if err != nil {
		return c.fail(err, "mend it, or take another name for the key")
	}
	p, faults := policy.Parse(o.name, file, text)
	if faults != nil {
		return c.fail(faults, "mend it, or take another name for the key")
	}
	c.tell("note", fmt.Sprintf("the policy %s stands there already and stays as it is; the key may do what it allows", file))
	if o.install != "" && len(p.Users) > 0 && !slices.Contains(p.Users, o.install) {
		c.warn("its users do not name %s, so that account is denied everything", o.install)
	}
	return exitOK
}

// policyText is the first policy of a key: it allows what harms nobody, and shows what to write.
func (o *initOptions) policyText() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# What the key %s may run. Everything that no rule describes is denied, and recorded.
# All there is to write: man 5 ssh-gate.toml. What was denied: ssh-gate log --key %[1]s

`, o.name)
	setting := func(active bool, text, why string) {
		if !active {
			text = "# " + text
		}
		fmt.Fprintf(&b, "%-44s # %s\n", text, why)
	}
	user := o.install
	if user == "" {
		user = "deploy"
	}
	setting(o.install != "", `users   = ["`+user+`"]`, "login users who may use it")
	from := o.from
	if len(from) == 0 {
		from = []string{"203.0.113.0/24"}
	}
	setting(len(o.from) > 0, `from    = ["`+strings.Join(from, `", "`)+`"]`, "client addresses")
	expires := o.expires
	if expires.IsZero() {
		expires = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	setting(!o.expires.IsZero(), "expires = "+expires.Format(time.RFC3339), "after that everything is denied")
	setting(true, "help    = true", "the request help lists what the key may run")
	fmt.Fprintf(&b, `
# Only with this very key, where sshd_config has ExposeAuthInfo yes:
# fingerprints = ["%s"]

[[allow]]
name    = "uptime"
command = "uptime"

# [[allow]]
# name      = "restart"
# command   = "systemctl restart {unit}"
# args.unit = ["app.service", "worker.service"]

# ssh-gate check runs these.
[[test]]
request = "uptime"
expect  = "uptime"

[[test]]
request = "uptime; id"
expect  = "deny"
`, o.key.Fingerprint())
	return b.String()
}

// keyOptions are the options of the key line.
func (o *initOptions) keyOptions() []keyline.Option {
	command := gateProgram + " --key " + o.name
	if o.ownDir {
		command += " --policy-dir " + o.dir
	}
	options := []keyline.Option{keyline.Flag("restrict"), keyline.Valued("command", command)}
	if len(o.from) > 0 {
		options = append(options, keyline.Valued("from", strings.Join(o.from, ",")))
	}
	if !o.expires.IsZero() {
		options = append(options, keyline.Valued("expiry-time", keyline.FormatExpiry(o.expires)))
	}
	return options
}

func (o *initOptions) line() *keyline.Line {
	return &keyline.Line{Kind: keyline.Key, Options: o.keyOptions(), Public: *o.key}
}

// printLine prints the key line as text, or as a tool wants it. Nothing in it needs more than single quotes, see setDir and cleanComment.
func (c *call) printLine(o *initOptions) int {
	user := o.install
	if user == "" {
		user = "ACCOUNT"
	}
	var text string
	switch o.format {
	case formatAnsible:
		text = fmt.Sprintf("- name: key %s of ssh-gate\n  ansible.posix.authorized_key:\n    user: '%s'\n    key: '%s'\n    key_options: '%s'\n",
			o.name, user, o.key, keyline.JoinOptions(o.keyOptions()))
	case formatPuppet:
		var options []string
		for _, option := range o.keyOptions() {
			options = append(options, "'"+option.String()+"'")
		}
		kind, blob, _ := strings.Cut(o.key.String(), " ")
		blob, _, _ = strings.Cut(blob, " ")
		text = fmt.Sprintf("ssh_authorized_key { 'ssh-gate-%s':\n  ensure  => present,\n  user    => '%s',\n  type    => '%s',\n  key     => '%s',\n  options => [%s],\n}\n",
			o.name, user, kind, blob, strings.Join(options, ", "))
	default:
		text = o.line().String() + "\n"
	}
	if _, err := io.WriteString(c.out, text); err != nil {
		return c.failOutput(err)
	}
	if o.format != formatText && o.install == "" {
		c.tell("note", "put the account in the place of ACCOUNT")
	}
	if !o.expires.IsZero() {
		c.tell("note", "expiry-time in UTC takes OpenSSH 9.1 or newer on this host; an older sshd refuses the key, and the policy's expires holds without it")
	}
	return exitOK
}
