package admin

import (
	"fmt"
	"io"
)

func version(_ []string, out io.Writer) int {
	fmt.Fprintf(out, "ssh-gate %s\n", Version)
	return exitOK
}
