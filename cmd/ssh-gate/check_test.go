package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// onTerminal runs a program whose standard output is a real terminal of this width, and returns what it printed there.
func onTerminal(t *testing.T, columns int, cmd *exec.Cmd) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	check(t, err)
	defer master.Close()
	check(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	check(t, err)
	check(t, unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	check(t, err)
	read := make(chan string)
	go func() {
		var b bytes.Buffer
		_, _ = io.Copy(&b, master) // ends with EIO when the last slave is closed
		read <- b.String()
	}()
	cmd.Stdout = slave
	run(t, cmd)
	check(t, slave.Close())
	return strings.ReplaceAll(<-read, "\r\n", "\n")
}

// TestTerminal: colour is for terminals that want it, lines fit the screen, and a pipe gets neither.
func TestTerminal(t *testing.T) {
	h := newHost(t, "expires = 2020-01-01T00:00:00Z\nfrom = [\"0.0.0.0/0\"]\n[[allow]]\ncommand = \"probe {x*}\"\nargs.x = { regex = '.*' }\n")
	for _, words := range [][]string{
		{"check", "--policy-dir", h.path("keys"), "--config", h.path("config.toml")}, {"check", "--list"}, {"check", "--help"},
		{"explain", "--policy-dir", h.path("keys"), "--config", h.path("config.toml"), "--key", "deploy", "--at", "2019-01-01", "--", "probe a b"},
		{"explain", "--policy-dir", h.path("keys"), "--config", h.path("config.toml"), "--key", "deploy", "--", "probe"},
	} {
		piped := run(t, command([]string{"TERM=xterm"}, append([]string{gateProgram()}, words...)...)).stdout
		if strings.Contains(piped, "\x1b") || piped == "" {
			t.Errorf("%q into a pipe: %q", words, piped)
		}
		colourful := onTerminal(t, 200, command([]string{"TERM=xterm"}, append([]string{gateProgram()}, words...)...))
		if words[1] != "--help" && !strings.Contains(colourful, "\x1b[") {
			t.Errorf("%q on a terminal: no colour in %q", words, colourful)
		}
		for _, env := range []string{"NO_COLOR=1", "TERM=dumb"} {
			if plain := onTerminal(t, 200, command([]string{env}, append([]string{gateProgram()}, words...)...)); strings.Contains(plain, "\x1b") || plain == "" {
				t.Errorf("%q with %s: %q", words, env, plain)
			}
		}
		for _, columns := range []int{40, 24} {
			narrow := onTerminal(t, columns, command([]string{"NO_COLOR=1"}, append([]string{gateProgram()}, words...)...))
			for line := range strings.Lines(narrow) {
				line = strings.TrimSuffix(line, "\n")
				long := slices.ContainsFunc(strings.Fields(line), func(word string) bool { return utf8.RuneCountInString(word) > columns-11 })
				if n := utf8.RuneCountInString(line); n > columns && !long && !strings.HasPrefix(line, "  ssh-gate ") && !strings.HasPrefix(line, "  --") {
					t.Errorf("%q on %d columns: a line of %d: %q", words, columns, n, line)
				}
			}
			if len(strings.Fields(narrow)) < len(strings.Fields(piped)) && words[1] != "--policy-dir" {
				t.Errorf("%q on %d columns loses words:\n%s", words, columns, narrow)
			}
		}
	}
}

// TestSecretPolicies: who may not read a policy learns nothing of its text, by no verb and in no form, with the group that the binary lends.
func TestSecretPolicies(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	group := testhost.Install(t, gateProgram())
	alice, bob := testhost.AddUser(t, "alice"), testhost.AddUser(t, "bob")
	const secret = "geheim"
	text := "description = \"" + secret + "\"\n[[allow]]\ncommand = \"/usr/bin/id " + secret + "\"\n[[test]]\nrequest = \"" + secret + "\"\nexpect = \"allow\"\n"
	keys := "/etc/ssh-gate/keys/"
	for name, mode := range map[string]os.FileMode{"closed": 0o600, "group": 0o640, "faulty": 0o600} {
		content := text
		if name == "faulty" {
			content += secret + " = [\"" + secret + "\"]\n"
		}
		check(t, os.WriteFile(keys+name+".toml", []byte(content), mode))
		check(t, os.Chmod(keys+name+".toml", mode))
		check(t, os.Chown(keys+name+".toml", 0, group))
	}
	check(t, os.WriteFile("/etc/ssh-gate/config.toml", []byte("# "+secret+"\n"+secret+" = 1\n"), 0o640))
	check(t, os.Chown("/etc/ssh-gate/config.toml", 0, group))
	check(t, os.WriteFile(testhost.Log, []byte(secret+"\n"), 0o660))
	bob.Write(t, ".ssh/authorized_keys", `command="/usr/bin/ssh-gate --key `+secret+`" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPK5a7v1yZ2xS0V0H8Yl1m0vRkRr1mC5u6sT8jW9xYz bob`+"\n")
	alice.Write(t, "x", "")
	home := "/home/alice/"
	for link, to := range map[string]string{"link.toml": keys + "closed.toml", "grouped.toml": keys + "group.toml", "log.toml": testhost.Log, "bob.toml": "/home/bob/.ssh/authorized_keys"} {
		check(t, os.Symlink(to, home+link))
	}
	check(t, os.Chmod("/home/bob", 0o700))
	calls := [][]string{{"check"}, {"check", "closed"}, {"check", "group", "faulty", "users/alice"}, {"check", "--kind", "config", keys + "closed.toml", "/etc/ssh-gate/config.toml"},
		{"check", home + "link.toml", home + "grouped.toml", home + "log.toml", home + "bob.toml", testhost.Log, "/home/bob/.ssh/authorized_keys"},
		{"check", "--policy-dir", "/etc/ssh-gate/keys"}, {"check", "--config", home + "link.toml"}, {"check", "--config", home + "grouped.toml", "x"},
		{"explain", "--last"}, {"explain", "abcdefgh"}, {"explain", "--file", testhost.Log, "--last"}}
	for _, name := range []string{"closed", "group", "faulty"} {
		calls = append(calls, []string{"explain", "--key", name, "--", "id"}, []string{"explain", "--policy", keys + name + ".toml", "--", "help"}, []string{"explain", "--config", home + "grouped.toml", "--key", name})
	}
	for _, words := range calls {
		for _, form := range []string{"", "--json", "--sarif"} {
			if form == "--sarif" && words[0] == "explain" {
				continue
			}
			full := append([]string{"/usr/bin/ssh-gate", words[0]}, append(slices.DeleteFunc([]string{form}, func(s string) bool { return s == "" }), words[1:]...)...)
			o := run(t, alice.Command([]string{"PATH=/usr/bin"}, full...))
			if o.status == 0 || o.status > 2 || o.stdout+o.stderr == "" || strings.Contains(o.stdout+o.stderr, secret) {
				t.Errorf("%q: %+v", full, o)
			}
		}
	}
	// Root sees it, so that this test is able to fail.
	if o := run(t, command(nil, "/usr/bin/ssh-gate", "check", "faulty")); !strings.Contains(o.stdout, secret) {
		t.Errorf("%+v", o)
	}
}

// TestKeyLinesOfAccounts: check holds the key lines of all accounts against the policies, and says so where it could not.
func TestKeyLinesOfAccounts(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	testhost.Install(t, gateProgram())
	askable(t, "")
	alice, bob, carol := testhost.AddUser(t, "alice"), testhost.AddUser(t, "bob"), testhost.AddUser(t, "carol")
	const public = " ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPK5a7v1yZ2xS0V0H8Yl1m0vRkRr1mC5u6sT8jW9xYz x\n"
	const good = "expires = 2099-01-01T00:00:00Z\n[[allow]]\ncommand = \"/usr/bin/id\"\n[[test]]\nrequest = \"/usr/bin/id\"\nexpect = \"allow\"\n"
	for _, name := range []string{"used", "late", "unused"} {
		check(t, os.WriteFile("/etc/ssh-gate/keys/"+name+".toml", []byte(good), 0o644))
	}
	testhost.Run(t, "useradd", "-d", "/dev/null", "-M", "nohome")
	found := func(c *exec.Cmd) (list []string, skipped []string) { return foundOfKeys(t, c) }
	asRoot := func() *exec.Cmd { return command(nil, "/usr/bin/ssh-gate", "check", "--json") }
	alice.Write(t, ".ssh/authorized_keys", `command="/usr/bin/ssh-gate --key used",restrict`+public+`command="/usr/bin/ssh-gate --key gone",restrict`+public+`command="/usr/bin/ssh-gate --key used"`+public)
	// A line far into a file that is longer than a policy may be, and still shorter than what is read of key lines.
	bob.Write(t, ".ssh/authorized_keys", strings.Repeat("# filler\n", 30_000)+strings.Repeat("#"+strings.Repeat("x", 60_000)+"\n", 25)+`command="/usr/bin/ssh-gate --key late",restrict`+public)
	list, skipped := found(asRoot())
	if want := []string{"policy-without-key-line ssh-gate unused.toml", "key-line-without-policy alice authorized_keys", "key-line-unrestricted alice authorized_keys"}; !slices.Equal(list, want) || len(skipped) != 0 {
		t.Errorf("%q, %q, want %q", list, skipped, want)
	}
	// What the policies accept of it is not told; errors are.
	const accepting = "accept = [\"key-line-unrestricted\", \"policy-without-key-line\"]\n"
	for _, name := range []string{"used", "unused"} {
		check(t, os.WriteFile("/etc/ssh-gate/keys/"+name+".toml", []byte(accepting+good), 0o644))
	}
	if list, _ = found(asRoot()); !slices.Equal(list, []string{"key-line-without-policy alice authorized_keys"}) {
		t.Errorf("%q is told of what the policies accept", list)
	}
	for _, name := range []string{"used", "unused"} {
		check(t, os.WriteFile("/etc/ssh-gate/keys/"+name+".toml", []byte(good), 0o644))
	}
	// Calls that the gate would refuse, a shell before it, and a link that leads where the account cannot read.
	carol.Write(t, ".ssh/authorized_keys", `command="/usr/bin/ssh-gate --kye used",restrict`+public+`command="cd /; /usr/bin/ssh-gate --key used",restrict`+public+`command="/usr/bin/ssh-gate --key ../used",restrict`+public)
	list, skipped = found(asRoot())
	if n := strings.Count(strings.Join(list, "\n"), "key-line-faulty carol authorized_keys"); n != 3 || len(skipped) != 0 {
		t.Errorf("%q, %q", list, skipped)
	}
	check(t, os.Remove("/home/carol/.ssh/authorized_keys"))
	check(t, os.WriteFile("/root/lines-of-root", []byte(`command="/usr/bin/ssh-gate --key gone"`+public), 0o600))
	t.Cleanup(func() { os.Remove("/root/lines-of-root") })
	check(t, os.Symlink("/root/lines-of-root", "/home/carol/.ssh/authorized_keys"))
	if list, skipped = found(asRoot()); strings.Contains(strings.Join(list, " "), "carol") || len(skipped) != 0 {
		t.Errorf("root read where a link of the account's led: %q, %q", list, skipped)
	}
	if o := run(t, command(nil, "/usr/bin/ssh-gate", "doctor")); strings.Contains(o.stdout, "the keys of 1 account ") {
		t.Errorf("what sshd cannot read is neither wrong nor unseen: %+v", o)
	}
	check(t, os.Remove("/home/carol/.ssh/authorized_keys"))
	// What is not read whole proves nothing of the policies that no line names.
	carol.Write(t, ".ssh/authorized_keys2", strings.Repeat("# filler\n", 600_000))
	const unreadable = "key-file-unreadable carol authorized_keys"
	if list, skipped = found(asRoot()); len(skipped) != 0 || !slices.Contains(list, unreadable+"2") || slices.Contains(list, unreadable) || strings.Contains(strings.Join(list, " "), "policy-without") {
		t.Errorf("%q, %q", list, skipped)
	}
	odd := func(by string) bool { return strings.Contains(by, "wrong   the keys of 1 account are no plain text") }
	if o := run(t, command(nil, "/usr/bin/ssh-gate", "doctor")); !odd(o.stdout) || o.status != 1 {
		t.Errorf("doctor does not agree: %+v", o)
	}
	if o := run(t, command(nil, "/usr/bin/ssh-gate", "check", "--level", "error")); o.status != 1 || !strings.Contains(o.stdout, "/home/carol/.ssh/authorized_keys2: error: the file is ") {
		t.Errorf("%+v", o)
	}
	// A FIFO or a device in its place holds nobody up.
	check(t, os.Remove("/home/carol/.ssh/authorized_keys2"))
	check(t, unix.Mkfifo("/home/carol/.ssh/authorized_keys2", 0o600))
	check(t, os.Symlink("/dev/zero", "/home/carol/.ssh/authorized_keys"))
	if list, skipped = found(asRoot()); len(skipped) != 0 || !slices.Contains(list, unreadable) || !slices.Contains(list, unreadable+"2") || strings.Contains(strings.Join(list, " "), "policy-without") {
		t.Errorf("%q, %q", list, skipped)
	}
	check(t, os.Remove("/home/carol/.ssh/authorized_keys"))
	check(t, os.Remove("/home/carol/.ssh/authorized_keys2"))
	// Where the gate is the login shell, a login without a command is the account's policy's to decide, not the key's.
	const elsewhere = "key-line-login-elsewhere carol authorized_keys"
	login := "[[allow]]\ncommand = \"\"\nrun = \"/usr/bin/id\"\n"
	check(t, os.WriteFile("/etc/ssh-gate/keys/used.toml", []byte(good+login), 0o644))
	check(t, os.MkdirAll("/etc/ssh-gate/users", 0o755))
	carol.Write(t, ".ssh/authorized_keys", `command="/usr/bin/ssh-gate --key used",restrict`+public)
	for _, c := range []struct {
		shell, own string
		want       bool
	}{{"/bin/sh", good, false}, {"/usr/bin/ssh-gate", good, true}, {"/usr/bin/ssh-gate", good + login, false}} {
		testhost.Run(t, "usermod", "-s", c.shell, "carol")
		check(t, os.WriteFile("/etc/ssh-gate/users/carol.toml", []byte(c.own), 0o644))
		if list, _ = found(asRoot()); slices.Contains(list, elsewhere) != c.want {
			t.Errorf("%+v: %q", c, list)
		}
	}
	check(t, os.WriteFile("/etc/ssh-gate/keys/used.toml", []byte(good), 0o644))
	testhost.Run(t, "usermod", "-s", "/usr/bin/ssh-gate", "carol")
	check(t, os.WriteFile("/etc/ssh-gate/users/carol.toml", []byte(good), 0o644))
	if list, _ = found(asRoot()); slices.Contains(list, elsewhere) {
		t.Errorf("a policy without such a rule: %q", list)
	}
	check(t, os.Remove("/home/carol/.ssh/authorized_keys"))
	// Somebody else than root is told of how many accounts nothing is known, each counted once, and nothing is concluded.
	list, skipped = found(alice.Command(nil, "/usr/bin/ssh-gate", "check", "--json"))
	if len(skipped) == 0 || !strings.Contains(skipped[0], "were not looked at: ask as root") || strings.Contains(strings.Join(list, " "), "policy-without") {
		t.Errorf("%q, %q", list, skipped)
	}
}

// askable lets sshd tell its settings on the test's machine, from this sshd_config.
func askable(t *testing.T, config string) {
	t.Helper()
	testsshd.RequireTool(t, "sshd", "openssh-server")
	check(t, os.MkdirAll("/run/sshd", 0o755))
	testhost.Run(t, "ssh-keygen", "-A")
	check(t, os.WriteFile("/etc/ssh/sshd_config", []byte(config), 0o644))
}

// foundOfKeys is what check finds of key lines: the id, the last folder but one and the name of the file, and what it skipped.
func foundOfKeys(t *testing.T, c *exec.Cmd) (list []string, skipped []string) {
	t.Helper()
	var r struct {
		Findings []struct{ ID, File, Message string }
		Skipped  []string
	}
	o := run(t, c)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("%v: %+v", err, o)
	}
	for _, f := range r.Findings {
		if strings.HasPrefix(f.ID, "key-line-") || strings.HasPrefix(f.ID, "key-file-") || strings.HasSuffix(f.ID, "-key-line") {
			list = append(list, f.ID+" "+filepath.Base(filepath.Dir(filepath.Dir(f.File)))+" "+filepath.Base(f.File))
		}
	}
	return list, r.Skipped
}

