package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/argv"
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
	unseenKeys                         []unseenKeys
	oddKeys                            []string // accounts whose keys this cannot read, and sshd perhaps can
	left                               int      // gated accounts beyond maxAccounts
	logins                             logins
	keySources                         // that were not looked at
}

// unseenKeys are those of an account that may not be read.
type unseenKeys struct {
	account string
	*keysUnseen
}

// gatedAccount is an account that the gate stands before: by its login shell, by a line of its keys, or by ForceCommand in sshd_config(5).
type gatedAccount struct {
	session.Account
	keyFiles []string // that name the gate
	stale    []string // that name it, and that sshd does not read
	loose    int      // lines of them that name it without restrict
	open     int      // key lines of the account that name another command, or none
	bare     int      // of these those that name none
	byProof  bool     // some line has --key-from
	ownKeys  bool     // the account itself may write a file of its keys
	settings sshd.Settings
	unseen   error // why sshd's settings are not known
	isShell  bool
	forced   bool // ForceCommand is the gate
}

const (
	maxAccounts = 100 // gated ones that are told of
	maxNamed    = 5   // accounts that one finding names
)

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
		f := unseen(asRoot("ls -ld "+dir), "%s cannot be looked at: %s", dir, reasonOf(err))
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
	const (
		dir  = confine.TurnsDir
		make = "install -d -m 2770 -o root -g ssh-gate " + dir
		fix  = "systemd-tmpfiles --create, or " + make
		anew = "mv " + dir + " " + dir + ".old && " + make
	)
	refused := "so the gate refuses the rules of " + plural(h.counted, "policy", "policies") + " that limit sessions or rate"
	if h.counted == 0 {
		refused = "so the gate would refuse rules that limit sessions or rate, of which there are none"
	}
	var st unix.Stat_t
	err := unix.Lstat(dir, &st)
	kind := st.Mode & unix.S_IFMT
	switch {
	case errors.Is(err, unix.ENOENT) && h.counted == 0:
		return []finding{good("there is no %s, and no policy limits sessions or rate", dir)}
	case errors.Is(err, unix.ENOENT):
		return []finding{bad(fix, "there is no %s, %s", dir, refused)}
	case err != nil:
		return []finding{unseen(asRoot("ls -ld "+dir), "%s cannot be looked at: %v", dir, err)}
	case kind == unix.S_IFLNK: // which chown and chmod would follow
		return []finding{bad(anew, "%s is a link, which the gate does not follow, %s", dir, refused)}
	case kind != unix.S_IFDIR:
		return []finding{bad(anew, "%s is no folder, %s", dir, refused)}
	case st.Uid != 0 || st.Mode&0o002 != 0:
		return []finding{bad(fix, "%s belongs to user %s with mode %04o, so others can change the counts", dir, userName(st.Uid), st.Mode&0o7777)}
	case group >= 0 && (int(st.Gid) != group || st.Mode&0o020 == 0):
		return []finding{bad(fix, "the gate, with the group %s, cannot count in %s, which has the group %s and mode %04o", groupName(group), dir, groupName(int(st.Gid)), st.Mode&0o7777)}
	}
	if why, look := noRoom(dir); why != "" {
		return []finding{bad(look+" shows it; remove what fills it", "the file system of %s is full (%s), so the gate may have to refuse rules that limit sessions or rate", dir, why)}
	}
	return []finding{good("%s belongs to root with mode %04o", dir, st.Mode&0o7777)}
}

// noRoom says why no file can be made in a folder, and what shows it; empty where one can. A file system without a count of inodes has
// as many as it has space for.
func noRoom(dir string) (why, look string) {
	var fs unix.Statfs_t
	switch err := unix.Statfs(dir, &fs); {
	case err != nil:
		return "", ""
	case fs.Files > 0 && fs.Ffree == 0:
		return "no inodes are left", "df -i " + dir
	case fs.Blocks > 0 && fs.Bavail == 0:
		return "no space is left", "df " + dir
	}
	return "", ""
}

// readAccounts finds the gated accounts.
func (h *survey) readAccounts() {
	h.logins = *surveyLogins()
	for i := range h.logins.all {
		l := &h.logins.all[i]
		a := &gatedAccount{Account: l.Account, isShell: forced.IsGate(l.Shell), unseen: l.unseen}
		h.look(a, defaultKeyFiles(a.Home))
		if l.settings != nil {
			h.heed(a, l.settings)
		}
		switch {
		case !a.isGated() && len(a.stale) == 0:
		case len(h.accounts) >= maxAccounts:
			h.left++
		default:
			h.accounts = append(h.accounts, *a)
		}
	}
}

