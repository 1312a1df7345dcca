package admin

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"check", "check", 0}, {"chekc", "check", 1}, {"ceck", "check", 1}, {"checkk", "check", 1}, {"chack", "check", 1},
		{"abc", "cab", 2}, {"ca", "abc", 3}, {"log", "doctor", 5}, {"kitten", "sitting", 3},
	} {
		if got, back := distance(c.a, c.b), distance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%q, %q: %d and %d, want %d", c.a, c.b, got, back, c.want)
		}
	}
}

// TestNearest: slips of the hand find their word, the closest first; other words find none, and no input makes it work long.
func TestNearest(t *testing.T) {
	keys := []string{"deploy", "deploy2", "ci", "backup-db", "Backup", "users/deploy"}
	many := make([]string, maxKnown+1)
	for i := range many {
		many[i] = fmt.Sprintf("x%07d", i)
	}
	many[maxKnown] = "needle"
	for _, c := range []struct {
		word  string
		known []string
		want  string
	}{
		{"chekc", verbNames(), "check"}, {"chceck", verbNames(), "check"}, {"lgo", verbNames(), "log"}, {"sugest", verbNames(), "suggest"}, {"exp", verbNames(), "explain"},
		{"expalin", verbNames(), "explain"}, {"LOG", verbNames(), "log"}, {"docter", verbNames(), "doctor"}, {"id", verbNames(), ""}, {"run", verbNames(), ""}, {"ls", verbNames(), ""},
		{"x", verbNames(), ""}, {"", verbNames(), ""}, {"deplyo", keys, "deploy deploy2"}, {"deploy1", keys, "deploy deploy2"}, {"cj", keys, "ci"}, {"backup", keys, "Backup"},
		{"user/deploy", keys, "users/deploy"}, {"zzz", keys, ""}, {"abc", nil, ""},
		{"needel", many, ""}, {"needel", many[1:], "needle"}, {strings.Repeat("a", maxMisspelt+1), []string{strings.Repeat("a", maxMisspelt)}, ""},
		{"aaaa", []string{strings.Repeat("a", maxMisspelt+1)}, ""}, {"abcd", []string{"abce", "abcf", "abcg", "abch", "abce"}, "abce abcf abcg"},
	} {
		if got := strings.Join(nearest(c.word, c.known), " "); got != c.want {
			t.Errorf("%.20q: %q, want %q", c.word, got, c.want)
		}
	}
	if got := didYouMean("deplyo", keys); got != "; did you mean deploy or deploy2?" {
		t.Error(got)
	}
	if got := meant([]string{"a", "b", "c"}); got != "did you mean a, b or c?" || meant(nil) != "" {
		t.Error(got)
	}
}

