package launch

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// held are the signals by which a terminal, or a client that hangs up, could end the gate before its record is written; Go's
// runtime would also print a stack trace for SIGQUIT.
var held = [...]uintptr{uintptr(unix.SIGHUP), uintptr(unix.SIGINT), uintptr(unix.SIGQUIT), uintptr(unix.SIGTERM)}

// sigaction is struct sigaction as rt_sigaction(2) takes it on amd64 and arm64.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

const (
	sigDefault = 0
	sigIgnore  = 1
)

// Signals remembers which of the held signals were ignored before.
type Signals struct{ ignored [len(held)]bool }

// HoldSignals ignores the signals that could end the gate half-way. By raw calls: os/signal costs a login another package, and a
// goroutine to undo what it did.
func HoldSignals() *Signals {
	s := &Signals{}
	for i, sig := range held {
		var before sigaction
		if action(sig, &sigaction{handler: sigIgnore}, &before) {
			s.ignored[i] = before.handler == sigIgnore
		}
	}
	return s
}

// release gives the program the dispositions that the gate was given: ignored, or the default.
func (s *Signals) release() {
	for i, sig := range held {
		if !s.ignored[i] {
			action(sig, &sigaction{handler: sigDefault}, nil)
		}
	}
}

// deliver makes a signal end the program, whatever the gate was started with: "ignored" and "blocked" would outlive execve.
func deliver(sig unix.Signal) error {
	if !action(uintptr(sig), &sigaction{handler: sigDefault}, nil) {
		return unix.EINVAL
	}
	var set unix.Sigset_t
	set.Val[0] = 1 << (sig - 1)
	return unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil)
}

func action(sig uintptr, set, before *sigaction) bool {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(before)), 8, 0, 0)
	return errno == 0
}
