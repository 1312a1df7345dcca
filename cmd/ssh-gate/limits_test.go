package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// limited is a host with the rules run=COMMAND, all under these limits. $DIR stands for the host's folder.
func limited(t *testing.T, limits string, commands ...string) *host {
	t.Helper()
	text := "limits = { " + limits + " }\n"
	for i, c := range commands {
		text += fmt.Sprintf("[[allow]]\ncommand = \"do %d\"\nrun = %q\n", i, c)
	}
	return newHost(t, text)
}

// eventually polls until ok, for as long as a program may take.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(tooLong); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// row is the soft and the hard limit of a line of /proc/self/limits.
func row(t *testing.T, text, name string) [2]string {
	t.Helper()
	for line := range strings.Lines(text) {
		if values, ok := strings.CutPrefix(line, name); ok {
			f := strings.Fields(values)
			return [2]string{f[0], f[1]}
		}
	}
	t.Fatalf("%s is not in %s", name, text)
	return [2]string{}
}

// TestLimitsLowered: each limit is set, soft and hard, and one that is lower already stays. What is not limited is as it was. Of the soft
// limit of files Go's runtime does not tell what it was, so it is what the rule says, within the hard one.
func TestLimitsLowered(t *testing.T) {
	testsshd.RequireTool(t, "prlimit", "util-linux")
	const all = `cpu = "100s", memory = "512M", files = 64, file_size = "1M", processes = 900`
	h := limited(t, all, "/bin/cat /proc/self/limits")
	free := limited(t, `nice = 1`, "/bin/cat /proc/self/limits")
	names := []string{"Max cpu time", "Max address space", "Max open files", "Max file size", "Max processes"}
	flags := []string{"--cpu=", "--as=", "--nofile=", "--fsize=", "--nproc="}
	for _, c := range []struct{ set, want [5]string }{
		{[5]string{"", "", "", "", ""}, [5]string{"100 101", "536870912 536870912", "64 64", "1048576 1048576", "900 900"}},
		{[5]string{"50:60", "2147483648:2147483649", "32:48", "500:600", "70:80"}, [5]string{"50 60", "536870912 536870912", "47 48", "500 600", "70 80"}},
		{[5]string{"50:unlimited", "", "32:4096", "500:unlimited", "70:1000"}, [5]string{"50 101", "536870912 536870912", "64 64", "500 1048576", "70 900"}},
		{[5]string{"100:100", "", "64:64", "", ""}, [5]string{"100 100", "536870912 536870912", "64 64", "1048576 1048576", "900 900"}},
	} {
		before := []string{"prlimit", "--core=0"}
		for i, value := range c.set {
			if value != "" {
				before = append(before, flags[i]+value)
			}
		}
		o := run(t, command(sshdEnv("do 0"), h.gate(before...)...))
		if o.status != 0 {
			t.Fatalf("under %q: %+v", c.set, o)
		}
		for i, name := range names {
			if got := row(t, o.stdout, name); strings.Join(got[:], " ") != c.want[i] {
				t.Errorf("under %q: %s: %v, want %s\n%s", c.set, name, got, c.want[i], o.stderr)
			}
		}
		before = append(before, "cat", "/proc/self/limits")
		as := run(t, command(nil, before...)).stdout
		if o := run(t, command(sshdEnv("do 0"), free.gate(before[:len(before)-2]...)...)); as != o.stdout {
			t.Errorf("under %q, without limits:\n%s\nwant\n%s", c.set, o.stdout, as)
		}
	}
}

