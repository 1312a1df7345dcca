package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/keyline"
	"example.org/ssh-gate/internal/session"
	"example.org/ssh-gate/internal/sshd"
)

// TestRuntimeVariables holds the list of what Go's runtime reads before main against its source, and SECURITY.md against the list.
func TestRuntimeVariables(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	check(t, err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "src/runtime/*.go"))
	check(t, err)
	var read []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(t, err)
		for _, m := range regexp.MustCompile(`gogetenv\("(\w+)"\)`).FindAllStringSubmatch(string(text), -1) {
			read = append(read, m[1])
		}
	}
	slices.Sort(read)
	read = slices.DeleteFunc(slices.Compact(read), func(name string) bool { return name == "GOROOT" }) // read by runtime.GOROOT alone
	if !slices.Equal(read, runtimeVariables()) {
		t.Errorf("the runtime reads %q, doctor knows %q", read, runtimeVariables())
	}
	paper, err := os.ReadFile("../../SECURITY.md")
	check(t, err)
	for _, name := range read {
		if !regexp.MustCompile(`\b` + name + `\b`).Match(paper) {
			t.Errorf("SECURITY.md does not name %s", name)
		}
	}
}

// TestDoctorConfig: a configuration that cannot be read is all there is to say.
func TestDoctorConfig(t *testing.T) {
	d := newDesk(t)
	d.write("faulty.toml", "lg = 1\n")
	if got := d.run("doctor", "--config", "$DIR/faulty.toml"); got.status != exitFindings || got.out != "" || !strings.HasPrefix(got.errs, "$DIR/faulty.toml:1:1: unknown key \"lg\"\n") {
		t.Errorf("%+v", got)
	}
	d.want(exitFindings, "", "ssh-gate: error: \"$DIR/none.toml\" does not exist\nssh-gate: hint: write it, or correct --config\n", "doctor", "--config", "$DIR/none.toml")
	d.write("open.toml", "")
	check(t, os.Chmod(d.path("open.toml"), 0o666))
	if got := d.run("doctor", "--config", "$DIR/open.toml"); got.status != exitFindings || !strings.Contains(got.errs, "may be written by others (mode 0666)") {
		t.Errorf("%+v", got)
	}
}

// TestDoctorNowhere: a host that records nothing.
func TestDoctorNowhere(t *testing.T) {
	d := newDesk(t)
	d.write("config.toml", "log.file = \"\"\n")
	got := d.run("doctor", "--config", "$DIR/config.toml")
	if got.status != exitFindings || !strings.Contains(got.out, "\nwrong   nothing is recorded anywhere\n        hint: set [log] file, syslog or journal in /etc/ssh-gate/config.toml\n") {
		t.Errorf("%+v", got)
	}
}

// findings are what is said of a log, one a line, without the folder.
func findings(d *desk, file string) string {
	d.Helper()
	var lines []string
	for _, f := range examineLog(file, -1) {
		mark := "ok: "
		if !f.ok {
			mark = "fault: "
			if f.fix == "" {
				d.Errorf("%s: nothing to do about it", f.text)
			}
		}
		lines = append(lines, mark+strings.ReplaceAll(f.text, d.dir, "$DIR"))
	}
	return strings.Join(lines, "\n")
}

// TestDoctorLog: who could read or change the log.
func TestDoctorLog(t *testing.T) {
	d := newDesk(t)
	root := os.Geteuid() == 0
	const folderMine = "fault: $DIR belongs to user UID, who can replace the log\n"
	check(t, os.Chmod(d.dir, 0o750))
	folder := "ok: $DIR belongs to root with mode 0750\n"
	if !root {
		folder = strings.ReplaceAll(folderMine, "UID", fmt.Sprint(os.Geteuid()))
	}
	log := d.path("log")
	want := func(text string) {
		t.Helper()
		if got := findings(d, log); got != folder+text {
			t.Errorf("%s\nwant\n%s", got, folder+text)
		}
	}
	want("fault: there is no log: no such file or directory")
	for name, make := range map[string]func() error{
		"folder": func() error { return os.Mkdir(log, 0o700) }, "fifo": func() error { return unix.Mkfifo(log, 0o600) }, "link": func() error { return os.Symlink("config.toml", log) },
	} {
		if check(t, make()); !strings.HasSuffix(findings(d, log), "fault: $DIR/log is not a regular file") {
			t.Errorf("%s: %s", name, findings(d, log))
		}
		check(t, os.Remove(log))
	}
	d.write("log", "")
	for mode, open := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o660: false, 0o664: true, 0o662: true, 0o661: true, 0o666: true} {
		check(t, os.Chmod(log, mode))
		switch {
		case open || !root:
			want(fmt.Sprintf("fault: $DIR/log belongs to user %s with mode %04o, so accounts can read or change it", userName(uint32(os.Geteuid())), mode))
		default:
			check(t, os.Chown(log, 0, 54_321)) // a group that nobody is in
			want(fmt.Sprintf("ok: $DIR/log belongs to root with mode %04o", mode))
		}
	}
	if !root {
		return
	}
	check(t, os.Chown(log, 54_321, 0))
	if got := findings(d, log); !strings.Contains(got, "fault: $DIR/log belongs to user 54321") {
		t.Error(got)
	}
	check(t, os.Chmod(d.dir, 0o770))
	if got := findings(d, log); !strings.HasPrefix(got, "fault: $DIR may be written by others (mode 0770), who can replace the log\n") {
		t.Error(got)
	}
	check(t, os.Chmod(d.dir, 0o755))
	check(t, os.Chown(d.dir, 54_321, 0))
	if got := findings(d, log); !strings.HasPrefix(got, "fault: $DIR belongs to user 54321, who can replace the log\n") {
		t.Error(got)
	}
	check(t, os.Chown(d.dir, 0, 0))
}

