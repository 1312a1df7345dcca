package packaging

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/recordtest"
	"example.org/ssh-gate/internal/testsshd"
)

const (
	snippet     = "rsyslog/ssh-gate.conf"
	syslogFile  = "/var/log/ssh-gate-syslog.log"
	authpriv    = 10
	rsyslogCuts = 8096 // bytes of a datagram that stock rsyslog reads, with <PRI>, name and all; its maxMessageSize
)

// rsyslog is a daemon of our own with a socket in place of /dev/log, and nothing else: no kernel log, no network.
type rsyslog struct{ socket, file string }

func startRsyslog(t *testing.T) *rsyslog {
	t.Helper()
	tool := testsshd.RequireTool(t, "rsyslogd", "rsyslog")
	dir, err := os.MkdirTemp("", "gate") // short: a socket's path is at most 107 bytes long
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	r := &rsyslog{socket: dir + "/log", file: dir + "/records"}
	config := `module(load="imuxsock" SysSock.Use="off")` + "\n" + `input(type="imuxsock" Socket="` + r.socket + `")` + "\n" +
		edit(t, read(t, snippet), `file="`+syslogFile+`"`, `file="`+r.file+`"`)
	cmd := exec.Command(tool, "-n", "-i", dir+"/pid", "-f", write(t, dir+"/conf", config))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	check(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil || said.Len() > 0 {
			t.Errorf("rsyslogd: %v\n%s", err, said.String())
		}
	})
	await(t, "rsyslogd that listens", func() bool {
		conn, err := net.Dial("unixgram", r.socket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return r
}

// lines waits until so many have been written, and gives all.
func (r *rsyslog) lines(t *testing.T, n int) []string {
	t.Helper()
	var text string
	await(t, "record in the file", func() bool {
		b, err := os.ReadFile(r.file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		text = string(b)
		return strings.Count(text, "\n") >= n
	})
	return strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
}

func (r *rsyslog) send(t *testing.T, message string) {
	t.Helper()
	conn, err := net.Dial("unixgram", r.socket)
	check(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte(message))
	check(t, err)
}

// sent is the record as it leaves the gate for a syslog daemon, with a line end: a long one has less of its request.
func sent(t *testing.T, e *record.Entry) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gate")
	check(t, err)
	defer os.RemoveAll(dir)
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/log", Net: "unixgram"})
	check(t, err)
	defer conn.Close()
	deliver(t, dir+"/log", e)
	check(t, conn.SetReadDeadline(time.Now().Add(patience)))
	buf := make([]byte, 128<<10)
	n, err := conn.Read(buf)
	check(t, err)
	_, text, _ := strings.Cut(string(buf[:n]), ": ")
	return text + "\n"
}

func deliver(t *testing.T, socket string, e *record.Entry) {
	t.Helper()
	if written, err := (record.Sink{Facility: authpriv, Socket: socket}).Write(e); !written || err != nil {
		t.Fatalf("written %t, %v", written, err)
	}
}

// TestRsyslog: what arrives in the file is what the gate wrote, byte for byte.
func TestRsyslog(t *testing.T) {
	r := startRsyslog(t)
	var want []string
	for _, text := range hostile {
		e := denial(record.NoRule, "192.0.2.1", text)
		deliver(t, r.socket, e)
		want = append(want, line(e))
	}
	compare(t, r.lines(t, len(want)), want)
}

// TestRsyslogLongest: no record loses its end, whatever its length. The lengths around the greatest that rsyslog takes are all tried.
func TestRsyslogLongest(t *testing.T) {
	r := startRsyslog(t)
	room := rsyslogCuts - len("<84>ssh-gate[4711]: ") - len(line(denial(record.NoRule, "192.0.2.1", "")))
	var want []string
	try := func(e *record.Entry) {
		deliver(t, r.socket, e)
		want = append(want, sent(t, e))
	}
	for length := room - 60; length <= room+160; length++ {
		e := denial(record.NoRule, "192.0.2.1", "")
		e.Request = strings.Repeat("\x1b", length/5) + strings.Repeat("a", length%5)
		e.Bytes = len(e.Request)
		try(e)
	}
	for _, text := range []string{"a", "\\", `"`, "\xff"} {
		e := denial(record.NoRule, "192.0.2.1", strings.Repeat(text, 100))
		e.Request = strings.Repeat(text, 100_000)
		e.Bytes = len(e.Request)
		try(e)
	}
	got := r.lines(t, len(want))
	compare(t, got, want)
	for _, text := range got {
		recordtest.Validate(t, []byte(text))
	}
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		// The last line has lost its end to the one who split them.
		if g, w := strings.TrimSuffix(got[i], "\n"), strings.TrimSuffix(want[i], "\n"); g != w {
			t.Fatalf("record %d has %d bytes in the file, and had %d: ends with %q, want %q", i, len(g), len(w), g[max(0, len(g)-60):], w[max(0, len(w)-60):])
		}
	}
}

// TestRsyslogCuts measures where rsyslog cuts a message.
func TestRsyslogCuts(t *testing.T) {
	r := startRsyslog(t)
	const head = "<84>ssh-gate[4711]: "
	for _, length := range []int{rsyslogCuts - 1, rsyslogCuts, rsyslogCuts + 1, 2 * rsyslogCuts} {
		r.send(t, head+"{"+strings.Repeat("x", length-len(head)-2)+"}")
	}
	for i, text := range r.lines(t, 4) {
		text = strings.TrimSuffix(text, "\n")
		if whole := strings.HasSuffix(text, "}"); whole != (i < 2) || !whole && len(head+text) != rsyslogCuts {
			t.Errorf("message %d arrives with %d bytes, whole %t", i, len(head+text), whole)
		}
	}
}

// TestRsyslogOthers: the file takes records and nothing else, though others may name themselves alike.
func TestRsyslogOthers(t *testing.T) {
	r := startRsyslog(t)
	for _, message := range []string{
		"<84>other[1]: {}", "<84>ssh-gate: told by hand", "<84>ssh-gate[1]:", "<38>ssh-gate[1]: {}", "<13>ssh-gate[1]: {}", "<84>ssh-gate-other[1]: {}",
		"<84>sshd[1]: Invalid user ssh-gate[1]: {}",
	} {
		r.send(t, message)
	}
	e := denial(record.NoRule, "192.0.2.1", "uptime")
	deliver(t, r.socket, e)
	compare(t, r.lines(t, 1), []string{line(e)})
}

// TestRsyslogReads: the file as it is, and with the example of a central host in force, which needs a package only to run.
func TestRsyslogReads(t *testing.T) {
	tool := testsshd.RequireTool(t, "rsyslogd", "rsyslog")
	certificates := t.TempDir()
	for _, name := range []string{"ca.pem", "cert.pem", "key.pem"} {
		write(t, filepath.Join(certificates, name), "")
	}
	forwarding := strings.ReplaceAll(uncommented(t, read(t, snippet)), "/etc/ssl/logs", certificates)
	for name, text := range map[string]string{"as it is": read(t, snippet), "forwarding": forwarding} {
		out, err := run(t, tool, "-N1", "-f", write(t, filepath.Join(t.TempDir(), "conf"), text))
		if err != nil || strings.Contains(out, "error") || strings.Contains(out, "warning") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// uncommented puts the examples in force, which stand further right than what is said about them: the first, which sets what holds
// for the whole of rsyslog, before everything else, and the second in its place.
func uncommented(t *testing.T, text string) string {
	t.Helper()
	var before, lines []string
	for _, l := range strings.Split(text, "\n") {
		code, ok := strings.CutPrefix(l, "    #     ")
		switch {
		case ok && strings.Contains(code, "DefaultNetstreamDriver"):
			before = append(before, code)
		case ok:
			lines = append(lines, code)
		default:
			lines = append(lines, l)
		}
	}
	all := strings.Join(append(before, lines...), "\n")
	if !strings.HasPrefix(all, "global(") || !strings.Contains(all, "\naction(type=\"omfwd\"") {
		t.Fatalf("the examples are not found:\n%s", all)
	}
	return all
}
