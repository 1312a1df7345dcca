package testhost

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testsshd"
)

// KnownHosts has the host key of StartSSHD's.
const KnownHosts = "/tmp/known_hosts"

const daemonLog = "/tmp/sshd.log"

// patience is how long something that has to happen may take before a test gives it up; it is never a measure.
const patience = 30 * time.Second

// StartSSHD starts Debian's sshd with Debian's configuration on its own port of the loopback that EnterMachine has made.
func StartSSHD(t *testing.T) {
	t.Helper()
	Run(t, "cp", "/usr/share/openssh/sshd_config", "/etc/ssh/sshd_config")
	check(t, os.RemoveAll("/etc/ssh/sshd_config.d"))
	check(t, os.Mkdir("/etc/ssh/sshd_config.d", 0o755))
	check(t, os.MkdirAll("/run/sshd", 0o755))
	Run(t, "ssh-keygen", "-A")
	public, err := os.ReadFile("/etc/ssh/ssh_host_ed25519_key.pub")
	check(t, err)
	check(t, os.WriteFile(KnownHosts, []byte("127.0.0.1 "+string(public)), 0o644))
	Run(t, "/usr/sbin/sshd", "-t")
	cmd := exec.CommandContext(t.Context(), "/usr/sbin/sshd", "-D", "-E", daemonLog)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	check(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("sshd:\n%s", said())
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		connection, err := net.Dial("tcp", "127.0.0.1:22")
		if err == nil {
			connection.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func said() string {
	log, err := os.ReadFile(daemonLog)
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// ClientArguments are those of ssh for a login with a key at StartSSHD's; an account @127.0.0.1 stands behind them.
func ClientArguments(key string) []string {
	return testsshd.Arguments(testsshd.ClientOptions(KnownHosts, key))
}
