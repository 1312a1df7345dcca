package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/testsshd"
)

// keyLine is what an authorized_keys line has before the key.
func (h *host) keyLine() string {
	return fmt.Sprintf(`command="%s",restrict`, argv.Quote(h.gate()))
}

// seed is a key that may do two things.
const seed = `
[[allow]]
command = "uptime"

[[allow]]
command = "whoami"
`

func TestSeedThroughSSHD(t *testing.T) {
	t.Parallel()
	testsshd.RequireTool(t, "uptime", "procps")
	h := newHost(t, seed)
	c := testsshd.New(t).Authorize(t, "deploy", h.keyLine()+",pty")
	ssh := func(args ...string) outcome { return run(t, c.SSH(t, args...)) }

	if o := ssh(testsshd.Loopback, "uptime"); o.status != 0 || !strings.Contains(o.stdout, "load average") {
		t.Errorf("uptime: %+v", o)
	}
	if o := ssh(testsshd.Loopback, "whoami"); o != (outcome{stdout: account().name + "\n"}) {
		t.Errorf("whoami: %+v", o)
	}
	if h.records(t) != nil {
		t.Error("there is a record of what was allowed")
	}
	for _, c := range []struct {
		args   []string
		reason string
	}{
		{[]string{testsshd.Loopback}, "no-command"},
		{[]string{"-T", testsshd.Loopback}, "no-command"},
		{[]string{testsshd.Loopback, "id"}, "no-rule"},
		{[]string{testsshd.Loopback, "uptime", "-p"}, "no-rule"},
		{[]string{testsshd.Loopback, "bash"}, "no-rule"},
		{[]string{testsshd.Loopback, "uptime; id"}, "needs-shell"},
		{[]string{testsshd.Loopback, "uptime", "$(id)"}, "needs-shell"},
		{[]string{testsshd.Loopback, "uptime\nid"}, "needs-shell"},
		{[]string{testsshd.Loopback, "uptime \xff"}, "not-utf8"},
		{[]string{"-s", testsshd.Loopback, "sftp"}, ""}, // sshd has no such subsystem and does not start the gate
	} {
		before := len(h.records(t))
		o := ssh(c.args...)
		if c.reason == "" {
			if o.status == 0 || o.stdout != "" || len(h.records(t)) != before {
				t.Errorf("%q: %+v", c.args, o)
			}
			continue
		}
		h.denied(t, o, c.reason)
		request := strings.Join(c.args[slices.Index(c.args, testsshd.Loopback)+1:], " ")
		if e := h.last(t); e.Request != request || e.IP != "127.0.0.1" || e.Port == 0 || e.User != account().name || e.Time.IsZero() {
			t.Errorf("%q: the record says %+v", c.args, e)
		}
	}
}

// TestTerminalGivesNoShell asks for a terminal, which this key may have, and so for a shell, which it may not.
func TestTerminalGivesNoShell(t *testing.T) {
	t.Parallel()
	testsshd.RequireTerminal(t)
	h := newHost(t, seed)
	c := testsshd.New(t).Authorize(t, "deploy", h.keyLine()+",pty")
	for _, command := range []string{"", "bash -i", "sh"} {
		cmd := c.SSH(t, "-tt", testsshd.Pipe, command)
		cmd.Stdin = strings.NewReader("echo $((6*7))\nexit\n")
		o := run(t, cmd)
		if o.status != record.ExitDenied || strings.Contains(o.stdout, "42") {
			t.Errorf("%q: %+v", command, o)
		}
		// A terminal has one stream.
		if e := h.last(t); e.Event != "denied" || !strings.Contains(o.stdout, "ssh-gate: denied (ref "+e.Ref+")\r\n") {
			t.Errorf("%q: %+v, recorded as %+v", command, o, e)
		}
	}
}

