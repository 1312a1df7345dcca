package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/confine"
	"example.org/ssh-gate/internal/forced"
	"example.org/ssh-gate/internal/host"
	"example.org/ssh-gate/internal/keyline"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/session"
	"example.org/ssh-gate/internal/sshd"
)

// survey is what the policies and accounts of this host ask of it.
type survey struct {
	policies int
	faulty   []string // files of policies that the gate would refuse
	folder   *finding // what is wrong with the folder of policies

	confined, network, proved, counted int // policies with such a rule
	fallback                           int
	accounts                           []gatedAccount
	unseenKeys                         int      // accounts whose keys may not be read
	oddKeys                            []string // accounts whose keys this cannot read, and sshd perhaps can
	left                               int      // gated accounts beyond maxAccounts
}

// gatedAccount is an account that the gate stands before: by its login shell, or by a line of its keys.
type gatedAccount struct {
	session.Account
	keyFiles []string // that name the gate
	loose    int      // lines of them that name it without restrict
	open     int      // key lines of the account that name another command, or none
	byProof  bool     // some line has --key-from
	ownKeys  bool     // the account itself may write a file of its keys
	settings sshd.Settings
	unseen   error // why sshd's settings are not known
	isShell  bool
}

// maxAccounts bounds the gated accounts, for each of which sshd is asked.
const maxAccounts = 100

func (c *call) surveyHost() *survey {
	h := &survey{}
	h.readFolder(policy.KeysDir, false)
	h.readFolder(policy.UsersDir, true)
	h.readAccounts()
	return h
}

func (h *survey) readFolder(dir string, account bool) {
	// What is asked for does not exist; whether it could be trusted is what the folders say.
	probe := host.Source{Key: "probe", File: filepath.Join(dir, ".probe"), Account: false}
	_, problem := probe.Policy()
	policies, _, err := listPolicies(dir, false, account)
	switch {
	case errors.Is(err, fs.ErrNotExist) && account:
		return
	case problem != nil && problem.Reason != record.PolicyMissing:
		f := bad(problem.Hint(), "%s cannot be trusted: %v", dir, problem)
		h.folder = &f
		return
	case errors.Is(err, fs.ErrNotExist):
		f := bad("install -d -m 755 "+dir, "there is no folder for policies, %s", dir)
		h.folder = &f
		return
	case err != nil:
		f := unseen("sudo ssh-gate doctor", "%s cannot be looked at: %s", dir, reasonOf(err))
		h.folder = &f
		return
	}
	h.policies += len(policies)
	for _, source := range policies {
		p, problem := source.Policy()
		if problem != nil {
			h.faulty = append(h.faulty, source.File)
			continue
		}
		if closed(source.File) {
			h.faulty = append(h.faulty, source.File)
		}
		h.note(p.Policy)
	}
}

// note counts what a policy asks of the host.
func (h *survey) note(p *policy.Policy) {
	confined, network, fallback, counted := false, false, false, false
	for i := range p.Rules {
		s := &p.Rules[i].Settings
		if s.Confine != nil {
			confined = true
			network = network || s.Confine.NoNetwork
			fallback = fallback || s.Confine.Fallback
		}
		counted = counted || s.Limits.Sessions > 0 || s.Limits.Rate.Times > 0
	}
	for _, one := range []struct {
		is bool
		of *int
	}{{confined, &h.confined}, {network, &h.network}, {fallback, &h.fallback}, {counted, &h.counted}, {len(p.Fingerprints) > 0, &h.proved}} {
		if one.is {
			*one.of++
		}
	}
}

