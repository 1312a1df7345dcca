package admin

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/host"
)

func TestListPolicies(t *testing.T) {
	d := newDesk(t)
	d.write("keys/b.toml", "")
	d.write("keys/a.toml", "")
	check(t, os.Mkdir(d.path("keys/folder.toml"), 0o755))
	d.write("keys/.hidden.toml", "")
	d.write("keys/c.TOML", "")
	of := func(name, key string, account bool) host.Source {
		return host.Source{Key: key, File: d.path("keys/" + name), Pointed: !account, Account: account}
	}
	policies, stray, err := listPolicies(d.path("keys"), true, false)
	if want := []host.Source{of("a.toml", "a", false), of("b.toml", "b", false), of("folder.toml", "folder", false)}; err != nil || !slices.Equal(policies, want) {
		t.Errorf("%+v, %v, want %+v", policies, err, want)
	}
	if want := []string{d.path("keys/.hidden.toml"), d.path("keys/c.TOML")}; !slices.Equal(stray, want) {
		t.Errorf("stray: %q, want %q", stray, want)
	}
	policies, _, err = listPolicies(d.path("keys"), false, true)
	if want := []host.Source{of("a.toml", "users/a", true), of("b.toml", "users/b", true), of("folder.toml", "users/folder", true)}; err != nil || !slices.Equal(policies, want) {
		t.Errorf("of accounts: %+v, %v, want %+v", policies, err, want)
	}
	for _, c := range []struct {
		most int
		fits bool
	}{{6, true}, {5, true}, {4, false}, {1, false}} {
		names, err := listNames(d.path("keys"), c.most)
		if len(names) != min(c.most, 5) || c.fits != (err == nil) || err != nil && !strings.Contains(err.Error(), "more than") {
			t.Errorf("%+v: %q, %v", c, names, err)
		}
	}
}

// TestListNoFolder: what lies in the place of a folder of policies is told, and holds nobody up.
func TestListNoFolder(t *testing.T) {
	d := newDesk(t)
	d.write("file", "")
	check(t, unix.Mkfifo(d.path("fifo"), 0o600))
	for name, want := range map[string]string{"file": "not a directory", "fifo": "not a directory", "none": "no such file"} {
		if _, _, err := listPolicies(d.path(name), true, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
		if r, status := d.checked("--policy-dir", d.path(name)); status != exitFindings || !strings.Contains(r.Findings[0].Message, "the folder cannot be looked at: "+want) {
			t.Errorf("%s: %d, %+v", name, status, r)
		}
		if got := d.run("unused", "--policy-dir", d.path(name), "--file", d.path("file")); got.status != exitFindings || !strings.Contains(got.errs, want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