// TestForwardingIsNotTheGates shows why a key line needs restrict: what goes around the gate is closed by it.
func TestForwardingIsNotTheGates(t *testing.T) {
	t.Parallel()
	h := newHost(t, seed)
	c := testsshd.New(t).Authorize(t, "deploy", h.keyLine())
	o := run(t, c.SSH(t, "-o", "LogLevel=INFO", "-W", "127.0.0.1:1", testsshd.Pipe))
	if o.status != 255 || !strings.Contains(o.stderr, "administratively prohibited") {
		t.Errorf("-W: %+v", o)
	}
	o = run(t, c.SSH(t, "-o", "ExitOnForwardFailure=yes", "-N", "-R", "127.0.0.1:0:127.0.0.1:1", testsshd.Pipe))
	if o.status != 255 || !strings.Contains(o.stderr, "remote port forwarding failed") {
		t.Errorf("-R: %+v", o)
	}
}

// TestSSHDStartsProgramsAlike compares what sshd gives a forced command with what the gate, being one, hands on.
func TestSSHDStartsProgramsAlike(t *testing.T) {
	t.Parallel()
	h := newHost(t, surroundings)
	s := testsshd.New(t)
	gated := s.Authorize(t, "gated", h.keyLine())
	direct := s.Authorize(t, "direct", "restrict")
	const request = "cat /proc/self/status /proc/self/limits /proc/self/fdinfo/0 /proc/self/fdinfo/1 /proc/self/fdinfo/2"
	d := run(t, direct.SSH(t, testsshd.Pipe, "exec "+request)).stdout
	g := run(t, gated.SSH(t, testsshd.Pipe, request)).stdout
	keep := func(text string) string {
		_, limits, _ := strings.Cut(text, "Max cpu time")
		limits, _, _ = strings.Cut(limits, "pos:")
		return fixedStatus(text) + limits + flags(text)
	}
	if keep(d) != keep(g) || strings.Count(keep(g), "\n") < 30 {
		t.Errorf("by sshd:\n%s\nby the gate:\n%s", keep(d), keep(g))
	}
	o := run(t, gated.SSH(t, testsshd.Pipe, "probe"))
	if r := probed(t, o.stdout); r.Cwd != account().home || len(r.FDs) != 3 || r.Pgid != r.Sid {
		t.Errorf("%+v", r)
	}
}

func TestStatusesAndSignalsReachTheClient(t *testing.T) {
	t.Parallel()
	h := newHost(t, surroundings)
	c := testsshd.New(t).Authorize(t, "deploy", h.keyLine())
	for _, n := range []int{1, 77, 254} {
		if o := run(t, c.SSH(t, testsshd.Pipe, "probe exit", fmt.Sprint(n))); o != (outcome{status: n}) {
			t.Errorf("exit %d became %+v", n, o)
		}
	}
	for _, signal := range []int{9, 15} {
		o := run(t, c.SSH(t, testsshd.Pipe, "probe kill", fmt.Sprint(signal)))
		// A login shell that stays between sshd and the gate, as dash does, tells of the signal by a status of its own.
		if o != (outcome{status: 255}) && (o.status != 128+signal || filepath.Base(account().shell) == "bash") {
			t.Errorf("signal %d became %+v", signal, o)
		}
	}
}

func TestStreamsThroughSSHD(t *testing.T) {
	t.Parallel()
	h := newHost(t, surroundings)
	c := testsshd.New(t).Authorize(t, "deploy", h.keyLine())
	data := strings.Repeat("0123456789abcde\n", 1<<16) // 1 MiB
	cmd := c.SSH(t, testsshd.Pipe, "probe copy")
	cmd.Stdin = strings.NewReader(data)
	if o := run(t, cmd); o.status != 0 || o.stdout != data || o.stderr != data {
		t.Errorf("status %d, %d bytes of standard output, %d of standard error", o.status, len(o.stdout), len(o.stderr))
	}
}

