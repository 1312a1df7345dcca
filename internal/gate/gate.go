// Package gate is the forced command from start to execve: it gathers what the rooms below need, asks for the decision, and
// carries it out. It never exits by itself and never reads standard input.
package gate

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/launch"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/privilege"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/safefile"
	"example.org/ssh-gate/internal/session"
)

// Run is the gate with the arguments behind the program's name and, once it may be looked at, the environment that sshd made. It
// returns the exit status, and does not return where the request is allowed and its program could be started.
func Run(args []string, env func() []string) int {
	g := &gate{now: time.Now(), config: policy.DefaultConfig(), signals: launch.HoldSignals()}
	return g.guarded(func() int { return g.run(args, env) })
}

// guarded turns a panic, which would leave without a record and show the client a stack trace, into a refusal.
func (g *gate) guarded(run func() int) (status int) {
	defer func() {
		if p := recover(); p != nil {
			status = g.end(ending{reason: record.InternalError, err: fmt.Errorf("panic: %v", p)})
		}
	}()
	return run()
}

func (g *gate) run(args []string, env func() []string) int {
	prepared := g.prepare(args)
	var accountError error
	g.session, accountError = session.New(env(), unix.Getuid())
	if prepared != nil {
		return g.end(*prepared)
	}
	if accountError != nil {
		return g.end(ending{reason: record.AccountUnknown, err: accountError})
	}
	if end := g.loadPolicy(); end != nil {
		return g.end(*end)
	}
	d := decide.Decide(decide.Input{
		Policy:       g.policy,
		Files:        hostFiles{g.config.Path},
		Request:      g.session.Request,
		User:         g.session.Account.Name,
		ClientIP:     g.session.ClientIP,
		ClientAddr:   g.session.ClientAddr,
		Now:          g.now,
		Fingerprints: g.session.Fingerprints,
	})
	if !d.Allowed {
		return g.end(ending{reason: d.Reason, rule: d.Rule, err: errors.New(d.Detail)})
	}
	return g.end(g.launch(&d))
}

// prepare does all that comes before the first byte of a policy or a request is read: options, configuration, and the log, which
// a setgid installation opens with the group that it was lent and gives back here. Pointed elsewhere by its options, the gate
// gives the group back first of all: anybody may call it so, by hand.
func (g *gate) prepare(args []string) *ending {
	lent := privilege.Held()
	away := pointsElsewhere(args)
	if lent.Setuid() || away {
		if end := giveBack(lent); end != nil {
			return end
		}
	}
	o, err := parseOptions(args)
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
	case g.config.Log.File != "":
		g.file = record.OpenFile(g.config.Log.File, true)
	}
	if end := giveBack(lent); end != nil {
		return end
	}
	return end
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
	file    *record.File // nil until it is opened
	session *session.Session
	options *options // nil until they are known to be right
	config  *policy.Config
	policy  *policy.Policy // nil until it is read
	own     bool           // the policy is the invoking user's, not root's
	signals *launch.Signals
}

// owner is who may own what an option points to, and the programs that a policy of one's own runs: beside root, who runs this.
func owner(own bool) safefile.Owner {
	if own {
		return safefile.Owner(unix.Getuid())
	}
	return safefile.RootOnly
}

// loadConfig reads the configuration, or says how the run ends. Only a default path at which there plainly is nothing means the
// built-in values: a link that leads to nothing was meant to lead somewhere.
func (g *gate) loadConfig() *ending {
	o := g.options
	text, _, err := safefile.Read(o.config, policy.MaxBytes, owner(o.ownConfig))
	if fault := faultOf(err); fault == safefile.Missing && !o.ownConfig {
		return nil
	} else if err != nil {
		return &ending{reason: configReasons[fault], err: err}
	}
	config, faults := policy.ParseConfig(o.config, text)
	if faults != nil {
		return &ending{reason: record.ConfigInvalid, err: faults}
	}
	g.config = config
	return nil
}

// loadPolicy reads the policy, or says how the run ends.
func (g *gate) loadPolicy() *ending {
	o := g.options
	text, own, err := safefile.Read(o.policy, policy.MaxBytes, owner(o.ownPolicy))
	if err != nil {
		return &ending{reason: policyReasons[faultOf(err)], err: err}
	}
	p, faults := policy.Parse(o.key, o.policy, text)
	if faults != nil {
		return &ending{reason: record.PolicyInvalid, err: faults}
	}
	g.policy, g.own = p, own
	return nil
}

var (
	configReasons = [...]record.Reason{safefile.Missing: record.ConfigMissing, safefile.Unsafe: record.ConfigUnsafe,
		safefile.Unreadable: record.ConfigUnreadable, safefile.TooLarge: record.ConfigInvalid, safefile.Astray: record.ConfigMissing}
	policyReasons = [...]record.Reason{safefile.Missing: record.PolicyMissing, safefile.Unsafe: record.PolicyUnsafe,
		safefile.Unreadable: record.PolicyUnreadable, safefile.TooLarge: record.PolicyInvalid, safefile.Astray: record.PolicyMissing}
	programReasons = [...]record.Reason{safefile.Missing: record.ProgramMissing, safefile.Unsafe: record.ProgramUnsafe,
		safefile.Unreadable: record.ProgramUnsafe, safefile.TooLarge: record.ProgramUnsafe, safefile.Astray: record.ProgramMissing}
)

func faultOf(err error) safefile.Fault {
	var fault *safefile.Error
	if errors.As(err, &fault) {
		return fault.Fault
	}
	return 0
}

// launch starts the program of an allowed request. It returns only if that could not be done.
func (g *gate) launch(d *decide.Decision) ending {
	if err := safefile.Program(d.Program, owner(g.own)); err != nil {
		return ending{reason: programReasons[faultOf(err)], rule: d.Rule, err: err}
	}
	settings := &d.Rule.Settings
	plan := &launch.Plan{
		Path: d.Program, Argv: d.Argv,
		Env: launch.Environment(g.session, g.config.Path, settings),
		Dir: settings.Dir, Umask: settings.Umask, StdinNone: settings.StdinNone,
		Signals: g.signals,
	}
	if g.config.Log.All || g.policy.LogAll {
		_, written, err := g.record(ending{reason: record.Matched, rule: d.Rule})
		if !written && g.config.Log.Required {
			return ending{reason: record.RecordFailed, rule: d.Rule, err: err}
		}
	}
	err := launch.Exec(plan)
	var folder *launch.FolderError
	if errors.As(err, &folder) {
		return ending{reason: record.FolderUnavailable, rule: d.Rule, err: err}
	}
	return ending{reason: record.ProgramFailed, rule: d.Rule, err: err}
}

// hostFiles answers a decision's questions about the file system.
type hostFiles struct{ path []string }

func (h hostFiles) Lookup(name string) (string, bool)   { return safefile.Lookup(name, h.path) }
func (h hostFiles) Resolve(path string) (string, error) { return safefile.Resolve(path) }

// record writes the record of an ending, and says whether any place took it.
func (g *gate) record(e ending) (ref string, written bool, err error) {
	entry := record.Entry{Time: g.now, Reason: e.reason, Ref: newRef(g.now), PID: os.Getpid()}
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
	if g.file == nil && log.File != "" {
		g.file = record.OpenFile(log.File, false)
	}
	written, err = record.Sink{File: g.file, Facility: log.Facility, Socket: record.DevLog,
		Journal: log.Journal, JournalSocket: record.JournalSocket}.Write(&entry)
	return entry.Ref, written, err
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