func (a *gatedAccount) isGated() bool { return a.isShell || a.forced || len(a.keyFiles) > 0 }

// look reads files of keys, and notes what cannot be read.
func (h *survey) look(a *gatedAccount, files []string) {
	err := h.readKeys(a, files)
	if hidden := (*keysUnseen)(nil); errors.As(err, &hidden) {
		if !slices.ContainsFunc(h.unseenKeys, func(u unseenKeys) bool { return u.account == a.Name }) {
			h.unseenKeys = append(h.unseenKeys, unseenKeys{a.Name, hidden})
		}
	} else if err != nil && !slices.Contains(h.oddKeys, a.Name) {
		h.oddKeys = append(h.oddKeys, a.Name)
	}
}

// heed looks again with sshd's settings for an account: it may read other files than the first look did.
func (h *survey) heed(a *gatedAccount, settings sshd.Settings) {
	before := a.keyFiles
	a.settings = settings
	if files := settings.KeyFiles(a.Name, a.Home, a.UID); !slices.Equal(files, defaultKeyFiles(a.Home)) {
		*a = gatedAccount{Account: a.Account, isShell: a.isShell, settings: settings}
		h.look(a, files)
	}
	if call, ok := forcedCall(&a.Account, settings); ok {
		a.forced = true
		a.byProof = a.byProof || call.KeyFrom != ""
	}
	if !a.isGated() {
		a.stale = before
	}
	h.noteSources(settings, a.forced)
}