// TestDidYouMean: every word that people may misspell.
func TestDidYouMean(t *testing.T) {
	d := newDesk(t)
	d.write("keys/deploy.toml", "[[allow]]\nname = \"up\"\ncommand = \"uptime\"\n")
	d.write("keys/not a key.toml", "")
	d.write("log", denial(at(time.Hour), "deploy", "192.0.2.7", "reboot")+permit(at(time.Minute), "deploy", "up"))
	for _, c := range []struct {
		args []string
		want string // within both outputs; one that begins with ! is not there
	}{
		{[]string{"explain", "--polcy", "x"}, "unknown option --polcy; did you mean --policy?\n"},
		{[]string{"log", "-k"}, "unknown option -k\n"},
		{[]string{"doctor", "--hlep"}, "unknown option --hlep; did you mean --help?\n"},
		{[]string{"log", "--event", "deneid", "--file", "$DIR/log"}, "the events are denied, allowed and error; did you mean denied?\n"},
		{[]string{"log", "--reason", "no-rul", "--file", "$DIR/log"}, "ssh-gate: warning: \"no-rul\" is no reason that this version records; did you mean no-rule?\n"},
		{[]string{"log", "--reason", "unheard-of", "--file", "$DIR/log"}, "\"unheard-of\" is no reason that this version records\n"},
		{[]string{"log", "--reason", "no-rule", "--file", "$DIR/log"}, "!warning"},
		{[]string{"log", "--key", "deplyo", "--file", "$DIR/log"}, "ssh-gate: hint: the log has no record of the key \"deplyo\"; did you mean deploy?\n"},
		{[]string{"log", "--key", "deplyo,deploy", "--file", "$DIR/log"}, "!hint"},
		{[]string{"log", "--key", "deploy", "--user", "nobody", "--file", "$DIR/log"}, "!hint"},
		{[]string{"log", "--key", "deplyo", "--top", "--file", "$DIR/log"}, "did you mean deploy?\n"},
		{[]string{"suggest", "--key", "deplyo", "--file", "$DIR/log"}, "did you mean deploy?\n"},
		{[]string{"unused", "--without", "deplyo", "--file", "$DIR/log", "--policy-dir", "$DIR/keys"}, "ssh-gate: hint: did you mean deploy?\n"},
		{[]string{"check", "--why", "opens-shel"}, "\"opens-shel\" is no finding, and ssh-gate check --list prints all; did you mean opens-shell?\n"},
		{[]string{"check", "--policy-dir", "$DIR/keys", "deplyo"}, "hint: did you mean deploy? If not: Write the policy"},
		{[]string{"check", "--policy-dir", "$DIR/keys", "zzz"}, "!mean deploy"},
		{[]string{"explain", "--policy-dir", "$DIR/keys", "--key", "deplyo", "--", "uptime"}, "hint         did you mean deploy? If not: "},
		{[]string{"explain", "--policy-dir", "$DIR/keys", "--key", "deplyo", "--last", "--file", "$DIR/log"}, "the log has no refused request of the key \"deplyo\"; did you mean deploy?\n"},
		{[]string{"explain", "--policy-dir", "$DIR/keys", "--file", "$DIR/log", "deploy"}, "hint: to ask about the key deploy: ssh-gate explain --key deploy -- REQUEST\n"},
		{[]string{"help", "chekc"}, "ssh-gate: error: \"chekc\" is no verb; did you mean check?\n"},
		{[]string{"help", "check", "log"}, "\"log\" is one argument too many"},
		{[]string{"help", "check"}, "Example:\n  ssh-gate check\n"},
	} {
		got := d.run(c.args...)
		text, absent := strings.CutPrefix(c.want, "!")
		if strings.Contains(got.out+got.errs, text) == absent {
			t.Errorf("%q: want %q, got %+v", c.args, c.want, got)
		}
	}
	if keys := keysIn(d.path("keys"), "users/"); !slices.Equal(keys, []string{"users/deploy"}) || keysIn(d.path("none"), "") != nil || keysIn(d.path("log"), "") != nil {
		t.Errorf("%q", keys)
	}
	d.want(exitOK, d.run("check", "--help").out, "", "help", "check")
}

// TestMisspelt: people are told which verb they meant, and nobody where a client may have sent the words.
func TestMisspelt(t *testing.T) {
	const usage = 64
	told := func(status int, args []string, env ...string) string {
		var errs bytes.Buffer
		Misspelt(status, args, env, &errs)
		return errs.String()
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"chekc"}, "ssh-gate: hint: did you mean ssh-gate check?\n"},
		{[]string{"sugest", "--key", "x"}, "ssh-gate: hint: did you mean ssh-gate suggest?\n"},
		{[]string{"nonsense\x1b"}, ""},
		{[]string{"--json", "check"}, "ssh-gate: hint: a verb comes first, and its options behind it: ssh-gate check --help\n"},
		{[]string{"--polcy", "x"}, ""}, {nil, "ssh-gate: hint: ssh-gate help shows how to call it, and the verbs\n"},
	} {
		if got := told(usage, c.args, "HOME=/"); got != c.want {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
		for _, client := range []string{"SSH_ORIGINAL_COMMAND=chekc", "SSH_ORIGINAL_COMMAND=", "SSH_CONNECTION=192.0.2.7 1 192.0.2.8 22"} {
			if got := told(usage, c.args, client); got != "" {
				t.Errorf("%q, %s: %q", c.args, client, got)
			}
		}
		if got := told(77, c.args, "HOME=/"); got != "" {
			t.Errorf("%q, denied: %q", c.args, got)
		}
	}

	// Who is logged in through ssh and types has a terminal; a request is a client's there as well.
	master, slave := terminal(t, 80)
	remote := []string{"SSH_CONNECTION=192.0.2.7 1 192.0.2.8 22"}
	Misspelt(usage, []string{"chekc"}, append(remote, "SSH_ORIGINAL_COMMAND=chekc"), slave)
	Misspelt(usage, []string{"lgo"}, remote, slave)
	text := make([]byte, 200)
	n, err := master.Read(text)
	check(t, err)
	if got := string(text[:n]); got != "ssh-gate: hint: did you mean ssh-gate log?\r\n" {
		t.Errorf("%q", got)
	}
}

// terminal is a pseudo terminal of so many columns.
func terminal(t *testing.T, columns uint16) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	check(t, err)
	t.Cleanup(func() { master.Close() })
	check(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	check(t, err)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	check(t, err)
	t.Cleanup(func() { slave.Close() })
	check(t, unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: 24}))
	return master, slave
}
