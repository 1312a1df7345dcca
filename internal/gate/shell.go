package gate

import (
	"fmt"
	"strconv"
	"strings"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/forced"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// This file is the gate as an account's login shell. sshd then starts it as it starts any shell: with -c and the forced command of the
// key line or the certificate, or, where there is none, with -c and the client's own command; or, for an interactive login, under a
// name that begins with a dash. SSH_ORIGINAL_COMMAND, which sshd sets, and no client unless sshd_config lets it, tells the first two
// apart. Where it is not set the text is a request, whatever it looks like: no option of the gate, and no verb, is ever taken from it.

// IsLoginShell says whether a command line is one that is given to a login shell.
func IsLoginShell(argv []string) bool {
	return len(argv) > 0 && strings.HasPrefix(argv[0], "-") || len(argv) > 1 && argv[1] == "-c"
}

// shellOptions reads such a command line. request is the client's, where the account's own policy is to decide.
func shellOptions(args []string, isForced bool) (o *options, request string, err error) {
	switch {
	case len(args) == 0:
		return accountOptions(), "", nil // interactive
	case len(args) != 2 || args[0] != "-c":
		return nil, "", forced.Error("a login shell takes nothing, or -c and one command")
	case !isForced:
		return accountOptions(), args[1], nil
	}
	words, problem := argv.Split(args[1])
	if problem != nil {
		return nil, "", forced.Error("the forced command of the key line is no plain command: " + problem.Error())
	}
	if len(words) == 0 || !forced.IsGate(words[0]) {
		return nil, "", forced.Error("the forced command of the key line does not call ssh-gate, and this account's login shell runs nothing else")
	}
	for _, word := range words[1:] {
		// Whoever writes the account's authorized_keys may write this text, and files of his own as well.
		if name, _, _ := strings.Cut(word, "="); strings.HasPrefix(name, "--") && name != forced.KeyOption && name != forced.KeyFromOption {
			return nil, "", forced.Error("where ssh-gate is the login shell, a key line may give it --key or --key-from alone, not " + strconv.QuoteToASCII(name))
		}
	}
	o, err = parseOptions(words[1:])
	return o, "", err
}

// accountOptions are those of a login that the account's own policy decides. Its name is not known yet.
func accountOptions() *options {
	return &options{config: policy.ConfigFile, account: true}
}

// chooseKey names the key and the policy where that takes the session: by the account, or by the proof of the key.
func (g *gate) chooseKey() *ending {
	o := g.options
	switch {
	case o.account:
		name := g.session.Account.Name
		if !policy.IsName(name) {
			return &ending{reason: record.AccountUnknown, err: fmt.Errorf("the account %+q has a name that no policy can have", name)}
		}
		o.key, o.policy = "users/"+name, policy.UsersDir+"/"+name+".toml"
	case o.keyFrom != "":
		name, err := g.provedName()
		if err != nil {
			return &ending{reason: record.KeyNotProved, err: err}
		}
		o.key, o.policy = name, o.dir+"/"+name+".toml"
	}
	return nil
}

// provedName is the name of a key by the fingerprint or the certificate that the login used. Where it used several keys they must
// agree: which of them is meant nobody says.
func (g *gate) provedName() (string, error) {
	proved, err := g.session.Fingerprints()
	if g.options.keyFrom == forced.CertificateID {
		proved, err = g.session.CertificateIDs()
	}
	if err != nil {
		return "", err
	}
	for _, other := range proved[1:] {
		if other != proved[0] {
			return "", fmt.Errorf("the login used several keys: %+q", proved)
		}
	}
	name := proved[0]
	if g.options.keyFrom == forced.Fingerprint {
		name = fileName(name)
	}
	if !policy.IsName(name) {
		return "", fmt.Errorf("the key id %+q of the certificate is no name that a policy can have", name)
	}
	return name, nil
}

// fileName is a fingerprint as the name of a policy: SHA256-, and base64 in its alphabet for file names, RFC 4648 5.
func fileName(fingerprint string) string {
	return strings.NewReplacer(":", "-", "+", "-", "/", "_").Replace(fingerprint)
}
