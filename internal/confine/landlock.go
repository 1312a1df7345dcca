// Package confine makes the kernel hold what a rule says: the files and the network that a program may reach, and how much it may use
// up. All of it outlives execve and is inherited by whatever the program starts; nothing of it needs a process that supervises.
package confine

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/safefile"
)

// Domain is what a confined program may reach, beside what every program needs to start.
type Domain struct {
	Read       []string // files, and folders with all below them; absolute
	Write      []string // so, and may be read too
	Execute    []string // so, and may be read too
	Values     []Value
	NoNetwork  bool // refuse every socket that reaches a network
	Program    string
	BestEffort bool // hold what this kernel can hold, if anything
}

// Value is a path from the request, and the root below which its rule allows it, as the rule names it.
type Value struct {
	Path  string // resolved
	Root  string
	Below string // what Path has behind the root; empty for the root itself
	Write bool
}

// UnsupportedError says what this kernel cannot hold.
type UnsupportedError struct{ missing string }

func (e *UnsupportedError) Error() string { return "the kernel cannot confine a program: " + e.missing }

// What Landlock can refuse grew with its ABI, landlock(7): moving files to other folders came with 2 (Linux 5.19); truncating them with 3
// (6.2), so below that "read" is not held; TCP with 4 (6.7); ioctl on devices with 5 (6.10); signals and abstract sockets to processes
// outside with 6 (6.12).
const (
	abiRefer   = 2
	abiFiles   = 3
	abiNetwork = 4
	abiDevices = 5
	abiScopes  = 6
)

const (
	readFile = unix.LANDLOCK_ACCESS_FS_READ_FILE
	read     = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	execute  = read | unix.LANDLOCK_ACCESS_FS_EXECUTE

	write = read | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER

	device = readFile | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV

	// nodes are for root alone to make, and for no confined program.
	nodes = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK

	// onFiles are the rights that a rule on something else than a folder may have.
	onFiles = readFile | unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// The smallest set with which a dynamically linked program starts, ld.so(8): libraries, which also hold locales, and what the loader
// reads. Nothing here is secret on any system, and what is missing is passed over. Every entry costs a confined login three system calls.
var (
	baseFolders = []string{"/usr/lib", "/lib", "/usr/lib64", "/lib64", "/usr/local/lib"}
	baseFiles   = []string{"/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime"}
	baseDevices = []string{"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty"}
	base32      = []string{"/usr/lib32", "/lib32", "/usr/libx32", "/libx32"} // for programs of 32 bits
	loader32    = []string{"/lib/ld-linux.so.2"}
	baseMusl    = []string{"/etc/ld-musl-x86_64.path", "/etc/ld-musl-aarch64.path"}
)

// Ruleset is a domain made ready. Its rules hold what was there when it was made, whatever the paths lead to afterwards.
type Ruleset struct {
	fd        int
	handled   uint64
	noNetwork bool
	starters  []string
}

// ABI is the version of Landlock that the running kernel offers; 0: none.
func ABI() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// New makes a domain ready. Where the domain is to be held by best effort, and this kernel has no Landlock, it holds no files.
func New(d *Domain) (*Ruleset, error) {
	runtime.LockOSThread() // what follows is for the thread that executes, and happens on no other
	abi := ABI()
	if missing := Lacks(abi, d.NoNetwork); missing != "" && !d.BestEffort {
		return nil, &UnsupportedError{missing}
	}
	if abi == 0 {
		return &Ruleset{fd: -1, noNetwork: d.NoNetwork}, nil // the filter for the network is no part of Landlock
	}
	attr := attributes(abi, d.NoNetwork)
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), attributesSize(abi), 0)
	if errno != 0 {
		return nil, fmt.Errorf("landlock_create_ruleset: %w", errno)
	}
	r := &Ruleset{fd: int(fd), handled: attr.Handled_access_fs, noNetwork: d.NoNetwork}
	if err := r.fill(d); err != nil {
		unix.Close(r.fd)
		return nil, err
	}
	return r, nil
}

