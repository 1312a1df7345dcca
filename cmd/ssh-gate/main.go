// Command ssh-gate is a forced command for sshd: it lets an SSH key run what its policy allows, and nothing else. The same binary
// helps the administrator. This file reads the arguments and the environment, once, and nothing below it exits.
package main

import (
	"os"

	"example.org/ssh-gate/internal/admin"
	"example.org/ssh-gate/internal/gate"
	_ "example.org/ssh-gate/internal/startup" // sets what other packages find as they initialise
)

func main() {
	if args := os.Args; len(args) > 1 && !gate.IsLoginShell(args) && admin.Asks(args[1:]) {
		os.Exit(admin.Run(args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
	status := gate.Run(os.Args, os.Environ)
	if args := os.Args; len(args) > 0 && !gate.IsLoginShell(args) {
		admin.Misspelt(status, args[1:], os.Environ(), os.Stderr) // what a person typed, never what a client sent
	}
	os.Exit(status)
}
