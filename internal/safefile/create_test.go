package safefile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testsshd"
)

func TestCreate(t *testing.T) {
	dir := testsshd.SafeDir(t)
	own := Owner(os.Geteuid())
	path := filepath.Join(dir, "new.toml")
	old := unix.Umask(0o077)
	err := Create(path, []byte("text"), 0o644, own)
	unix.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	if text, _, err := Read(path, 10, own); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for name, make := range map[string]func(path string) error{
		"file":     func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"link":     func(path string) error { return os.Symlink("new.toml", path) },
		"dangling": func(path string) error { return os.Symlink("none", path) },
		"folder":   func(path string) error { return os.Mkdir(path, 0o755) },
		"fifo":     func(path string) error { return unix.Mkfifo(path, 0o644) },
	} {
		place := filepath.Join(dir, name)
		if err := make(place); err != nil {
			t.Fatal(err)
		}
		before, _ := os.Lstat(place)
		var fault *Error
		if err := Create(place, []byte("x"), 0o644, own); !errors.As(err, &fault) || name == "file" && fault.Fault != Exists {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.Lstat(place); err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode() || after.Size() != before.Size() {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "none")); err == nil {
		t.Error("it wrote through a link")
	}
	for path, want := range map[string]Fault{
		"relative": Unsafe, dir + "/": Unsafe, dir + "/none/x": Missing, dir + "/new.toml/x": Astray, "/tmp/x": Unsafe, dir + "/..": Unsafe, "/": Unsafe, "": Unsafe,
	} {
		var fault *Error
		if err := Create(path, nil, 0o644, own); !errors.As(err, &fault) || fault.Fault != want {
			t.Errorf("%q: %v", path, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 6 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestCreateAt: what comes to stand there after the look is not replaced either.
func TestCreateAt(t *testing.T) {
	dir := t.TempDir()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := os.WriteFile(dir+"/there", []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CreateAt(fd, "there", []byte("new"), 0o600); !errors.Is(err, unix.EEXIST) {
		t.Error(err)
	}
	if text, err := os.ReadFile(dir + "/there"); err != nil || string(text) != "old" {
		t.Errorf("%q, %v", text, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestCreateFull: on a full file system nothing is left, and what was there stays.
func TestCreateFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it mounts a file system: run this test as root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if err := os.WriteFile(dir+"/old", []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	big := make([]byte, 1<<20)
	ready := func() error { t.Error("it was nearly renamed"); return nil }
	if err := CreateAt(fd, "new", big, 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Error(err)
	}
	if err := ReplaceAt(fd, "old", big, 0o600, ready); !errors.Is(err, unix.ENOSPC) {
		t.Error(err)
	}
	if text, err := os.ReadFile(dir + "/old"); err != nil || string(text) != "old" {
		t.Errorf("%q, %v", text, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
