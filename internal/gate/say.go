package gate

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/host"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// This file owns what people see of the gate: prefix, stream, case. Denials are one line with the reference. Who tries the gate
// by hand is the administrator, and is told what is wrong with his files as well; who comes through sshd is not.

// ending is how a run ends that starts no program.
type ending struct {
	reason record.Reason
	rule   *policy.Rule // nil where none matched
	err    error        // what was wrong; printable

	listing string // for standard output: what the key may run
}

// end records and then tells, in this order: a client that hangs up before it is told must not leave without a record.
func (g *gate) end(e ending) int {
	meaning := record.Of(e.reason)
	remote := g.session == nil || g.session.Remote()
	var (
		ref       string
		written   bool
		recordErr error
	)
	if e.reason != record.Usage || remote { // a slip of the administrator's at the terminal is no evidence
		ref, written, recordErr = g.record(e)
	}
	var b strings.Builder
	switch {
	case e.reason == record.Usage && !remote:
		line(&b, "error: "+e.err.Error())
	case meaning.Event == record.Error && !remote:
		explain(&b, e, meaning, ref)
	default:
		b.WriteString(meaning.Told(e.err.Error(), ref, g.policy != nil && g.policy.Full) + "\n")
	}
	if recordErr != nil && !remote {
		line(&b, "hint: the record could not be written: "+recordErr.Error())
	}
	if e.listing != "" && (written || !g.config.Log.Required) { // as help itself: nothing is given without its record
		tell(1, e.listing)
	}
	tell(2, b.String())
	return meaning.Status
}

// explain tells the administrator what is wrong with a file, where, and what to type next.
func explain(b *strings.Builder, e ending, meaning record.Meaning, ref string) {
	var faults policy.Faults
	if errors.As(e.err, &faults) {
		b.WriteString(faults.Render())
	} else {
		line(b, "error: "+e.err.Error())
	}
	problem := host.Problem{Reason: e.reason, Err: e.err}
	line(b, "hint: "+problem.Hint())
	line(b, meaning.Brief+" (ref "+ref+")")
}

func line(b *strings.Builder, text string) {
	b.WriteString("ssh-gate: " + strings.ReplaceAll(text, "\n", "; ") + "\n")
}

// tell writes by a plain write: the os package would let a client that has closed the stream kill the gate with SIGPIPE.
func tell(fd int, text string) {
	for len(text) > 0 {
		n, err := unix.Write(fd, []byte(text))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		text = text[n:]
	}
}
