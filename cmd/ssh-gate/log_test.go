package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// These tests call the verbs that read the log as people and timers do, as processes of their own.

const recordedPolicy = `
log = "all"
[[allow]]
command = "probe {words*}"
args.words = { text = [0, 100] }
`

// follower is `ssh-gate log -f` with what it has printed so far.
type follower struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string
	stderr strings.Builder
}

func (h *host) follow(t *testing.T, args ...string) *follower {
	t.Helper()
	f := &follower{t: t, cmd: exec.Command(gateProgram(), append([]string{"log", "-f", "--file", h.log}, args...)...), lines: make(chan string, 1000)}
	f.cmd.Stderr = &f.stderr
	out, err := f.cmd.StdoutPipe()
	check(t, err)
	check(t, f.cmd.Start())
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			f.lines <- s.Text()
		}
		io.Copy(io.Discard, out)
		close(f.lines)
	}()
	t.Cleanup(func() { f.cmd.Process.Kill(); f.cmd.Wait() })
	return f
}

// want waits for the next line, which is a record of this request.
func (f *follower) want(request string) {
	f.t.Helper()
	select {
	case line, more := <-f.lines:
		if !more || !strings.Contains(line, `"`+request+`"`) {
			f.t.Fatalf("%q, %t; want a record of %q", line, more, request)
		}
	case <-time.After(tooLong):
		f.t.Fatalf("no record of %q arrives", request)
	}
}

// ask lets the gate record a request.
func (h *host) ask(t *testing.T, requests ...string) {
	t.Helper()
	for _, request := range requests {
		if o := run(t, h.request(request)); o.status != 77 && o.status != 0 {
			t.Fatalf("%+v", o)
		}
	}
}

// TestLogFollow: records of the gate itself, across rotation by rename and create, without one that is lost or comes twice.
func TestLogFollow(t *testing.T) {
	h := newHost(t, recordedPolicy)
	for n := range 12 {
		h.ask(t, fmt.Sprint("old ", n))
	}
	f := h.follow(t)
	for n := 2; n < 12; n++ { // ten of them
		f.want(fmt.Sprint("old ", n))
	}
	h.ask(t, "first")
	f.want("first")
	late, err := os.OpenFile(h.log, os.O_WRONLY|os.O_APPEND, 0)
	check(t, err)
	defer late.Close()
	for n := range 3 {
		renameAndCreate(t, h)
		h.ask(t, fmt.Sprint("after rotation ", n))
		f.want(fmt.Sprint("after rotation ", n))
		if n == 0 { // a gate that had opened the log before it was renamed
			text, err := os.ReadFile(h.log)
			check(t, err)
			_, err = late.WriteString(strings.ReplaceAll(string(text), "after rotation 0", "into the old one"))
			check(t, err)
			f.want("into the old one")
		}
	}
	h.ask(t, "two at", "once")
	renameAndCreate(t, h)
	renameAndCreate(t, h)
	h.ask(t, "and more")
	f.want("two at")
	f.want("once")
	f.want("and more")
	check(t, f.cmd.Process.Signal(os.Interrupt))
	for line := range f.lines {
		t.Errorf("and then %q", line)
	}
	if f.cmd.Wait(); f.stderr.String() != "" {
		t.Error(f.stderr.String())
	}
}

