package testhost

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testsshd"
)

// Server is the real sshd of this machine, for any of its accounts, without a port.
type Server struct {
	dir    string
	daemon *testsshd.Daemon
}

// NewServer makes a server whose sshd_config has these lines beside those that it takes to run here.
func NewServer(t *testing.T, config ...string) *Server {
	t.Helper()
	check(t, os.MkdirAll("/run/sshd", 0o755))
	dir := t.TempDir()
	removeProofs(t)
	return &Server{dir, testsshd.NewDaemon(t, dir, config...)}
}

// removeProofs removes, when the test ends, what sshd writes for ExposeAuthInfo into /tmp, which this machine shares: the sshd of a client
// that just leaves forgets the files of accounts that are not root's.
func removeProofs(t *testing.T) {
	t.Cleanup(func() {
		found, _ := filepath.Glob("/tmp/sshauth.*")
		for _, file := range found {
			var st unix.Stat_t
			if unix.Lstat(file, &st) == nil && slices.Contains(own, int(st.Uid)) {
				os.Remove(file)
			}
		}
	})
}

// Configure writes sshd_config anew.
func (s *Server) Configure(t *testing.T, config ...string) {
	t.Helper()
	s.daemon.Configure(t, config...)
}

// Key makes a key pair of root's and returns the path of the private key.
func (s *Server) Key(t *testing.T, name string) string {
	t.Helper()
	return testsshd.NewKey(t, filepath.Join(s.dir, name))
}

// Authorize puts a key with these options into an account's authorized_keys, in place of what is there.
func (s *Server) Authorize(t *testing.T, u User, options, key string) {
	t.Helper()
	s.WriteKeys(t, u, KeyLine(t, options, key))
}

// KeyLine is a line of authorized_keys.
func KeyLine(t *testing.T, options, key string) string {
	t.Helper()
	public, err := os.ReadFile(key + ".pub")
	check(t, err)
	return strings.TrimSpace(options + " " + string(public))
}

// WriteKeys makes these lines an account's authorized_keys.
func (s *Server) WriteKeys(t *testing.T, u User, lines ...string) {
	t.Helper()
	u.Write(t, ".ssh/authorized_keys", strings.Join(lines, "\n")+"\n")
}

// Write makes a file below the account's home, as its own.
func (u User) Write(t *testing.T, name, text string) {
	t.Helper()
	home := filepath.Join("/home", u.Name)
	file := filepath.Join(home, name)
	check(t, os.MkdirAll(filepath.Dir(file), 0o700))
	check(t, os.WriteFile(file, []byte(text), 0o600))
	Run(t, "chown", "-R", fmt.Sprintf("%d:%d", u.UID, u.GID), home)
}

// Arguments are those of ssh, scp and sftp for a login with a key; the account and a host of any name stand behind them.
func (s *Server) Arguments(key string) []string {
	return testsshd.Arguments(append(s.daemon.ClientOptions(key), "ProxyCommand="+s.daemon.Command()))
}

// SSH is the ssh command line for an account with a key, as other programs want it too; what is requested stands behind it.
func (s *Server) SSH(u User, key string) []string {
	return append(append([]string{"ssh"}, s.Arguments(key)...), "-l", u.Name, "server")
}

// Login is a login with a key that requests these words.
func (s *Server) Login(t *testing.T, u User, key string, words ...string) *exec.Cmd {
	t.Helper()
	return command(t, append(append(s.SSH(u, key), "--"), words...))
}

// Interactive is a login that asks for a shell, with a terminal if sshd gives one.
func (s *Server) Interactive(t *testing.T, u User, key string) *exec.Cmd {
	t.Helper()
	line := s.SSH(u, key)
	return command(t, append(line[:1:1], append([]string{"-tt"}, line[1:]...)...))
}

func command(t *testing.T, line []string) *exec.Cmd {
	return exec.CommandContext(t.Context(), line[0], line[1:]...)
}