// TestDoctorNoFolder names the command that makes it.
func TestDoctorNoFolder(t *testing.T) {
	d := newDesk(t)
	all := examineLog(d.path("none/log"), -1)
	if len(all) != 1 || all[0].ok || all[0].text != "the folder "+d.path("none")+" cannot be looked at: no such file or directory" || all[0].fix != "install -d -m 2750 -o root -g ssh-gate "+d.path("none") {
		t.Errorf("%+v", all)
	}
}

// TestDoctorSockets: a daemon that is to take records has to be there.
func TestDoctorSockets(t *testing.T) {
	d := newDesk(t)
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	check(t, err)
	if f := socket("syslog", path); !f.ok || f.text != "syslog listens on "+path {
		t.Errorf("%+v", f)
	}
	check(t, listener.Close())
	d.write("file", "")
	for _, path := range []string{path, d.path("file"), d.dir, d.path("file/x")} {
		if f := socket("syslog", path); f.ok || f.text != "syslog does not listen on "+path || f.fix == "" {
			t.Errorf("%+v", f)
		}
	}
	d.write("config.toml", "log = { file = \"\", syslog = \"authpriv\", journal = true }\n")
	got := d.run("doctor", "--config", "$DIR/config.toml")
	for _, want := range []string{"  syslog ", "  the journal "} {
		if !strings.Contains(got.out, want) || strings.Contains(got.out, "nothing is recorded") {
			t.Errorf("%+v does not tell of %s", got, want)
		}
	}
	if (got.status == exitFindings) != strings.Contains(got.out, "wrong") {
		t.Errorf("%+v", got)
	}
}

func TestMembersOf(t *testing.T) {
	if members, err := membersOf(4_294_967_294); err != nil || members != nil {
		t.Errorf("%v, %v", members, err)
	}
}

// TestDoctorByAnybody: the same questions for root and for others; a binary that is not setgid is a finding for both.
func TestDoctorByAnybody(t *testing.T) {
	d := newDesk(t)
	d.write("log", "")
	got := d.run("doctor", "--config", "$DIR/config.toml")
	if got.status != exitFindings || got.errs != "" || !strings.HasPrefix(got.out, "fine    the configuration can be read\n") || !strings.Contains(got.out, " is not setgid; the gate writes what the account itself may write, and so could edit\n        hint: groupadd --system ssh-gate; chown root:ssh-gate ") {
		t.Errorf("%+v", got)
	}
	for line := range strings.Lines(got.out) {
		if !slices.ContainsFunc([]string{"fine    ", "wrong   ", "unseen  ", "        hint: "}, func(mark string) bool { return strings.HasPrefix(line, mark) }) {
			t.Errorf("%q", line)
		}
	}
	var list []struct{ About, State, Text, Hint string }
	asJSON := d.run("doctor", "--config", "$DIR/config.toml", "--json")
	check(t, json.Unmarshal([]byte(asJSON.out), &list))
	if asJSON.status != got.status || len(list) != strings.Count(got.out, "\n")-strings.Count(got.out, "hint: ") || list[0].About != "configuration" || list[0].State != "fine" {
		t.Errorf("%+v", asJSON)
	}
}

