package confine

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStart holds what Start says of files against what execve says of them.
func TestStart(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	loaded := func(loader string) string { // a program of this machine whose loader is this
		head := make([]byte, maxHead)
		copy(head, self[:64])
		head[32], head[54], head[56], head[57] = 64, 56, 1, 0
		clear(head[33:40])
		head[55] = 0
		entry := head[64:120]
		entry[0] = 3
		entry[8], entry[32] = 200, byte(len(loader)+1)
		copy(head[200:], loader)
		return string(head)
	}
	foreign := []byte(loaded("/none/ld.so"))
	foreign[18] ^= 0xff
	closed := write("closed", "#!/bin/sh\n", 0o644)
	for name, c := range map[string]struct {
		path    string
		want    error
		unknown bool
	}{
		"a program":                  {"/proc/self/exe", nil, false},
		"a shell":                    {"/bin/sh", nil, false},
		"a script":                   {write("script", "#!/bin/sh -e\nexit 0\n", 0o755), nil, false},
		"a script of a script":       {write("second", "#! "+filepath.Join(dir, "script")+"\n", 0o755), nil, false},
		"no first line":              {write("bare", "echo hello\n", 0o755), unix.ENOEXEC, false},
		"empty":                      {write("empty", "", 0o755), unix.ENOEXEC, false},
		"another machine":            {write("foreign", string(foreign), 0o755), unix.ENOEXEC, false},
		"no interpreter":             {write("absent", "#!/none/sh\n", 0o755), unix.ENOENT, false},
		"a line end of Windows":      {write("crlf", "#!/bin/sh\r\n", 0o755), unix.ENOENT, false},
		"a closed interpreter":       {write("shut", "#!"+closed+"\n", 0o755), unix.EACCES, false},
		"a folder as interpreter":    {write("folder", "#!/etc\n", 0o755), unix.EACCES, false},
		"no loader":                  {write("loaderless", loaded("/none/ld.so"), 0o755), unix.ENOENT, false},
		"not there":                  {filepath.Join(dir, "none"), unix.ENOENT, false},
		"an interpreter from here":   {write("relative", "#!sh\n", 0o755), nil, true},
		"a line without a word":      {write("blank", "#!  \n", 0o755), nil, true},
		"scripts that go in circles": {write("circle", "#!"+filepath.Join(dir, "circle")+"\n", 0o755), unix.ELOOP, false},
	} {
		unknown, got := Start(c.path)
		if !errors.Is(got, c.want) || (unknown != "") != c.unknown {
			t.Errorf("%s: %v, %q; want %v", name, got, unknown, c.want)
		}
		if c.unknown || name == "a program" || name == "a shell" {
			continue
		}
		var errno syscall.Errno
		err := exec.Command(c.path).Run()
		if errors.As(err, &errno); c.want == nil && err != nil || c.want != nil && !errors.Is(errno, c.want) {
			t.Errorf("%s: the kernel says %v, Start says %v", name, err, got)
		}
	}
}
