// Package launch turns the gate's process into the permitted program. Its one exported call is the last that an allowed request
// makes; nothing here decides, and no shell is ever involved, not after ENOEXEC either.
package launch

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/confine"
	"example.org/ssh-gate/internal/plan"
)

// Held is what the gate holds for the program when it starts.
type Held struct {
	Signals *Signals         // what HoldSignals returned; nil if it was not called
	Ruleset *confine.Ruleset // the plan's domain made ready; nil: not confined
	Inherit int              // a descriptor that holds a place among the sessions; -1: none
	Parent  int              // the process that started the gate
}

// Stage is what was being prepared when a start failed.
type Stage int

const (
	Start  Stage = iota // the program itself
	Folder              // what it starts in
	Confinement
	Limits
)

// Error is the failure to start a program.
type Error struct {
	Stage Stage
	err   error
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// Exec executes the plan, and returns only if that fails.
//
// syscall.Exec, not a raw execve: it restores the soft limit of open files that Go's runtime raised, and keeps the runtime from
// starting a thread meanwhile. The kernel resets signal handlers. Of signals that were ignored or blocked before, Go's runtime
// keeps few so; sshd starts its commands with none.
func Exec(p *plan.Plan, h *Held) *Error {
	if p.Limits.Memory > 0 {
		makeRoom() // first: it may have the runtime start a thread, which takes memory of its own
	}
	runtime.LockOSThread() // priorities, domains and the rest belong to a thread, and execve keeps those of its caller
	if p.Dir != "" {
		if err := unix.Chdir(p.Dir); err != nil {
			return &Error{Folder, fmt.Errorf("the folder %+q cannot be entered: %w", p.Dir, err)}
		}
	}
	if p.StdinNone {
		if err := nullStdin(); err != nil {
			return &Error{Folder, fmt.Errorf("standard input cannot be made /dev/null: %w", err)}
		}
	}
	if err := closeOthers(); err != nil {
		return &Error{Start, fmt.Errorf("descriptors above 2 cannot be kept from the program: %w", err)}
	}
	if h.Inherit >= 0 {
		if _, err := unix.FcntlInt(uintptr(h.Inherit), unix.F_SETFD, 0); err != nil {
			return &Error{Limits, fmt.Errorf("the place among the sessions cannot be kept: %w", err)}
		}
	}
	if p.Umask != nil {
		unix.Umask(int(p.Umask.Perm()))
	}
	if h.Signals != nil {
		h.Signals.release()
	}
	if err := restrict(p, h); err != nil {
		HoldSignals()
		return err
	}
	err := syscall.Exec(p.Path, p.Argv, p.Env)
	HoldSignals() // a failure is yet to be recorded
	return &Error{Start, fmt.Errorf("%+q: %w", p.Path, err)}
}

// room is in bytes: more than the 4 MiB by which Go's heap grows, so that it grows by 8, and the rest is free.
const room = 5 << 20

// makeRoom lets Go's heap have what the last steps need, and a record if they fail, before the program's limit of memory holds for the gate
// as well, which has more than many programs: from there on the kernel gives it none, and Go's runtime ends by that. Nothing of it is
// touched, so it costs no memory; without a collection no thread is started for one.
func makeRoom() {
	debug.SetGCPercent(-1)
	runtime.KeepAlive(make([]byte, room))
}

// restrict takes from the process what the program is not to have. What follows is under the same limits.
func restrict(p *plan.Plan, h *Held) *Error {
	if !p.Keep {
		if err := confine.NoNewPrivs(); err != nil {
			return &Error{Confinement, err}
		}
	}
	if err := h.Ruleset.Enforce(); err != nil {
		return &Error{Confinement, err}
	}
	if p.Limits.Timeout > 0 {
		if err := deliver(unix.SIGALRM); err != nil {
			return &Error{Limits, fmt.Errorf("timeout: %w", err)}
		}
	}
	if err := confine.Apply(p.Limits, h.Parent); err != nil {
		return &Error{Limits, err}
	}
	return nil
}

func nullStdin() error {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Dup3(fd, 0, 0)
}

// closeOthers marks every descriptor above 2 close-on-exec, so that the program gets none that sshd or a shell left open
// (CVE-2024-21626 is what one inherited folder was worth in runc). close_range(2) does it since Linux 5.11.
func closeOthers() error {
	err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	if err == unix.ENOSYS || err == unix.EINVAL {
		return closeListed()
	}
	return err
}

// closeListed does the same for older kernels, by what /proc lists.
func closeListed() error {
	dir, err := unix.Open("/proc/self/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	buf := make([]byte, 4096)
	for {
		n, err := unix.ReadDirent(dir, buf)
		if err != nil || n == 0 {
			return err
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if fd, ok := number(name); ok && fd > 2 {
				unix.CloseOnExec(fd)
			}
		}
	}
}

func number(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}
