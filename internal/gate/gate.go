// Package gate is the forced command from start to execve: it gathers what the rooms below need, asks for the decision, and
// carries it out. It never exits by itself and never reads standard input.
package gate

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/confine"
	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/forced"
	"example.org/ssh-gate/internal/host"
	"example.org/ssh-gate/internal/launch"
	"example.org/ssh-gate/internal/listing"
	"example.org/ssh-gate/internal/plan"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/privilege"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/session"
)

// Run is the gate with its command line and, once it may be looked at, the environment that sshd made. It returns the exit status, and
// does not return where the request is allowed and its program could be started.
func Run(argv []string, env func() []string) int {
	g := &gate{now: time.Now(), parent: unix.Getppid(), config: policy.DefaultConfig(), signals: launch.HoldSignals()}
	return g.guarded(func() int { return g.run(argv, env) })
}

// guarded turns a panic, which would leave without a record and show the client a stack trace, into a refusal. Where the panic comes
// from the record itself, the refusal at least is told.
func (g *gate) guarded(run func() int) (status int) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		status = record.ExitSoftware
		defer func() {
			if recover() != nil {
				tell(2, "ssh-gate: "+record.Of(record.InternalError).Brief+"\n")
			}
		}()
		status = g.end(ending{reason: record.InternalError, err: fmt.Errorf("panic: %v", p)})
	}()
	return run()
}

func (g *gate) run(argv []string, env func() []string) int {
	shell := IsLoginShell(argv)
	if len(argv) > 0 {
		argv = argv[1:]
	}
	prepared := g.prepare(argv, shell)
	var accountError error
	g.session, accountError = session.New(env(), unix.Getuid())
	if prepared != nil {
		return g.end(*prepared)
	}
	if shell {
		if end := g.readShell(argv); end != nil {
			return g.end(*end)
		}
	}
	if accountError != nil {
		return g.end(ending{reason: record.AccountUnknown, err: accountError})
	}
	if end := g.chooseKey(); end != nil {
		return g.end(*end)
	}
	if end := g.loadPolicy(); end != nil {
		return g.end(*end)
	}
	d := decide.Decide(decide.Input{
		Policy:       g.policy.Policy,
		Files:        host.Files{Path: g.config.Path},
		Request:      g.session.Request,
		User:         g.session.Account.Name,
		ClientIP:     g.session.ClientIP,
		ClientAddr:   g.session.ClientAddr,
		Now:          g.now,
		Fingerprints: g.session.Fingerprints,
	})
	switch {
	case d.Reason == record.Helped:
		return g.help(&d)
	case !d.Allowed:
		return g.end(ending{reason: d.Reason, rule: d.Rule, err: errors.New(d.Detail), listing: g.listing(&d)})
	}
	return g.end(g.launch(&d))
}

// prepare does all that comes before the first byte of a policy or a request is read: options, configuration, and the log, which
// a setgid installation opens with the group that it was lent and gives back here. Pointed elsewhere by its options, the gate
// gives the group back first of all: anybody may call it so, by hand.
//
// What a login shell is given may be the client's, so it is not looked at here: it can point nowhere else.
func (g *gate) prepare(args []string, shell bool) *ending {
	lent := privilege.Held()
	away := !shell && forced.PointsElsewhere(args)
	if lent.Setuid() || away {
		if end := giveBack(lent); end != nil {
			return end
		}
	}
	o, err := accountOptions(), error(nil)
	if !shell {
		o, err = parseOptions(args)
	}
	var end *ending
	if err != nil {
		end = &ending{reason: record.Usage, err: err}
	} else {
		g.options = o
		end = g.loadConfig()
	}
	switch {
	case !lent.Lent():
	case away:
		g.leavePackagedLog()
	default:
		g.openShared(lent.Group())
	}
	if end := giveBack(lent); end != nil {
		return end
	}
	return end
}