// TestLimitsHold: the kernel keeps the program, and what it starts, to each limit.
func TestLimitsHold(t *testing.T) {
	for name, c := range map[string]struct {
		limits, script string
		signal         syscall.Signal
		status         int
		stdout, stderr string // stderr: a part
	}{
		"timeout":              {`timeout = "1s"`, "exec sleep 1000", unix.SIGALRM, -1, "", ""},
		"timeout of a script":  {`timeout = "1s"`, "while :; do sleep 0.01; done", unix.SIGALRM, -1, "", ""},
		"timeout handled":      {`timeout = "1s"`, "trap 'exit 5' ALRM; while :; do sleep 0.01; done", 0, 5, "", ""},
		"cpu":                  {`cpu = "1s"`, "while :; do :; done", unix.SIGXCPU, -1, "", ""},
		"cpu ignored":          {`cpu = "1s"`, "trap '' XCPU; while :; do :; done", unix.SIGKILL, -1, "", ""},
		"cpu of a child":       {`cpu = "1s"`, "(while :; do :; done); echo $?", 0, 0, "152\n", ""},
		"memory":               {`memory = "64M"`, "exec dd if=/dev/zero of=/dev/null bs=256M count=1", 0, 1, "", "memory exhausted"},
		"memory of a child":    {`memory = "64M"`, "dd if=/dev/zero of=/dev/null bs=256M count=1; echo $?", 0, 0, "1\n", "memory exhausted"},
		"memory that suffices": {`memory = "1G"`, "exec dd if=/dev/zero of=/dev/null bs=256M count=1", 0, 0, "", ""},
		"files":                {`files = 12`, "exec perl -e '$n++ while open($f[$n], q(<), q(/dev/null)); print $n + 3'", 0, 0, "12", ""},
		"files of a child":     {`files = 12`, "sh -c 'ulimit -n; ulimit -n 13' || echo held", 0, 0, "12\nheld\n", ""},
		"file_size":            {`file_size = "16K"`, "exec dd if=/dev/zero of=$DIR/out bs=1k count=100", unix.SIGXFSZ, -1, "", ""},
		"file_size of a child": {`file_size = "16K"`, "dd if=/dev/zero of=$DIR/out bs=1k count=100; echo $?", 0, 0, "153\n", ""},
		"file_size 0":          {`file_size = "0"`, ": > $DIR/out && echo made; exec dd if=/dev/zero of=$DIR/out count=1", unix.SIGXFSZ, -1, "made\n", ""},
		"nice":                 {`nice = 7`, "nice; sh -c nice", 0, 0, "7\n7\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := limited(t, c.limits, "/bin/sh $DIR/script")
			h.write(t, "script", c.script)
			o := run(t, h.request("do 0"))
			if o.signal != c.signal || o.status != c.status || o.stdout != c.stdout || !strings.Contains(o.stderr, c.stderr) {
				t.Errorf("%+v", o)
			}
			most := int64(16 << 10)
			if name == "file_size 0" {
				most = 0
			}
			if info, err := os.Stat(h.path("out")); strings.HasPrefix(name, "file_size") && (err != nil || info.Size() != most) {
				t.Errorf("%+v, %v", info, err)
			}
		})
	}
}

// TestMemoryRegression: a limit of memory held for the gate before execve as well, and where its own memory had to grow for a long request
// just then, Go's runtime ended in place of the program: in a third of these cases. Where it wants a thread just then it still does, rarely.
func TestMemoryRegression(t *testing.T) {
	t.Parallel()
	h := newHost(t, "[[allow]]\ncommand = \"true {x*}\"\nargs.x = { chars = \"a\" }\nlimits.memory = \"16M\"\n")
	failures, last := 0, ""
	for range 40 {
		if o := run(t, h.request("true"+strings.Repeat(" aaa", 15_000))); o.status != 0 {
			failures, last = failures+1, o.stderr
		}
	}
	if failures > 3 {
		t.Errorf("%d of 40 ended so: %.300s", failures, last)
	}
}

// TestTimeoutRegression: who started the gate with SIGALRM ignored or blocked, as shells and schedulers may, switched the timeout off.
func TestTimeoutRegression(t *testing.T) {
	testsshd.RequireTool(t, "env", "coreutils")
	h := limited(t, `timeout = "1s"`, "/bin/sleep 1000")
	for _, how := range []string{"--ignore-signal=ALRM", "--block-signal=ALRM", "--block-signal", "--default-signal=ALRM"} {
		if o := run(t, command(sshdEnv("do 0"), h.gate("env", how)...)); o.signal != unix.SIGALRM {
			t.Errorf("%s: %+v", how, o)
		}
	}
}

// TestTimeoutChildren: the timer is the program's alone, setitimer(2). A child of it goes on, which the manual says.
func TestTimeoutChildren(t *testing.T) {
	h := limited(t, `timeout = "1s"`, "/bin/sh $DIR/script")
	h.write(t, "script", "sleep 1000 >/dev/null 2>&1 & echo $!; wait")
	o := run(t, h.request("do 0"))
	child, err := strconv.Atoi(strings.TrimSpace(o.stdout))
	check(t, err)
	if o.signal != unix.SIGALRM {
		t.Errorf("%+v", o)
	}
	if err := unix.Kill(child, unix.SIGKILL); err != nil {
		t.Errorf("the child is gone: %v", err)
	}
}

