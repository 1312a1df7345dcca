package admin

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/session"
)

// actAs calls f with the rights of an account, and with no more: whatever stands in the account's folders, a link to /etc, a hard link to
// a file of root's or a name that changes between two looks, it can lead only where the account itself can go. It also works where root
// has no rights, on NFS with root_squash.
//
// The credentials are the calling thread's own, so by raw calls on a locked thread (syscall.Setresuid would change all threads). Only the
// effective ids change: that empties the thread's effective capabilities, capabilities(7), and the account can neither signal nor trace
// a process whose real and saved ids are root's. The ids are believed only when seen.
func actAs(account session.Account, f func() error) error {
	if unix.Geteuid() == account.UID {
		return f()
	}
	if unix.Geteuid() != 0 {
		return fmt.Errorf("only root and %s itself may write %s's keys", account.Name, account.Name)
	}
	runtime.LockOSThread()
	own, err := unix.Getgroups()
	if err != nil {
		return err
	}
	group := unix.Getegid()
	if err := become(account.UID, account.GID, []int{account.GID}); err != nil {
		return errors.Join(fmt.Errorf("the rights of %s cannot be taken on: %w", account.Name, err), become(0, group, own))
	}
	result := f()
	if err := become(0, group, own); err != nil {
		return errors.Join(result, fmt.Errorf("root's rights cannot be taken back: %w", err)) // the thread stays locked, and ends with the process
	}
	runtime.UnlockOSThread()
	return result
}

// become sets the effective ids and the groups of this thread. Root's id comes first where it is taken back, and last where it is given up.
func become(uid, gid int, groups []int) error {
	if uid == 0 {
		if err := setEffective(unix.SYS_SETRESUID, 0); err != nil {
			return err
		}
	}
	// Of the thread alone, like all calls of this package that change credentials.
	if err := unix.Setgroups(groups); err != nil {
		return err
	}
	if err := errors.Join(setEffective(unix.SYS_SETRESGID, gid), setEffective(unix.SYS_SETRESUID, uid)); err != nil {
		return err
	}
	_, user, _ := unix.Getresuid()
	_, group, _ := unix.Getresgid()
	if user != uid || group != gid {
		return errors.New("the ids are not those that were asked for")
	}
	return nil
}

func setEffective(call uintptr, id int) error {
	const keep = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(call, keep, uintptr(id), keep); errno != 0 {
		return errno
	}
	return nil
}