// openShared opens what the lent group is for: the log, and the account's count of sessions and starts.
func (g *gate) openShared(group int) {
	if file := g.config.Log.File; file != "" {
		g.file = record.OpenFile(file, true)
	}
	g.turns = confine.OpenTurns(confine.TurnsDir, unix.Getuid(), group)
}

// readShell takes what a login shell was given: the options of a forced command, or a request.
func (g *gate) readShell(args []string) *ending {
	_, isForced := g.session.Env("SSH_ORIGINAL_COMMAND")
	o, request, err := shellOptions(args, isForced)
	if err != nil {
		return &ending{reason: record.Usage, err: err}
	}
	g.options = o
	if !isForced {
		g.session.Request = request
	}
	return nil
}

// giveBack drops what the installation lent. A setuid bit is never wanted: programs would run as its owner.
func giveBack(lent *privilege.Privilege) *ending {
	if !lent.Lent() && !lent.Setuid() {
		return nil
	}
	err := lent.Drop()
	if err == nil && lent.Setuid() {
		err = errors.New("the binary is setuid; chmod u-s it")
	}
	if err != nil {
		return &ending{reason: record.Misinstalled, err: err}
	}
	return nil
}

// leavePackagedLog keeps a gate that its options point elsewhere from the log that the lent group is for, also where root calls it,
// who needs no group to open it. Only a log that the other configuration names is still written.
func (g *gate) leavePackagedLog() {
	o := g.options
	if file := g.config.Log.File; o == nil || !o.ownConfig || file == policy.DefaultLog {
		g.file = record.NoFile(errors.New("not written: --policy, --policy-dir and --config keep the gate from the packaged log"))
	}
}

// gate is what one run has gathered so far.
type gate struct {
	now     time.Time
	parent  int
	file    *record.File   // nil until it is opened
	turns   *confine.Turns // so
	session *session.Session
	options *options // nil until they are known to be right
	config  *policy.Config
	policy  *host.Policy // nil until it is read
	signals *launch.Signals
}

// loadConfig reads the configuration, or says how the run ends.
func (g *gate) loadConfig() *ending {
	config, problem := host.Config(g.options.config, g.options.ownConfig)
	if problem != nil {
		return &ending{reason: problem.Reason, err: problem.Err}
	}
	g.config = config
	return nil
}

// loadPolicy reads the policy, or says how the run ends.
func (g *gate) loadPolicy() *ending {
	o := g.options
	source := host.Source{Key: o.key, File: o.policy, Pointed: o.ownPolicy, Account: o.account}
	p, problem := source.Policy()
	if problem != nil {
		return &ending{reason: problem.Reason, err: problem.Err}
	}
	g.policy = p
	return nil
}

var launchReasons = [...]record.Reason{launch.Start: record.ProgramFailed, launch.Folder: record.FolderUnavailable,
	launch.Confinement: record.ConfineFailed, launch.Limits: record.LimitsUnavailable}

// help answers the request for what the key may run.
func (g *gate) help(d *decide.Decision) int {
	if end := g.recordAllowed(ending{reason: d.Reason}); end != nil {
		return g.end(*end)
	}
	tell(1, g.listing(d))
	return record.Of(d.Reason).Status
}

func (g *gate) listing(d *decide.Decision) string {
	switch d.Listing {
	case decide.ListingText:
		return listing.Text(g.policy.Policy)
	case decide.ListingJSON:
		return listing.JSON(g.policy.Policy)
	}
	return ""
}

// recordAllowed writes the record of what is about to be granted, where that is asked for, or says how the run ends.
func (g *gate) recordAllowed(e ending) *ending {
	if !g.config.Log.All && !g.policy.LogAll {
		return nil
	}
	if _, written, err := g.record(e); !written && g.config.Log.Required {
		return &ending{reason: record.RecordFailed, rule: e.rule, err: err}
	}
	return nil
}

