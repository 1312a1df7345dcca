// Command demo shows ssh-gate's main job with an example policy: by hand, and through a real sshd with throw-away keys where there
// is one. It touches nothing but a folder of its own, which it removes. It is a tool of the source tree, no part of the product.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/lmittmann/tint"
	"golang.org/x/sys/unix"

	"example.org/ssh-gate/examples"
	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/safefile"
)

func main() {
	log := slog.New(tint.NewTextHandler(os.Stdout, &tint.Options{NoColor: !colour(os.Stdout), ReplaceAttr: withoutTime}))
	if len(os.Args) != 2 {
		log.Error("call it with the path of ssh-gate", "example", "go run ./internal/demo ./ssh-gate")
		os.Exit(2)
	}
	if err := run(log, os.Args[1]); err != nil {
		log.Error(err.Error())
		os.Exit(1)
	}
}

func colour(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}

func run(log *slog.Logger, binary string) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	dir, err := trustedFolder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		os.RemoveAll(dir)
		os.Exit(1)
	}()
	d := demo{log: log, dir: dir, gate: []string{binary, "--key", "first", "--policy-dir", dir, "--config", dir + "/config.toml"}}
	if err := d.setUp(); err != nil {
		return err
	}
	if err := d.byHand(); err != nil {
		return err
	}
	if err := d.throughSSH(); err != nil {
		return err
	}
	log.Info("done; nothing was left behind")
	return nil
}

type demo struct {
	log  *slog.Logger
	dir  string
	gate []string // the forced command
}

// trustedFolder makes a folder below which the gate trusts a policy: nobody else may write in any folder above it, so not in /tmp.
func trustedFolder() (string, error) {
	var last error
	for _, base := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.Getenv("HOME"), "/root", "."} {
		base, err := filepath.Abs(base)
		if err != nil {
			return "", err
		}
		dir, err := os.MkdirTemp(base, ".ssh-gate-demo-")
		if err != nil {
			last = err
			continue
		}
		probe := dir + "/probe"
		err = os.WriteFile(probe, nil, 0o600)
		if err == nil {
			_, _, err = safefile.Read(probe, 1, safefile.Owner(os.Getuid()))
		}
		if err == nil {
			return dir, nil
		}
		last = err
		os.RemoveAll(dir)
	}
	return "", fmt.Errorf("no folder was found that only you can write, also not your home: %w", last)
}

func (d *demo) setUp() error {
	policy, err := examples.Files.ReadFile("first.toml")
	if err != nil {
		return err
	}
	config := fmt.Sprintf("[log]\nfile = %q\n", d.dir+"/ssh-gate.log")
	if err := errors.Join(d.write("first.toml", string(policy)), d.write("config.toml", config)); err != nil {
		return err
	}
	d.log.Info("the policy, examples/first.toml")
	fmt.Printf("\n%s\n", policy)
	return nil
}

// byHand does what an administrator would type.
func (d *demo) byHand() error {
	d.log.Info("by hand, as sshd would call it")
	fmt.Println()
	for _, r := range []struct {
		request string
		status  int
	}{{"uptime", 0}, {"cat /etc/passwd", 77}, {"uptime; id", 77}, {"", 77}} {
		fmt.Printf("$ SSH_ORIGINAL_COMMAND=%s ssh-gate --key first\n", argv.Quote([]string{r.request}))
		cmd := exec.Command(d.gate[0], d.gate[1:]...)
		cmd.Env = append(os.Environ(), "SSH_ORIGINAL_COMMAND="+r.request, "SSH_CONNECTION=203.0.113.7 50412 198.51.100.1 22")
		if err := d.show(cmd, r.status); err != nil {
			return err
		}
	}
	return d.records(3)
}

// show runs a command with its output in view, and holds its exit status against what it should be.
func (d *demo) show(cmd *exec.Cmd, want int) error {
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	status := cmd.ProcessState.ExitCode()
	fmt.Printf("[exit status %d]\n\n", status)
	if status != want {
		return fmt.Errorf("the exit status is %d and should be %d", status, want)
	}
	return nil
}