// renameAndCreate rotates the log as logrotate does.
func renameAndCreate(t *testing.T, h *host) {
	t.Helper()
	for n := 9; n > 0; n-- {
		if err := os.Rename(fmt.Sprintf("%s.%d", h.log, n), fmt.Sprintf("%s.%d", h.log, n+1)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	check(t, os.Rename(h.log, h.log+".1"))
	file, err := os.OpenFile(h.log, os.O_CREATE|os.O_EXCL, 0o640)
	check(t, err)
	check(t, file.Close())
}

// TestLogFollowFilters: they hold for what is yet to come, and damage is told when it is met.
func TestLogFollowFilters(t *testing.T) {
	h := newHost(t, recordedPolicy)
	h.ask(t, "before")
	f := h.follow(t, "--event", "denied", "-n", "1")
	f.want("before")
	h.ask(t, "probe x")
	file, err := os.OpenFile(h.log, os.O_WRONLY|os.O_APPEND, 0)
	check(t, err)
	_, err = file.WriteString("\x1b[2Jdamage\n")
	check(t, err)
	check(t, file.Close())
	h.ask(t, "behind")
	f.want("behind")
	h.ask(t, "last") // which comes after the damage was told
	f.want("last")
	check(t, f.cmd.Process.Signal(os.Interrupt))
	for range f.lines {
	}
	if f.cmd.Wait(); f.stderr.String() != "ssh-gate: warning: damaged lines passed over: 1\n" {
		t.Errorf("%q", f.stderr.String())
	}
}

// TestLogFollowNobody: who follows into a pipe that nobody reads any more ends.
func TestLogFollowNobody(t *testing.T) {
	h := newHost(t, recordedPolicy)
	h.ask(t, "one")
	var pipe [2]int
	check(t, unix.Pipe2(pipe[:], unix.O_CLOEXEC))
	out := os.NewFile(uintptr(pipe[1]), "pipe")
	cmd := exec.Command(gateProgram(), "log", "-f", "--file", h.log)
	cmd.Stdout = out
	check(t, cmd.Start())
	check(t, out.Close())
	one := make([]byte, 1)
	if _, err := unix.Read(pipe[0], one); err != nil {
		t.Error(err)
	}
	check(t, unix.Close(pipe[0]))
	guard := time.AfterFunc(tooLong, func() { t.Error("it goes on"); cmd.Process.Kill() })
	defer guard.Stop()
	h.ask(t, "two")
	cmd.Wait()
}

// TestLogPrometheusAtOnce: timers that overlap, while the gate writes and logs rotate, lose nothing and count nothing twice.
func TestLogPrometheusAtOnce(t *testing.T) {
	h := newHost(t, recordedPolicy)
	prom := h.path("text/gate.prom")
	check(t, os.Mkdir(filepath.Dir(prom), 0o755))
	h.ask(t, "first")
	count := func() outcome {
		return run(t, exec.Command(gateProgram(), "log", "--prometheus", prom, "--file", h.log))
	}
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for range 15 {
				o := count()
				if o.status != 0 && !strings.Contains(o.stderr, "another run is under way") || o.status == 0 && o.stderr != "" {
					t.Errorf("%+v", o)
				}
			}
		})
	}
	const requests = 12
	for n := range requests {
		h.ask(t, "x")
		if n%4 == 3 {
			renameAndCreate(t, h)
		}
	}
	wait.Wait()
	if o := count(); o.status != 0 {
		t.Errorf("%+v", o)
	}
	text, err := os.ReadFile(prom)
	check(t, err)
	if want := fmt.Sprintf(`ssh_gate_records_total{event="denied",reason="no-rule",key="deploy"} %d`+"\n", requests+1); !strings.Contains(string(text), want) {
		t.Errorf("%s\nwithout %s", text, want)
	}
	entries, err := os.ReadDir(filepath.Dir(prom))
	check(t, err)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestLogPrometheusKilled: a run that is killed at any moment leaves the old file or the new one, and the next run tidies up.
func TestLogPrometheusKilled(t *testing.T) {
	h := newHost(t, recordedPolicy)
	prom := h.path("text/gate.prom")
	check(t, os.Mkdir(filepath.Dir(prom), 0o755))
	h.ask(t, "x")
	one, err := os.ReadFile(h.log)
	check(t, err)
	check(t, os.WriteFile(h.log, []byte(strings.Repeat(string(one), 2000)), 0o640))
	for n := range 20 {
		cmd := exec.Command(gateProgram(), "log", "--prometheus", prom, "--file", h.log)
		check(t, cmd.Start())
		time.AfterFunc(time.Duration(n)*2*time.Millisecond, func() { cmd.Process.Kill() })
		cmd.Wait()
		if text, err := os.ReadFile(prom); err == nil && !strings.Contains(string(text), `"no-rule",key="deploy"} 2000`+"\n") {
			t.Fatalf("half a file: %s", text)
		}
	}
	if o := run(t, exec.Command(gateProgram(), "log", "--prometheus", prom, "--file", h.log)); o.status != 0 || o.stderr != "" {
		t.Errorf("%+v", o)
	}
	entries, err := os.ReadDir(filepath.Dir(prom))
	check(t, err)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestLogColour: only a terminal that wants colour gets it, and then ESC comes from nobody but the verb.
func TestLogColour(t *testing.T) {
	h := newHost(t, recordedPolicy)
	h.ask(t, "id\x1b[2J\x1b]0;owned\a", "probe x")
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no terminal is to be had here: ", err)
	}
	defer unix.Close(master)
	check(t, unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	check(t, err)
	for _, c := range []struct {
		env    []string
		colour bool
	}{{[]string{"TERM=xterm"}, true}, {nil, true}, {[]string{"TERM=dumb"}, false}, {[]string{"TERM=xterm", "NO_COLOR=1"}, false}, {[]string{"TERM=xterm", "NO_COLOR="}, true}} {
		terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
		check(t, err)
		cmd := command(c.env, gateProgram(), "log", "--file", h.log)
		cmd.Stdout = terminal
		if o := run(t, cmd); o.status != 0 {
			t.Errorf("%+v", o)
		}
		buf := make([]byte, 64<<10)
		n, err := unix.Read(master, buf)
		check(t, err)
		check(t, terminal.Close())
		text := string(buf[:n])
		plain := strings.NewReplacer("\x1b[31m", "", "\x1b[32m", "", "\x1b[0m", "").Replace(text)
		if strings.Contains(plain, "\x1b") || strings.Contains(plain, "\a") || (text != plain) != c.colour || !strings.Contains(plain, `"id\x1b[2J\x1b]0;owned\x07"`) {
			t.Errorf("%v: %q", c.env, text)
		}
	}
}
