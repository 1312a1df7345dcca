package record

import (
	"fmt"
	"strconv"
)

const (
	// JournalSocket is where systemd-journald takes entries of its own protocol, https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.
	JournalSocket = "/run/systemd/journal/socket"

	// authpriv is the facility of a journal entry where the configuration names none: what is not for every user's eyes, syslog(3).
	authpriv = 10
)

// sendJournal sends a record to the journal: the same line as the message, and beside it what people select by. journald itself cuts
// nothing of that size; a datagram that the kernel refuses as too long would be the first sign of a record that outgrew Append's bounds.
func sendJournal(socket string, facility int, e *Entry, line []byte) error {
	if facility < 0 {
		facility = authpriv
	}
	b := make([]byte, 0, len(line)+512)
	field := func(name, value string) {
		b = append(append(b, name...), '=')
		b = append(append(b, value...), '\n')
	}
	text := func(name, value string) { field(name, Escape(value[:min(len(value), maxField)])) }
	field("MESSAGE", string(line))
	text("PRIORITY", strconv.Itoa(severity(e)))
	text("SYSLOG_FACILITY", strconv.Itoa(facility))
	text("SYSLOG_IDENTIFIER", "ssh-gate")
	text("SYSLOG_PID", strconv.Itoa(e.PID))
	text("SSH_GATE_EVENT", string(Of(e.Reason).Event))
	text("SSH_GATE_REASON", string(e.Reason))
	text("SSH_GATE_CLIENT_IP", e.ClientIP)
	text("SSH_GATE_USER", e.User)
	text("SSH_GATE_UID", strconv.Itoa(e.UID))
	text("SSH_GATE_KEY", e.Key)
	text("SSH_GATE_RULE", e.Rule)
	text("SSH_GATE_REF", e.Ref)
	if err := sendDatagram(socket, b); err != nil {
		return fmt.Errorf("%q: %w", socket, err)
	}
	return nil
}
