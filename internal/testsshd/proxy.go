package testsshd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/argv"
)

// proxyVerb makes a test binary a ProxyCommand: "BINARY testsshd-proxy pipe|loopback DIR".
const proxyVerb = "testsshd-proxy"

// Proxy returns at once, unless ssh has started the test binary as its ProxyCommand: then it serves this one connection by an
// sshd and exits.
func Proxy() {
	if len(os.Args) != 4 || os.Args[1] != proxyVerb {
		return
	}
	if err := serve(os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "testsshd:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(kind, dir string) error {
	// ssh sends SIGHUP when it leaves, which would keep sshd from tidying up. Caught, not ignored: sshd would inherit that.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	lock, err := unix.Open(dir+"/lock", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := flock(lock, unix.LOCK_SH); err != nil {
		return err
	}
	text, err := os.ReadFile(dir + "/proxy")
	if err != nil {
		return err
	}
	words, problem := argv.Split(string(text))
	if problem != nil {
		return problem
	}
	leave, err := shelter()
	if err != nil {
		return err
	}
	defer leave()
	sshd := exec.Command(words[0], words[1:]...)
	if kind == Loopback {
		return overLoopback(sshd)
	}
	sshd.Stdin, sshd.Stdout = os.Stdin, os.Stdout
	return ended(sshd.Run())
}

// ended takes any exit status: sshd's is 255 when the client just leaves.
func ended(err error) error {
	var status *exec.ExitError
	if errors.As(err, &status) {
		return nil
	}
	return err
}

// overLoopback gives sshd one end of a TCP connection as its standard input and output, and ssh the other.
func overLoopback(sshd *exec.Cmd) error {
	near, far, err := connection()
	if err != nil {
		return err
	}
	sshd.Stdin, sshd.Stdout = far, far
	if err := sshd.Start(); err != nil {
		return err
	}
	far.Close()
	go func() {
		io.Copy(near, os.Stdin)
		near.CloseWrite()
	}()
	io.Copy(os.Stdout, near)
	os.Stdout.Close()
	return ended(sshd.Wait())
}

func connection() (near *net.TCPConn, far *os.File, err error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	near, err = net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		return nil, nil, err
	}
	accepted, err := l.AcceptTCP()
	if err != nil {
		return nil, nil, err
	}
	defer accepted.Close()
	if accepted.RemoteAddr().String() != near.LocalAddr().String() {
		return nil, nil, errors.New("somebody else connected")
	}
	far, err = accepted.File()
	if err != nil {
		return nil, nil, err
	}
	return near, far, unix.SetNonblock(int(far.Fd()), false)
}

// shelter keeps what root's sshd needs of the system and does to it from the system: the folder /run/sshd, and the records of
// logins in /run and /var/log. Where it may not have a mount namespace, the folder is made for as long as it is needed, and
// logins with a terminal are recorded. For an ordinary user sshd neither needs nor does any of it.
func shelter() (leave func(), err error) {
	if os.Geteuid() != 0 {
		return func() {}, nil
	}
	runtime.LockOSThread() // the namespace is this thread's, and that of what it starts
	if err := unix.Unshare(unix.CLONE_NEWNS); errors.Is(err, unix.EPERM) {
		return holdFolder(runFolder)
	} else if err != nil {
		return nil, fmt.Errorf("a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("private mounts: %w", err)
	}
	for _, dir := range []string{"/run", "/var/log"} {
		if err := unix.Mount("none", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return nil, fmt.Errorf("an empty %s: %w", dir, err)
		}
	}
	return func() {}, os.Mkdir(runFolder, 0o755)
}

const runFolder = "/run/sshd"

// madeHere is the mode of a folder that tests have made, and so the last of them removes. Packages make runFolder 0755.
const madeHere fs.FileMode = 0o711

// holdFolder makes a folder if need be, and holds a lock on it until leave removes it again, if nobody else holds one.
func holdFolder(path string) (leave func(), err error) {
	for {
		if err := os.Mkdir(path, madeHere); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			continue // somebody was the last to leave
		}
		if err != nil {
			return nil, err
		}
		if err := flock(fd, unix.LOCK_SH); err != nil {
			return nil, err
		}
		if leads(path, fd) {
			return func() { leaveFolder(path, fd) }, nil
		}
		unix.Close(fd)
	}
}

// leads says whether a path still leads to what was opened.
func leads(path string, fd int) bool {
	var held, there unix.Stat_t
	return unix.Fstat(fd, &held) == nil && unix.Stat(path, &there) == nil && held.Ino == there.Ino && held.Dev == there.Dev
}

func leaveFolder(path string, fd int) {
	defer unix.Close(fd)
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm() == madeHere && flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
		unix.Rmdir(path)
	}
}

func flock(fd, how int) error {
	for {
		if err := unix.Flock(fd, how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
