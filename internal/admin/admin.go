// Package admin holds the verbs that people call, one file a verb. It never imports the gate, and no verb can reach launch: what a
// client sends can start a program only through the gate.
package admin

import (
	"fmt"
	"io"
	"strings"
)

// Exit statuses of the verbs.
const (
	exitOK    = 0
	exitUsage = 2
)

// Version is the release, which the build sets.
var Version = "development"

// verb is one thing that ssh-gate does for people.
type verb struct {
	usage   string // begins with the verb's name
	summary string
	run     func(args []string, out io.Writer) int
}

func (v *verb) name() string {
	name, _, _ := strings.Cut(v.usage, " ")
	return name
}

// verbs is the whole list. It is a function because help, which stands in it, reads it.
func verbs() []verb {
	return []verb{
		{"help", "show this text", help},
		{"version", "show the release", version},
	}
}

// Run calls the verb that Asks has found. --help, -h and --version are spelt as options because people try them first.
func Run(args []string, out, errs io.Writer) int {
	v, _ := find(args[0])
	if len(args) > 1 {
		fmt.Fprintf(errs, "ssh-gate: error: %s takes no arguments; see ssh-gate help\n", v.name())
		return exitUsage
	}
	return v.run(args[1:], out)
}

// Asks says whether the arguments call a verb. All else is the gate's, which refuses what it does not know: a key line that lacks
// an option must end as a refusal, and on the record.
func Asks(args []string) bool {
	if len(args) == 0 {
		return false
	}
	_, known := find(args[0])
	return known
}

func find(word string) (verb, bool) {
	switch word {
	case "-h", "--help":
		word = "help"
	case "--version":
		word = "version"
	}
	for _, v := range verbs() {
		if v.name() == word {
			return v, true
		}
	}
	return verb{}, false
}