func TestLongRequestsThroughSSHD(t *testing.T) {
	t.Parallel()
	h := newHost(t, anyWords)
	c := testsshd.New(t).Authorize(t, "deploy", h.keyLine())
	long := strings.Repeat("a", 100_000)
	o := run(t, c.SSH(t, testsshd.Pipe, "probe", long))
	h.denied(t, o, "too-long")
	if e := h.last(t); e.Bytes != len("probe ")+len(long) || len(e.Request) != record.MaxRequest {
		t.Errorf("%d bytes, %d recorded", e.Bytes, len(e.Request))
	}
	fits := long[:64<<10-len("probe ")]
	o = run(t, c.SSH(t, testsshd.Pipe, "probe", fits))
	if r := probed(t, o.stdout); len(r.Argv) != 2 || r.Argv[1] != fits {
		t.Errorf("%d words", len(r.Argv))
	}
}

// TestHostileLocale sends what sshd's usual AcceptEnv lets a client send, under restrict too.
func TestHostileLocale(t *testing.T) {
	t.Parallel()
	h := newHost(t, "[[allow]]\ncommand = \"env -0\"\n")
	c := testsshd.New(t, "AcceptEnv LANG LC_*").Authorize(t, "deploy", h.keyLine())
	cmd := c.SSH(t, "-o", "SendEnv=LANG LC_*", testsshd.Pipe, "env -0")
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "LC_TIME=de_DE", "LC_ALL=../../../tmp/x", "LC_ESC=\x1b[2J", "LC_SHOCK=() { :;}; id",
		"LC_BYTES=\xff\xfe", "LC_LINE=a\nSSH_ORIGINAL_COMMAND=id", "LC_LONG="+strings.Repeat("x", 30_000), "LC_low=C")
	o := run(t, cmd)
	var got []string
	for kv := range strings.SplitSeq(o.stdout, "\x00") {
		if strings.HasPrefix(kv, "L") && !strings.HasPrefix(kv, "LOGNAME=") {
			got = append(got, kv)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"LANG=C.UTF-8", "LC_TIME=de_DE"}) {
		t.Errorf("%q, %+v", got, o)
	}
}

func TestTerminalReachesTheProgram(t *testing.T) {
	t.Parallel()
	testsshd.RequireTerminal(t)
	h := newHost(t, "[[allow]]\ncommand = \"env\"\n[[allow]]\ncommand = \"tty\"\n")
	s := testsshd.New(t)
	c := s.Authorize(t, "deploy", h.keyLine()+",pty")
	terminal := func(request string) string {
		cmd := c.SSH(t, "-tt", testsshd.Pipe, request)
		cmd.Env = append(os.Environ(), "TERM=vt220")
		return strings.ReplaceAll(run(t, cmd).stdout, "\r\n", "\n")
	}
	if tty := terminal("tty"); !strings.HasPrefix(tty, "/dev/pts/") {
		t.Errorf("tty says %q", tty)
	}
	if env := terminal("env"); !strings.Contains(env, "\nTERM=vt220\n") || !strings.Contains(env, "\nSSH_TTY=/dev/pts/") {
		t.Errorf("the environment is %q", env)
	}
	if env := run(t, c.SSH(t, testsshd.Pipe, "env")).stdout; strings.Contains(env, "TERM=") || strings.Contains(env, "SSH_TTY=") {
		t.Errorf("without a terminal: %q", env)
	}
}