func (h *survey) policyFindings() []finding {
	if h.folder != nil {
		return []finding{*h.folder}
	}
	findings := []finding{good("%s can be trusted and holds %s", filepath.Dir(policy.KeysDir), plural(h.policies, "policy", "policies"))}
	if n := len(h.faulty); n > 0 {
		findings = append(findings, bad("ssh-gate check", "the gate refuses %s, such as %s", plural(n, "policy", "policies"), h.faulty[0]))
	}
	return findings
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// kernel says whether it can hold what the policies ask for.
func (h *survey) kernel() []finding {
	abi := confine.ABI()
	gaps := strings.Join(confine.Gaps(abi, h.network > 0), "; ")
	version := fmt.Sprintf("Landlock version %d", abi)
	if abi == 0 {
		version = "no Landlock"
	}
	switch {
	case confine.Lacks(abi, h.network > 0) != "" && h.confined > h.fallback:
		return []finding{bad("use a kernel of Linux 6.7 or newer with landlock in its list of security modules (lsm=), or write fallback = \"allow\" into confine",
			"the kernel has %s, so the gate refuses the confined rules of %s", version, plural(h.confined-h.fallback, "policy", "policies"))}
	case gaps != "" && h.confined > 0:
		return []finding{bad("use a newer kernel", "the kernel has %s, and does not hold all that %s: %s", version, plural(h.confined, "policy asks for", "policies ask for"), gaps)}
	case gaps != "":
		return []finding{good("the kernel has %s, and no policy asks for confinement, of which it lacks: %s", version, gaps)}
	}
	return []finding{good("the kernel has %s, and holds all that confine asks for", version)}
}

// counts looks at the folder in which sessions and starts are counted.
func (h *survey) counts(group int) []finding {
	var st unix.Stat_t
	err := unix.Lstat(confine.TurnsDir, &st)
	const fix = "systemd-tmpfiles --create, or install -d -m 2770 -o root -g ssh-gate " + confine.TurnsDir
	switch {
	case errors.Is(err, unix.ENOENT) && h.counted == 0:
		return []finding{good("there is no %s, and no policy limits sessions or rate", confine.TurnsDir)}
	case errors.Is(err, unix.ENOENT):
		return []finding{bad(fix, "there is no %s, so the gate refuses the rules of %s that limit sessions or rate", confine.TurnsDir, plural(h.counted, "policy", "policies"))}
	case err != nil:
		return []finding{unseen("", "%s cannot be looked at: %v", confine.TurnsDir, err)}
	case st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Uid != 0 || st.Mode&0o002 != 0:
		return []finding{bad(fix, "%s belongs to user %d with mode %04o, so others can change the counts", confine.TurnsDir, st.Uid, st.Mode&0o7777)}
	case group >= 0 && (int(st.Gid) != group || st.Mode&0o020 == 0):
		return []finding{bad(fix, "the gate, with the group %d, cannot count in %s, which has the group %d and mode %04o", group, confine.TurnsDir, st.Gid, st.Mode&0o7777)}
	}
	return []finding{good("%s belongs to root with mode %04o", confine.TurnsDir, st.Mode&0o7777)}
}

// readAccounts finds the gated accounts, and asks sshd about each.
func (h *survey) readAccounts() {
	for _, a := range loginAccounts() {
		gated := gatedAccount{Account: a, isShell: forced.IsGate(a.Shell)}
		switch err := h.readKeys(&gated, defaultKeyFiles(a.Home)); {
		case err == nil:
		case errors.Is(err, fs.ErrPermission):
			h.unseenKeys++
		default:
			h.oddKeys = append(h.oddKeys, a.Name)
		}
		if !gated.isShell && len(gated.keyFiles) == 0 {
			continue
		}
		if len(h.accounts) >= maxAccounts {
			h.left++
			continue
		}
		if gated.settings, gated.unseen = sshd.Effective(a.Name); gated.unseen == nil {
			// What the first look passed over, sshd may read.
			again := gatedAccount{Account: a, isShell: gated.isShell, settings: gated.settings}
			if err := h.readKeys(&again, gated.settings.KeyFiles(a.Name, a.Home, a.UID)); err == nil {
				gated = again
			}
		}
		h.accounts = append(h.accounts, gated)
	}
}

func (h *survey) readKeys(a *gatedAccount, files []string) error {
	for _, file := range files {
		text, err := readKeyFile(&a.Account, file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err != nil {
			return err
		}
		lines, err := keyline.Parse(text)
		if err != nil {
			return err
		}
		named := false
		for i := range lines {
			if lines[i].Kind != keyline.Key {
				continue
			}
			call, ok := gateCall(&lines[i])
			if !ok {
				a.open++
				continue
			}
			named = true
			a.byProof = a.byProof || call.KeyFrom != ""
			if lines[i].Permits() != (keyline.Permits{}) {
				a.loose++
			}
		}
		if named {
			a.keyFiles = append(a.keyFiles, file)
		}
		a.ownKeys = a.ownKeys || mayWrite(a.UID, file)
	}
	return nil
}

// mayWrite says whether an account owns a file or the folder it is in, and so can put another in its place.
func mayWrite(uid int, file string) bool {
	for _, path := range []string{file, filepath.Dir(file)} {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err == nil && int(st.Uid) == uid {
			return true
		}
	}
	return false
}

func (h *survey) accountFindings() []finding {
	var findings []finding
	if h.unseenKeys > 0 {
		findings = append(findings, unseen("sudo ssh-gate doctor", "the keys of %s cannot be read", plural(h.unseenKeys, "account", "accounts")))
	}
	if n := len(h.oddKeys); n > 0 {
		findings = append(findings, bad("ssh-gate check says why; a file that sshd reads and this does not may hold any key line",
			"the keys of %s are no plain text of a bearable size, such as those of %s", plural(n, "account", "accounts"), h.oddKeys[0]))
	}
	if len(h.accounts) == 0 {
		return append(findings, good("no account has the gate as its login shell, and no key line that can be read names it"))
	}
	for i := range h.accounts {
		findings = append(findings, h.accounts[i].findings(h)...)
	}
	if h.left > 0 {
		findings = append(findings, unseen("", "%s more that the gate stands before: only the first %d are looked at", plural(h.left, "account", "accounts"), maxAccounts))
	}
	return findings
}

// findings are what is in order, or not, with one gated account.
func (a *gatedAccount) findings(h *survey) []finding {
	findings := []finding{a.shell()}
	note := func(f finding) { findings = append(findings, f) }
	if a.isShell && !inShells(a.Shell) {
		note(bad("echo "+a.Shell+" >> /etc/shells", "%s: its login shell %s is not in /etc/shells, so PAM's pam_shells and chsh refuse it", a.Name, a.Shell))
	}
	if a.loose > 0 {
		note(bad("write restrict in front of command= in "+strings.Join(a.keyFiles, ", "), "%s: %s the gate without restrict, so forwarding is not asked about", a.Name,
			plural(a.loose, "key line names", "key lines name")))
	}
	if a.open > 0 && !a.isShell {
		note(bad("give those lines a command= too, or make the gate the login shell: usermod -s /usr/bin/ssh-gate "+a.Name,
			"%s: %s not name the gate, so %s", a.Name, plural(a.open, "of its key lines does", "of its key lines do"), "the account has a shell beside it"))
	}
	if a.settings == nil {
		reason := "not asked"
		if a.unseen != nil {
			reason = a.unseen.Error()
		}
		note(unseen("sudo ssh-gate doctor", "%s: sshd's settings are not known: %s", a.Name, reason))
		return findings
	}
	return append(findings, a.sshd(h)...)
}

// shell says what a login shell other than the gate leaves open.
func (a *gatedAccount) shell() finding {
	switch {
	case a.isShell:
		return good("%s: the gate is its login shell", a.Name)
	case slices.Contains([]string{"/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false"}, a.Shell):
		return bad("usermod -s /usr/bin/ssh-gate "+a.Name, "%s: its login shell %s lets no forced command run", a.Name, a.Shell)
	case slices.Contains([]string{"bash", "zsh", "fish", "ksh", "tcsh", "csh"}, filepath.Base(a.Shell)):
		return bad("usermod -s /usr/bin/ssh-gate "+a.Name, "%s: its login shell %s may run start-up files before the gate", a.Name, a.Shell)
	case a.ownKeys:
		return bad("usermod -s /usr/bin/ssh-gate "+a.Name+", or keep its keys where root alone writes: AuthorizedKeysFile in sshd_config",
			"%s: whatever runs as it may add a key line without the gate, and its login shell is %s", a.Name, a.Shell)
	}
	return good("%s: its login shell is %s, and it cannot write its keys", a.Name, a.Shell)
}

// sshd says what sshd's settings mean for an account.
func (a *gatedAccount) sshd(h *survey) []finding {
	s := a.settings
	var findings []finding
	is := func(wrong bool, fix, text string) {
		if wrong {
			findings = append(findings, bad(fix, "%s: %s", a.Name, text))
		}
	}
	const reload = " in sshd_config, then reload sshd"
	is(s.Value("pubkeyauthentication") == "no", "PubkeyAuthentication yes"+reload, "sshd takes no keys")
	is(s.Value("exposeauthinfo") != "yes" && (a.byProof || h.proved > 0), "ExposeAuthInfo yes"+reload,
		"sshd does not tell which key was used, so --key-from and fingerprints deny everything")
	is(s.Value("permituserenvironment") != "no" && s.Value("permituserenvironment") != "", "PermitUserEnvironment no"+reload,
		"the account may set variables for what sshd starts, so it chooses what the dynamic loader, a shell and Go's runtime do before the gate")
	is(s.Value("permituserrc") == "yes" && a.loose > 0, "PermitUserRC no"+reload+", or restrict in the key lines", "~/.ssh/rc runs before the gate")
	forwards := s.Value("disableforwarding") != "yes" && (s.Value("allowtcpforwarding") != "no" || s.Value("allowstreamlocalforwarding") != "no" || s.Value("allowagentforwarding") != "no")
	is(forwards && a.ownKeys, "Match User "+a.Name+" with DisableForwarding yes"+reload,
		"a key line that somebody adds to its keys, without restrict, may forward ports without the gate being asked")
	told := matching(s["acceptenv"], "SSH_ORIGINAL_COMMAND", "SSH_USER_AUTH", "SSH_CONNECTION")
	for _, name := range told {
		is(true, "leave "+name+" out of AcceptEnv"+reload, "clients may send "+name+", and so make up what sshd tells the gate")
	}
	for _, name := range matching(s["acceptenv"], runtimeVariables()...) {
		is(!slices.Contains(told, name), "leave "+name+" out of AcceptEnv"+reload, "clients may send "+name+", which Go's runtime reads before the gate does, and which can have it take gigabytes")
	}
	for _, name := range matching(s["acceptenv"], "LD_PRELOAD", "LD_LIBRARY_PATH", "BASH_ENV", "ENV", "SHELLOPTS", "PS4", "PATH", "IFS") {
		is(!a.isShell, "leave "+name+" out of AcceptEnv"+reload, "clients may send the variable "+name+" to the login shell")
	}
	if command := s.Value("forcecommand"); command != "" && command != "none" {
		_, ok := forced.Command(command)
		is(!ok, "ForceCommand /usr/bin/ssh-gate --key-from fingerprint"+reload, "ForceCommand "+command+" runs in place of the gate")
	}
	password := s.Value("passwordauthentication") == "yes" || s.Value("kbdinteractiveauthentication") == "yes"
	if password && !a.isShell {
		usable, err := hasPassword(a.Name)
		switch {
		case err != nil:
			findings = append(findings, unseen("sudo ssh-gate doctor", "%s: whether it has a password is not known: %s", a.Name, reasonOf(err)))
		default:
			is(usable, "passwd -l "+a.Name+" && usermod -p '*' "+a.Name+", or PasswordAuthentication no"+reload, "it has a password, by which it gets its login shell without the gate")
		}
	}
	if len(findings) == 0 {
		findings = append(findings, good("%s: sshd's settings leave the gate alone in charge", a.Name))
	}
	return findings
}

// runtimeVariables are those that Go's runtime reads before main, whatever the program: gogetenv in its source.
func runtimeVariables() []string {
	return []string{"GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK"}
}

// matching are the names and patterns of AcceptEnv that take one of the variables.
func matching(values []string, variables ...string) []string {
	var found []string
	for _, value := range values {
		for _, name := range strings.Fields(value) {
			for _, variable := range variables {
				if ok, _ := filepath.Match(name, variable); ok && !slices.Contains(found, name) {
					found = append(found, name)
				}
			}
		}
	}
	return found
}

// hasPassword says whether an account can log in with a password, shadow(5).
func hasPassword(name string) (bool, error) {
	text, err := os.ReadFile("/etc/shadow")
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) > 1 && f[0] == name {
			return f[1] == "" || f[1][0] != '!' && f[1][0] != '*', nil
		}
	}
	return false, errors.New("/etc/shadow does not know it")
}

func inShells(shell string) bool {
	text, err := os.ReadFile("/etc/shells")
	return err == nil && slices.Contains(strings.Split(string(text), "\n"), shell)
}