// TestKeyLinesWhereSSHDLooks: check reads the key lines where sshd does, and concludes nothing where it does not know.
func TestKeyLinesWhereSSHDLooks(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	testhost.Install(t, gateProgram())
	alice := testhost.AddUser(t, "alice")
	testhost.AddUser(t, "bob")
	const (
		public = " ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPK5a7v1yZ2xS0V0H8Yl1m0vRkRr1mC5u6sT8jW9xYz x\n"
		good   = "expires = 2099-01-01T00:00:00Z\n[[allow]]\ncommand = \"/usr/bin/id\"\n[[test]]\nrequest = \"/usr/bin/id\"\nexpect = \"allow\"\n"
		keys   = "/etc/ssh/authorized_keys/"
		moved  = "AuthorizedKeysFile " + keys + "%u\n"
		unused = "policy-without-key-line ssh-gate unused.toml"
		gone   = "key-line-without-policy ssh alice"
	)
	for _, name := range []string{"used", "unused"} {
		check(t, os.WriteFile("/etc/ssh-gate/keys/"+name+".toml", []byte(good), 0o644))
	}
	check(t, os.Mkdir(keys, 0o755))
	write := func(account, lines string) { check(t, os.WriteFile(keys+account, []byte(lines), 0o644)) }
	line := func(key string) string { return `restrict,command="/usr/bin/ssh-gate --key ` + key + `"` + public }
	write("alice", line("used")+line("gone"))
	alice.Write(t, ".ssh/authorized_keys", line("unused")) // where sshd does not look
	ca := testsshd.NewKey(t, filepath.Join(t.TempDir(), "ca")) + ".pub"
	for _, c := range []struct {
		name, config string
		want         []string
		skipped      string // its beginning; empty: nothing
	}{
		{"where it looks", moved, []string{gone, unused}, ""},
		{"where it looks if not told otherwise", "", nil, ""},
		{"ForceCommand names the policy", moved + "Match User bob\nForceCommand /usr/bin/ssh-gate --key unused\n", []string{gone}, ""},
		{"ForceCommand asks for the proof", moved + "ExposeAuthInfo yes\nMatch User bob\nForceCommand /usr/bin/ssh-gate --key-from fingerprint\n", []string{gone}, ""},
		{"a program names keys", moved + "AuthorizedKeysCommand /usr/bin/true\nAuthorizedKeysCommandUser nobody\n", []string{gone}, "keys that sshd takes from AuthorizedKeysCommand /usr/bin/true were not looked at"},
		{"an authority", moved + "TrustedUserCAKeys " + ca + "\n", []string{gone}, "keys that sshd takes from TrustedUserCAKeys "},
		{"a faulty configuration", moved + "Misspelt yes\n", nil, "where sshd looks for the keys of "},
	} {
		askable(t, c.config)
		if c.config == "" {
			c.want = []string{"policy-without-key-line ssh-gate used.toml"}
		}
		list, skipped := foundOfKeys(t, command(nil, "/usr/bin/ssh-gate", "check", "--json"))
		slices.Sort(list)
		if !slices.Equal(list, c.want) || c.skipped == "" && len(skipped) != 0 || c.skipped != "" && (len(skipped) != 1 || !strings.HasPrefix(skipped[0], c.skipped)) {
			t.Errorf("%s: %q, %q", c.name, list, skipped)
		}
	}
	askable(t, moved)
	// Two names of one account are two logins where the name says which file it is.
	testhost.Run(t, "useradd", "-M", "-o", "-u", fmt.Sprint(alice.UID), "-d", "/home/alice", "-p", "*", "also")
	write("also", line("unused"))
	if list, skipped := foundOfKeys(t, command(nil, "/usr/bin/ssh-gate", "check", "--json")); !slices.Equal(list, []string{gone}) || len(skipped) != 0 {
		t.Errorf("a second name: %q, %q", list, skipped)
	}
	// Of a file with many faults the worst are told, and how many more there are.
	write("bob", strings.Repeat(`command="/usr/bin/ssh-gate --key used"`+public, 30)+strings.Repeat(`restrict,command="/usr/bin/ssh-gate --kye used"`+public, 12_000))
	o := run(t, command(nil, "/usr/bin/ssh-gate", "check"))
	if n := strings.Count(o.stdout, "[key-line-faulty]"); n != 21 || strings.Contains(o.stdout, "key-line-unrestricted") ||
		!strings.Contains(o.stdout, keys+"bob: error: and 12010 findings more in this file; the worst 20 are told [key-line-faulty]\n") {
		t.Errorf("%d: %s", n, o.stdout[:min(len(o.stdout), 4000)])
	}
	if o := run(t, command(nil, "/usr/bin/ssh-gate", "check", "--level", "error")); !strings.Contains(o.stdout, "and 11980 findings more") {
		t.Errorf("%s", o.stdout[:min(len(o.stdout), 4000)])
	}
	// One policy is judged without a question to sshd.
	check(t, os.Remove("/run/sshd"))
	if list, skipped := foundOfKeys(t, command(nil, "/usr/bin/ssh-gate", "check", "--json", "used")); len(list)+len(skipped) != 0 {
		t.Errorf("%q, %q", list, skipped)
	}
	if list, skipped := foundOfKeys(t, command(nil, "/usr/bin/ssh-gate", "check", "--json")); len(skipped) != 1 || !strings.Contains(skipped[0], "/run/sshd") || slices.Contains(list, unused) {
		t.Errorf("%q, %q", list, skipped)
	}
}
