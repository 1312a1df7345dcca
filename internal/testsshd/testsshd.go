// Package testsshd runs OpenSSH's own sshd for tests: with keys of its own, for the user who runs the tests, without a port and
// without a change to the system. A test binary that uses it calls Proxy first in its TestMain.
package testsshd

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/argv"
)

// The names that a client connects to. They differ in what sshd has for its standard input.
const (
	Pipe     = "pipe"     // no socket: SSH_CONNECTION is "UNKNOWN 65535 UNKNOWN 65535"
	Loopback = "loopback" // a TCP connection from 127.0.0.1 to 127.0.0.1
)

// Server is a Daemon for the user who runs the tests.
type Server struct {
	Dir    string // 0700, below the home folder
	daemon *Daemon
	user   string
	keys   string // authorized_keys
}

// New makes a server whose sshd_config has these lines beside those that it takes to run for a test.
func New(t *testing.T, config ...string) *Server {
	t.Helper()
	me, err := user.Current()
	check(t, err)
	s := &Server{Dir: SafeDir(t), user: me.Username}
	s.keys = filepath.Join(s.Dir, "authorized_keys")
	s.write(t, "lock", "")
	t.Cleanup(func() { s.wait(t) })
	s.write(t, "authorized_keys", "")
	s.daemon = NewDaemon(t, s.Dir, append([]string{
		"AuthorizedKeysFile " + s.keys,
		"StrictModes no",
		"PermitUserRC no",
		"SetEnv SHLVL=2", // bash takes itself for no login then, and reads no ~/.bashrc, whatever that would do
	}, config...)...)
	s.write(t, "proxy", s.daemon.Command())
	return s
}

// Client is one key with what ssh and its kin need to log in with it.
type Client struct {
	Key    string // path of the private key
	Config string // for ssh -F
}

// Authorize makes a key pair, and a line of authorized_keys with these options, such as `command="...",restrict`.
func (s *Server) Authorize(t *testing.T, name, options string) *Client {
	t.Helper()
	c := s.Client(t, name)
	f, err := os.OpenFile(s.keys, os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	defer f.Close()
	_, err = f.WriteString(strings.TrimSpace(options+" "+c.Public(t)) + "\n")
	check(t, err)
	return c
}

// Client makes a key pair that nothing lets in yet.
func (s *Server) Client(t *testing.T, name string) *Client {
	t.Helper()
	c := &Client{Key: NewKey(t, filepath.Join(s.Dir, name)), Config: filepath.Join(s.Dir, name+".conf")}
	self, err := os.Executable()
	check(t, err)
	proxy := func(kind string) string {
		return "ProxyCommand " + argv.Quote([]string{self, proxyVerb, kind, s.Dir})
	}
	s.write(t, name+".conf", strings.Join(append([]string{
		"Host " + Pipe, proxy(Pipe),
		"Host " + Loopback, proxy(Loopback),
		"Host *",
		"User " + s.user,
	}, s.daemon.ClientOptions(c.Key)...), "\n")+"\n")
	return c
}

// Public is the public key, as it stands in authorized_keys.
func (c *Client) Public(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(c.Key + ".pub")
	check(t, err)
	return strings.TrimSpace(string(text))
}

// Command is the start of an ssh command line, as other programs want it: git, rsync, borg.
func (c *Client) Command() string { return argv.Quote([]string{"ssh", "-F", c.Config}) }

// SSH is ssh with these arguments, the host first. It is killed when the test ends.
func (c *Client) SSH(t *testing.T, args ...string) *exec.Cmd {
	return exec.CommandContext(t.Context(), "ssh", append([]string{"-F", c.Config}, args...)...)
}

// wait returns when every sshd of this server has ended: each holds the lock as long as it runs, and ssh does not wait for it.
func (s *Server) wait(t *testing.T) {
	fd, err := unix.Open(s.Dir+"/lock", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(fd)
	check(t, flock(fd, unix.LOCK_EX))
}

func (s *Server) write(t *testing.T, name, text string) {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600))
}

// RequireTool returns the path of a program; without it the test is skipped, or fails where CI=true says that all is to be tested.
func RequireTool(t testing.TB, name, debianPackage string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/usr/lib/openssh", "/usr/libexec/openssh", "/usr/lib/ssh", "/usr/lib/systemd", "/lib/systemd"} {
		if path, err := exec.LookPath(dir + "/" + name); err == nil {
			return path
		}
	}
	missing(t, fmt.Sprintf("%s is not installed; on Debian: apt-get install %s", name, debianPackage))
	return ""
}

// RequireTerminal skips or fails the test where sshd, run by an ordinary user, can give no terminal: it would have to give it to
// the group tty, which is root's privilege unless /dev/pts is mounted so that terminals are that group's from the start.
func RequireTerminal(t testing.TB) {
	t.Helper()
	tty, err := user.LookupGroup("tty")
	if os.Geteuid() == 0 || err != nil {
		return
	}
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(fd)
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	check(t, err)
	var st unix.Stat_t
	check(t, unix.Stat(fmt.Sprintf("/dev/pts/%d", number), &st))
	if fmt.Sprint(st.Gid) != tty.Gid {
		missing(t, "sshd can give an ordinary user no terminal here; as root: mount -o remount,mode=620,gid="+tty.Gid+" /dev/pts")
	}
}

// missing skips the test, or fails it where CI=true says that all is to be tested.
func missing(t testing.TB, problem string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(problem)
	}
	t.Skip(problem)
}

// SafeDir makes a folder that the gate trusts, which it never does below /tmp, and removes it when the test ends.
func SafeDir(t testing.TB) string {
	t.Helper()
	dir, err := MakeSafeDir()
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	return dir
}

// MakeSafeDir is SafeDir for a TestMain, which removes the folder itself.
func MakeSafeDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(home, "ssh-gate-test-")
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
