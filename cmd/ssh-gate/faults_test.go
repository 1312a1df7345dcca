package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/record"
)

// probeOnly permits one request, whose report goes to a file, so that it is not lost with a stream.
const probeOnly = `
[[allow]]
command = "probe"
env.PROBE_OUT = "$DIR/report"
`

// report reads what probe wrote under probeOnly, and whether it ran at all.
func (h *host) report(t *testing.T) (report, bool) {
	t.Helper()
	text, err := os.ReadFile(h.path("report"))
	if os.IsNotExist(err) {
		return report{}, false
	}
	check(t, err)
	check(t, os.Remove(h.path("report")))
	return probed(t, string(text)), true
}

// sh starts words as a POSIX shell that has done the setup first.
func sh(setup string, words ...string) []string {
	return append([]string{"/bin/sh", "-c", setup + `; exec "$@"`, "sh"}, words...)
}

// TestRuntimeVariables sets what Go's runtime reads before main. It may keep the gate from starting, but allows nothing.
func TestRuntimeVariables(t *testing.T) {
	h := newHost(t, probeOnly)
	for _, v := range []string{
		"GODEBUG=inittrace=1", "GODEBUG=gctrace=1,schedtrace=1", "GODEBUG=x", "GODEBUG=execerrdot=0", "GOTRACEBACK=crash", "GOMAXPROCS=x",
		"GOMAXPROCS=1000", "GOMEMLIMIT=bad", "GOMEMLIMIT=1", "GOGC=bad", "GOGC=off", "GOGC=0", "GOCOVERDIR=/nowhere", "GOTRACEBACK=",
	} {
		t.Run(v, func(t *testing.T) {
			o := run(t, h.request("probe", v))
			r, ran := h.report(t)
			if ran != (o.status == 0) {
				t.Errorf("ran %t, but %+v", ran, o)
			}
			name, _, _ := strings.Cut(v, "=")
			for _, kv := range r.Env {
				if strings.HasPrefix(kv, name+"=") {
					t.Errorf("the program got %s", kv)
				}
			}
			o = run(t, h.request("probe x", v))
			if _, ran := h.report(t); ran || o.status == 0 {
				t.Errorf("a denied request: ran %t, %+v", ran, o)
			}
		})
	}
}

// TestClosedDescriptors starts the gate without standard streams. Were one left closed, the log would be opened in its place,
// and what is meant for the client would stand in it.
func TestClosedDescriptors(t *testing.T) {
	for mask := range 8 {
		var setup []string
		for fd, redirection := range []string{"exec 0<&-", "exec 1>&-", "exec 2>&-"} {
			if mask>>fd&1 == 1 {
				setup = append(setup, redirection)
			}
		}
		setup = append(setup, ":")
		t.Run(strings.Join(setup, ";"), func(t *testing.T) {
			h := newHost(t, "log = \"all\"\n"+probeOnly)
			gate := func(request string) outcome {
				return run(t, command(sshdEnv(request), sh(strings.Join(setup, ";"), h.gate()...)...))
			}
			if o := gate("probe"); o.status != 0 {
				t.Errorf("allowed: %+v", o)
			}
			r, _ := h.report(t)
			for fd := range 3 {
				target := r.FDs[fmt.Sprint(fd)]
				if closed := mask>>fd&1 == 1; target == "" || closed && target != "/dev/null" {
					t.Errorf("the program's descriptor %d leads to %q", fd, target)
				}
			}
			if len(r.FDs) != 3 {
				t.Errorf("the program got %v", r.FDs)
			}
			if o := gate("probe x"); o.status != record.ExitDenied || o.stdout != "" {
				t.Errorf("denied: %+v", o)
			}
			if entries := h.records(t); len(entries) != 2 || entries[0].Event != "allowed" || entries[1].Event != "denied" {
				t.Errorf("the records are %+v", entries)
			}
		})
	}
}

