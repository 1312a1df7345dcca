package admin

import "fmt"

func version(c *call) int {
	if status, ok := c.plain(); !ok {
		return status
	}
	fmt.Fprintf(c.out, "ssh-gate %s\n", Version)
	return exitOK
}