// TestNiceRegression: nice is never lowered, which an ordinary user may not do, and so had every such login refused.
func TestNiceRegression(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	check(t, os.WriteFile("/etc/ssh-gate/keys/deploy.toml", []byte("[[allow]]\ncommand = \"nice\"\nlimits.nice = 5\n"), 0o644))
	for at, want := range map[string]string{"0": "5\n", "5": "5\n", "10": "10\n"} {
		for name, cmd := range map[string]*exec.Cmd{
			"deploy": m.deploy.Command(remote("nice"), "nice", "-n", at, "/usr/bin/ssh-gate", "--key", "deploy"),
			"root":   command(remote("nice"), "nice", "-n", at, "/usr/bin/ssh-gate", "--key", "deploy"),
		} {
			if o := run(t, cmd); o.stdout != want {
				t.Errorf("%s at %s: %+v\n%s", name, at, o, readLog(t))
			}
		}
	}
}

// TestProcesses counts all processes of the account, so a second user shows it; root is not held by it, setrlimit(2).
func TestProcesses(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	gate := func(request string) outcome { return m.gate(t, remote(request), "--key", "deploy") }
	check(t, os.WriteFile("/etc/ssh-gate/keys/deploy.toml", []byte(`
[[allow]]
command = "none"
run = "/bin/sh -c 'sleep 0; echo forked'"
limits.processes = 1
[[allow]]
command = "one"
run = "/bin/sh -c 'sleep 0; echo forked'"
limits.processes = 2
`), 0o644))
	if o := gate("none"); o.status == 0 || o.stdout != "" || !strings.Contains(o.stderr, "fork") {
		t.Errorf("%+v", o)
	}
	if o := gate("one"); o.stdout != "forked\n" {
		t.Errorf("%+v", o)
	}
}

// TestExecFailsUnderLimits: what the gate does once its own limits hold is to say, and to record, that the program could not be started.
func TestExecFailsUnderLimits(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	testhost.Run(t, "install", "-m", "755", "/usr/bin/ssh-gate", "/usr/bin/plain-gate")
	check(t, os.WriteFile("/usr/bin/no-format", []byte("echo no kernel starts this\n"), 0o755))
	const own = "/home/deploy/log"
	for name, limits := range map[string]string{
		"none": "", "file_size": `file_size = "0"`, "files": `files = 3`, "memory": `memory = "4G"`, "little memory": `memory = "16M"`, "processes": `processes = 1`, "cpu": `cpu = "1s"`,
		"timeout": `timeout = "100s"`, "nice": `nice = 19`, "on_disconnect": `on_disconnect = "kill"`, "sessions": `sessions = 1`,
	} {
		check(t, os.WriteFile("/etc/ssh-gate/keys/deploy.toml", []byte("[[allow]]\ncommand = \"no-format\"\nlimits = { "+limits+" }\n"), 0o644))
		// One log is lent and open from the start, the other is opened when there is something to record.
		for gate, log := range map[string]string{"/usr/bin/ssh-gate": testhost.Log, "/usr/bin/plain-gate": own} {
			if gate == "/usr/bin/plain-gate" && name == "sessions" {
				continue // not without the group
			}
			check(t, os.WriteFile("/etc/ssh-gate/config.toml", []byte("log.file = \""+log+"\"\n"), 0o644))
			testhost.Run(t, "install", "-m", "666", "/dev/null", own)
			check(t, os.Truncate(testhost.Log, 0))
			cmd := m.deploy.Command(remote("no-format"), gate, "--key", "deploy")
			cmd.SysProcAttr.Setsid = true // as sshd does
			o := run(t, cmd)
			text, err := os.ReadFile(log)
			check(t, err)
			if name == "little memory" && strings.HasPrefix(o.stderr, "fatal error: runtime: out of memory") {
				continue // the gate itself has more already, and Go's runtime may want another thread just then; nothing ran
			}
			if o.status != 69 || !strings.HasPrefix(o.stderr, "ssh-gate: the program cannot be started (ref ") {
				t.Errorf("%s, %s: %d, %.500q", name, gate, o.status, o.stderr)
			}
			entries := parseRecords(t, string(text))
			// Under file_size the kernel lets the gate write no record into a file, only to syslog and the journal; under files it may
			// have no descriptor left for a file that it has not opened yet.
			if len(entries) == 0 && (name == "file_size" || name == "files") {
				continue
			}
			if len(entries) != 1 || entries[0].Reason != "program-failed" {
				t.Errorf("%s, %s: the log holds %+v", name, gate, entries)
			}
		}
	}
}

