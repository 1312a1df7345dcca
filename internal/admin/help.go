package admin

import (
	"flag"
	"fmt"
)

const helpAbout = "ssh-gate lets an SSH key run what its policy allows, and nothing else."

const helpCalls = `Try a request as sshd would bring it:

  SSH_ORIGINAL_COMMAND='uptime' ssh-gate --key deploy

In ~/.ssh/authorized_keys:

  restrict,command="/usr/bin/ssh-gate --key deploy" ssh-ed25519 AAAA... ci

Options of the gate:
`

var gateOptions = [...][2]string{
	{"--key NAME", "the policy /etc/ssh-gate/keys/NAME.toml"},
	{"--key-from WHAT", "the policy that the fingerprint or cert-id of the login's key names"},
	{"--policy-dir DIR", "look for NAME.toml in DIR"},
	{"--policy FILE", "this policy, in place of --key"},
	{"--config FILE", "this configuration of the host, not /etc/ssh-gate/config.toml"},
}

func help(c *call) int {
	words, status, ok := c.parseNames(flag.NewFlagSet(c.verb, flag.ContinueOnError))
	switch {
	case !ok:
		return status
	case len(words) > 1:
		return c.misused(fmt.Sprintf("%+q is one argument too many", words[1]))
	case len(words) == 1:
		v, known := find(words[0])
		if !known {
			c.tell("error", fmt.Sprintf("%+q is no verb%s", words[0], didYouMean(words[0], verbNames())))
			c.tell("hint", "ssh-gate help lists the verbs")
			return exitUsage
		}
		c.verb, c.args = v.name(), []string{"--help"}
		return v.run(c)
	}
	fmt.Fprintf(c.out, "%s\n\n%s\n", fold(helpAbout, c.width, 0), helpCalls)
	for _, o := range gateOptions {
		c.listed(18, o[0], o[1])
	}
	fmt.Fprintf(c.out, "\n%s\n\n", fold("Verbs, each of which tells its options with --help, an example first:", c.width, 0))
	for _, v := range verbs() {
		c.listed(10, v.name(), v.summary)
	}
	return exitOK
}
