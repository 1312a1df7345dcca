package testsshd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	Proxy()
	unix.Umask(0o022)
	os.Exit(m.Run())
}

func TestLogin(t *testing.T) {
	s := New(t)
	c := s.Authorize(t, "deploy", `command="echo $SSH_ORIGINAL_COMMAND; echo $SSH_CONNECTION; exit 7",restrict`)
	for _, host := range []string{Pipe, Loopback} {
		t.Run(host, func(t *testing.T) {
			cmd := c.SSH(t, host, "the", "request")
			out, _ := cmd.Output()
			if status := cmd.ProcessState.ExitCode(); status != 7 {
				t.Errorf("status %d, want 7", status)
			}
			request, connection, _ := strings.Cut(string(out), "\n")
			if request != "the request" {
				t.Errorf("the forced command saw the request %q", request)
			}
			want := map[string]string{Pipe: "UNKNOWN 65535 UNKNOWN 65535", Loopback: "127.0.0.1 "}[host]
			if !strings.HasPrefix(connection, want) {
				t.Errorf("SSH_CONNECTION is %q, want %q...", connection, want)
			}
		})
	}
}

func TestUnknownKeyIsRefused(t *testing.T) {
	c := New(t).Client(t, "stranger")
	cmd := c.SSH(t, Pipe, "true")
	cmd.Run()
	if status := cmd.ProcessState.ExitCode(); status != 255 {
		t.Errorf("status %d, want 255", status)
	}
}

// TestNothingIsLeft logs in several times at once, with a terminal too, which is what root's sshd records.
func TestNothingIsLeft(t *testing.T) {
	RequireTerminal(t)
	before := traces(t)
	t.Run("logins", func(t *testing.T) {
		s := New(t)
		c := s.Authorize(t, "deploy", `command="true",restrict,pty`)
		var logins sync.WaitGroup
		for range 4 {
			logins.Go(func() {
				if out, err := c.SSH(t, "-tt", Pipe).CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		logins.Wait()
	})
	if after := traces(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// traces tells what there is in the places where sshd leaves something. Of a log only whether it is empty: others log in, too.
func traces(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	paths := []string{runFolder}
	if exec.Command("unshare", "--mount", "true").Run() == nil {
		paths = append(paths, "/var/log/lastlog", "/var/log/wtmp", "/var/log/btmp", "/run/utmp")
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		fmt.Fprintf(&b, "%s exists %t", path, err == nil)
		if err == nil && info.Mode().IsRegular() {
			fmt.Fprintf(&b, " empty %t", info.Size() == 0)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestHoldFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sshd")
	var users sync.WaitGroup
	for range 16 {
		users.Go(func() {
			for range 50 {
				leave, err := holdFolder(path)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.Stat(path); err != nil {
					t.Error("while it is held: ", err)
				}
				leave()
			}
		})
	}
	users.Wait()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestHoldFolderKeepsAnothers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sshd")
	check(t, os.Mkdir(path, 0o755))
	leave, err := holdFolder(path)
	check(t, err)
	leave()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