// TestOnDisconnect: a client that vanishes leaves the command running, unless on_disconnect ends it; with a shell in between and without.
func TestOnDisconnect(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	server := testhost.NewServer(t)
	key := server.Key(t, "deploy")
	server.Authorize(t, m.deploy, forcedLine, key)
	check(t, os.WriteFile("/etc/ssh-gate/keys/deploy.toml", []byte(`
log = "all"
[[allow]]
command = "sleep 1001"
limits.on_disconnect = "kill"
[[allow]]
command = "sleep 1002"
`), 0o644))
	for name, c := range map[string]struct{ shell, line string }{
		"bash, which execs":       {"/bin/bash", forcedLine},
		"dash, told to":           {"/bin/dash", `command="exec /usr/bin/ssh-gate --key deploy",restrict`},
		"the gate as login shell": {"/usr/bin/ssh-gate", forcedLine},
	} {
		testhost.Run(t, "usermod", "-s", c.shell, "deploy")
		server.Authorize(t, m.deploy, c.line, key)
		for request, dies := range map[string]bool{"sleep 1001": true, "sleep 1002": false} {
			before := len(readLog(t))
			client := server.Login(t, m.deploy, key, request)
			check(t, client.Start())
			pid := 0
			eventually(t, "the program runs", func() bool {
				entries := parseRecords(t, readLog(t)[before:])
				if len(entries) == 0 {
					return false
				}
				pid = entries[0].PID
				return comm(pid) == "sleep" || entries[len(entries)-1].Event == "error"
			})
			t.Cleanup(func() { unix.Kill(pid, unix.SIGKILL) })
			parent := parentOf(pid)
			check(t, client.Process.Kill())
			client.Wait()
			if dies {
				eventually(t, name+": "+request+" ends", func() bool { return comm(pid) != "sleep" })
				continue
			}
			eventually(t, "sshd is gone", func() bool { return comm(parent) == "" })
			if comm(pid) != "sleep" {
				t.Errorf("%s: %s ended with sshd", name, request)
			}
		}
	}
}

// TestOnDisconnectRegression: dash starts the gate and waits for it, whatever becomes of sshd, so the program outlived its client.
func TestOnDisconnectRegression(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	server := testhost.NewServer(t)
	key := server.Key(t, "deploy")
	server.Authorize(t, m.deploy, forcedLine, key)
	testhost.Run(t, "usermod", "-s", "/bin/dash", "deploy")
	check(t, os.WriteFile("/etc/ssh-gate/keys/deploy.toml", []byte("[[allow]]\ncommand = \"cat /proc/self/stat\"\nlimits.on_disconnect = \"kill\"\n"), 0o644))
	o := run(t, server.Login(t, m.deploy, key, "cat /proc/self/stat"))
	if f := strings.Fields(o.stdout); o.status == 0 && len(f) > 5 && f[0] == f[5] {
		t.Skip("this dash executes the only command of -c in its own place")
	}
	if entries := parseRecords(t, readLog(t)); o.status != 69 || o.stdout != "" || len(entries) != 1 || entries[0].Reason != "limits-unavailable" ||
		!strings.Contains(entries[0].Detail, "make the gate the login shell") {
		t.Errorf("%+v, %+v", o, entries)
	}
}

// comm is the name of a process, or empty when it has ended.
func comm(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil || strings.HasPrefix(strings.TrimSpace(statusLine(string(stat), "State")), "Z") {
		return ""
	}
	return strings.TrimSpace(statusLine(string(stat), "Name"))
}

func parentOf(pid int) int {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	parent, _ := strconv.Atoi(strings.TrimSpace(statusLine(string(stat), "PPid")))
	return parent
}

// turnsPolicy holds two keys of one account to sessions, per rule and per key.
var turnsPolicies = map[string]string{
	"rules": `
log = "all"
[[allow]]
name = "pair"
command = "sleep 2001"
limits.sessions = 2
[[allow]]
name = "single"
command = "sleep 2002"
limits.sessions = 1
[[allow]]
name = "leaves"
command = "leave"
run = "/bin/sh -c 'sleep 2003 </dev/null >/dev/null 2>&1 & echo $!'"
limits.sessions = 1
[[allow]]
name = "fds"
command = "ls -l /proc/self/fd"
limits = { sessions = 1, rate = "1000/1h" }
[[allow]]
command = "cat /proc/self/fdinfo/{fd}"
args.fd = { int = [3, 200] }
limits.sessions = 1
[[allow]]
command = "true"
`,
	"whole": `
log = "all"
limits.sessions = 2
[[allow]]
command = "sleep 2001"
[[allow]]
command = "sleep 2002"
[[allow]]
command = "sleep 2004"
limits.sessions = 1
[[allow]]
command = "true"
`,
}