// Try says what New would fail with, and enforces nothing. starters are what may be executed because the program, or what Execute names,
// starts by it: interpreters and loaders.
func Try(d *Domain) (starters []string, err error) {
	r, err := New(d)
	if err != nil {
		return nil, err
	}
	if r.fd >= 0 {
		unix.Close(r.fd)
	}
	return r.starters, nil
}

// Lacks says what a version of Landlock cannot hold of a domain.
func Lacks(abi int, noNetwork bool) string {
	switch {
	case abi == 0:
		return "it has no Landlock, or Landlock is switched off"
	case abi < abiFiles:
		return fmt.Sprintf("its Landlock is version %d, which lets files be truncated anywhere; it takes version %d, Linux 6.2", abi, abiFiles)
	case noNetwork && abi < abiNetwork:
		return fmt.Sprintf("its Landlock is version %d, which does not know the network; it takes version %d, Linux 6.7", abi, abiNetwork)
	}
	return ""
}

// Gaps are what a version of Landlock does not hold of a domain, or holds more than is asked; one phrase each.
func Gaps(abi int, noNetwork bool) []string {
	var gaps []string
	for _, g := range []struct {
		since int
		when  bool
		gap   string
	}{
		{1, true, "nothing is held of files: there is no Landlock"},
		{abiRefer, abi > 0, "no file may be moved to another folder"},
		{abiFiles, abi > 0, "files may be truncated anywhere"},
		{abiNetwork, noNetwork, "TCP is held by the filter of system calls alone"},
		{abiDevices, abi > 0, "ioctl on devices is not held"},
		{abiScopes, abi > 0, "signals and abstract Unix sockets to processes outside are not held"},
	} {
		if abi < g.since && g.when {
			gaps = append(gaps, g.gap)
		}
	}
	return gaps
}

