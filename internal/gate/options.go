package gate

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/forced"
	"example.org/ssh-gate/internal/policy"
)

// options are what the gate's arguments mean, which the key line, the certificate or sshd's ForceCommand fixes.
type options struct {
	key    string // the policy's name
	policy string // the policy's path
	config string // the configuration's path

	keyFrom string // forced.Fingerprint or forced.CertificateID: key and policy are known when the session is
	dir     string // where they are then looked for

	account bool // the policy is the account's, as for a login shell without a forced command

	ownPolicy bool // the policy was pointed to, so the invoking user may own it
	ownConfig bool // so was the configuration, and it must exist
}

func parseOptions(args []string) (*options, error) {
	given, err := forced.Read(args)
	if err != nil {
		return nil, err
	}
	o := &options{key: given.Name(), policy: given.File(), config: policy.ConfigFile, keyFrom: given.KeyFrom, dir: given.Dir(),
		ownPolicy: given.Policy != "" || given.PolicyDir != ""}
	if given.Config != "" {
		o.config, o.ownConfig = given.Config, true
	}
	for _, path := range []*string{&o.policy, &o.dir, &o.config} {
		if err := makeAbsolute(path); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// makeAbsolute takes a relative path as relative to the present folder: when tried by hand where one types, under sshd the home.
func makeAbsolute(path *string) error {
	if *path == "" || strings.HasPrefix(*path, "/") {
		return nil
	}
	dir, err := unix.Getwd()
	if err != nil {
		return forced.Error(fmt.Sprintf("%s is relative, and the present folder is not known: %v", strconv.QuoteToASCII(*path), err))
	}
	*path = dir + "/" + *path
	return nil
}
