package gate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/policy"
)

// options are the gate's own arguments, which the key line, the certificate or sshd's ForceCommand fixes.
type options struct {
	key    string // the policy's name
	policy string // the policy's path
	config string // the configuration's path

	keyFrom string // "fingerprint" or "cert-id": key and policy are known when the session is
	dir     string // where they are then looked for

	account bool // the policy is the account's, as for a login shell without a forced command

	ownPolicy bool // the policy was pointed to, so the invoking user may own it
	ownConfig bool // so was the configuration, and it must exist
}

// usageError tells what is wrong with the arguments.
type usageError string

func (e usageError) Error() string { return string(e) }

func parseOptions(args []string) (*options, error) {
	given := make(map[string]string, 4)
	for len(args) > 0 {
		name, value, joined := strings.Cut(args[0], "=")
		args = args[1:]
		switch name {
		case "--key", "--key-from", "--policy", "--policy-dir", "--config":
		default:
			if !strings.HasPrefix(name, "-") {
				return nil, usageError("unexpected argument " + strconv.QuoteToASCII(name) + ", which is no verb, and the gate takes options only; see ssh-gate help")
			}
			return nil, usageError("unknown option " + strconv.QuoteToASCII(name) + "; known are --key, --key-from, --policy, --policy-dir, --config")
		}
		if _, repeated := given[name]; repeated {
			return nil, usageError("the option " + name + " is given twice")
		}
		if !joined {
			if len(args) == 0 {
				return nil, usageError("the option " + name + " needs a value")
			}
			value, args = args[0], args[1:]
		}
		if value == "" {
			return nil, usageError("the option " + name + " needs a value that is not empty")
		}
		given[name] = value
	}
	return check(given)
}

// pointsElsewhere says whether any argument looks like an option that points policy or configuration elsewhere, whatever else is
// wrong with the arguments.
func pointsElsewhere(args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		return strings.HasPrefix(arg, "--policy") || strings.HasPrefix(arg, "--config")
	})
}

func check(given map[string]string) (*options, error) {
	key, hasKey := given["--key"]
	from, hasFrom := given["--key-from"]
	file, hasFile := given["--policy"]
	dir, hasDir := given["--policy-dir"]
	o := &options{config: policy.ConfigFile, ownPolicy: hasFile || hasDir, dir: policy.KeysDir}
	if hasDir {
		o.dir = dir
	}
	switch {
	case hasKey && hasFile, hasFrom && hasFile, hasKey && hasFrom:
		return nil, usageError("--key, --key-from and --policy each name the policy; give one of them")
	case hasFile && hasDir:
		return nil, usageError("--policy names the file itself, so --policy-dir has no use beside it; give one of them")
	case hasFile:
		o.key, o.policy = strings.TrimSuffix(file[strings.LastIndexByte(file, '/')+1:], ".toml"), file
	case hasKey:
		o.key, o.policy = key, o.dir+"/"+key+".toml"
	case hasFrom:
		if from != fromFingerprint && from != fromCertID {
			return nil, usageError("--key-from takes fingerprint or cert-id, not " + strconv.QuoteToASCII(from))
		}
		o.keyFrom = from
	default:
		return nil, usageError("no key is named; give --key NAME, --key-from fingerprint, --key-from cert-id or --policy FILE")
	}
	if !hasFrom && !policy.IsName(o.key) {
		return nil, usageError(strconv.QuoteToASCII(o.key) + " is no name of a key; it takes letters, digits and . _ -, a letter or digit first, at most 64")
	}
	if config, ok := given["--config"]; ok {
		o.config, o.ownConfig = config, true
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
		return usageError(fmt.Sprintf("%s is relative, and the present folder is not known: %v", strconv.QuoteToASCII(*path), err))
	}
	*path = dir + "/" + *path
	return nil
}