// TestClientIsGone denies a client that no longer reads: the record is written, and the gate ends as always.
func TestClientIsGone(t *testing.T) {
	h := newHost(t, probeOnly)
	r, w, err := os.Pipe()
	check(t, err)
	r.Close()
	defer w.Close()
	cmd := h.request("probe x")
	cmd.Stdout, cmd.Stderr = w, w
	if o := run(t, cmd); o.status != record.ExitDenied {
		t.Errorf("%+v", o)
	}
	if e := h.last(t); e.Reason != "no-rule" {
		t.Errorf("the record says %+v", e)
	}
}

// TestLogTrouble denies and allows while the log does not take records: a denial stays one, what is allowed runs unless a
// record is required, and nothing waits.
func TestLogTrouble(t *testing.T) {
	for _, c := range []struct {
		name   string
		make   func(t *testing.T, h *host)
		before func(h *host) []string // starts the gate; nil: nothing does
	}{
		{name: "folder is missing", make: func(t *testing.T, h *host) { h.log = h.path("nowhere/log"); h.logTo(t) }},
		{name: "is a folder", make: func(t *testing.T, h *host) { check(t, os.Mkdir(h.log, 0o755)) }},
		{name: "is a link", make: func(t *testing.T, h *host) {
			h.write(t, "target", "")
			check(t, os.Symlink(h.path("target"), h.log))
		}},
		{name: "is a dangling link", make: func(t *testing.T, h *host) { check(t, os.Symlink(h.path("target"), h.log)) }},
		{name: "is a FIFO", make: func(t *testing.T, h *host) { check(t, unix.Mkfifo(h.log, 0o644)) }},
		{name: "is a FIFO that somebody reads", make: func(t *testing.T, h *host) {
			check(t, unix.Mkfifo(h.log, 0o644))
			fd, err := unix.Open(h.log, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
			check(t, err)
			t.Cleanup(func() {
				if n, err := unix.Read(fd, make([]byte, 1)); n != 0 {
					t.Errorf("something was written into the FIFO: %d, %v", n, err)
				}
				unix.Close(fd)
			})
		}},
		{name: "is a socket", make: func(t *testing.T, h *host) {
			l, err := net.Listen("unix", h.log)
			check(t, err)
			t.Cleanup(func() { l.Close() })
		}},
		{name: "is a device", make: func(t *testing.T, h *host) { h.log = "/dev/full"; h.logTo(t) }},
		{name: "is a device that takes everything", make: func(t *testing.T, h *host) { h.log = "/dev/null"; h.logTo(t) }},
		{
			name: "is read-only",
			make: func(t *testing.T, h *host) {
				h.write(t, "log", "")
				check(t, os.Chmod(h.log, 0o400))
			},
			before: func(h *host) []string { return powerless() },
		},
		{
			name:   "is too long already",
			make:   func(t *testing.T, h *host) { h.write(t, "log", strings.Repeat("{}\n", 1400)) },
			before: func(h *host) []string { return sh("ulimit -f 8") }, // 4096 bytes
		},
		{
			name:   "becomes too long",
			make:   func(t *testing.T, h *host) { h.write(t, "log", strings.Repeat("{}\n", 1350)) },
			before: func(h *host) []string { return sh("ulimit -f 8") },
		},
		{
			name: "is on a full disk",
			make: func(t *testing.T, h *host) {
				if exec.Command("unshare", "--mount", "true").Run() != nil {
					t.Skip("only root may mount a small file system; a log that becomes too long stands for it")
				}
				check(t, os.Mkdir(h.path("full"), 0o755))
				h.log = h.path("full/log")
				h.logTo(t)
			},
			before: func(h *host) []string {
				return append([]string{"unshare", "--mount"}, sh(fmt.Sprintf(
					"mount -t tmpfs -o size=4k,mode=755 none %[1]s && head -c 4000 /dev/zero >%[1]s/log", h.path("full")))...)
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, "log = \"all\"\n"+probeOnly)
			c.make(t, h)
			before := []string{}
			if c.before != nil {
				before = c.before(h)
			}
			gate := func(request string) outcome {
				return run(t, command(sshdEnv(request), h.gate(before...)...))
			}
			if o := gate("probe x"); o.status != record.ExitDenied || o.stdout != "" || ref(o.stderr) == "" {
				t.Errorf("denied: %+v", o)
			}
			if o := gate("probe"); o.status != 0 || o.stderr != "" {
				t.Errorf("allowed: %+v", o)
			}
			if _, ran := h.report(t); !ran {
				t.Error("allowed, but it did not run")
			}
			h.write(t, "config.toml", fmt.Sprintf("path = [\"$DIR/bin\"]\nlog = { file = %q, required = true }\n", h.log))
			if o := gate("probe"); o.status != record.ExitIO || o.stdout != "" || ref(o.stderr) == "" {
				t.Errorf("a record is required: %+v", o)
			}
			if _, ran := h.report(t); ran {
				t.Error("a record is required and not written, but it ran")
			}
			if text, err := os.ReadFile(h.path("target")); err == nil && len(text) > 0 {
				t.Errorf("a record went through the link: %q", text)
			}
		})
	}
}

