package admin

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/safefile"
)

// finding is one thing that doctor looks at: in order; or not, and then why it matters and what to type; or not to be looked at, and why.
type finding struct {
	ok, unseen bool
	text       string
	fix        string
}

func good(format string, args ...any) finding {
	return finding{ok: true, text: fmt.Sprintf(format, args...)}
}

func bad(fix, format string, args ...any) finding {
	return finding{text: fmt.Sprintf(format, args...), fix: fix}
}

func unseen(fix, format string, args ...any) finding {
	return finding{unseen: true, text: fmt.Sprintf(format, args...), fix: fix}
}

func (f *finding) state() string {
	switch {
	case f.ok:
		return "fine"
	case f.unseen:
		return "unseen"
	}
	return "wrong"
}

// section is what was found about one part of the host.
type section struct {
	about    string
	findings []finding
}

// doctor says whether this host is set up well.
func doctor(c *call) int {
	options := flag.NewFlagSet("doctor", flag.ContinueOnError)
	file := options.String("config", "", "this configuration of the host, a `FILE`")
	asJSON := options.Bool("json", false, "as JSON")
	if status, ok := c.parse(options); !ok {
		return status
	}
	config, status := c.hostConfig(*file)
	if config == nil {
		return status
	}
	var sections []section
	add := func(about string, findings ...finding) {
		if len(findings) > 0 {
			sections = append(sections, section{about, findings})
		}
	}
	add("configuration", good("the configuration can be read"))
	add("binary", binary()...)
	add("log", c.logFindings(config)...)
	h := c.surveyHost()
	add("policies", h.policyFindings()...)
	add("kernel", h.kernel()...)
	add("counts", h.counts(c.lent.Group())...)
	add("accounts", h.accountFindings()...)
	if file := unreadBySSHD(); file != "" {
		add("sshd", bad("sshd -t && systemctl reload ssh", "%s is newer than what the running sshd has read; what is said here of sshd is what the files say", file))
	}
	if *asJSON {
		return c.print(sectionsAsJSON(sections), statusOf(sections))
	}
	return c.tellSections(sections)
}

func statusOf(sections []section) int {
	for _, s := range sections {
		for i := range s.findings {
			if s.findings[i].state() == "wrong" {
				return exitFindings
			}
		}
	}
	return exitOK
}

func (c *call) tellSections(sections []section) int {
	for _, s := range sections {
		for _, f := range s.findings {
			colour := green
			if f.unseen {
				colour = yellow
			} else if !f.ok {
				colour = red
			}
			mark := f.state() + strings.Repeat(" ", 6-len(f.state()))
			fmt.Fprintf(c.out, "%s  %s\n", c.paint(colour, mark), fold(policy.Printable(f.text), c.width, 8))
			if f.fix != "" {
				fmt.Fprintf(c.out, "        hint: %s\n", fold(policy.Printable(f.fix), c.width, 14))
			}
		}
	}
	return statusOf(sections)
}

func sectionsAsJSON(sections []section) any {
	type told struct {
		About string `json:"about"`
		State string `json:"state"` // fine, wrong, unseen
		Text  string `json:"text"`
		Hint  string `json:"hint,omitempty"`
	}
	list := []told{}
	for _, s := range sections {
		for i := range s.findings {
			f := &s.findings[i]
			list = append(list, told{s.about, f.state(), f.text, f.fix})
		}
	}
	return list
}

func (c *call) logFindings(config *policy.Config) []finding {
	var findings []finding
	if config.Log.File != "" {
		findings = append(findings, c.setgid())
		findings = append(findings, examineLog(config.Log.File, c.lent.Group())...)
	}
	if config.Log.Facility >= 0 {
		findings = append(findings, socket("syslog", record.DevLog))
	}
	if config.Log.Journal {
		findings = append(findings, socket("the journal", record.JournalSocket))
	}
	if len(findings) == 0 {
		findings = append(findings, bad(`set [log] file, syslog or journal in `+policy.ConfigFile, "nothing is recorded anywhere"))
	}
	return findings
}

// binary says whether somebody else than root can put another program in the place of this one.
func binary() []finding {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return []finding{unseen("mount /proc", "this binary cannot be found: %v", err)}
	}
	var st unix.Stat_t
	if err := unix.Stat(self, &st); err != nil {
		return []finding{unseen("ls -l "+self, "%s cannot be looked at: %v", self, err)}
	}
	if st.Mode&unix.S_ISUID != 0 {
		return []finding{bad("chmod u-s "+self, "%s is setuid, so the gate refuses everything", self)}
	}
	if err := safefile.Program(self, safefile.RootOnly); err != nil {
		var fault *safefile.Error
		errors.As(err, &fault)
		return []finding{bad(fault.Hint, "somebody else than root can change what the key lines start: %v", err)}
	}
	return []finding{good("%s belongs to root, with mode %04o", self, st.Mode&0o7777)}
}

// setgid says whether the log is opened with a group that the restricted account has not, and why not.
func (c *call) setgid() finding {
	if c.lent.Lent() {
		return good("setgid is in effect: the log is opened with the group %s, which the gate gives back before it reads a policy or a request", groupName(c.lent.Group()))
	}
	const fallback = "; the gate writes what the account itself may write, and so could edit"
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return unseen("mount /proc", "this binary cannot be found%s: %v", fallback, err)
	}
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Stat(self, &st), unix.Statfs(self, &fs)); err != nil {
		return unseen("ls -l "+self, "%+q cannot be looked at: %v", self, err)
	}
	switch {
	case st.Mode&unix.S_ISGID == 0:
		return bad("groupadd --system ssh-gate; chown root:ssh-gate "+self+" && chmod 2755 "+self, "%s is not setgid%s", self, fallback)
	case fs.Flags&unix.ST_NOSUID != 0:
		return bad("install it on a file system that is mounted without nosuid", "%s is setgid, on a file system mounted nosuid%s", self, fallback)
	case int(st.Gid) == os.Getgid():
		return good("%s is setgid to the group that you are in already; ask again as the restricted account", self)
	}
	if privileges, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil && privileges == 1 {
		return bad("see who sets it: NoNewPrivileges= of sshd's unit, a container's settings", "%s is setgid, but no_new_privs is set%s", self, fallback)
	}
	return bad("see whether the process is traced, or in a user namespace without that group", "%s is setgid, but its group was not lent%s", self, fallback)
}

