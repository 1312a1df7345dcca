package confine

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/policy"
)

// Apply sets the limits that the kernel keeps across execve, on the calling thread where they are a thread's. parent is the process
// that started the gate.
//
// rlimits are inherited by what the program starts, each process with an account of its own, but for processes, which counts all of the
// user's, setrlimit(2). The timer is the program's alone and a program can disarm it, setitimer(2); so it can clear the signal for its
// parent's end, PR_SET_PDEATHSIG.
func Apply(l *policy.Limits, parent int) error {
	if l.Kill {
		if err := dieWith(parent); err != nil {
			return err
		}
	}
	if l.Nice > 0 {
		if err := renice(l.Nice); err != nil {
			return fmt.Errorf("nice %d: %w", l.Nice, err)
		}
	}
	for _, r := range []struct {
		name     string
		resource int
		value    int64
	}{
		{"cpu", unix.RLIMIT_CPU, int64(l.CPU / time.Second)},
		{"files", unix.RLIMIT_NOFILE, int64(l.Files)},
		{"file_size", unix.RLIMIT_FSIZE, l.FileSize},
		{"processes", unix.RLIMIT_NPROC, int64(l.Processes)},
		{"memory", unix.RLIMIT_AS, l.Memory}, // last: the gate itself takes more than some programs
	} {
		if err := lower(r.resource, r.value); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	if l.Timeout > 0 {
		return alarm(l.Timeout)
	}
	return nil
}

// renice never lowers the niceness that sshd was given: an ordinary user may not, and root's program would gain.
func renice(nice int) error {
	kernel, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 - nice, getpriority(2)
	if err != nil || 20-kernel >= nice {
		return err
	}
	return unix.Setpriority(unix.PRIO_PROCESS, 0, nice)
}

// lower lowers a soft and a hard limit, and never raises a hard one; the soft limit of files that Go's runtime found is not known here
// any more. cpu has a second between SIGXCPU and SIGKILL.
func lower(resource int, value int64) error {
	if value == 0 {
		return nil
	}
	most := uint64(max(value, 0))
	var now syscall.Rlimit
	if err := syscall.Getrlimit(resource, &now); err != nil {
		return err
	}
	now.Cur = min(now.Cur, most)
	if resource == unix.RLIMIT_CPU {
		most++
	}
	now.Max = min(now.Max, most)
	now.Cur = min(now.Cur, now.Max)
	// syscall's, not unix's: it tells the runtime not to bring the soft limit of files back that it found.
	return syscall.Setrlimit(resource, &now)
}

// alarm ends the program by SIGALRM when its time is up, unless it handles or ignores that. launch has seen to it that the gate's own
// start does not.
func alarm(after time.Duration) error {
	if _, err := unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Value: unix.NsecToTimeval(int64(after))}); err != nil {
		return fmt.Errorf("timeout: %w", err)
	}
	return nil
}

// dieWith has the kernel kill the program when its parent ends: sshd's process for the connection. What sshd starts leads a session of its
// own. Where that is not the gate but a shell that waits for it, as dash does, the client's end ends neither, so this fails.
func dieWith(parent int) error {
	if leader, err := unix.Getsid(0); err != nil || leader != unix.Getpid() {
		return errors.New("on_disconnect: the login shell waits between sshd and the gate; make the gate the login shell, or write exec before the command of the key line")
	}
	if _, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("on_disconnect: %w", errno)
	}
	if unix.Getppid() != parent {
		return errors.New("on_disconnect: the client is gone already")
	}
	return nil
}