// launch starts the program of an allowed request. It returns only if that could not be done.
func (g *gate) launch(d *decide.Decision) ending {
	if problem := host.Program(d.Program, g.policy.Own); problem != nil {
		return ending{reason: problem.Reason, rule: d.Rule, err: problem.Err}
	}
	order := plan.Order{Settings: &d.Rule.Settings, Program: d.Program, Argv: d.Argv, Places: d.Places}
	p := plan.New(&order, g.session, g.config.Path)
	held := &launch.Held{Signals: g.signals, Parent: g.parent, Inherit: -1}
	if end := g.contain(d.Rule, p, held); end != nil {
		return *end
	}
	if end := g.recordAllowed(ending{reason: record.Matched, rule: d.Rule}); end != nil {
		return *end
	}
	err := launch.Exec(p, held)
	return ending{reason: launchReasons[err.Stage], rule: d.Rule, err: err}
}

// contain makes ready what the kernel is to hold, or says how the run ends.
func (g *gate) contain(rule *policy.Rule, p *plan.Plan, held *launch.Held) *ending {
	l := p.Limits
	if p.Domain != nil || *l != (policy.Limits{}) {
		g.openLog() // what fails from here on has to be recorded from within the domain, and under the limits
	}
	if p.Domain != nil {
		ruleset, err := confine.New(p.Domain)
		if err != nil {
			return &ending{reason: plan.ConfineReason(err), rule: rule, err: err}
		}
		held.Ruleset = ruleset
	}
	if l.Sessions > 0 || l.Rate.Times > 0 {
		return g.take(rule, held)
	}
	return nil
}

// take counts a start against the limits of the rule, or of the key.
func (g *gate) take(rule *policy.Rule, held *launch.Held) *ending {
	label := g.options.key
	if !rule.Settings.Limits.OfKey {
		label += " " + rule.Label()
	}
	if g.turns == nil {
		g.turns = confine.OpenTurns(confine.TurnsDir, unix.Getuid(), -1)
	}
	inherit, err := g.turns.Take(label, &rule.Settings.Limits)
	var limit *confine.LimitError
	switch {
	case errors.As(err, &limit) && limit.Often:
		return &ending{reason: record.TooOften, rule: rule, err: err}
	case limit != nil:
		return &ending{reason: record.TooManySessions, rule: rule, err: err}
	case err != nil:
		return &ending{reason: record.LimitsUnavailable, rule: rule, err: err}
	}
	held.Inherit = inherit
	return nil
}

// record writes the record of an ending, and says whether any place took it.
func (g *gate) record(e ending) (ref string, written bool, err error) {
	entry := record.Entry{Time: g.now, Reason: e.reason, Ref: newRef(g.now), UID: unix.Getuid(), PID: os.Getpid()}
	entry.Host, _ = os.Hostname()
	if e.err != nil {
		entry.Detail = e.err.Error()
	}
	if e.rule != nil {
		entry.Rule = e.rule.Label()
	}
	if s := g.session; s != nil { // nil only before anything was read
		entry.User, entry.ClientIP, entry.Port = s.Account.Name, s.ClientIP, s.ClientPort
		entry.Request, entry.Bytes = s.Request, len(s.Request)
	}
	if g.options != nil {
		entry.Key = g.options.key
	}
	log := g.config.Log
	g.openLog()
	written, err = record.Sink{File: g.file, Facility: log.Facility, Socket: record.DevLog,
		Journal: log.Journal, JournalSocket: record.JournalSocket}.Write(&entry)
	return entry.Ref, written, err
}

func (g *gate) openLog() {
	if g.file == nil && g.config.Log.File != "" {
		g.file = record.OpenFile(g.config.Log.File, false)
	}
}

// newRef makes a reference from the kernel's random numbers; early at boot, when there are none yet, from time and process id.
func newRef(now time.Time) string {
	var b [record.RefBytes]byte
	if n, err := unix.Getrandom(b[:], unix.GRND_NONBLOCK); err != nil || n < len(b) {
		mixed := uint64(now.UnixNano()) ^ uint64(os.Getpid())<<20
		for i := range b {
			b[i] = byte(mixed >> (8 * i))
		}
	}
	return record.NewRef(b)
}