func (h *survey) readKeys(a *gatedAccount, files []string) error {
	for _, file := range files {
		lines, err := readKeyLines(&a.Account, file)
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
				if _, has := lines[i].Command(); !has {
					a.bare++
				}
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

// mayWrite says whether an account owns a file or the folder it is in, and so can put another in its place; or, where it is not there yet,
// the folder in which what is missing can be made.
func mayWrite(uid int, file string) bool {
	for path, folder := file, false; ; path, folder = filepath.Dir(path), true {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err == nil {
			if int(st.Uid) == uid || folder {
				return int(st.Uid) == uid
			}
		}
		if path == "/" {
			return false
		}
	}
}

func (h *survey) accountFindings() []finding {
	var findings []finding
	if n := len(h.unseenKeys); n > 0 {
		var names, files []string
		for _, u := range h.unseenKeys[:min(n, maxNamed)] {
			names, files = append(names, u.account), append(files, u.file)
		}
		if n > maxNamed {
			names = append(names, "...")
		}
		findings = append(findings, unseen(asRoot("ls -l "+argv.Quote(files)), "the keys of %s cannot be read (%s): %s", plural(n, "account", "accounts"), strings.Join(names, ", "), h.unseenKeys[0].why))
	}
	if n := len(h.oddKeys); n > 0 {
		findings = append(findings, bad("ssh-gate check says why; a file that sshd reads and this does not may hold any key line",
			"the keys of %s are no plain text of a bearable size, such as those of %s", plural(n, "account", "accounts"), h.oddKeys[0]))
	}
	if h.logins.unasked > 0 {
		findings = append(findings, unseen(h.logins.advice(), "sshd was not asked about %s, so keys and a ForceCommand that only sshd_config names are not seen there: %s",
			plural(h.logins.unasked, "account", "accounts"), h.logins.silence()))
	}
	findings = append(findings, h.elsewhereFindings()...)
	if len(h.accounts) == 0 {
		return append(findings, good("no account has the gate as its login shell or ForceCommand, and no key line that can be read names it"))
	}
	for i := range h.accounts {
		findings = append(findings, h.accounts[i].findings(h)...)
	}
	if h.left > 0 {
		findings = append(findings, unseen("ask about one: sshd -T -C user=NAME,host=localhost,addr=127.0.0.1", "%s more that the gate stands before: only the first %d are looked at", plural(h.left, "account", "accounts"), maxAccounts))
	}
	return findings
}

// elsewhereFindings tell of keys that stand in no file: a program names them, or an authority signs them.
func (h *survey) elsewhereFindings() []finding {
	var findings []finding
	for _, from := range h.elsewhere {
		accounts := plural(h.reached[from], "account", "accounts")
		if _, program, ok := strings.Cut(from, "AuthorizedKeysCommand "); ok {
			findings = append(findings, unseen("run it by hand as sshd would, "+program+", and look for lines without command=", "sshd asks a program for keys of %s, which is not run here: %s", accounts, from))
			continue
		}
		findings = append(findings, unseen("sign with ssh-keygen -O force-command='/usr/bin/ssh-gate --key NAME', make the gate the login shell, or set ForceCommand",
			"sshd lets certificates into %s; whether each has the gate as its force-command cannot be seen here: %s", accounts, from))
	}
	if more := len(h.reached) - len(h.elsewhere); more > 0 {
		findings = append(findings, unseen("sshd -T -C user=NAME,host=localhost,addr=127.0.0.1 names them", "sshd takes keys from %s more", plural(more, "program or authority", "programs or authorities")))
	}
	return findings
}

// findings are what is in order, or not, with one gated account.
func (a *gatedAccount) findings(h *survey) []finding {
	if len(a.stale) > 0 {
		return []finding{bad("move the lines to where sshd looks, see AuthorizedKeysFile in sshd -T -C user="+a.Name+", or take them out",
			"%s: the key lines in %s name the gate, and sshd does not read them there", a.Name, strings.Join(a.stale, ", "))}
	}
	findings := []finding{a.shell()}
	note := func(f finding) { findings = append(findings, f) }
	if moved := slices.DeleteFunc(slices.Clone(a.keyFiles), func(file string) bool { return slices.Contains(defaultKeyFiles(a.Home), file) }); len(moved) > 0 {
		note(good("%s: its key lines stand where sshd_config says, in %s", a.Name, strings.Join(moved, ", ")))
	}
	if a.isShell && !inShells(a.Shell) {
		note(bad("echo "+a.Shell+" >> /etc/shells", "%s: its login shell %s is not in /etc/shells, so PAM's pam_shells and chsh refuse it", a.Name, a.Shell))
	}
	if a.loose > 0 {
		note(bad("write restrict in front of command= in "+strings.Join(a.keyFiles, ", "), "%s: %s the gate without restrict, so forwarding is not asked about", a.Name,
			plural(a.loose, "key line names", "key lines name")))
	}
	if a.open > 0 && !a.isShell && !a.forced {
		note(bad("give those lines a command= too, or make the gate the login shell: usermod -s /usr/bin/ssh-gate "+a.Name,
			"%s: %s not name the gate, so %s", a.Name, plural(a.open, "of its key lines does", "of its key lines do"), "the account has a shell beside it"))
	}
	if a.settings == nil {
		reason := "not asked"
		if a.unseen != nil {
			reason = a.unseen.Error()
		}
		note(unseen(h.logins.advice(), "%s: sshd's settings are not known: %s", a.Name, reason))
		return findings
	}
	return append(findings, a.sshd(h)...)
}

// shell says what a login shell other than the gate leaves open.
func (a *gatedAccount) shell() finding {
	switch {
	case a.isShell:
		return good("%s: the gate is its login shell", a.Name)
	case noLogin(a.Shell):
		return bad("usermod -s /usr/bin/ssh-gate "+a.Name, "%s: its login shell %s lets no forced command run", a.Name, a.Shell)
	case slices.Contains([]string{"bash", "zsh", "fish", "ksh", "tcsh", "csh"}, filepath.Base(a.Shell)):
		return bad("usermod -s /usr/bin/ssh-gate "+a.Name, "%s: its login shell %s may run start-up files before the gate", a.Name, a.Shell)
	case a.forced:
		return good("%s: ForceCommand is the gate, and its login shell is %s", a.Name, a.Shell)
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
	const reload = " in sshd_config, then sshd -t && systemctl reload ssh"
	is(s.Value("pubkeyauthentication") == "no", "PubkeyAuthentication yes"+reload, "sshd takes no keys")
	is(s.Value("exposeauthinfo") != "yes" && (a.byProof || h.proved > 0), "ExposeAuthInfo yes"+reload,
		"sshd does not tell which key was used, so --key-from and fingerprints deny everything")
	is(s.Value("permituserenvironment") != "no" && s.Value("permituserenvironment") != "", "PermitUserEnvironment no"+reload,
		"the account may set variables for what sshd starts, so it chooses what the dynamic loader, a shell and Go's runtime do before the gate")
	is(s.Value("permituserrc") == "yes" && a.loose > 0, "PermitUserRC no"+reload+", or restrict in the key lines", "~/.ssh/rc runs before the gate")
	forwards := s.Value("disableforwarding") != "yes" && (s.Value("allowtcpforwarding") != "no" || s.Value("allowstreamlocalforwarding") != "no" || s.Value("allowagentforwarding") != "no")
	is(forwards && a.ownKeys, "Match User "+a.Name+" with DisableForwarding yes"+reload,
		"a key line that somebody adds to its keys, without restrict, may forward ports without the gate being asked")
	is(forwards && !a.ownKeys && a.forced && a.open > 0, "write restrict into its key lines, or Match User "+a.Name+" with DisableForwarding yes"+reload,
		"a key line without restrict may forward ports without the gate being asked")
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
	command := s.Value("forcecommand")
	internal := "" // the subsystem that a login gets of sshd itself, without the login shell
	if command == "" || command == "none" {
		command, internal = "", internalSubsystem(s["subsystem"])
	}
	if internal != "" && (a.ownKeys || a.bare > 0) {
		who := "which somebody may add to its keys"
		if a.bare > 0 {
			who = "of which there " + fmt.Sprintf("%s %d", map[bool]string{true: "is", false: "are"}[a.bare == 1], a.bare)
		}
		is(true, "Subsystem "+internal+" "+sftpServer()+reload+"; or Match User "+a.Name+" with ForceCommand /usr/bin/ssh-gate --key-from fingerprint; or keys where root alone writes, each with command=",
			"Subsystem "+internal+" internal-sftp runs in sshd itself: a key line without command=, "+who+", gets all files of the account without the gate, and without a record")
	}
	if command != "" {
		call, ok := forced.Command(command)
		is(!ok, "ForceCommand /usr/bin/ssh-gate --key-from fingerprint"+reload, "ForceCommand "+command+" runs in place of the gate")
		is(ok && call.Problem != "", "ForceCommand /usr/bin/ssh-gate --key-from fingerprint"+reload, "ForceCommand "+command+": "+call.Problem)
	}
	password := s.Value("passwordauthentication") == "yes" || s.Value("kbdinteractiveauthentication") == "yes"
	if password && !a.forced && (!a.isShell || internal != "") {
		usable, err := hasPassword(a.Name)
		switch {
		case err != nil:
			findings = append(findings, unseen(asRoot("ls -l /etc/shadow"), "%s: whether it has a password is not known: %s", a.Name, reasonOf(err)))
		default:
			gets := "its login shell"
			if a.isShell {
				gets = internal
			}
			is(usable, "passwd -l "+a.Name+" && usermod -p '*' "+a.Name+", or PasswordAuthentication no"+reload, "it has a password, by which it gets "+gets+" without the gate")
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

const (
	sshdPID     = "/run/sshd.pid" // which sshd writes when it starts and each time that it is reloaded
	sshdConfig  = "/etc/ssh/sshd_config"
	sshdDropIns = "/etc/ssh/sshd_config.d"
	maxDropIns  = 1000 // files of sshdDropIns that are looked at
)

// unreadBySSHD is a file of sshd's configuration, where Debian and Fedora have it, that was written after the running sshd has read it; empty where
// there is none, or where that is not known: no sshd waits for connections, or it writes no such sshdPID.
func unreadBySSHD() string {
	read, err := os.Stat(sshdPID)
	if err != nil {
		return ""
	}
	pid, err := os.ReadFile(sshdPID)
	if err != nil {
		return ""
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	if err != nil {
		return ""
	}
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", number)); err != nil || strings.TrimSpace(string(name)) != "sshd" {
		return ""
	}
	files := []string{sshdConfig}
	entries, _ := os.ReadDir(sshdDropIns)
	for _, e := range entries[:min(len(entries), maxDropIns)] {
		if strings.HasSuffix(e.Name(), ".conf") {
			files = append(files, sshdDropIns+"/"+e.Name())
		}
	}
	for _, file := range files {
		if written, err := os.Stat(file); err == nil && written.ModTime().After(read.ModTime()) {
			return file
		}
	}
	return ""
}

// internalSubsystem is the name of the first subsystem that sshd runs itself, with no program and so no login shell.
func internalSubsystem(values []string) string {
	for _, value := range values {
		if words := strings.Fields(value); len(words) > 1 && words[1] == "internal-sftp" {
			return words[0]
		}
	}
	return ""
}

// sftpServer is where the program lies that does what internal-sftp does.
func sftpServer() string {
	places := []string{"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server", "/usr/libexec/sftp-server"}
	for _, path := range places {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return places[0]
}

// asRoot is what to type where root would see more, and what where root does not.
func asRoot(otherwise string) string {
	if os.Geteuid() != 0 {
		return "sudo ssh-gate doctor"
	}
	return otherwise
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