// counted is a machine where sessions are counted.
type counted struct {
	*installed
	gates []*exec.Cmd
}

func newCounted(t *testing.T) *counted {
	t.Helper()
	c := &counted{installed: install(t)}
	for key, text := range turnsPolicies {
		check(t, os.WriteFile("/etc/ssh-gate/keys/"+key+".toml", []byte(text), 0o644))
	}
	t.Cleanup(func() {
		for _, gate := range c.gates {
			gate.Process.Kill()
			gate.Wait()
		}
	})
	return c
}

// start starts a request that runs on, and returns when its program is there.
func (c *counted) start(t *testing.T, key, request string) *exec.Cmd {
	t.Helper()
	gate := c.deploy.Command(remote(request), "/usr/bin/ssh-gate", "--key", key)
	check(t, gate.Start())
	c.gates = append(c.gates, gate)
	eventually(t, request+" runs", func() bool { return comm(gate.Process.Pid) == "sleep" || comm(gate.Process.Pid) == "" })
	if comm(gate.Process.Pid) == "" {
		t.Fatalf("%s ended: %s", request, readLog(t))
	}
	return gate
}

// busy says what differs from a refusal because of sessions.
func (c *counted) busy(t *testing.T, key, request string, most int) {
	t.Helper()
	o, e := one(t, func() outcome { return c.gate(t, remote(request), "--key", key) })
	want := fmt.Sprintf("ssh-gate: busy: %d at once are allowed, and so many run; try again when one has ended (ref %s)\n", most, e.Ref)
	if o.status != 75 || o.stdout != "" || o.stderr != want || e.Event != "denied" || e.Reason != "too-many-sessions" || e.Request != request {
		t.Errorf("%s: %+v, %+v", request, o, e)
	}
}

func end(cmd *exec.Cmd, how syscall.Signal) {
	cmd.Process.Signal(how)
	cmd.Wait()
}

// TestSessions: as many as allowed run at once, and whatever way one ends makes room for another.
func TestSessions(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	c := newCounted(t)
	first, second := c.start(t, "rules", "sleep 2001"), c.start(t, "rules", "sleep 2001")
	c.busy(t, "rules", "sleep 2001", 2)
	single := c.start(t, "rules", "sleep 2002") // another rule has places of its own
	c.busy(t, "rules", "sleep 2002", 1)
	if o := c.gate(t, remote("true"), "--key", "rules"); o.status != 0 {
		t.Errorf("a rule without limits: %+v", o)
	}
	end(first, unix.SIGKILL)
	third := c.start(t, "rules", "sleep 2001")
	c.busy(t, "rules", "sleep 2001", 2)
	end(second, unix.SIGTERM)
	end(third, unix.SIGSEGV)
	c.start(t, "rules", "sleep 2001")
	c.start(t, "rules", "sleep 2001")
	c.busy(t, "rules", "sleep 2001", 2)
	end(single, unix.SIGHUP)
	c.start(t, "rules", "sleep 2002")

	// Limits at the top count a key's rules together, but for those with limits of their own; the other key of the account is another.
	a := c.start(t, "whole", "sleep 2001")
	c.start(t, "whole", "sleep 2002")
	c.busy(t, "whole", "sleep 2001", 2)
	c.busy(t, "whole", "true", 2)
	c.start(t, "whole", "sleep 2004")
	c.busy(t, "whole", "sleep 2004", 1)
	end(a, unix.SIGKILL)
	if o := c.gate(t, remote("true"), "--key", "whole"); o.status != 0 {
		t.Errorf("%+v", o)
	}
	c.start(t, "whole", "sleep 2001")

	other := testhost.AddUser(t, "other") // another account counts for itself
	if o := run(t, other.Command(remote("true"), "/usr/bin/ssh-gate", "--key", "whole")); o.status != 0 {
		t.Errorf("%+v", o)
	}
	for _, u := range []testhost.User{c.deploy, other} {
		var st unix.Stat_t
		check(t, unix.Stat(filepath.Join(testhost.Counts, strconv.Itoa(u.UID)), &st))
		if int(st.Uid) != u.UID || st.Mode != unix.S_IFREG|0o600 {
			t.Errorf("%s: the file belongs to %d with mode %o", u.Name, st.Uid, st.Mode)
		}
	}
}

