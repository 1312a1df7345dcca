package lint

import (
	"fmt"
	"path"
	"strings"

	"example.org/ssh-gate/internal/confine"
	"example.org/ssh-gate/internal/policy"
)

// loads are variables that make the loader or a shell run code that they name, and searches those that list folders of programs or code.
const (
	loads    = "LD_PRELOAD LD_AUDIT BASH_ENV ENV PROMPT_COMMAND PS4 SHELLOPTS BASHOPTS IFS"
	searches = "PATH LD_LIBRARY_PATH GCONV_PATH PERL5LIB PERLLIB PYTHONPATH RUBYLIB NODE_PATH"
)

// harmless are variables of a client's of which programs read nothing but a word or a number.
const harmless = "GIT_PROTOCOL COLORTERM COLUMNS LINES NO_COLOR FORCE_COLOR CLICOLOR CLICOLOR_FORCE"

// everybodys are folders in which anybody, or the account itself, may put a program.
var everybodys = [...]string{"/tmp", "/var/tmp", "/dev/shm", "/home", "/root", "/run/user"}

// settings looks at what a rule's programs get.
func (l *linter) settings(rule *policy.Rule) {
	s := &rule.Settings
	for _, v := range s.Env {
		at := l.inRule(rule, "env", v.Name)
		switch {
		case v.Value == "":
		case isListed(searches, v.Name):
			l.searchPath(rule, v, at)
		case isListed(loads, v.Name):
			l.add("env-dangerous", rule, at, v.Name+" makes programs load or run what it names, "+quote(v.Value), "")
		}
	}
	for i, name := range s.PassEnv {
		if !isListed(harmless, name) {
			l.add("pass-env-unknown", rule, l.inRule(rule, "pass_env", i), "the client chooses "+name+", and what the program does with it is not known", "")
		}
	}
	if s.Dir != "" {
		if !l.exists(s.Dir) {
			l.add("cwd-missing", rule, l.inRule(rule, "cwd"), "the folder "+quote(s.Dir)+" does not exist", "")
		}
	}
	if s.Confine != nil {
		l.confine(rule, s.Confine)
	}
	switch lends := l.lends(rule); {
	case !s.Keep && lends:
		at := "command"
		if rule.Run != nil {
			at = "run"
		}
		l.add("needs-privileges", rule, l.inRule(rule, at), "the program cannot lend its rights: it is started with no_new_privs", "")
	case s.Keep && !lends:
		l.add("keep-privileges", rule, l.inRule(rule, "privileges"), "nothing that this rule runs is known to need it", "")
	}
}

func (l *linter) searchPath(rule *policy.Rule, v policy.EnvVar, at []any) {
	for _, dir := range strings.Split(v.Value, ":") {
		if !strings.HasPrefix(dir, "/") {
			l.add("env-dangerous", rule, at, v.Name+" has "+quote(dir)+", which depends on the folder the program is in",
				"name absolute folders only")
			return
		}
		for _, open := range everybodys {
			if covers(open, dir) {
				l.add("env-dangerous", rule, at, v.Name+" has "+quote(dir)+", where others than root may put files",
					"name folders that root alone can write")
				return
			}
		}
	}
}

func (l *linter) lends(rule *policy.Rule) bool {
	if rule.Run != nil {
		return strings.Contains(lend, " "+path.Base(rule.Run.Program())+" ")
	}
	for i := range rule.Patterns {
		if strings.Contains(lend, " "+path.Base(firstWord(&rule.Patterns[i]))+" ") {
			return true
		}
	}
	return false
}

// confine looks at what a confined program may reach.
func (l *linter) confine(rule *policy.Rule, c *policy.Confine) {
	at := l.inRule(rule, "confine")
	for _, list := range []struct {
		key   string
		paths []string
	}{{"read", c.Read}, {"write", c.Write}, {"execute", c.Execute}} {
		for i, p := range list.paths {
			place := append(at[:len(at):len(at)], list.key, i)
			if !l.exists(p) {
				l.add("confine-path-missing", rule, place, quote(p)+" does not exist", "")
			} else {
				l.astray(rule, p, place)
			}
			if list.key == "write" {
				l.writes(rule, p, place)
			}
		}
	}
	switch missing := confine.Lacks(l.host.LandlockABI(), c.NoNetwork); {
	case c.Fallback:
		l.add("fallback-allow", rule, append(at[:len(at):len(at)], "fallback"),
			"where the kernel cannot hold it, the program runs unconfined", "")
	case missing != "":
		l.add("confine-unsupported", rule, at, "this kernel cannot confine a program: "+missing, "")
	}
}

