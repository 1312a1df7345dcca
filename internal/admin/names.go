package admin

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.org/ssh-gate/internal/safefile"
	"example.org/ssh-gate/internal/session"
)

// This file names users and groups by /etc/passwd and /etc/group alone, as the gate knows accounts.

const (
	groupFile    = "/etc/group"
	maxGroupFile = 64 << 20 // bytes
)

// nameOwners lets messages about files name who owns them. The gate does without: it would have to read /etc/passwd for it.
func nameOwners() { safefile.UserName = userName }

// userName is a user as people know him; the number alone where nobody has it.
func userName(uid uint32) string {
	accounts, _ := session.Accounts() // without the file no account is known
	for i := range accounts {
		if accounts[i].UID == int(uid) {
			return fmt.Sprintf("%s (uid %d)", accounts[i].Name, uid)
		}
	}
	return fmt.Sprint(uid)
}

func groupName(gid int) string {
	all, _ := groups()
	for i := range all {
		if all[i].gid == fmt.Sprint(gid) {
			return fmt.Sprintf("%s (gid %d)", all[i].name, gid)
		}
	}
	return fmt.Sprint(gid)
}

// group is a line of group(5).
type group struct {
	name, gid string
	members   []string
}

func groups() ([]group, error) {
	text, err := readPlain(groupFile, maxGroupFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", groupFile, err)
	}
	var all []group
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == 4 && f[0] != "" && !strings.ContainsAny(f[0][:1], "+-#") {
			all = append(all, group{f[0], f[2], slices.DeleteFunc(strings.Split(f[3], ","), func(name string) bool { return name == "" })})
		}
	}
	return all, nil
}

// membersOf names who is in a group, or has it as his own.
func membersOf(gid uint32) ([]string, error) {
	all, err := groups()
	accounts, accountsErr := session.Accounts()
	if err := errors.Join(err, accountsErr); err != nil {
		return nil, err
	}
	var members []string
	for _, g := range all {
		if g.gid == fmt.Sprint(gid) {
			members = append(members, g.members...)
		}
	}
	for _, a := range accounts {
		if a.GID == int(gid) && a.UID != 0 {
			members = append(members, a.Name)
		}
	}
	return members, nil
}