// TestSessionsAtOnce: of many that come at once exactly as many run as are allowed.
func TestSessionsAtOnce(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	c := newCounted(t)
	for range 12 {
		gate := c.deploy.Command(remote("sleep 2001"), "/usr/bin/ssh-gate", "--key", "rules")
		check(t, gate.Start())
		c.gates = append(c.gates, gate)
	}
	eventually(t, "all are decided", func() bool { return len(parseRecords(t, readLog(t))) == 12 })
	counts := map[string]int{}
	for _, e := range parseRecords(t, readLog(t)) {
		counts[e.Reason]++
	}
	if counts["matched"] != 2 || counts["too-many-sessions"] != 10 {
		t.Errorf("%v", counts)
	}
}

// TestSessionsGrandchild: a place is taken for as long as anything that the program started has its descriptor.
func TestSessionsGrandchild(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	c := newCounted(t)
	o := c.gate(t, remote("leave"), "--key", "rules")
	left, err := strconv.Atoi(strings.TrimSpace(o.stdout))
	if err != nil {
		t.Fatalf("%+v", o)
	}
	c.busy(t, "rules", "leave", 1)
	check(t, unix.Kill(left, unix.SIGKILL))
	eventually(t, "it has ended", func() bool { return comm(left) == "" })
	o = c.gate(t, remote("leave"), "--key", "rules")
	if left, err = strconv.Atoi(strings.TrimSpace(o.stdout)); err != nil {
		t.Fatalf("%+v", o)
	}
	unix.Kill(left, unix.SIGKILL)
}

// TestSessionsDescriptor: the program has one descriptor more, and cannot write by it.
func TestSessionsDescriptor(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	c := newCounted(t)
	o := c.gate(t, remote("ls -l /proc/self/fd"), "--key", "rules")
	var extra []string
	for line := range strings.Lines(o.stdout) {
		if name, target, ok := strings.Cut(strings.TrimSpace(line), " -> "); ok && !strings.HasPrefix(target, "/proc/") {
			if f := strings.Fields(name); !slices.Contains([]string{"0", "1", "2"}, f[len(f)-1]) {
				extra = append(extra, f[len(f)-1]+" "+target)
			}
		}
	}
	if len(extra) != 1 || !strings.HasSuffix(extra[0], " "+testhost.Counts+"/"+strconv.Itoa(c.deploy.UID)+".sessions") {
		t.Fatalf("%q, of %+v", extra, o)
	}
	fd, _, _ := strings.Cut(extra[0], " ")
	o = c.gate(t, remote("cat /proc/self/fdinfo/"+fd), "--key", "rules")
	mode, err := strconv.ParseInt(strings.TrimSpace(statusLine(o.stdout, "flags")), 8, 64)
	if err != nil || mode&unix.O_ACCMODE != unix.O_RDONLY || mode&unix.O_CLOEXEC != 0 {
		t.Errorf("%+v", o)
	}
}

// TestSessionsRoomRegression: a program opened what it had inherited anew, for writing, and filled the folder for everybody.
func TestSessionsRoomRegression(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	check(t, os.WriteFile("/etc/ssh-gate/keys/deploy.toml", []byte("[[allow]]\ncommand = \"fill\"\nrun = \"/bin/sh /usr/bin/fill\"\nlimits.sessions = 1\n"), 0o644))
	check(t, os.WriteFile("/usr/bin/fill", []byte("for n in 3 4 5 6 7 8 9 10 11 12; do [ -e /proc/self/fd/$n ] && timeout 2 dd if=/dev/zero of=/proc/self/fd/$n bs=64k count=100 oflag=nonblock; done\n"), 0o755))
	m.gate(t, remote("fill"), "--key", "deploy")
	entries, err := os.ReadDir(testhost.Counts)
	check(t, err)
	for _, e := range entries {
		info, err := e.Info()
		check(t, err)
		if st := info.Sys().(*syscall.Stat_t); st.Size != 0 || st.Blocks != 0 {
			t.Errorf("%s has %d bytes in %d blocks", e.Name(), st.Size, st.Blocks)
		}
	}
	if len(entries) != 2 {
		t.Errorf("%v", entries)
	}
}

