package record

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	// DevLog is where syslogd, rsyslog, syslog-ng and journald listen, syslog(3).
	DevLog = "/dev/log"
	// maxSyslog is how many bytes of a message, its header included, rsyslog takes; a longer record is cut in its request, not at its end.
	maxSyslog = 8096
	// sendTimeout bounds, in seconds, how long a daemon that reads nothing can hold a login up.
	sendTimeout = 1

	severityWarning = 4 // denied, error
	severityInfo    = 6 // allowed
)

// sendSyslog sends a record as syslog(3) does, by hand: log/syslog and the net package below it cost every login 0.1 ms when
// linked. It leaves the time stamp out, which the daemons put in themselves, so that no time zone need be loaded.
func sendSyslog(socket string, facility int, e *Entry, line []byte) error {
	message := frame(facility, e, line)
	for short := *e; len(message) > maxSyslog; {
		switch {
		case short.Request != "":
			short.Request = short.Request[:min(len(short.Request), MaxRequest)/2]
		case short.Detail != "":
			short.Detail = short.Detail[:min(len(short.Detail), maxField)/2]
		default:
			return fmt.Errorf("the record has %d bytes without its request, more than %d", len(message), maxSyslog)
		}
		line = short.Append(nil)
		message = frame(facility, e, line[:len(line)-1])
	}
	err := sendDatagram(socket, message)
	if errors.Is(err, unix.EPROTOTYPE) {
		err = send(socket, unix.SOCK_STREAM, append(message, 0)) // a daemon that listens on a stream ends messages with NUL
	}
	if err != nil {
		return fmt.Errorf("%q: %w", socket, err)
	}
	return nil
}

func frame(facility int, e *Entry, line []byte) []byte {
	b := strconv.AppendInt([]byte{'<'}, int64(facility*8+severity(e)), 10)
	b = append(b, ">ssh-gate["...)
	b = strconv.AppendInt(b, int64(e.PID), 10)
	b = append(b, "]: "...)
	return append(b, line...)
}

func severity(e *Entry) int {
	if Of(e.Reason).Event == Allowed {
		return severityInfo
	}
	return severityWarning
}

func sendDatagram(socket string, message []byte) error { return send(socket, unix.SOCK_DGRAM, message) }

func send(socket string, kind int, message []byte) error {
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: sendTimeout}); err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); err != nil {
		return err
	}
	// MSG_NOSIGNAL: a stream whose reader is gone must not kill the gate before it has told the client.
	for {
		n, err := unix.SendmsgN(fd, message, nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err == nil && n < len(message):
			return fmt.Errorf("took %d of %d bytes", n, len(message)) // a stream whose reader is slow
		}
		return err
	}
}