// TestDoctorManyAccounts: what is not looked at is not passed over in silence.
func TestDoctorManyAccounts(t *testing.T) {
	h := &survey{accounts: make([]gatedAccount, maxAccounts), left: 3}
	all := h.accountFindings()
	if last := all[len(all)-1]; last.state() != "unseen" || !strings.HasPrefix(last.text, "3 accounts more that the gate stands before") {
		t.Errorf("%+v", last)
	}
}

// TestDoctorOddKeys: an account cannot hide its key lines in a file that sshd reads and doctor does not.
func TestDoctorOddKeys(t *testing.T) {
	d := newDesk(t)
	check(t, os.MkdirAll(d.path(".ssh"), 0o700))
	d.write(".ssh/authorized_keys", strings.Repeat("\n", keyline.MaxFile)+keyA+"\n")
	h := &survey{}
	a := &gatedAccount{Account: session.Account{Name: "u", UID: os.Getuid(), GID: os.Getgid(), Home: d.dir}}
	if err := h.readKeys(a, defaultKeyFiles(d.dir)); err == nil || errors.Is(err, fs.ErrPermission) {
		t.Fatalf("the file is read: %v", err)
	}
	h.oddKeys = append(h.oddKeys, a.Name)
	if first := h.accountFindings()[0]; first.state() != "wrong" {
		t.Errorf("%+v", first)
	}
}

