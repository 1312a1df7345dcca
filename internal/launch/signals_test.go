package launch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

const child = "SSH_GATE_TEST_SIGNAL"

// TestMain lets the test binary be the process that signals meet.
func TestMain(m *testing.M) {
	var sig int
	if _, err := fmt.Sscan(os.Getenv(child), &sig); err == nil {
		s := HoldSignals()
		syscall.Kill(os.Getpid(), syscall.Signal(sig))
		fmt.Println("recorded")
		s.release()
		syscall.Kill(os.Getpid(), syscall.Signal(sig))
		select {} // the signal comes
	}
	os.Exit(m.Run())
}

// A client that hung up, or pressed a key of its terminal, at the right moment left no record; SIGQUIT showed it a stack trace.
func TestSignalsAreHeldRegression(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range held {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", child, sig))
		out, err := cmd.CombinedOutput()
		if string(out) != "recorded\n" {
			t.Errorf("signal %d while held: %v, %q", sig, err, out)
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.Signal(sig) {
			t.Errorf("signal %d once released: %v", sig, err)
		}
	}
}

// What was ignored before is ignored afterwards.
func TestIgnoredStaysIgnored(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `trap "" HUP; exec "$0"`, self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", child, syscall.SIGHUP))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	buf := make([]byte, 64)
	n, _ := stdout.Read(buf)
	if got := string(buf[:n]); got != "recorded\n" {
		t.Fatalf("got %q", got)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "SigIgn:")
	line, _, _ = strings.Cut(line, "\n")
	var ignored uint64
	if _, err := fmt.Sscanf(strings.TrimSpace(line), "%x", &ignored); err != nil || ignored&1 == 0 {
		t.Errorf("SigIgn is %s, %v", line, err)
	}
}