// logTo makes h.log the log of the configuration.
func (h *host) logTo(t *testing.T) {
	t.Helper()
	h.write(t, "config.toml", fmt.Sprintf("path = [\"$DIR/bin\"]\nlog.file = %q\n", h.log))
}

// powerless starts a program without root's privileges over files; who is not root has none anyway.
func powerless() []string {
	if os.Geteuid() != 0 {
		return nil
	}
	return []string{"setpriv", "--bounding-set=-all", "--inh-caps=-all"}
}

// TestTornLineIsEnded lets a record be cut, as on a full disk: the next one is whole all the same.
func TestTornLineIsEnded(t *testing.T) {
	h := newHost(t, probeOnly)
	h.write(t, "log", strings.Repeat("{}\n", 1350))
	o := run(t, command(sshdEnv("probe x"), h.gate(sh("ulimit -f 8")...)...))
	if o.status != record.ExitDenied {
		t.Errorf("%+v", o)
	}
	run(t, h.request("probe y"))
	text, err := os.ReadFile(h.log)
	check(t, err)
	lines := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	if e := parseRecords(t, lines[len(lines)-1]+"\n")[0]; e.Request != "probe y" {
		t.Errorf("the record behind the torn one: %+v", e)
	}
}

// TestOpenDescriptors leaves descriptors open in the gate's parent: the program gets none of them.
func TestOpenDescriptors(t *testing.T) {
	h := newHost(t, probeOnly)
	folder, err := os.Open("/")
	check(t, err)
	defer folder.Close()
	cmd := h.request("probe")
	for range 300 {
		cmd.ExtraFiles = append(cmd.ExtraFiles, folder)
	}
	if o := run(t, cmd); o.status != 0 {
		t.Errorf("%+v", o)
	}
	if r, _ := h.report(t); len(r.FDs) != 3 || r.FDs["0"] == "" || r.FDs["1"] == "" || r.FDs["2"] == "" {
		t.Errorf("the program got %v", r.FDs)
	}
}

