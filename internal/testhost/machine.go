package testhost

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Carried is where a machine has the folder that was carried to it.
const Carried = "/tmp/carried"

// Variables that tell a process that it is inside, and what was carried there.
const (
	insideMachine  = "SSH_GATE_MACHINE"
	carriedMachine = "SSH_GATE_MACHINE_CARRIED"
)

// EnterMachine is Enter for tests that change more than Enter copies: the root folder is a copy of this machine's, with processes and a
// loopback of its own. All of that ends with the test. carry is called outside, once it is known that the test runs, and returns a folder
// that the machine gets.
func EnterMachine(t *testing.T, carry func() string) bool {
	t.Helper()
	if os.Getenv(insideMachine) == t.Name() {
		setUpMachine(t, os.Getenv(carriedMachine))
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("not run: it changes a copy of this machine, which takes root")
	}
	again(t, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL},
		insideMachine+"="+t.Name(), carriedMachine+"="+carry())
	return false
}

// setUpMachine makes the copy and enters it. It is never left: this process ends with the test.
func setUpMachine(t *testing.T, carried string) {
	t.Helper()
	unix.Umask(0o022)
	check(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	scratch := filepath.Join(carried, "machine")
	check(t, os.MkdirAll(scratch, 0o755))
	mount(t, "tmpfs", scratch, "mode=755")
	root := scratch + "/root"
	for _, dir := range []string{scratch + "/upper", scratch + "/work", root} {
		check(t, os.Mkdir(dir, 0o755))
	}
	mount(t, "overlay", root, "lowerdir=/,upperdir="+scratch+"/upper,workdir="+scratch+"/work")
	// dpkg's database whole, as it is now: below an overlay it must not change, as it does when somebody installs something meanwhile.
	Run(t, "cp", "-a", root+"/var/lib/dpkg", scratch+"/dpkg")
	check(t, unix.Mount(scratch+"/dpkg", root+"/var/lib/dpkg", "", unix.MS_BIND, ""))
	for dir, options := range map[string]string{"/tmp": "mode=1777", "/run": "mode=755", "/dev": "mode=755"} {
		mount(t, "tmpfs", root+dir, options)
	}
	mount(t, "proc", root+"/proc", "")
	devices(t, root)
	check(t, os.Mkdir(root+Carried, 0o755))
	check(t, unix.Mount(carried, root+Carried, "", unix.MS_BIND, "")) // without the machine itself, which is mounted below it
	check(t, unix.Chroot(root))
	check(t, os.Chdir("/"))
	loopback(t)
	for name, value := range map[string]string{"TMPDIR": "/tmp", "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"} {
		check(t, os.Setenv(name, value))
	}
}

func mount(t *testing.T, kind, dir, options string) {
	t.Helper()
	if err := unix.Mount(kind, dir, kind, 0, options); err != nil {
		t.Fatalf("mount -t %s -o %s %s: %v", kind, options, dir, err)
	}
}

// devices are those that programs cannot do without, and terminals of the machine's own.
func devices(t *testing.T, root string) {
	t.Helper()
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		check(t, os.WriteFile(root+"/dev/"+name, nil, 0o666))
		check(t, unix.Mount("/dev/"+name, root+"/dev/"+name, "", unix.MS_BIND, ""))
	}
	check(t, os.Mkdir(root+"/dev/pts", 0o755))
	mount(t, "devpts", root+"/dev/pts", "newinstance,ptmxmode=0666,mode=620")
	check(t, os.Symlink("pts/ptmx", root+"/dev/ptmx"))
	check(t, os.Symlink("/proc/self/fd", root+"/dev/fd"))
	check(t, os.Mkdir(root+"/dev/shm", 0o777))
	check(t, os.Chmod(root+"/dev/shm", 0o777|os.ModeSticky))
}

// loopback brings up the one network device there is.
func loopback(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	check(t, err)
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	check(t, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request))
}
