package admin

import "fmt"

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
	if status, ok := c.plain(); !ok {
		return status
	}
	fmt.Fprint(c.out, gateHelp)
	for _, v := range verbs() {
		fmt.Fprintf(c.out, "  %-10s %s\n", v.name(), fold(v.summary, c.width, 13))
	}
	return exitOK
}
