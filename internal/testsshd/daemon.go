package testsshd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/argv"
)

// alias is how clients know the key of a Daemon's host.
const alias = "gate"

// Daemon is one configuration of sshd without a port, with a host key and a log of its own. Each login starts a process, which ends with it.
type Daemon struct {
	dir  string
	sshd string
}

// NewDaemon makes one in a folder; its sshd_config has these lines beside those that it takes to run for a test.
func NewDaemon(t *testing.T, dir string, config ...string) *Daemon {
	t.Helper()
	d := &Daemon{dir, RequireTool(t, "sshd", "openssh-server")}
	RequireTool(t, "ssh", "openssh-client")
	host, err := os.ReadFile(NewKey(t, d.path("host")) + ".pub")
	check(t, err)
	check(t, os.WriteFile(d.path("known_hosts"), []byte(alias+" "+string(host)), 0o600))
	d.Configure(t, config...)
	t.Cleanup(func() {
		if log, err := os.ReadFile(d.path("log")); err == nil && t.Failed() {
			t.Logf("sshd:\n%s", log)
		}
	})
	return d
}

func (d *Daemon) path(name string) string { return filepath.Join(d.dir, name) }

// Configure writes sshd_config anew.
func (d *Daemon) Configure(t *testing.T, config ...string) {
	t.Helper()
	lines := append([]string{
		"HostKey " + d.path("host"), "AuthenticationMethods publickey", "PermitRootLogin yes", "UsePAM no", "PrintMotd no", "PidFile none", "LogLevel INFO",
	}, config...)
	check(t, os.WriteFile(d.path("sshd_config"), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
}

// Command is the command line of sshd for one login, with a shell's quotes.
func (d *Daemon) Command() string {
	return argv.Quote([]string{d.sshd, "-i", "-f", d.path("sshd_config"), "-E", d.path("log")})
}

// ClientOptions are those of ssh_config(5) by which a client with a key knows the host.
func (d *Daemon) ClientOptions(key string) []string {
	return append(ClientOptions(d.path("known_hosts"), key), "HostKeyAlias="+alias)
}

// ClientOptions are those of ssh_config(5) by which a client has this key, these hosts, and nothing else of whoever runs the tests.
func ClientOptions(knownHosts, key string) []string {
	return []string{"IdentityFile=" + key, "IdentitiesOnly=yes", "IdentityAgent=none", "UserKnownHostsFile=" + knownHosts, "GlobalKnownHostsFile=none",
		"BatchMode=yes", "LogLevel=ERROR"}
}

// Arguments gives options of ssh_config(5) to ssh, scp and sftp, without a file.
func Arguments(options []string) []string {
	args := []string{"-F", "none"}
	for _, o := range options {
		args = append(args, "-o", o)
	}
	return args
}

// Keygen runs ssh-keygen and returns what it prints.
func Keygen(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), RequireTool(t, "ssh-keygen", "openssh-client"), args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	check(t, err)
	return string(out)
}

// NewKey makes a key pair with the file's name as its comment, and returns the path of its private half.
func NewKey(t *testing.T, file string) string {
	t.Helper()
	Keygen(t, "-q", "-t", "ed25519", "-N", "", "-C", filepath.Base(file), "-f", file)
	return file
}
