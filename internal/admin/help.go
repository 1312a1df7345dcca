package admin

import (
	"flag"
	"fmt"
)

const gateHelp = `ssh-gate lets an SSH key run what its policy allows, and nothing else.

Try a request as sshd would bring it:

  SSH_ORIGINAL_COMMAND='uptime' ssh-gate --key deploy

In ~/.ssh/authorized_keys:

  restrict,command="/usr/bin/ssh-gate --key deploy" ssh-ed25519 AAAA... deploy@ci

Options of the gate:

  --key NAME         the policy /etc/ssh-gate/keys/NAME.toml
  --key-from WHAT    the policy that the fingerprint or cert-id of the login's key names
  --policy-dir DIR   look for NAME.toml in DIR
  --policy FILE      this policy, in place of --key
  --config FILE      this configuration of the host, not /etc/ssh-gate/config.toml

Verbs, each of which tells its options with --help, an example first:

`

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
			return c.misused(fmt.Sprintf("%+q is no verb%s", words[0], didYouMean(words[0], verbNames())))
		}
		c.verb, c.args = v.name(), []string{"--help"}
		return v.run(c)
	}
	fmt.Fprint(c.out, gateHelp)
	for _, v := range verbs() {
		fmt.Fprintf(c.out, "  %-10s %s\n", v.name(), fold(v.summary, c.width, 13))
	}
	return exitOK
}