func attributes(abi int, noNetwork bool) unix.LandlockRulesetAttr {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: execute | write | nodes | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV}
	if abi < abiRefer {
		attr.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi < abiFiles {
		attr.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi < abiDevices {
		attr.Handled_access_fs &^= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if noNetwork && abi >= abiNetwork {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= abiScopes {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return attr
}

// attributesSize is how much of the structure a version knows; an older kernel refuses a longer one, E2BIG.
func attributesSize(abi int) uintptr {
	switch {
	case abi < abiNetwork:
		return 8
	case abi < abiScopes:
		return 16
	}
	return 24
}

func (r *Ruleset) fill(d *Domain) error {
	kind, err := r.allowPrograms(d)
	if err != nil {
		return err
	}
	base := []struct {
		paths  []string
		rights uint64
		when   bool
	}{
		{baseFolders, read, !kind.static}, {baseFiles, readFile, !kind.static}, {base32, read, kind.narrow}, {baseMusl, readFile, kind.musl},
		{baseDevices, device, true}, {loader32, execute & onFiles, kind.narrow},
	}
	for _, b := range base {
		for _, path := range b.paths {
			if err := r.allowBase(path, b.rights, b.when); err != nil {
				return err
			}
		}
	}
	for _, list := range []struct {
		paths  []string
		rights uint64
	}{{d.Read, read}, {d.Write, write}} { // Execute: allowPrograms
		for _, path := range list.paths {
			if err := r.allow(path, list.rights); err != nil {
				return err
			}
		}
	}
	return r.allowValues(d.Values)
}

// allowBase gives rights on a path of the base. Its descriptor is left to execve, which closes it.
func (r *Ruleset) allowBase(path string, rights uint64, wanted bool) error {
	if !wanted {
		return nil
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EACCES) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%+q: %w", path, err)
	}
	return r.rule(fd, path, rights)
}

// allow gives rights on what a path of the administrator's leads to, by no link that others than root can have made: a confined program
// that may write the folder would choose by one what the next gets.
func (r *Ruleset) allow(path string, rights uint64) error {
	fd, err := safefile.Open(path)
	if err != nil {
		return fmt.Errorf("%+q: %w", path, err)
	}
	defer unix.Close(fd)
	return r.add(fd, path, rights)
}

func (r *Ruleset) add(fd int, path string, rights uint64) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("%+q: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= onFiles
	}
	return r.rule(fd, path, rights)
}

func (r *Ruleset) rule(fd int, path string, rights uint64) error {
	// Packed, as the kernel has it; the 4 bytes that Go adds behind are not read.
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights & r.handled, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(r.fd), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("%+q: landlock_add_rule: %w", path, errno)
	}
	return nil
}

// allowValues gives rights on what the client chose. A value was resolved when the request was judged; now it is opened below its root
// without following a link, so that a folder which was swapped for one since is refused and not entered. The root is opened by the name
// that the rule gives it, as allow opens paths: where it was resolved to, a link of the account's may have led.
func (r *Ruleset) allowValues(values []Value) error {
	roots := roots{}
	defer roots.close()
	done := map[Value]bool{}
	for _, v := range values {
		if err := r.allowValue(roots, v, done); err != nil {
			return fmt.Errorf("%+q: %w", v.Path, err)
		}
	}
	return nil
}

func (r *Ruleset) allowValue(roots roots, v Value, done map[Value]bool) error {
	root, err := roots.open(v.Root)
	if err != nil {
		return err
	}
	path := v.Below
	fd, folder, err := below(root, path)
	if errors.Is(err, unix.ENOENT) && !v.Write {
		return nil // there is nothing to read
	}
	rights := uint64(read)
	if v.Write {
		rights = write
	}
	// What is to be written need not exist, and what does is mostly replaced by a new file under its name: both take rights on the
	// folder. Another request of this rule could have named any of what is below the root, so nothing is given away.
	for v.Write && (errors.Is(err, unix.ENOENT) || err == nil && !folder) && path != "" {
		if err == nil {
			unix.Close(fd)
		}
		path = parent(path)
		fd, folder, err = below(root, path)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	granted := Value{Root: v.Root, Below: path, Write: v.Write}
	if done[granted] {
		return nil
	}
	done[granted] = true
	if v.Write && v.Root == "/" && path == "" {
		return errors.New("to write it would take the right to write everything")
	}
	return r.add(fd, v.Path, rights)
}

func parent(path string) string {
	if slash := strings.LastIndexByte(path, '/'); slash >= 0 {
		return path[:slash]
	}
	return ""
}

// roots are the opened roots of values.
type roots map[string]int

func (o roots) open(path string) (int, error) {
	if fd, ok := o[path]; ok {
		return fd, nil
	}
	fd, err := safefile.Open(path)
	if err != nil {
		return -1, fmt.Errorf("its root %+q: %w", path, err)
	}
	o[path] = fd
	return fd, nil
}

func (o roots) close() {
	for _, fd := range o {
		unix.Close(fd)
	}
}

// below opens what lies below a root, by no link and no .., openat2(2), or the root itself, which may be a file.
func below(root int, path string) (fd int, folder bool, err error) {
	if path == "" {
		fd, err = unix.FcntlInt(uintptr(root), unix.F_DUPFD_CLOEXEC, 0)
	} else {
		how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
		fd, err = unix.Openat2(root, path, &how)
	}
	if err != nil {
		return -1, false, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, false, err
	}
	return fd, st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}

// Enforce confines the calling thread, which has to be the one that executes, and has to have no_new_privs. From here on the gate is
// in the domain as well.
func (r *Ruleset) Enforce() error {
	if r == nil {
		return nil
	}
	if r.fd >= 0 {
		if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(r.fd), 0, 0); errno != 0 {
			return fmt.Errorf("landlock_restrict_self: %w", errno)
		}
	}
	if r.noNetwork {
		return refuseNetwork()
	}
	return nil
}

// NoNewPrivs keeps the program, and all that it starts, from getting privileges by execve: setuid and setgid bits and file capabilities
// have no effect, PR_SET_NO_NEW_PRIVS in prctl(2).
func NoNewPrivs() error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("no_new_privs cannot be set: %w", errno)
	}
	return nil
}