// astray looks at the way to a path of the domain.
func (l *linter) astray(rule *policy.Rule, p string, at []any) {
	if err := l.host.Astray(p); err != nil {
		l.add("confine-path-link", rule, at, err.Error(), "")
	}
}

// writes looks at what may be written against what decides on access.
func (l *linter) writes(rule *policy.Rule, p string, at []any) {
	if what := l.decides(p); what != "" {
		l.add("write-where-policies-lie", rule, at, fmt.Sprintf("who may write %s may write %s", quote(p), what), "")
	}
}

// rootly are files by which others than the account run what they hold, or that say who may do what.
var rootly = [...]struct{ paths, what string }{
	{"/etc/sudoers /etc/sudoers.d /etc/doas.conf", "what sudo allows"},
	{"/etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /etc/crontab /etc/anacrontab /var/spool/cron", "what cron runs"},
	{"/etc/systemd /run/systemd/system /usr/lib/systemd /usr/local/lib/systemd /lib/systemd /etc/init.d", "what systemd runs"},
	{"/etc/passwd /etc/shadow /etc/group /etc/gshadow", "the accounts"},
	{"/etc/pam.d /etc/pam.conf /etc/security", "what PAM asks for"},
	{"/etc/ld.so.preload /etc/ld.so.conf /etc/ld.so.conf.d", "what the loader loads into programs"},
	{"/etc/profile /etc/profile.d /etc/bash.bashrc /etc/bashrc /etc/environment /etc/zsh", "the start-up files of shells"},
	{"/etc/udev /etc/modprobe.d /etc/apt /etc/polkit-1", "what root runs"},
}

// decides says what decides on access, or runs with other rights, that who may write a path may write; empty where nothing does.
func (l *linter) decides(p string) string {
	for _, guarded := range []struct{ path, what string }{
		{"/etc/ssh-gate", "policies"}, {policyDir(l.policy.File), "policies"}, {"/etc/ssh", "sshd's configuration and keys"},
		{path.Dir(policy.DefaultLog), "the log"}, {"/run/ssh-gate", "the counts of limits"},
	} {
		if guarded.path != "" && (covers(p, guarded.path) || covers(guarded.path, p)) {
			return guarded.what
		}
	}
	for _, guarded := range rootly {
		for _, at := range strings.Fields(guarded.paths) {
			if covers(p, at) || covers(at, p) {
				return guarded.what
			}
		}
	}
	parts := strings.Split(strings.TrimPrefix(p, "/"), "/")
	if strings.Contains(p+"/", "/.config/systemd/") {
		return "the units of an account"
	}
	for _, part := range parts {
		if part == ".ssh" {
			return "authorized_keys"
		}
	}
	if p == "/root" || p == "/home" || parts[0] == "home" && len(parts) == 2 {
		return "authorized_keys, which lies in " + quote(p)
	}
	for _, home := range l.homes() {
		if covers(p, home) {
			return "authorized_keys, which lies in " + quote(home)
		}
	}
	for _, program := range l.runs() {
		if covers(p, program) {
			return "the program " + quote(program)
		}
	}
	return ""
}

// runs lists the programs of the policy, in the order of its rules.
func (l *linter) runs() []string {
	if l.all != nil {
		return l.all
	}
	l.all = []string{}
	seen := map[string]bool{}
	note := func(word *policy.Element) {
		name, _ := word.Literal()
		if path := l.verdict(name).path; path != "" && !seen[path] {
			seen[path] = true
			l.all = append(l.all, path)
		}
	}
	for i := range l.policy.Rules {
		rule := &l.policy.Rules[i]
		if rule.Run != nil {
			note(&rule.Run.Elements[0])
			continue
		}
		for k := range rule.Patterns {
			note(&rule.Patterns[k].Elements[0])
		}
	}
	return l.all
}

// exists asks the host, once for each path.
func (l *linter) exists(p string) bool {
	there, ok := l.there[p]
	if !ok {
		var err error
		there, err = l.host.Exists(p)
		there = there || err != nil // not known is not missing
		if l.there == nil {
			l.there = map[string]bool{}
		}
		l.there[p] = there
	}
	return there
}

// policyDir is the folder of a policy that was read by its absolute path.
func policyDir(file string) string {
	if !strings.HasPrefix(file, "/") {
		return ""
	}
	return path.Dir(file)
}

// covers says whether a path lies in a folder, or is it.
func covers(folder, p string) bool {
	return folder == "/" || p == folder || strings.HasPrefix(p, folder+"/")
}