// TestClientAddress needs a real one: a login that has none comes from nowhere that a policy could name.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	h := newHost(t, "from = [\"127.0.0.0/8\"]\nlog = \"all\"\n"+surroundings)
	c := testsshd.New(t).Authorize(t, "deploy", h.keyLine())
	o := run(t, c.SSH(t, testsshd.Loopback, "probe"))
	e := h.last(t)
	if o.status != 0 || e.Event != "allowed" || e.IP != "127.0.0.1" {
		t.Errorf("%+v, recorded as %+v", o, e)
	}
	connection := fmt.Sprintf("SSH_CONNECTION=127.0.0.1 %d 127.0.0.1 ", e.Port)
	if !slices.ContainsFunc(probed(t, o.stdout).Env, func(kv string) bool { return strings.HasPrefix(kv, connection) }) {
		t.Errorf("no %s... in %s", connection, o.stdout)
	}
	h.denied(t, run(t, c.SSH(t, testsshd.Pipe, "probe")), "wrong-address")
	if e := h.last(t); e.IP != "" {
		t.Errorf("a client without an address is recorded as %q", e.IP)
	}
	h.write(t, "keys/deploy.toml", "from = [\"192.0.2.0/24\", \"::1\"]\n"+surroundings)
	h.denied(t, run(t, c.SSH(t, testsshd.Loopback, "probe")), "wrong-address")
}

func TestUsersAndExpiry(t *testing.T) {
	t.Parallel()
	h := newHost(t, fmt.Sprintf("users = [%q]\nexpires = 2100-01-01T00:00:00Z\n", account().name)+surroundings)
	c := testsshd.New(t).Authorize(t, "deploy", h.keyLine())
	if o := run(t, c.SSH(t, testsshd.Pipe, "probe exit 3")); o.status != 3 {
		t.Errorf("%+v", o)
	}
	h.write(t, "keys/deploy.toml", "users = [\"nobody-like-this\"]\n"+surroundings)
	h.denied(t, run(t, c.SSH(t, testsshd.Pipe, "probe exit 3")), "wrong-user")
	h.write(t, "keys/deploy.toml", "expires = 2020-01-01T00:00:00Z\n"+surroundings)
	h.denied(t, run(t, c.SSH(t, testsshd.Pipe, "probe exit 3")), "expired")
}

// fingerprint is a key's, as a policy has it.
func fingerprint(t *testing.T, c *testsshd.Client) string {
	t.Helper()
	return strings.Fields(testsshd.Keygen(t, "-l", "-f", c.Key+".pub"))[1]
}

func TestFingerprints(t *testing.T) {
	t.Parallel()
	for _, exposed := range []bool{true, false} {
		t.Run(fmt.Sprint("exposed ", exposed), func(t *testing.T) {
			h := newHost(t, "")
			s := testsshd.New(t, "ExposeAuthInfo "+map[bool]string{true: "yes", false: "no"}[exposed])
			right, wrong := s.Authorize(t, "right", h.keyLine()), s.Authorize(t, "wrong", h.keyLine())
			h.write(t, "keys/deploy.toml", fmt.Sprintf("fingerprints = [%q]\n", fingerprint(t, right))+surroundings)
			r, w := run(t, right.SSH(t, testsshd.Pipe, "probe exit 3")), run(t, wrong.SSH(t, testsshd.Pipe, "probe exit 3"))
			if !exposed {
				h.denied(t, w, "key-not-proved")
				if r.status != record.ExitDenied {
					t.Errorf("the right key: %+v", r)
				}
				return
			}
			h.denied(t, w, "wrong-key")
			if r.status != 3 {
				t.Errorf("the right key: %+v", r)
			}
		})
	}
}

// authority signs keys, and sshd believes it.
func authority(t *testing.T, config ...string) (*testsshd.Server, func(c *testsshd.Client, options ...string)) {
	t.Helper()
	ca := testsshd.NewKey(t, testsshd.SafeDir(t)+"/ca")
	s := testsshd.New(t, append(config, "TrustedUserCAKeys "+ca+".pub")...)
	return s, func(c *testsshd.Client, options ...string) {
		t.Helper()
		args := []string{"-q", "-s", ca, "-I", "deploy@ci", "-n", account().name, "-V", "-1m:+1h"}
		for _, o := range options {
			args = append(args, "-O", o)
		}
		testsshd.Keygen(t, append(args, c.Key+".pub")...)
	}
}