// TestPrograms permits programs of many kinds, with and without a shell that could mistake them for a script.
func TestPrograms(t *testing.T) {
	const permitted = `
[[allow]]
command = "tool {words*}"
run = "$DIR/tools/tool {words*}"
args.words = { text = [0, 100] }
`
	for _, c := range []struct {
		name, text string
		make       func(t *testing.T, h *host)
		reason     string // empty: it runs and prints "ran"
	}{
		{name: "script", text: "#!/bin/sh\necho ran\n"},
		{name: "script with an argument", text: "#!/bin/sh -e\nfalse || echo ran\n"},
		{name: "text without an interpreter", text: "echo ran\n", reason: "program-failed"},
		{name: "text behind an empty line", text: "\n#!/bin/sh\necho ran\n", reason: "program-failed"},
		{name: "nothing", text: "", reason: "program-failed"},
		{name: "script whose interpreter is missing", text: "#!/no/such/sh\necho ran\n", reason: "program-failed"},
		{name: "for another machine", text: "\x7fELF\x02\x01\x01echo ran\n", reason: "program-failed"},
		{name: "not executable", text: "#!/bin/sh\necho ran\n", reason: "program-unsafe",
			make: func(t *testing.T, h *host) { check(t, os.Chmod(h.path("tools/tool"), 0o644)) }},
		{name: "executable for others alone", text: "#!/bin/sh\necho ran\n", reason: "program-failed",
			make: func(t *testing.T, h *host) { check(t, os.Chmod(h.path("tools/tool"), 0o641)) }},
		{name: "its folder is open to all", text: "#!/bin/sh\necho ran\n", reason: "program-unsafe",
			make: func(t *testing.T, h *host) { check(t, os.Chmod(h.path("tools"), 0o757)) }},
		{name: "its folder is open and sticky", text: "#!/bin/sh\necho ran\n", reason: "program-unsafe",
			make: func(t *testing.T, h *host) { check(t, os.Chmod(h.path("tools"), os.ModeSticky|0o777)) }},
		{name: "its group may write it", text: "#!/bin/sh\necho ran\n", reason: "program-unsafe",
			make: func(t *testing.T, h *host) { check(t, os.Chmod(h.path("tools/tool"), 0o775)) }},
		{name: "a link into an open folder", reason: "program-unsafe", make: func(t *testing.T, h *host) {
			check(t, os.Mkdir(h.path("open"), 0o755))
			h.script(t, "open/tool", "#!/bin/sh\necho ran\n")
			check(t, os.Chmod(h.path("open"), 0o777))
			check(t, os.Remove(h.path("tools/tool")))
			check(t, os.Symlink("../open/tool", h.path("tools/tool")))
		}},
		{name: "a link to a safe place", make: func(t *testing.T, h *host) {
			h.script(t, "bin/real", "#!/bin/sh\necho ran\n")
			check(t, os.Remove(h.path("tools/tool")))
			check(t, os.Symlink("../bin/real", h.path("tools/tool")))
		}},
		{name: "a dangling link", reason: "program-missing", make: func(t *testing.T, h *host) {
			check(t, os.Remove(h.path("tools/tool")))
			check(t, os.Symlink("nowhere", h.path("tools/tool")))
		}},
		{name: "a link to itself", reason: "program-unsafe", make: func(t *testing.T, h *host) {
			check(t, os.Remove(h.path("tools/tool")))
			check(t, os.Symlink("tool", h.path("tools/tool")))
		}},
		{name: "a FIFO", reason: "program-unsafe", make: func(t *testing.T, h *host) {
			check(t, os.Remove(h.path("tools/tool")))
			check(t, unix.Mkfifo(h.path("tools/tool"), 0o755))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, permitted)
			check(t, os.Mkdir(h.path("tools"), 0o755))
			h.script(t, "tools/tool", c.text)
			if c.make != nil {
				c.make(t, h)
			}
			before := powerless()
			if c.reason == "" {
				before = nil
			}
			o := run(t, command(sshdEnv("tool a 'echo ran'"), h.gate(before...)...))
			if c.reason == "" {
				if o != (outcome{stdout: "ran\n"}) {
					t.Errorf("%+v", o)
				}
				return
			}
			if o.status != record.ExitUnavailable || o.stdout != "" || ref(o.stderr) == "" {
				t.Errorf("%+v", o)
			}
			if e := h.last(t); e.Event != "error" || e.Reason != c.reason || e.Rule != "#1" || e.Ref != ref(o.stderr) {
				t.Errorf("the record says %+v, want %s", e, c.reason)
			}
		})
	}
}

func (h *host) script(t *testing.T, name, text string) {
	t.Helper()
	h.write(t, name, text)
	check(t, os.Chmod(h.path(name), 0o755))
}

// TestForeignProgram permits a program of somebody else's, who could change it at any time.
func TestForeignProgram(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	h := newHost(t, "[[allow]]\ncommand = \"tool\"\n")
	h.script(t, "bin/tool", "#!/bin/sh\necho ran\n")
	check(t, os.Chown(h.path("bin/tool"), 65534, 65534))
	o := run(t, h.request("tool"))
	if e := h.last(t); o.status != record.ExitUnavailable || o.stdout != "" || e.Reason != "program-unsafe" {
		t.Errorf("%+v, recorded as %+v", o, e)
	}
}