// examineLog says whether the restricted accounts can get at the log or its folder.
func examineLog(file string, group int) []finding {
	folder := filepath.Dir(file)
	var st unix.Stat_t
	if err := unix.Stat(folder, &st); err != nil {
		fix := "install -d -m 2750 -o root -g ssh-gate " + folder
		if _, link := linked(folder); link {
			fix = "rm " + folder + " && " + fix
		}
		return []finding{bad(fix, "the folder %s cannot be looked at: %v", folder, err)}
	}
	findings := []finding{judgeFolder(folder, file, &st)}
	real, _ := linked(folder)
	for _, above := range slices.Compact([]string{folder, real}) {
		for above != "/" && findings[0].ok {
			above = filepath.Dir(above)
			if problem := judgeAbove(above); problem != nil && !slices.Contains(findings, *problem) {
				findings = append(findings, *problem)
			}
		}
	}
	var log unix.Stat_t
	switch err := unix.Lstat(file, &log); {
	case errors.Is(err, unix.EACCES):
		return append(findings, unseen(asRoot("namei -l "+file), "%s cannot be looked at by you, as it should be for accounts", file))
	case err != nil:
		return append(findings, bad("install -m 660 -o root -g ssh-gate /dev/null "+file, "there is no log: %v", err))
	case log.Mode&unix.S_IFMT != unix.S_IFREG:
		return append(findings, bad("move it away, and make a file in its place", "%s is not a regular file", file))
	case log.Uid != 0 || log.Mode&0o007 != 0:
		return append(findings, bad("chown root:ssh-gate "+file+" && chmod 660 "+file, "%s belongs to user %s with mode %04o, so accounts can read or change it", file, userName(log.Uid), log.Mode&0o7777))
	}
	if group >= 0 && (int(log.Gid) != group || log.Mode&0o060 != 0o060) {
		findings = append(findings, bad("chown root:ssh-gate "+file+" && chmod 660 "+file, "%s has the group %s and mode %04o, so the gate, with the group %s, cannot write it",
			file, groupName(int(log.Gid)), log.Mode&0o7777, groupName(group)))
	} else {
		findings = append(findings, good("%s belongs to root with mode %04o", file, log.Mode&0o7777))
	}
	if members, err := membersOf(log.Gid); err == nil && len(members) > 0 {
		findings = append(findings, bad("gpasswd -d "+members[0]+" ssh-gate", "the log's group has members, who can read and change it: %s", strings.Join(members, ", ")))
	}
	return findings
}

// judgeFolder says whether somebody else can replace the log. What mends a link leaves alone where it leads, which may be any folder.
func judgeFolder(folder, file string, st *unix.Stat_t) finding {
	fix := "chown root:ssh-gate " + folder + " && chmod 2750 " + folder
	called := folder + " "
	if target, link := linked(folder); link {
		called = fmt.Sprintf("%s is a link to %s, which ", folder, target)
		fix = "rm " + folder + " && install -d -m 2750 -o root -g ssh-gate " + folder + " && install -m 660 -o root -g ssh-gate /dev/null " + file
	}
	switch {
	case st.Uid != 0:
		return bad(fix, "%sbelongs to user %s, who can replace the log", called, userName(st.Uid))
	case st.Mode&0o022 != 0:
		return bad(fix, "%smay be written by others (mode %04o), who can replace the log", called, st.Mode&0o7777)
	}
	return good("%sbelongs to root with mode %04o", called, st.Mode&0o7777)
}

// linked is where a path leads; link says that its last component itself is a link.
func linked(path string) (target string, link bool) {
	var st unix.Stat_t
	target, _, err := safefile.Resolve(path)
	if err != nil {
		target = path
	}
	return target, unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK
}

// systemGroups have numbers below this on every distribution, adduser.conf(5) and login.defs(5).
const systemGroups = 1000

// judgeAbove says what is wrong with a folder above that of the log: who may write there can put another in its place. A system group
// may, as on systems where /var/log belongs to that of the syslog daemon.
func judgeAbove(folder string) *finding {
	var st unix.Stat_t
	if err := unix.Stat(folder, &st); err != nil {
		f := bad("namei -l "+folder, "the folder %s cannot be looked at: %v", folder, err)
		return &f
	}
	sticky := st.Mode&unix.S_ISVTX != 0
	if st.Uid == 0 && (st.Mode&0o002 == 0 || sticky) && (st.Mode&0o020 == 0 || sticky || st.Gid < systemGroups) {
		return nil
	}
	f := bad("move the log below folders that root alone may write, such as /var/log", "%s belongs to user %s with mode %04o, so others can put another folder in the place of the log's",
		folder, userName(st.Uid), st.Mode&0o7777)
	return &f
}

func socket(name, path string) finding {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return bad("start the daemon, or take it out of [log] in "+policy.ConfigFile, "%s does not listen on %s", name, path)
	}
	return good("%s listens on %s", name, path)
}