// TestDoctorHeeds what sshd says of an account: where its keys stand, which command it forces, and where else keys come from.
func TestDoctorHeeds(t *testing.T) {
	const gate = `restrict,command="/usr/bin/ssh-gate --key ci" ` + keyA + "\n"
	for name, c := range map[string]struct {
		home, root string // the keys in the default file, and in keys/u.UID
		shell      string
		settings   sshd.Settings
		want       []string // states and beginnings, of what is told of the account
		elsewhere  []string
	}{
		"where sshd looks if not told otherwise": {gate, "", "/bin/sh", sshd.Settings{"authorizedkeysfile": {".ssh/authorized_keys .ssh/authorized_keys2"}}, []string{"wrong u: whatever runs as it may add a key line"}, nil},
		"nowhere":                                {"", "", "/bin/sh", sshd.Settings{"authorizedkeysfile": {"none"}}, nil, nil},
		"only where sshd_config says":            {"", gate, "/bin/sh", sshd.Settings{"authorizedkeysfile": {".ssh/none $DIR/keys/%u.%U"}}, []string{"wrong u: whatever", "fine u: its key lines stand where sshd_config says, in $DIR/keys/u."}, nil},
		"by a path of the home":                  {"", gate, "/bin/sh", sshd.Settings{"authorizedkeysfile": {"keys/u.%U"}}, []string{"wrong u: whatever", "fine u: its key lines stand where sshd_config says, in $DIR/keys/u."}, nil},
		"by the home":                            {"", gate, "/bin/sh", sshd.Settings{"authorizedkeysfile": {"%h/keys/%u.%U"}}, []string{"wrong u: whatever", "fine u: its key lines stand"}, nil},
		"where sshd does not look":               {gate, "", "/bin/sh", sshd.Settings{"authorizedkeysfile": {"/none/%u"}}, []string{"wrong u: the key lines in $DIR/.ssh/authorized_keys name the gate, and sshd does not read them there"}, nil},
		"another command there":                  {"", strings.Replace(gate, "ssh-gate", "rrsync", 1), "/bin/sh", sshd.Settings{"authorizedkeysfile": {"$DIR/keys/%u.%U"}}, nil, nil},
		"ForceCommand": {keyA + "\n", "", "/bin/sh", sshd.Settings{"authorizedkeysfile": {".ssh/authorized_keys .ssh/authorized_keys2"}, "forcecommand": {"/usr/bin/ssh-gate --key-from fingerprint"},
			"disableforwarding": {"yes"}, "passwordauthentication": {"yes"}, "trustedusercakeys": {"/etc/ssh/ca.pub"}}, []string{"fine u: ForceCommand is the gate", "wrong u: sshd does not tell which key was used"}, nil},
		"ForceCommand that the gate refuses": {"", "", "/bin/sh", sshd.Settings{"forcecommand": {"/usr/bin/ssh-gate --kye x"}, "disableforwarding": {"yes"}},
			[]string{"fine u: ForceCommand is the gate", "wrong u: ForceCommand /usr/bin/ssh-gate --kye x: unknown option"}, nil},
		"another ForceCommand":               {"", "", "/bin/sh", sshd.Settings{"forcecommand": {"internal-sftp"}}, nil, nil},
		"ForceCommand for who cannot log in": {"", "", "/usr/sbin/nologin", sshd.Settings{"forcecommand": {"/usr/bin/ssh-gate --key x"}}, nil, nil},
		"a program that names keys":          {"", "", "/bin/sh", sshd.Settings{"authorizedkeyscommand": {"/usr/bin/keys %u"}, "trustedusercakeys": {"none"}}, nil, []string{"AuthorizedKeysCommand /usr/bin/keys %u"}},
		"an authority":                       {"", "", "/bin/sh", sshd.Settings{"authorizedkeyscommand": {"none"}, "trustedusercakeys": {"/etc/ssh/ca.pub"}}, nil, []string{"TrustedUserCAKeys /etc/ssh/ca.pub"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			check(t, os.MkdirAll(d.path(".ssh"), 0o700))
			d.write(".ssh/authorized_keys", c.home)
			d.write(fmt.Sprintf("keys/u.%d", os.Getuid()), c.root)
			settings := sshd.Settings{}
			for name, values := range c.settings {
				settings[name] = []string{strings.ReplaceAll(values[0], "$DIR", d.dir)}
			}
			h := &survey{}
			a := &gatedAccount{Account: session.Account{Name: "u", UID: os.Getuid(), GID: os.Getgid(), Home: d.dir, Shell: c.shell}}
			h.look(a, defaultKeyFiles(d.dir))
			h.heed(a, settings)
			var got []string
			if a.isGated() || len(a.stale) > 0 {
				for _, f := range a.findings(h) {
					got = append(got, f.state()+" "+strings.ReplaceAll(f.text, d.dir, "$DIR"))
				}
			}
			got = slices.DeleteFunc(got, func(text string) bool { // which all have whose keys are their own
				return strings.Contains(text, "may forward ports") || strings.Contains(text, "leave the gate alone in charge")
			})
			if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
				t.Errorf("%q, want %q", got, c.want)
			}
			if !slices.Equal(h.elsewhere, c.elsewhere) {
				t.Errorf("%q, want %q", h.elsewhere, c.elsewhere)
			}
			for _, f := range h.elsewhereFindings() {
				if f.state() != "unseen" || f.fix == "" || !strings.HasSuffix(f.text, c.elsewhere[0]) || !strings.Contains(f.text, "1 account") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// TestDoctorUnasked: accounts about which sshd is not asked are not passed over in silence, and no flood of programs is told.
func TestDoctorUnasked(t *testing.T) {
	h := &survey{logins: logins{unasked: 7}}
	if f := h.accountFindings()[0]; f.state() != "unseen" || !strings.HasPrefix(f.text, "sshd was not asked about 7 accounts") || !strings.HasSuffix(f.text, "it is asked about 200 at most, for 30 seconds, and about plain names") || f.fix == "" {
		t.Errorf("%+v", f)
	}
	h = &survey{logins: logins{unasked: 1, deaf: errors.New("sshd -T: no hostkeys available")}}
	if f := h.accountFindings()[0]; f.state() != "unseen" || !strings.HasSuffix(f.text, "seen there: sshd -T: no hostkeys available") || f.fix == "" {
		t.Errorf("%+v", f)
	}
	for n, want := range map[int]string{1: "the keys of 1 account cannot be read (a0): permission denied", maxNamed + 1: "the keys of 6 accounts cannot be read (a0, a1, a2, a3, a4, ...): permission denied"} {
		h = &survey{}
		files := ""
		for i := range n {
			h.unseenKeys = append(h.unseenKeys, unseenKeys{fmt.Sprintf("a%d", i), &keysUnseen{fmt.Sprintf("/%d/keys", i), "permission denied"}})
			if i < maxNamed {
				files += fmt.Sprintf(" /%d/keys", i)
			}
		}
		if f := h.accountFindings()[0]; f.state() != "unseen" || f.text != want || os.Geteuid() == 0 && f.fix != "ls -l"+files || os.Geteuid() != 0 && f.fix != "sudo ssh-gate doctor" {
			t.Errorf("%+v, want %s", f, want)
		}
	}
	h = &survey{}
	for i := range maxElsewhere + 2 {
		h.reach(fmt.Sprintf("AuthorizedKeysCommand /%d", i))
		h.reach(fmt.Sprintf("AuthorizedKeysCommand /%d", i))
	}
	all := h.elsewhereFindings()
	if len(all) != maxElsewhere+1 || all[maxElsewhere].text != "sshd takes keys from 2 programs or authorities more" || !strings.Contains(all[0].text, "2 accounts") {
		t.Errorf("%+v", all)
	}
}
