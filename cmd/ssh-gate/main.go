// Command ssh-gate is a forced command for sshd: it lets an SSH key run what its policy allows, and nothing else.
package main

import (
	"os"

	"github.com/ssh-gate/ssh-gate/internal/gate"
)

func main() {
	os.Exit(gate.Run(os.Args[1:], os.Environ()))
}
