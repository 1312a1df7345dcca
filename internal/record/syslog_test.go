package record

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// daemon is a syslog daemon on a datagram socket.
type daemon struct {
	path string
	conn *net.UnixConn
}

func listenDatagram(t *testing.T) *daemon {
	t.Helper()
	path := filepath.Join(socketFolder(t), "log")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &daemon{path, conn}
}

// socketFolder has a short name: a socket's path is at most 107 bytes long.
func socketFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (d *daemon) receive(t *testing.T) string {
	t.Helper()
	buf := make([]byte, 1<<20)
	if err := d.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	n, err := d.conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func (d *daemon) sink(facility int) Sink { return Sink{Facility: facility, Socket: d.path} }

func TestSyslogDatagram(t *testing.T) {
	d := listenDatagram(t)
	for _, c := range []struct {
		facility int
		reason   Reason
		priority int
	}{{10, NeedsShell, 84}, {10, PolicyMissing, 84}, {10, Matched, 86}, {0, NoRule, 4}, {0, Matched, 6}, {23, NoRule, 188}} {
		e := sample
		e.Reason = c.reason
		if written, err := write(t, d.sink(c.facility), &e); !written || err != nil {
			t.Errorf("written %t, %v", written, err)
		}
		want := fmt.Sprintf("<%d>ssh-gate[4711]: %s", c.priority, strings.TrimSuffix(string(e.Append(nil)), "\n"))
		if got := d.receive(t); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSyslogStream(t *testing.T) {
	path := filepath.Join(socketFolder(t), "log")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if written, err := write(t, Sink{Facility: 10, Socket: path}, &sample); !written || err != nil {
		t.Fatalf("written %t, %v", written, err)
	}
	if err := listener.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var got strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			break // the end: the gate has closed it
		}
	}
	if want := "<84>ssh-gate[4711]: " + strings.TrimSuffix(string(sample.Append(nil)), "\n") + "\x00"; got.String() != want {
		t.Errorf("%q, want %q", got.String(), want)
	}
}

// received sends an entry to a daemon and decodes what arrives.
func received(t *testing.T, d *daemon, e *Entry) (message string, r read) {
	t.Helper()
	if written, err := write(t, d.sink(10), e); !written || err != nil {
		t.Fatalf("written %t, %v", written, err)
	}
	message = d.receive(t)
	_, line, _ := strings.Cut(message, ": ")
	if len(message) > maxSyslog || !strings.HasSuffix(message, "}") || !json.Valid([]byte(line)) {
		t.Fatalf("%d bytes, more than %d, or not just one object of JSON: %q", len(message), maxSyslog, message)
	}
	return message, decode(t, []byte(line))
}

// TestSyslogLong: a record that is too long for the daemon loses the end of its request and nothing else.
func TestSyslogLong(t *testing.T) {
	d := listenDatagram(t)
	for _, request := range []string{strings.Repeat("\x1b", 2000), strings.Repeat("\\", MaxRequest), strings.Repeat("\xff", 128<<10)} {
		e := sample
		e.Request, e.Bytes, e.Detail = request, len(request), strings.Repeat("d", maxField)
		_, r := received(t, d, &e)
		got, ok := Unescape(r.Request)
		if !ok || !strings.HasPrefix(request, got) || got == "" || len(got) >= min(len(request), MaxRequest) {
			t.Errorf("%d bytes of %q: %d of them arrive", len(request), request[:1], len(got))
		}
		if r.Bytes != len(request) || r.Detail != e.Detail || r.User != e.User || r.Event != "denied" {
			t.Errorf("%d bytes of %q: %+v", len(request), request[:1], r)
		}
	}
}

// TestSyslogBound: what just fits arrives whole.
func TestSyslogBound(t *testing.T) {
	d := listenDatagram(t)
	e := sample
	e.Request, e.Detail = strings.Repeat("\xff", 1400), ""
	message := frame(10, &e, e.Append(nil))
	e.User += strings.Repeat("u", maxSyslog+1-len(message)) // frame had the newline, which is not sent
	if got, r := received(t, d, &e); len(got) != maxSyslog || r.Request != strings.Repeat(`\xff`, 1400) {
		t.Errorf("%d bytes arrive, want %d", len(got), maxSyslog)
	}
	e.User += "u"
	if got, r := received(t, d, &e); r.Request != strings.Repeat(`\xff`, 700) {
		t.Errorf("%d bytes arrive: %q", len(got), got)
	}
}

// TestSyslogLongWithoutRequest: what cannot be cut enough still comes to an end.
func TestSyslogLongWithoutRequest(t *testing.T) {
	d := listenDatagram(t)
	long := strings.Repeat("\xff", maxField)
	written, err := write(t, d.sink(10), &Entry{Reason: NoRule, User: long, Rule: long, Detail: long})
	if written == (err != nil) {
		t.Errorf("written %t, %v", written, err)
	}
}

func TestSyslogAbsent(t *testing.T) {
	dir := socketFolder(t)
	file, stale := filepath.Join(dir, "file"), filepath.Join(dir, "stale")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	for path, want := range map[string]string{
		filepath.Join(dir, "missing"):  "no such file or directory",
		filepath.Join(file, "log"):     "not a directory",
		file:                           "connection refused",
		dir:                            "connection refused",
		stale:                          "connection refused",
		"/" + strings.Repeat("x", 200): "invalid argument",
	} {
		written, err := write(t, Sink{Facility: 10, Socket: path}, &sample)
		if written || err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || !strings.HasPrefix(err.Error(), "syslog ") {
			t.Errorf("%q: written %t, %v; want %q", path, written, err, want)
		}
	}
	if got := content(t, file); got != "" {
		t.Errorf("the file now holds %q", got)
	}
}

// TestSyslogFullQueue: a daemon that is there but reads nothing gives an error, after the gate's own time limit.
func TestSyslogFullQueue(t *testing.T) {
	d := listenDatagram(t)
	fd := socket(t, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: d.path}); err != nil {
		t.Fatal(err)
	}
	for err := error(nil); err == nil; {
		err = unix.Sendto(fd, []byte("x"), unix.MSG_NOSIGNAL, nil)
	}
	if written, err := write(t, d.sink(10), &sample); written || err == nil || !strings.Contains(err.Error(), "resource temporarily unavailable") {
		t.Errorf("written %t, %v", written, err)
	}
}

// TestSyslogFullBacklog: the same of a daemon on a stream socket that accepts nobody.
func TestSyslogFullBacklog(t *testing.T) {
	path := filepath.Join(socketFolder(t), "log")
	listener := socket(t, unix.SOCK_STREAM)
	if err := unix.Bind(listener, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(listener, 0); err != nil {
		t.Fatal(err)
	}
	for err := error(nil); err == nil; {
		err = unix.Connect(socket(t, unix.SOCK_STREAM|unix.SOCK_NONBLOCK), &unix.SockaddrUnix{Name: path})
	}
	if written, err := write(t, Sink{Facility: 10, Socket: path}, &sample); written || err == nil || !strings.Contains(err.Error(), "resource temporarily unavailable") {
		t.Errorf("written %t, %v", written, err)
	}
}

func socket(t *testing.T, kind int) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}
