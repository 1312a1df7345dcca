package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// TestRecordBeforeTold: the record of whatever is refused, or granted, has been taken by the file, and by the daemon where syslog alone has
// it, before the first byte goes to the client or the program starts. A client that hangs up in between cannot take it back.
func TestRecordBeforeTold(t *testing.T) {
	testsshd.RequireTool(t, "strace", "strace")
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	listenForSyslog(t)
	for name, text := range map[string]string{
		"deploy": `
log  = "all"
help = true
[[allow]]
command = "true"
[[allow]]
command = "absent"
run = "/usr/bin/absent"
[[allow]]
command = "no-format"
[[allow]]
command = "sleep {n}"
args.n = { int = [0, 9999] }
limits.sessions = 1
[[allow]]
command = "id"
limits.rate = "1/1h"
`,
		"faulty": "[[allow]]\ncomand = \"true\"\n",
	} {
		check(t, os.WriteFile("/etc/ssh-gate/keys/"+name+".toml", []byte(text), 0o644))
	}
	check(t, os.WriteFile("/usr/bin/no-format", []byte("echo no kernel starts this\n"), 0o755))
	running := m.deploy.Command(remote("sleep 2001"), "/usr/bin/ssh-gate", "--key", "deploy")
	check(t, running.Start())
	t.Cleanup(func() { end(running, unix.SIGKILL) })
	eventually(t, "one session runs", func() bool { return comm(running.Process.Pid) == "sleep" })
	m.gate(t, remote("id"), "--key", "deploy") // the one start in the hour

	for place, c := range map[string]struct {
		config string
		record *regexp.Regexp // of a call that is done
	}{
		"file":   {"", regexp.MustCompile(`^write\(\d+<` + testhost.Log + `>, "\{.*\\"ref\\":\\"(\w+)\\".* = \d{3,}$`)},
		"syslog": {"log = { file = \"\", syslog = \"authpriv\" }\n", regexp.MustCompile(`^sendmsg\(\d+<.*"<8[46]>ssh-gate\[.*\\"ref\\":\\"(\w+)\\".* = \d{3,}$`)},
	} {
		check(t, os.WriteFile("/etc/ssh-gate/config.toml", []byte(c.config), 0o644))
		for _, about := range []struct {
			name, key, request string
			env                func(string) []string
			status             int
		}{
			{"a denial", "deploy", "id;", remote, 77},
			{"a denial by hand", "deploy", "id;", byHand, 77},
			{"a denial with the list", "deploy", "", remote, 77},
			{"no policy", "absent", "true", remote, 78},
			{"a faulty policy", "faulty", "true", remote, 78},
			{"a faulty policy by hand", "faulty", "true", byHand, 78},
			{"no program", "deploy", "absent", remote, 69},
			{"a program that cannot be executed", "deploy", "no-format", remote, 69},
			{"sessions", "deploy", "sleep 1", remote, 75},
			{"rate", "deploy", "id", remote, 75},
			{"a wrong call", "deploy --bogus", "true", remote, 64},
			{"help", "deploy", "help", remote, 0},
			{"a grant", "deploy", "true", remote, 0},
		} {
			if about.status == 64 && place != "file" {
				continue // which does not come to read the configuration
			}
			trace := filepath.Join(t.TempDir(), "trace")
			// strace has root start what it traces as another user, so that the setgid bit counts.
			line := append(strings.Fields("strace -f -u deploy -y -s 4096 -o "+trace+" -e trace=write,sendmsg,execve /usr/bin/ssh-gate --key"), strings.Fields(about.key)...)
			o := run(t, command(about.env(about.request), line...))
			text, err := os.ReadFile(trace)
			check(t, err)
			if o.status != about.status {
				t.Errorf("%s, %s: %+v", place, about.name, o)
			}
			calls := callsOf(t, string(text))
			recorded, told, ref := -1, -1, ""
			for i, call := range calls {
				if found := c.record.FindStringSubmatch(call.text); found != nil && told < 0 { // the last: a grant may have gone before an error
					recorded, ref = call.end, found[1]
				}
				if told < 0 && (strings.HasPrefix(call.text, "write(1<") || strings.HasPrefix(call.text, "write(2<") ||
					i > 0 && strings.HasPrefix(call.text, "execve(") && strings.HasSuffix(call.text, " = 0")) {
					told = call.start
				}
			}
			if recorded < 0 || told < 0 || recorded >= told || about.status != 0 && !strings.Contains(o.stderr, "(ref "+ref+")") {
				t.Errorf("%s, %s: recorded %q at %d, told %q at %d:\n%s", place, about.name, ref, recorded, o.stderr, told, text)
			}
		}
	}
}

// listenForSyslog gives this machine a /dev of its own, where a daemon has /dev/log.
func listenForSyslog(t *testing.T) {
	t.Helper()
	const dir = "/run/dev"
	check(t, os.Mkdir(dir, 0o755))
	for _, name := range []string{"null", "zero", "random", "urandom"} {
		check(t, os.WriteFile(dir+"/"+name, nil, 0o666))
		check(t, unix.Mount("/dev/"+name, dir+"/"+name, "", unix.MS_BIND, ""))
	}
	daemon, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/log", Net: "unixgram"})
	check(t, err)
	check(t, os.Chmod(dir+"/log", 0o666))
	check(t, unix.Mount(dir, "/dev", "", unix.MS_BIND|unix.MS_REC, ""))
	t.Cleanup(func() {
		unix.Unmount("/dev", unix.MNT_DETACH)
		for _, name := range []string{"null", "zero", "random", "urandom"} {
			unix.Unmount(dir+"/"+name, unix.MNT_DETACH)
		}
		daemon.Close()
	})
	go func() {
		for b := make([]byte, 1<<16); ; {
			if _, err := daemon.Read(b); err != nil {
				return
			}
		}
	}()
}

// traced is a system call of one of a process's threads, with the lines of strace's on which it begins and is done.
type traced struct {
	text       string
	start, end int
}

// callsOf reads what strace -f has written, where a call that another thread's interrupts stands on two lines.
func callsOf(t *testing.T, text string) []traced {
	t.Helper()
	var calls []traced
	open := map[string]int{} // by thread
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		thread, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		if _, tail, ok := strings.Cut(rest, " resumed>"); ok && strings.HasPrefix(rest, "<... ") {
			for other, at := range open {
				if strings.HasPrefix(rest, "<... execve ") && strings.HasPrefix(calls[at].text, "execve(") {
					thread = other // the thread that executes takes the number of the first
				}
			}
			at, begun := open[thread]
			if !begun {
				t.Fatalf("a call that never began: %s\n%s", line, text)
			}
			calls[at].text, calls[at].end = calls[at].text+tail, i
			delete(open, thread)
			continue
		}
		head, unfinished := strings.CutSuffix(rest, " <unfinished ...>")
		if unfinished {
			open[thread] = len(calls)
		}
		calls = append(calls, traced{strings.TrimSuffix(head, " "), i, i})
	}
	for thread, at := range open {
		if strings.HasPrefix(calls[at].text, "write(") || strings.HasPrefix(calls[at].text, "sendmsg(") {
			t.Errorf("%s is never done with %s", thread, calls[at].text)
		}
	}
	return calls
}