// TestTurnsPlain: without the setgid bit the counts are where root has let the account have them.
func TestTurnsPlain(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	c := newCounted(t)
	testhost.Run(t, "chmod", "755", "/usr/bin/ssh-gate")
	testhost.Run(t, "chmod", "666", testhost.Log)
	testhost.Run(t, "chmod", "755", filepath.Dir(testhost.Log))
	if o, e := one(t, func() outcome { return c.gate(t, remote("sleep 2002"), "--key", "rules") }); o.status != 69 || e.Reason != "limits-unavailable" {
		t.Errorf("in the packaged folder: %+v, %+v", o, e)
	}
	testhost.Run(t, "chmod", "755", testhost.Counts)
	file := filepath.Join(testhost.Counts, strconv.Itoa(c.deploy.UID))
	testhost.Run(t, "install", "-m", "600", "-o", "deploy", "/dev/null", file)
	testhost.Run(t, "mkfifo", "-m", "600", file+".sessions")
	testhost.Run(t, "chown", "deploy", file+".sessions")
	running := c.start(t, "rules", "sleep 2002")
	c.busy(t, "rules", "sleep 2002", 1)
	end(running, unix.SIGKILL)
	check(t, os.Remove(file))
	testhost.Run(t, "chown", "deploy", testhost.Counts)
	c.start(t, "rules", "sleep 2002")
	c.busy(t, "rules", "sleep 2002", 1)
}

// TestTurnsUnavailable: where sessions cannot be counted nothing that has to be counted runs, and the record says why.
func TestTurnsUnavailable(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	c := newCounted(t)
	dir, file := testhost.Counts, filepath.Join(testhost.Counts, strconv.Itoa(c.deploy.UID))
	owned := []string{"-o", "root", "-g", "ssh-gate"}
	folder := func(mode string, owner ...string) {
		testhost.Run(t, append([]string{"install", "-d", "-m", mode}, append(owner, dir)...)...)
	}
	for _, c2 := range []struct {
		name, detail string
		make         func()
	}{
		{"missing", "no such file or directory", func() {}},
		{"a file", "not a directory", func() { check(t, os.WriteFile(dir, nil, 0o644)) }},
		{"a link", "not a directory", func() {
			folder("2770", owned...)
			check(t, os.Rename(dir, dir+".real"))
			check(t, os.Symlink(dir+".real", dir))
		}},
		{"everybody may write", "others can change the count", func() { folder("2777", owned...) }},
		{"another group may write", "others can change the count", func() { folder("2775", "-g", "users") }},
		{"another user's", "others can change the count", func() { folder("2775", "-o", "nobody", "-g", "ssh-gate") }},
		{"nobody may write", "permission denied", func() { folder("755", owned...) }},
		{"not for the group", "permission denied", func() { folder("700") }},
		{"another user's file", "permission denied", func() {
			folder("2770", owned...)
			testhost.Run(t, "install", "-m", "600", "-o", "nobody", "/dev/null", file)
		}},
		{"a file that others own and share", "something else", func() {
			folder("2770", owned...)
			testhost.Run(t, "install", "-m", "666", "-o", "nobody", "/dev/null", file)
		}},
		{"a folder for the file", "is a directory", func() { folder("2770", owned...); check(t, os.Mkdir(file, 0o777)) }},
		{"a link for the file", "symbolic link", func() { folder("2770", owned...); check(t, os.Symlink("/home/deploy/x", file)) }},
		{"a fifo for the file", "something else", func() {
			folder("2770", owned...)
			check(t, unix.Mkfifo(file, 0o600))
			check(t, os.Chown(file, c.deploy.UID, -1))
		}},
		{"no room for a file", "no space left", func() {
			folder("2770", owned...)
			check(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "nr_inodes=1,mode=2770"))
			check(t, os.Chown(dir, 0, c.group))
			check(t, os.Chmod(dir, 0o2770|fs.ModeSetgid))
		}},
		{"read only", "read-only file system", func() {
			folder("2770", owned...)
			check(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_RDONLY, fmt.Sprintf("mode=2770,gid=%d", c.group)))
		}},
	} {
		unix.Unmount(dir, unix.MNT_DETACH)
		check(t, os.RemoveAll(dir))
		c2.make()
		for i, request := range []string{"sleep 2002", "ls -l /proc/self/fd"} {
			o, e := one(t, func() outcome { return c.gate(t, remote(request), "--key", "rules") })
			if o.status != 69 || o.stdout != "" || o.stderr != "ssh-gate: the program cannot be started (ref "+e.Ref+")\n" ||
				e.Reason != "limits-unavailable" || e.Event != "error" || !strings.Contains(e.Detail, c2.detail) {
				t.Errorf("%s: %d: %+v, %+v", c2.name, i, o, e)
			}
		}
		if o := c.gate(t, remote("true"), "--key", "rules"); o.status != 0 {
			t.Errorf("%s: a rule without limits: %+v", c2.name, o)
		}
	}
	unix.Unmount(dir, unix.MNT_DETACH)
}

