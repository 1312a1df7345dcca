// Command probe is a program for tests to permit: it reports what it was started with, or ends in a given way.
//
//	probe exit N     ends with status N
//	probe kill N     ends by signal N
//	probe copy       copies standard input to standard output and standard error
//	probe [ANY...]   writes a report as JSON to standard output, or to the file that $PROBE_OUT names
//
// It says nothing of signal dispositions, the signal mask and resource limits: Go's runtime changes them before main. Tests that
// need those permit cat and let it read /proc/self/status and /proc/self/limits.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// report is what the process got. Text that is no UTF-8 does not survive JSON.
type report struct {
	Argv       []string          `json:"argv"`
	Env        []string          `json:"env"` // in the order it came
	FDs        map[string]string `json:"fds"` // open descriptors and where they lead
	Cwd        string            `json:"cwd"`
	Umask      string            `json:"umask"`
	NoNewPrivs string            `json:"no_new_privs"`
	PID        int               `json:"pid"`
	Pgid       int               `json:"pgid"`
	Sid        int               `json:"sid"`
	TTY        string            `json:"tty"` // device number of the controlling terminal, proc_pid_stat(5); "0": none
}

func main() {
	mode := ""
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "exit":
		os.Exit(number())
	case "kill":
		kill(number())
	case "copy":
		_, err := io.Copy(io.MultiWriter(os.Stdout, os.Stderr), os.Stdin)
		check(err)
	default:
		write(look())
	}
}

func number() int {
	n, err := strconv.Atoi(os.Args[2])
	check(err)
	return n
}

// kill takes Go's handler off first, which would turn some signals into a trace and an exit, and drop others.
func kill(signal int) {
	check(unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}))
	var action [32]byte // an all-zero struct sigaction: SIG_DFL
	const setSize = 8   // bytes in the kernel's sigset_t
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal), uintptr(unsafe.Pointer(&action)), 0, setSize, 0, 0)
	check(unix.Kill(unix.Getpid(), unix.Signal(signal)))
	select {}
}

func look() *report {
	r := &report{Argv: os.Args, Env: os.Environ(), FDs: descriptors(), PID: unix.Getpid(), Pgid: unix.Getpgrp()}
	r.Cwd, _ = unix.Getwd()
	r.Umask, r.NoNewPrivs = status("Umask"), status("NoNewPrivs")
	r.Sid, _ = unix.Getsid(0)
	stat, err := os.ReadFile("/proc/self/stat")
	check(err)
	_, fields, _ := strings.Cut(string(stat), ") ")
	r.TTY = strings.Fields(fields)[4]
	return r
}

func descriptors() map[string]string {
	folder := fmt.Sprintf("/proc/%d/fd", unix.Getpid())
	entries, err := os.ReadDir(folder)
	check(err)
	fds := map[string]string{}
	for _, e := range entries {
		// The descriptor of the listing itself is closed by now and leads nowhere. Go's runtime keeps the CPU quota open.
		target, err := os.Readlink(folder + "/" + e.Name())
		if err == nil && !strings.HasPrefix(target, "/sys/fs/cgroup/") {
			fds[e.Name()] = target
		}
	}
	return fds
}

func status(name string) string {
	text, err := os.ReadFile("/proc/self/status")
	check(err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func write(r *report) {
	text, err := json.Marshal(r)
	check(err)
	text = append(text, '\n')
	if file := os.Getenv("PROBE_OUT"); file != "" {
		check(os.WriteFile(file, text, 0o600))
		return
	}
	_, err = os.Stdout.Write(text)
	check(err)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(99)
	}
}
