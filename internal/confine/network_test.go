package confine

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// judge runs the instructions that the filter uses on a call as the kernel lays it out, struct seccomp_data, and returns its answer. What
// the kernel's own check would not load is an error: another instruction, a jump or a load out of bounds, an end without an answer.
func judge(filter []unix.SockFilter, data *[64]byte) (uint32, error) {
	var a uint32
	for at := 0; at < len(filter); at++ {
		i := filter[at]
		jump := func(yes bool) {
			if yes {
				at += int(i.Jt)
			} else {
				at += int(i.Jf)
			}
		}
		switch i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			if i.K%4 != 0 || i.K > uint32(len(data)-4) {
				return 0, fmt.Errorf("instruction %d loads from %d", at, i.K)
			}
			a = binary.LittleEndian.Uint32(data[i.K:])
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(a == i.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(a >= i.K)
		case unix.BPF_RET | unix.BPF_K:
			return i.K, nil
		default:
			return 0, fmt.Errorf("instruction %d is %#x", at, i.Code)
		}
	}
	return 0, fmt.Errorf("it ends without an answer")
}

// TestNetworkFilter holds the program against what each call has to come to. The numbers are those of the kernel's headers, asm/unistd.h
// and linux/audit.h, not the filter's own.
func TestNetworkFilter(t *testing.T) {
	const (
		allow, refuse, absent       = 0x7fff0000, 0x00050000 | 13, 0x00050000 | 38 // SECCOMP_RET_ALLOW; _ERRNO with EACCES and ENOSYS
		x86, i386, arm64, arm, risc = 0xc000003e, 0x40000003, 0xc00000b7, 0x40000028, 0xc00000f3
		high                        = 1 << 32 // what the kernel does not look at in an int
	)
	type call struct {
		what   string
		arch   uint32
		number uint32
		first  uint64
		want   uint32
	}
	for goarch, m := range map[string]struct {
		arch, socket uint32
		others       []uint32
		calls        []call
	}{
		"amd64": {x86, 41, []uint32{i386, arm64, risc, 0}, []call{
			{"read", x86, 0, 0, allow}, {"connect", x86, 42, 3, allow}, {"socketpair", x86, 53, 1, allow}, {"execve", x86, 59, 0, allow},
			{"x32 read", x86, 1 << 30, 0, absent}, {"x32 execve", x86, 1<<30 | 520, 0, absent}, {"the last", x86, 1<<30 - 1, 0, allow},
		}},
		"arm64": {arm64, 198, []uint32{arm, x86, risc, 0}, []call{
			{"read", arm64, 63, 0, allow}, {"connect", arm64, 203, 3, allow}, {"socketpair", arm64, 199, 1, allow}, {"execve", arm64, 221, 0, allow},
			{"41, which is a socket elsewhere", arm64, 41, 2, allow},
		}},
	} {
		calls := m.calls
		for family := range uint64(64) {
			want := uint32(refuse)
			if family == 1 || family == 16 { // AF_UNIX, AF_NETLINK
				want = allow
			}
			calls = append(calls, call{"socket", m.arch, m.socket, family, want}, call{"socket", m.arch, m.socket, high | family, want},
				call{"x32 socket", m.arch, 1<<30 | m.socket, family, absent})
		}
		calls = append(calls,
			call{"socket", m.arch, m.socket, 1<<32 - 1, refuse}, call{"socket", m.arch, m.socket, 1<<31 | 1, refuse}, call{"socket", m.arch, m.socket, 1<<16 | 1, refuse},
			call{"io_uring_setup", m.arch, 425, 0, absent}, call{"io_uring_setup", m.arch, 425, 1, absent}, call{"x32 io_uring_setup", m.arch, 1<<30 | 425, 0, absent},
			call{"openat2", m.arch, 437, 0, allow}, call{"no call", m.arch, 1<<32 - 1, 1, absent})
		for _, other := range m.others {
			for _, number := range []uint32{0, 11, 41, 102, 198, 281, 359, 425} { // execve, socketcall and socket of 32 bits among them
				calls = append(calls, call{"foreign", other, number, 1, absent})
			}
		}
		own, known := machineOf(goarch)
		if !known {
			t.Fatalf("%s has no filter", goarch)
		}
		filter := networkFilter(own)
		for _, c := range calls {
			var data [64]byte
			binary.LittleEndian.PutUint32(data[0:], c.number)
			binary.LittleEndian.PutUint32(data[4:], c.arch)
			binary.LittleEndian.PutUint64(data[16:], c.first)
			if got, err := judge(filter, &data); got != c.want || err != nil {
				t.Errorf("%s: %s: %#x of %#x with %#x: %#x, %v; want %#x", goarch, c.what, c.number, c.arch, c.first, got, err, c.want)
			}
		}
	}
	if own, known := machineOf(runtime.GOARCH); known && (own.socket != unix.SYS_SOCKET || ioUringSetup != unix.SYS_IO_URING_SETUP) {
		t.Errorf("of this machine %+v is untrue", own)
	}
	if m, known := machineOf("386"); known {
		t.Errorf("386 has the numbers %+v", m)
	}
}