// TestTurnsHeld: who holds the account's file, as its programs may where the folder is not for the group alone, is waited for a while and
// then refused.
func TestTurnsHeld(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	c := newCounted(t)
	c.start(t, "rules", "sleep 2002")
	// A descriptor for reading is enough to hold it.
	file, err := os.Open(filepath.Join(testhost.Counts, strconv.Itoa(c.deploy.UID)))
	check(t, err)
	defer file.Close()
	whole := unix.Flock_t{Type: unix.F_RDLCK} // all of it
	check(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &whole))
	o, e := one(t, func() outcome { return c.gate(t, remote("sleep 2001"), "--key", "rules") })
	if o.status != 69 || e.Reason != "limits-unavailable" || !strings.Contains(e.Detail, "held by somebody else") {
		t.Errorf("%+v, %+v", o, e)
	}
	whole.Type = unix.F_UNLCK
	check(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &whole))
	c.start(t, "rules", "sleep 2001")
}

// TestRate: a start too many is refused, told when to come back, and recorded; also of many at once, and nothing of it is lost.
func TestRate(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	check(t, os.WriteFile("/etc/ssh-gate/keys/deploy.toml", []byte(`
[[allow]]
command = "true"
limits.rate = "5/1h"
[[allow]]
command = "id -u"
limits.rate = "1/2s"
[[allow]]
command = "id -g"
`), 0o644))
	statuses := make(chan int, 16)
	for range cap(statuses) {
		go func() {
			statuses <- run(t, m.deploy.Command(remote("true"), "/usr/bin/ssh-gate", "--key", "deploy")).status
		}()
	}
	counts := map[int]int{}
	for range cap(statuses) {
		counts[<-statuses]++
	}
	if counts[0] != 5 || counts[75] != 11 || len(parseRecords(t, readLog(t))) != 11 {
		t.Errorf("%v\n%s", counts, readLog(t))
	}
	o, e := one(t, func() outcome { return m.gate(t, remote("true"), "--key", "deploy") })
	if o.status != 75 || e.Reason != "too-often" || e.Event != "denied" || !strings.HasPrefix(o.stderr, "ssh-gate: too often: 5 in 1h are allowed; try again in ") {
		t.Errorf("%+v, %+v", o, e)
	}
	if o := m.gate(t, remote("id -g"), "--key", "deploy"); o.status != 0 {
		t.Errorf("a rule without limits: %+v", o)
	}
	// The window slides: what was told is true.
	if o := m.gate(t, remote("id -u"), "--key", "deploy"); o.status != 0 {
		t.Errorf("%+v", o)
	}
	refused := 0
	eventually(t, "there is room again", func() bool {
		o := m.gate(t, remote("id -u"), "--key", "deploy")
		if o.status == 75 {
			refused++
		}
		return o.status == 0
	})
	if refused == 0 {
		t.Error("none was refused")
	}
}

// TestRateFullFolder: a count that finds no room refuses, and keeps what it counted before.
func TestRateFullFolder(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	check(t, os.WriteFile("/etc/ssh-gate/keys/deploy.toml", []byte("[[allow]]\ncommand = \"true\"\nlimits.rate = \"1000/1h\"\n"), 0o644))
	dir := testhost.Counts
	check(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8k"))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	testhost.Run(t, "chgrp", "ssh-gate", dir)
	testhost.Run(t, "chmod", "2770", dir)
	file := filepath.Join(dir, strconv.Itoa(m.deploy.UID))
	var boot unix.Timespec
	check(t, unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot))
	mine := `"deploy #1" 3600000000000` + strings.Repeat(" "+strconv.FormatInt(boot.Nano(), 10), 10) + "\n"
	other := `"other" 3600000000000 FILL ` + strconv.FormatInt(boot.Nano(), 10) + "\n"
	other = strings.Replace(other, "FILL", strings.Repeat("1", 8192-len(mine)-len(other)+len("FILL")), 1)
	text := mine + other // fills the folder
	testhost.Run(t, "install", "-m", "600", "-o", "deploy", "/dev/null", file)
	check(t, os.WriteFile(file, []byte(text), 0o600))
	o, e := one(t, func() outcome { return m.gate(t, remote("true"), "--key", "deploy") })
	if o.status != 69 || e.Reason != "limits-unavailable" || !strings.Contains(e.Detail, "no space left") {
		t.Errorf("%+v, %+v", o, e)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != text {
		t.Errorf("the count is another now: %v, %d bytes, %.200q", err, len(now), now)
	}
}
