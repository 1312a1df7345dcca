package admin

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/host"
	"example.org/ssh-gate/internal/policy"
)

// maxListed bounds, in files, a folder of policies.
const maxListed = 1_000_000

// listPolicies lists a folder of policies by name: what a key, or an account, can name, and the files that nothing does. Beside an error
// they are what could be read of it.
func listPolicies(dir string, pointed, account bool) (policies []host.Source, stray []string, err error) {
	names, err := listNames(dir, maxListed)
	for _, name := range names {
		file := filepath.Join(dir, name)
		key, ok := strings.CutSuffix(name, ".toml")
		if !ok || !policy.IsName(key) {
			stray = append(stray, file)
			continue
		}
		if account {
			key = accountKeys + key
		}
		policies = append(policies, host.Source{Key: key, File: file, Pointed: pointed, Account: account})
	}
	return policies, stray, err
}

// listNames lists what lies in a folder, and nothing else than a folder, which a FIFO in its place would hold up.
func listNames(dir string, most int) ([]string, error) {
	folder, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(most + 1)
	switch {
	case errors.Is(err, io.EOF):
		err = nil
	case len(names) > most:
		names, err = names[:most], &fs.PathError{Op: "readdirent", Path: dir, Err: fmt.Errorf("more than %d files", most)}
	}
	slices.Sort(names)
	return names, err
}
