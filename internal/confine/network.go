package confine

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Landlock knows TCP by bind and connect. MPTCP, TCP Fast Open, listening without bind, UDP and io_uring get by it, so a filter of system
// calls lets a program without network make no socket that could reach one, seccomp(2). Both hold; the filter is all there is for UDP.

// families are the socket families that stay: within the host, and what resolvers and libraries ask the kernel by.
var families = []uint32{unix.AF_UNIX, unix.AF_NETLINK}

// machine is an architecture that there is a filter for. A call of any other, such as by a program of 32 bits, is refused altogether: its
// numbers are others.
type machine struct{ arch, socket uint32 }

func machineOf(goarch string) (machine, bool) {
	switch goarch {
	case "amd64":
		return machine{unix.AUDIT_ARCH_X86_64, 41}, true
	case "arm64":
		return machine{unix.AUDIT_ARCH_AARCH64, 198}, true
	}
	return machine{}, false
}

const (
	x32          = 0x40000000 // bit of the numbers of a second interface under the same architecture, on amd64
	ioUringSetup = 425        // everywhere

	// Where a filter finds what it judges: struct seccomp_data.
	atNumber, atArch, atFirst = 0, 4, 16
)

// networkFilter is the program of the filter.
func networkFilter(m machine) []unix.SockFilter {
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	equal := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: yes, Jf: no, K: k}
	}
	atLeast := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jt: yes, Jf: no, K: k}
	}
	answer := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	const (
		allow  = unix.SECCOMP_RET_ALLOW
		refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)
		absent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	)
	return []unix.SockFilter{
		load(atArch),
		equal(m.arch, 1, 0),
		answer(absent),
		load(atNumber),
		atLeast(x32, 0, 1),
		answer(absent),
		equal(ioUringSetup, 0, 1),
		answer(absent),
		equal(m.socket, 1, 0),
		answer(allow),
		load(atFirst),
		equal(families[0], 2, 0),
		equal(families[1], 1, 0),
		answer(refuse),
		answer(allow),
	}
}

// refuseNetwork puts the filter on the calling thread, which has to have no_new_privs.
func refuseNetwork() error {
	m, known := machineOf(runtime.GOARCH)
	if !known {
		return &UnsupportedError{"there is no filter for the network on this architecture"}
	}
	filter := networkFilter(m)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return fmt.Errorf("the filter for the network: %w", errno)
	}
	return nil
}
