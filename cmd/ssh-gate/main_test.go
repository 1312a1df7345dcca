package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/recordtest"
	"example.org/ssh-gate/internal/testsshd"
)

// built holds the product, ssh-gate, and the program that tests let it start, probe.
var built string

func TestMain(m *testing.M) {
	testsshd.Proxy()
	unix.Umask(0o022) // the gate trusts no file that a wider one makes
	status, err := withPrograms(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func withPrograms(run func() int) (int, error) {
	dir, err := testsshd.MakeSafeDir()
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	built = dir
	build := exec.Command("go", "build", "-o", dir+"/", ".", "../../internal/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, out)
	}
	return run(), nil
}

func gateProgram() string  { return filepath.Join(built, "ssh-gate") }
func probeProgram() string { return filepath.Join(built, "probe") }

// host is what one test has of a machine: a configuration, a log and the policy of the key "deploy".
type host struct {
	dir, log string
}

// newHost writes the policy, in which $DIR stands for the host's folder. The search path is $DIR/bin, which holds probe, and then
// the usual folders.
func newHost(t testing.TB, policy string) *host {
	t.Helper()
	h := &host{dir: testsshd.SafeDir(t)}
	h.log = filepath.Join(h.dir, "log")
	check(t, os.Mkdir(h.path("bin"), 0o755))
	check(t, os.Mkdir(h.path("keys"), 0o755))
	check(t, os.Symlink(probeProgram(), h.path("bin/probe")))
	h.write(t, "config.toml", `
path = ["$DIR/bin", "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"]
log.file = "$DIR/log"
`)
	h.write(t, "keys/deploy.toml", policy)
	return h
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) write(t testing.TB, name, text string) {
	t.Helper()
	check(t, os.WriteFile(h.path(name), []byte(strings.ReplaceAll(text, "$DIR", h.dir)), 0o644))
}

// gate is the gate's command line, behind what starts it, if anything does.
func (h *host) gate(before ...string) []string {
	return append(before, gateProgram(), "--key", "deploy", "--policy-dir", h.path("keys"), "--config", h.path("config.toml"))
}

// sshdEnv is the environment that sshd makes for a forced command.
func sshdEnv(request string) []string {
	return []string{
		"USER=" + account().name, "LOGNAME=" + account().name, "HOME=" + account().home, "SHELL=" + account().shell,
		"PATH=/usr/local/bin:/usr/bin:/bin", "MAIL=/var/mail/" + account().name,
		"SSH_CLIENT=192.0.2.7 50022 22", "SSH_CONNECTION=192.0.2.7 50022 192.0.2.1 22",
		"SSH_ORIGINAL_COMMAND=" + request,
	}
}

// request is the gate as sshd starts it.
func (h *host) request(request string, env ...string) *exec.Cmd {
	return command(append(sshdEnv(request), env...), h.gate()...)
}

// command has an environment, and standard input at its end.
func command(env []string, words ...string) *exec.Cmd {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = env
	return cmd
}

// outcome is how a program ended.
type outcome struct {
	status         int // -1 where a signal ended it
	signal         syscall.Signal
	stdout, stderr string
}

// tooLong is when a program hangs: no test waits for it otherwise. Once one has hung, the verdict stands, and no other gets more than
// shortly.
const (
	tooLong = 30 * time.Second
	shortly = 5 * time.Second
)

var hung atomic.Bool

// run runs a program to its end, on any goroutine, in a process group of its own, which ends with it where it hangs. Streams that are
// set already are left alone.
func run(t testing.TB, cmd *exec.Cmd) outcome {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if !cmd.SysProcAttr.Setsid { // which makes a group as well
		cmd.SysProcAttr.Setpgid = true
	}
	patience := tooLong
	if hung.Load() {
		patience = shortly
	}
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &stderr
	}
	err := cmd.Start()
	if err == nil {
		guard := time.AfterFunc(patience, func() {
			unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
			cmd.Process.Kill() // where it was put into another group
		})
		err = cmd.Wait()
		if !guard.Stop() {
			hung.Store(true)
			err = fmt.Errorf("it hangs: no end within %v", patience)
		}
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Errorf("%q: %v", cmd.Args, err)
		return outcome{status: -1}
	}
	o := outcome{status: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		o.signal = ws.Signal()
	}
	return o
}

// report is what probe tells, as far as Go tests look at it by name.
type report struct {
	Argv []string
	Env  []string
	FDs  map[string]string

	Cwd, Umask, TTY string
	Pgid, Sid       int
}

// probed reads what probe wrote.
func probed(t testing.TB, text string) report {
	t.Helper()
	var r report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("no report: %v: %q", err, text)
	}
	return r
}

// entry is a record as its readers see it.
type entry struct {
	Event, Reason, User, Key, Rule, Ref, Host, Detail, Request string

	UID   int
	IP    string `json:"client_ip"`
	Port  int    `json:"client_port"`
	Bytes int    `json:"request_bytes"`
	PID   int
	Time  time.Time
}

// records reads the log. Each line must be a whole record, and each request decode to the bytes that were sent.
func (h *host) records(t testing.TB) []entry {
	t.Helper()
	text, err := os.ReadFile(h.log)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	check(t, err)
	return parseRecords(t, string(text))
}

func parseRecords(t testing.TB, text string) []entry {
	t.Helper()
	var entries []entry
	for line := range strings.Lines(text) {
		var e entry
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&e); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("the log holds a line that is no record: %v: %q", err, line)
		}
		recordtest.Validate(t, []byte(strings.TrimSuffix(line, "\n")))
		request, ok := record.Unescape(e.Request)
		if !ok {
			t.Fatalf("a request that does not decode: %q", line)
		}
		e.Request = request
		entries = append(entries, e)
	}
	return entries
}

// last is the newest record.
func (h *host) last(t testing.TB) entry {
	t.Helper()
	entries := h.records(t)
	if len(entries) == 0 {
		t.Fatal("there is no record")
	}
	return entries[len(entries)-1]
}

// denied says what differs from a denial for this reason, by its one line to the client, its status and its record.
func (h *host) denied(t testing.TB, o outcome, reason string) {
	t.Helper()
	e := h.last(t)
	if o.status != record.ExitDenied || o.stdout != "" || o.stderr != "ssh-gate: denied (ref "+e.Ref+")\n" {
		t.Errorf("the client got %+v, want status 77 and the reference of %+v", o, e)
	}
	if e.Event != "denied" || e.Reason != reason {
		t.Errorf("the record says %s, %s, want denied, %s", e.Event, e.Reason, reason)
	}
}

// passwd is the account that runs the tests.
type passwd struct{ name, home, shell string }

var account = sync.OnceValue(func() passwd {
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 7 && f[2] == fmt.Sprint(os.Getuid()) {
			return passwd{f[0], f[5], f[6]}
		}
	}
	panic("the user who runs the tests is not in /etc/passwd")
})

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
