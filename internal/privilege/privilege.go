// Package privilege is the group that a setgid installation lends the gate, and giving it back. With it the gate opens the log,
// which the restricted account can then neither read nor change; it is given back before a policy or a request is read.
package privilege

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Privilege is what the process was started with beside the rights of the user who started it.
type Privilege struct {
	user  int // real user and group, which are what everything here returns to
	group int
	lent  int // the group of the setgid bit; -1: none is lent
	uid   bool
}

// Held says what the process has now.
func Held() *Privilege {
	ruid, euid, suid := unix.Getresuid()
	rgid, egid, sgid := unix.Getresgid()
	p := &Privilege{user: ruid, group: rgid, lent: -1, uid: euid != ruid || suid != ruid}
	if egid != rgid {
		p.lent = egid
	} else if sgid != rgid {
		p.lent = sgid
	}
	return p
}

// Lent says whether a group was lent. It was not where the file system is mounted nosuid, where no_new_privs is set, where the
// process is traced, and where the binary is not setgid: execve(2). Nor is anything lent to who is in the group already.
func (p *Privilege) Lent() bool { return p.lent >= 0 }

// Group is the lent group, or -1.
func (p *Privilege) Group() int { return p.lent }

// Setuid says that the binary was made setuid, which nothing here has a use for: a permitted program would run as its owner.
func (p *Privilege) Setuid() bool { return p.uid }

// Drop gives back what was lent, for good: real, effective and saved ids become the real ones, so that setresgid(2) cannot bring
// any back. It is done for the calling thread alone, and pins the goroutine to it, because that is the thread that opens and
// executes from here on: a successful execve keeps the credentials of its caller and ends all other threads. To change every
// thread, as syscall.Setresgid does, the runtime would have to interrupt each of them, in every login.
//
// The other threads keep the group until then. They open no files, and nobody gets at them from outside: a process that was
// started with a lent group, or has changed its own, cannot be traced by the user (PR_SET_DUMPABLE in prctl(2), ptrace(2)).
func (p *Privilege) Drop() error {
	runtime.LockOSThread()
	if p.uid {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(p.user), uintptr(p.user), uintptr(p.user)); errno != 0 {
			return fmt.Errorf("the user of the setuid bit cannot be given back: %w", errno)
		}
	}
	if p.Lent() {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(p.group), uintptr(p.group), uintptr(p.group)); errno != 0 {
			return fmt.Errorf("the lent group cannot be given back: %w", errno)
		}
	}
	// The kernel has done so already unless fs.suid_dumpable is 1; the log is still open.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("the process cannot be kept from being traced: %w", err)
	}
	// Believed only when seen (Chen, Wagner, Dean: Setuid Demystified, USENIX Security 2002).
	if now := Held(); now.Lent() || now.uid || now.user != p.user || now.group != p.group {
		return errors.New("the process still has an identity that is not its user's")
	}
	return nil
}