// TestCertificateForcesTheGate has no key line at all: the certificate names the gate.
func TestCertificateForcesTheGate(t *testing.T) {
	t.Parallel()
	h := newHost(t, surroundings)
	s, sign := authority(t)
	c := s.Client(t, "deploy")
	sign(c, "clear", "force-command="+argv.Quote(h.gate()))
	if o := run(t, c.SSH(t, testsshd.Pipe, "probe exit 3")); o.status != 3 {
		t.Errorf("%+v", o)
	}
	h.denied(t, run(t, c.SSH(t, testsshd.Pipe, "id")), "no-rule")
	h.denied(t, run(t, c.SSH(t, testsshd.Pipe)), "no-command")
}

// TestFingerprintOfCertificate is that of the key that was certified, not of the authority.
func TestFingerprintOfCertificate(t *testing.T) {
	t.Parallel()
	h := newHost(t, "")
	s, sign := authority(t, "ExposeAuthInfo yes")
	right, wrong := s.Client(t, "right"), s.Client(t, "wrong")
	for _, c := range []*testsshd.Client{right, wrong} {
		sign(c, "clear", "force-command="+argv.Quote(h.gate()))
	}
	h.write(t, "keys/deploy.toml", fmt.Sprintf("fingerprints = [%q]\n", fingerprint(t, right))+surroundings)
	if o := run(t, right.SSH(t, testsshd.Pipe, "probe exit 3")); o.status != 3 {
		t.Errorf("%+v", o)
	}
	h.denied(t, run(t, wrong.SSH(t, testsshd.Pipe, "probe exit 3")), "wrong-key")
}

// TestForceCommand lets sshd_config name the gate for every key, whatever its line says.
func TestForceCommand(t *testing.T) {
	t.Parallel()
	h := newHost(t, surroundings)
	c := testsshd.New(t, "ForceCommand "+argv.Quote(h.gate())).Authorize(t, "deploy", `command="id"`)
	if o := run(t, c.SSH(t, testsshd.Pipe, "probe exit 3")); o.status != 3 {
		t.Errorf("%+v", o)
	}
	h.denied(t, run(t, c.SSH(t, testsshd.Pipe, "id")), "no-rule")
}

// TestFaultsBehindSSHD tell the client one line, and nothing of the host.
func TestFaultsBehindSSHD(t *testing.T) {
	t.Parallel()
	h := newHost(t, "comand = \"uptime\"\n")
	c := testsshd.New(t).Authorize(t, "deploy", h.keyLine())
	o := run(t, c.SSH(t, testsshd.Pipe, "uptime"))
	e := h.last(t)
	if o != (outcome{status: record.ExitConfig, stderr: "ssh-gate: not set up (ref " + e.Ref + ")\n"}) || e.Reason != "policy-invalid" {
		t.Errorf("%+v, recorded as %+v", o, e)
	}
}

// TestManyLogins keeps one connection open and asks through it many times at once, as deploy tools do.
func TestManyLogins(t *testing.T) {
	t.Parallel()
	h := newHost(t, surroundings)
	s := testsshd.New(t, "MaxSessions 50")
	c := s.Authorize(t, "deploy", h.keyLine())
	socket := s.Dir + "/m"
	shared := func(args ...string) *exec.Cmd { return c.SSH(t, append([]string{"-S", socket}, args...)...) }
	if o := run(t, shared("-o", "ControlMaster=yes", "-o", "ControlPersist=yes", "-f", "-N", testsshd.Loopback)); o.status != 0 {
		t.Fatalf("%+v", o)
	}
	defer run(t, shared("-O", "exit", testsshd.Loopback))
	atOnce(40, 8, func(i int) {
		want, request := i, "probe exit "+fmt.Sprint(i)
		if i%2 == 1 {
			want, request = record.ExitDenied, "denied "+fmt.Sprint(i)
		}
		if o := run(t, shared(testsshd.Loopback, request)); o.status != want {
			t.Errorf("%q: %+v", request, o)
		}
	})
	if n := len(h.records(t)); n != 20 {
		t.Errorf("%d records, want 20", n)
	}
}