// records shows the log, which must have this many lines.
func (d *demo) records(want int) error {
	text, err := os.ReadFile(d.dir + "/ssh-gate.log")
	if err != nil {
		return err
	}
	d.log.Info("the records", "denied", strings.Count(string(text), "\n"))
	fmt.Printf("\n%s\n", text)
	if got := strings.Count(string(text), "\n"); got != want {
		return fmt.Errorf("there are %d records and should be %d", got, want)
	}
	return nil
}

// throughSSH does the same through sshd: its own configuration, its own keys, no port.
func (d *demo) throughSSH() error {
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		sshd, err = exec.LookPath("/usr/sbin/sshd")
	}
	if err == nil {
		_, err = exec.LookPath("ssh")
	}
	if err != nil {
		d.log.Warn("the same through a real sshd is left out: it is not installed", "on Debian", "apt-get install openssh-server openssh-client")
		return nil
	}
	undo, err := privilegeSeparation()
	if err != nil {
		return err
	}
	defer undo()
	if err := d.server(sshd); err != nil {
		return err
	}
	d.log.Info("through a real sshd, with throw-away keys")
	fmt.Printf("\nauthorized_keys: command=\"ssh-gate --key first\",restrict ssh-ed25519 AAAA...\n\n")
	if err := os.Remove(d.dir + "/ssh-gate.log"); err != nil {
		return err
	}
	for _, r := range []struct {
		args   []string
		status int
	}{{[]string{"server", "whoami"}, 0}, {[]string{"server", "cat /etc/passwd"}, 77}, {[]string{"-tt", "server"}, 77}} {
		fmt.Println("$ ssh " + argv.Quote(r.args))
		if err := d.show(exec.Command("ssh", append([]string{"-F", d.dir + "/ssh_config"}, r.args...)...), r.status); err != nil {
			sshdLog, _ := os.ReadFile(d.dir + "/sshd.log")
			return fmt.Errorf("%w; sshd says:\n%s", err, sshdLog)
		}
	}
	return d.records(2)
}

func (d *demo) server(sshd string) error {
	for _, name := range []string{"host", "key"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", d.dir+"/"+name).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ssh-keygen: %w: %s", err, out)
		}
	}
	key, err := os.ReadFile(d.dir + "/key.pub")
	if err != nil {
		return err
	}
	host, err := os.ReadFile(d.dir + "/host.pub")
	if err != nil {
		return err
	}
	line := fmt.Sprintf("command=\"%s\",restrict,pty %s", argv.Quote(d.gate), key)
	config := "HostKey " + d.dir + "/host\nAuthorizedKeysFile " + d.dir + "/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\nPrintMotd no\nPermitRootLogin yes\n"
	client := "Host *\nProxyCommand " + argv.Quote([]string{sshd, "-i", "-f", d.dir + "/sshd_config", "-E", d.dir + "/sshd.log"}) +
		"\nIdentityFile " + d.dir + "/key\nIdentitiesOnly yes\nIdentityAgent none\nBatchMode yes\nHostKeyAlias gate\nUserKnownHostsFile " + d.dir + "/known_hosts\nGlobalKnownHostsFile none\nLogLevel ERROR\n"
	return errors.Join(d.write("known_hosts", "gate "+string(host)), d.write("authorized_keys", line), d.write("sshd_config", config), d.write("ssh_config", client))
}

func (d *demo) write(name, text string) error {
	return os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600)
}

// privilegeSeparation makes the empty folder that sshd wants when root runs it, and removes it again if it was not there.
func privilegeSeparation() (undo func(), err error) {
	const dir = "/run/sshd"
	if os.Getuid() != 0 {
		return func() {}, nil
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return func() {}, nil
		}
		return nil, err
	}
	return func() { os.Remove(dir) }, nil
}
