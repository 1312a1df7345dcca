package admin

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/safefile"
	"example.org/ssh-gate/internal/session"
)

const nobodyAtAll = 54_321 // neither a user nor a group of any host where these tests run

func TestNames(t *testing.T) {
	daemon, err := session.AccountNamed("daemon")
	check(t, err)
	if got, want := userName(uint32(daemon.UID)), fmt.Sprintf("daemon (uid %d)", daemon.UID); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := userName(0) + ", " + groupName(0); got != "root (uid 0), root (gid 0)" {
		t.Error(got)
	}
	if got := userName(nobodyAtAll) + ", " + groupName(nobodyAtAll) + ", " + groupName(-1); got != "54321, 54321, -1" {
		t.Error(got)
	}
	all, err := groups()
	check(t, err)
	if !slices.ContainsFunc(all, func(g group) bool { return g.name == "root" && g.gid == "0" && !slices.Contains(g.members, "") }) {
		t.Errorf("%v", all)
	}
}

// TestOwnersNamed: verbs name who owns what cannot be trusted; without them it is the number, as the gate tells it.
func TestOwnersNamed(t *testing.T) {
	d := newDesk(t)
	daemon, err := session.AccountNamed("daemon")
	check(t, err)
	before := safefile.UserName
	defer func() { safefile.UserName = before }()
	d.write("p.toml", "")
	if os.Geteuid() != 0 {
		t.Log("as no root there is no file of somebody else's")
		return
	}
	check(t, unix.Chown(d.path("p.toml"), daemon.UID, 0))
	number := func(uid uint32) string { return fmt.Sprint(uid) }
	for verb, want := range map[string]string{
		"check":   fmt.Sprintf("p.toml: error: the file is owned by user daemon (uid %d) [policy-unsafe]", daemon.UID),
		"explain": fmt.Sprintf("p.toml\" is owned by user %d\n", daemon.UID), // as the record
	} {
		safefile.UserName = number
		var out, errs bytes.Buffer
		args := []string{verb, "--policy-dir", d.dir, "p"}
		if verb == "explain" {
			args = []string{verb, "--policy-dir", d.dir, "--key", "p", "--", "x"}
		}
		if Run(args, nil, &out, &errs); !strings.Contains(out.String(), want) {
			t.Errorf("%s: want %s, got %s%s", verb, want, out.String(), errs.String())
		}
	}
}
