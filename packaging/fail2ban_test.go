package packaging

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/testsshd"
)

const filter = "fail2ban/filter.d/ssh-gate.conf"

// when is the time of a denial, in seconds.
var when = denial(record.NoRule, "", "").Time.Unix()

// banned asks fail2ban-regex for the addresses that it takes from lines of a log, each with the time it takes the denial to be at.
func banned(t *testing.T, lines ...string) []string {
	t.Helper()
	tool := testsshd.RequireTool(t, "fail2ban-regex", "fail2ban")
	log := write(t, filepath.Join(t.TempDir(), "log"), strings.Join(lines, ""))
	out, err := run(t, tool, "-o", "<ip> <time>", log, filter)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n")
}

// expect fails the test unless each of these addresses, and no other, was taken from the lines, in this order.
func expect(t *testing.T, lines []string, addresses ...string) {
	t.Helper()
	want := []string{}
	for _, a := range addresses {
		want = append(want, fmt.Sprintf("%s %d", a, when))
	}
	if len(want) == 0 {
		want = []string{""}
	}
	if got := banned(t, lines...); !slices.Equal(got, want) {
		t.Errorf("fail2ban takes %q, want %q", got, want)
	}
}

// spared are the reasons of a denial that are not the client's doing.
var spared = []record.Reason{record.Expired, record.KeyNotProved, record.TooManySessions, record.TooOften}

// TestFail2banReasons: each way to be denied counts or is spared, and nothing else counts.
func TestFail2banReasons(t *testing.T) {
	var lines, want []string
	for i, m := range record.Reasons {
		ip := fmt.Sprintf("192.0.2.%d", i)
		lines = append(lines, line(denial(m.Reason, ip, "uptime")))
		if m.Event == record.Denied && !slices.Contains(spared, m.Reason) {
			want = append(want, ip)
		}
	}
	expect(t, lines, want...)
}

func TestFail2banAddresses(t *testing.T) {
	var lines []string
	for _, ip := range []string{"192.0.2.1", "2001:db8::7", "::1", "fe80::1%eth0.42", "::ffff:192.0.2.9", "2001:db8:0:1:2:3:4:5", ""} {
		lines = append(lines, line(denial(record.NoRule, ip, "uptime")))
	}
	expect(t, lines, "192.0.2.1", "2001:db8::7", "::1", "fe80::1", "192.0.2.9", "2001:db8:0:1:2:3:4:5")
}

// TestFail2banForgery: the address that sshd told is taken, once for each record, whatever the client writes.
func TestFail2banForgery(t *testing.T) {
	var lines, want []string
	for i, text := range append(hostile, strings.Repeat(hostile[1], 1000)) {
		ip := fmt.Sprintf("203.0.113.%d", i)
		lines = append(lines, line(denial(record.NoRule, ip, text)))
		want = append(want, ip)
		lines = append(lines, line(denial(record.NoRule, "", text)), line(denial(record.Matched, "192.0.2.1", text)))
	}
	expect(t, lines, want...)
}

// TestFail2banPrefixes: in a syslog file and in the journal the record stands behind the name of the program that sent it, which
// a line of sshd with a login name does not.
func TestFail2banPrefixes(t *testing.T) {
	genuine, forged := line(denial(record.NoRule, "192.0.2.1", hostile[4])), line(denial(record.NoRule, "198.51.100.9", "uptime"))
	var good, bad, want []string
	for _, prefix := range []string{"Nov 21 21:30:05 web1 ", "Nov  1 21:30:05 web1 ", "2026-11-21T22:30:05.123456+01:00 web1.example.org ", "2026-11-21T21:30:05Z web-1 ", "web1 "} {
		good, want = append(good, prefix+"ssh-gate[4711]: "+genuine), append(want, "192.0.2.1")
		bad = append(bad,
			prefix+"sshd[4711]: Invalid user  ssh-gate[1]: "+forged,
			prefix+"sshd[4711]: Invalid user "+forged,
			prefix+"sshd[4711]: Invalid user "+prefix+"ssh-gate[1]: "+forged,
			prefix+"other[1]: ssh-gate[1]: "+forged,
			prefix+"not-ssh-gate[1]: "+forged,
		)
	}
	expect(t, good, want...)
	expect(t, append(bad, " "+forged, "x"+forged, "x "+forged, "["+forged))
}

// TestFail2banDamage: a torn record names nobody, and takes none of the next with it.
func TestFail2banDamage(t *testing.T) {
	whole := line(denial(record.NoRule, "192.0.2.1", "uptime"))
	cut := strings.Index(whole, `.1","client_port`)
	expect(t, []string{whole[:cut] + "\n", whole[:cut+3] + "\n", whole[:40] + "\n", whole}, "192.0.2.1")
}

// TestFail2banJail reads the jail with fail2ban's own configuration around it, as installed and as an administrator enables it.
func TestFail2banJail(t *testing.T) {
	tool := testsshd.RequireTool(t, "fail2ban-client", "fail2ban")
	dir := t.TempDir()
	entries, err := os.ReadDir("/etc/fail2ban")
	check(t, err)
	for _, e := range entries {
		if e.Name() != "jail.d" && e.Name() != "filter.d" {
			check(t, os.Symlink("/etc/fail2ban/"+e.Name(), filepath.Join(dir, e.Name())))
		}
	}
	write(t, dir+"/filter.d/ssh-gate.conf", read(t, filter))
	jail := read(t, "fail2ban/jail.d/ssh-gate.conf")
	log := write(t, filepath.Join(dir, "ssh-gate.log"), "")
	write(t, dir+"/jail.d/ssh-gate.conf", edit(t, jail, "\nlogpath  = /var/log/ssh-gate/ssh-gate.log", "\nlogpath  = "+log))
	dump := func() string {
		t.Helper()
		out, err := run(t, tool, "-c", dir, "-d")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	if out := dump(); strings.Contains(out, "ssh-gate") {
		t.Errorf("as installed, the jail is on:\n%s", out)
	}
	write(t, dir+"/jail.d/ssh-gate.local", "[ssh-gate]\nenabled = true\n")
	out := dump()
	for _, want := range []string{
		"['add', 'ssh-gate', 'auto']", "['set', 'ssh-gate', 'addlogpath', '" + log + "'", "['set', 'ssh-gate', 'maxretry', 5]", "['start', 'ssh-gate']",
		"['set', 'ssh-gate', 'addjournalmatch', 'SYSLOG_IDENTIFIER=ssh-gate']", `\\{"time":"[^"]*","event":"denied"`, "'ssh-gate', 'datepattern', '^",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("fail2ban is not told %s:\n%s", want, out)
		}
	}
}
