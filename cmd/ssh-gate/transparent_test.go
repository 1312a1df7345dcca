package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/testsshd"
)

// surroundings permits programs that tell what they were started with.
const surroundings = `
[[allow]]
command = "probe"
[[allow]]
command = "probe {mode} {n}"
args.mode = ["exit", "kill"]
args.n = { int = [0, 255] }
[[allow]]
command = "probe copy"
[[allow]]
command = "cat {file+}"
args.file = { regex = "/proc/self/[a-z_/0-9]+" }
[[allow]]
command = "nice"
`

// both runs words directly and through the gate, started in the same way, and returns what each wrote to standard output.
func both(t *testing.T, setup string, words ...string) (direct, gated string) {
	t.Helper()
	h := newHost(t, surroundings)
	request := strings.Join(words, " ")
	program := slices.Clone(words)
	if words[0] == "probe" {
		program[0] = probeProgram()
	}
	start := func(words []string) string {
		cmd := command(sshdEnv(request), sh(setup, words...)...)
		cmd.Dir = h.dir
		cmd.Stdin = strings.NewReader("")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: unix.Getpgrp()} // the tests' own group, as both are to report
		o := run(t, cmd)
		if o.status != 0 || o.stderr != "" {
			t.Fatalf("%q after %q: %+v", words, setup, o)
		}
		return strings.ReplaceAll(o.stdout, h.dir, "DIR")
	}
	return start(program), start(h.gate())
}

// The gate's parent may have set any of these; each line is a shell's.
var setups = []string{
	":",
	"umask 077",
	"umask 0",
	"cd /",
	"mkdir gone; cd gone; rmdir ../gone",
	"exec </dev/null",
	"exec </etc/passwd 2>>/dev/null",
	"trap '' HUP",
	"trap '' INT TSTP TTIN TTOU CONT",
	"ulimit -S -n 64",
	"ulimit -n 512",
	"ulimit -S -c 0; ulimit -S -t 1000; ulimit -S -f 100000; ulimit -S -s 4096; ulimit -S -d 8000000",
}

func TestStatusIsTransparent(t *testing.T) {
	for _, setup := range append(setups, `exec env --block-signal=PIPE,USR1,ALRM,WINCH,TSTP,40 "$@"`) {
		t.Run(setup, func(t *testing.T) {
			direct, gated := both(t, setup, "cat", "/proc/self/status")
			if d, g := fixedStatus(direct), fixedStatus(gated); d != g {
				t.Errorf("directly:\n%s\nthrough the gate:\n%s", d, g)
			}
		})
	}
}

// TestRuntimeTakesSignals knows the signals whose being ignored, or blocked, does not pass through: before main, Go's runtime puts
// a handler in the place of SIG_IGN, which leaves the default behind, and unblocks what would end or disturb it. sshd itself
// starts a forced command with none ignored and none blocked.
func TestRuntimeTakesSignals(t *testing.T) {
	signals := "QUIT TERM PIPE USR1 USR2 ALRM CHLD WINCH URG IO"
	for setup, line := range map[string]string{
		"trap '' " + signals: "SigIgn:",
		`exec env --block-signal=HUP,INT,TERM,URG,SEGV,PROF,34 "$@"`: "SigBlk:",
	} {
		_, gated := both(t, setup, "cat", "/proc/self/status")
		const ofLibc = 1<<31 | 1<<32 // signals 32 and 33, which nobody but the C library sets
		_, mask, _ := strings.Cut(gated, line)
		mask, _, _ = strings.Cut(mask, "\n")
		if set, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64); err != nil || set&^ofLibc != 0 {
			t.Errorf("after %q: %v\n%s", setup, err, gated)
		}
	}
}

// fixedStatus keeps the lines of proc_pid_status(5) that do not change from one process to the next. NoNewPrivs is left out: it
// is the policy's privileges that decide it.
func fixedStatus(text string) string {
	keep := strings.Fields("Umask: TracerPid: Uid: Gid: FDSize: Groups: Threads: SigPnd: ShdPnd: SigBlk: SigIgn: SigCgt: CapInh: CapPrm: " +
		"CapEff: CapBnd: CapAmb: Seccomp: Cpus_allowed: Mems_allowed: CoreDumping: THP_enabled:")
	var b strings.Builder
	for line := range strings.Lines(text) {
		if name, _, _ := strings.Cut(line, "\t"); slices.Contains(keep, name) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestFilesOfProcAreTransparent compares limits, and what the scheduler, the killer and the dumper know of a program.
func TestFilesOfProcAreTransparent(t *testing.T) {
	words := []string{"cat"}
	for _, name := range []string{"limits", "oom_score_adj", "coredump_filter", "cgroup", "loginuid", "personality", "timerslack_ns"} {
		if exec.Command("cat", "/proc/self/"+name).Run() == nil { // this kernel has it, and lets one look
			words = append(words, "/proc/self/"+name)
		}
	}
	for _, setup := range setups {
		if direct, gated := both(t, setup, words...); direct != gated {
			t.Errorf("after %q\ndirectly:\n%s\nthrough the gate:\n%s", setup, direct, gated)
		}
	}
	if direct, gated := both(t, `exec nice -n 5 "$@"`, "nice"); direct != gated {
		t.Errorf("niceness %s became %s", direct, gated)
	}
}

// TestProcessIsTransparent compares what probe sees: descriptors, folder, group, session and terminal.
func TestProcessIsTransparent(t *testing.T) {
	for _, setup := range setups {
		t.Run(setup, func(t *testing.T) {
			direct, gated := both(t, setup, "probe")
			d, g := fixedReport(t, direct), fixedReport(t, gated)
			if d != g {
				t.Errorf("directly:\n%s\nthrough the gate:\n%s", d, g)
			}
		})
	}
}

// fixedReport keeps what does not change from one process to the next: of descriptors the three that a program gets, and not
// the numbers of pipes. The environment and no_new_privs are the policy's.
func fixedReport(t *testing.T, text string) string {
	t.Helper()
	r := probed(t, text)
	return fmt.Sprintf("cwd %s\numask %s\ngroup %d\nsession %d\nterminal %s\n0 %s\n1 %s\n2 %s\n", r.Cwd, r.Umask, r.Pgid, r.Sid, r.TTY,
		pipeNumber.ReplaceAllString(r.FDs["0"], ""), pipeNumber.ReplaceAllString(r.FDs["1"], ""), pipeNumber.ReplaceAllString(r.FDs["2"], ""))
}

var pipeNumber = regexp.MustCompile(`\[[0-9]+\]$`)

// TestDescriptorFlagsAreTransparent looks for O_NONBLOCK and the like, which a program shares with whoever else has the stream.
func TestDescriptorFlagsAreTransparent(t *testing.T) {
	for _, fd := range []string{"0", "1", "2"} {
		for _, setup := range []string{":", "exec 2>>log", "exec </etc/passwd", "exec 0<>/dev/null", "read line </etc/passwd"} {
			direct, gated := both(t, setup, "cat", "/proc/self/fdinfo/"+fd)
			if d, g := flags(direct), flags(gated); d != g || d == "" {
				t.Errorf("descriptor %s after %q: %q directly, %q through the gate", fd, setup, d, g)
			}
		}
	}
}

// flags keeps position and flags of proc_pid_fdinfo(5).
func flags(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "pos:") || strings.HasPrefix(line, "flags:") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestExitStatuses(t *testing.T) {
	h := newHost(t, surroundings)
	atOnce(256, 4, func(n int) {
		if o := run(t, h.request(fmt.Sprint("probe exit ", n))); o != (outcome{status: n}) {
			t.Errorf("exit %d became %+v", n, o)
		}
	})
	if h.records(t) != nil {
		t.Error("there is a record of what was allowed")
	}
}

func TestSignals(t *testing.T) {
	h := newHost(t, surroundings)
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31, 34, 64} {
		if o := run(t, h.request(fmt.Sprint("probe kill ", n))); o != (outcome{status: -1, signal: syscall.Signal(n)}) {
			t.Errorf("signal %d became %+v", n, o)
		}
	}
}

func TestStreams(t *testing.T) {
	h := newHost(t, surroundings)
	data := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(data)
	cmd := h.request("probe copy")
	cmd.Stdin = strings.NewReader(string(data))
	if o := run(t, cmd); o.status != 0 || o.stdout != string(data) || o.stderr != string(data) {
		t.Errorf("status %d, %d bytes of standard output, %d of standard error", o.status, len(o.stdout), len(o.stderr))
	}
}

// TestStandardInputIsNotRead leaves what the client sends to the program, and to nobody where it is denied.
func TestStandardInputIsNotRead(t *testing.T) {
	h := newHost(t, surroundings)
	for _, request := range []string{"probe", "denied"} {
		r, w, err := os.Pipe()
		check(t, err)
		defer r.Close()
		_, err = w.WriteString("data")
		check(t, err)
		w.Close()
		cmd := h.request(request)
		cmd.Stdin = r
		run(t, cmd)
		left := make([]byte, 5)
		if n, _ := r.Read(left); string(left[:n]) != "data" {
			t.Errorf("after %q standard input holds %q", request, left[:n])
		}
	}
}

// TestEnvironment compares everything that a program gets with what the design says, whatever the client sent.
func TestEnvironment(t *testing.T) {
	testsshd.RequireTool(t, "env", "coreutils")
	a := account()
	base := []string{"HOME=" + a.home, "USER=" + a.name, "LOGNAME=" + a.name, "SHELL=" + a.shell, "PATH=$DIR/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin"}
	ssh := []string{"SSH_CLIENT=192.0.2.7 50022 22", "SSH_CONNECTION=192.0.2.7 50022 192.0.2.1 22"}
	long := strings.Repeat("x", 5000)
	for _, c := range []struct {
		name, rule string
		got        []string // beside what sshd always sets
		want       []string // beside base and ssh
	}{
		{name: "nothing more"},
		{name: "the rest of sshd's", got: []string{"SSH_USER_AUTH=/tmp/x", "MAIL=/x", "TZ=UTC", "KRB5CCNAME=x", "DISPLAY=:0", "XDG_SESSION_ID=1"}},
		{name: "a terminal", got: []string{"SSH_TTY=/dev/pts/7", "TERM=xterm-256color"}, want: []string{"SSH_TTY=/dev/pts/7", "TERM=xterm-256color"}},
		{name: "TERM alone", got: []string{"TERM=xterm"}},
		{name: "a hostile terminal", got: []string{"SSH_TTY=/dev/pts/../../x", "TERM=../x"}},
		{name: "a hostile TERM", got: []string{"SSH_TTY=/dev/pts/7", "TERM=../../tmp/terminfo"}, want: []string{"SSH_TTY=/dev/pts/7"}},
		{name: "locale", got: []string{"LANG=de_DE.UTF-8", "LC_ALL=C", "LC_CTYPE=en_US.utf8@euro"}, want: []string{"LANG=de_DE.UTF-8", "LC_ALL=C", "LC_CTYPE=en_US.utf8@euro"}},
		{name: "hostile locale", got: []string{"LANG=/tmp/x", "LC_A=() { :;}; id", "LC_B=$(id)", "LC_C=\x1b[2J", "LC_D=\xff", "LC_E=a\nb", "LC_F=../x", "LC_G=", "LC_=C",
			"LC_lower=C", "LC_X-Y=C", "LC_H=" + long, "LC_" + long + "=C", "LANGUAGE=de"}},
		{name: "code", got: []string{"LD_PRELOAD=/tmp/x", "LD_LIBRARY_PATH=/tmp", "BASH_ENV=/tmp/x", "ENV=/tmp/x", "IFS=x", "PYTHONPATH=/tmp", "BASH_FUNC_x%%=() { id; }", "no equals sign", "=x"}},
		{
			name: "pass_env", rule: `pass_env = ["A", "B", "C", "D", "E"]`,
			got:  []string{"A=a b", "B=\xff\xfe", "C=a\x1bb", "D=" + long, "E="},
			want: []string{"A=a b", "B=\xff\xfe", "E="},
		},
		{
			name: "env", rule: `env = { A = "fixed", LANG = "C", TERM = "dumb", B = "", SSH_CLIENT2 = "x = y" }` + "\npass_env = [\"A\"]",
			got:  []string{"A=client", "LANG=de", "TERM=xterm"},
			want: []string{"A=fixed", "LANG=C", "TERM=dumb", "B=", "SSH_CLIENT2=x = y"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, "[[allow]]\ncommand = \"env -0\"\n"+c.rule+"\n")
			o := run(t, h.request("env -0", c.got...))
			got := strings.Split(strings.TrimSuffix(o.stdout, "\x00"), "\x00")
			var want []string
			for _, kv := range slices.Concat(base, ssh, c.want) {
				want = append(want, strings.ReplaceAll(kv, "$DIR", h.dir))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%+v\n got %q\nwant %q", o, got, want)
			}
		})
	}
}

// TestEnvironmentByHand has neither sshd nor much else.
func TestEnvironmentByHand(t *testing.T) {
	h := newHost(t, "[[allow]]\ncommand = \"env\"\n")
	a := account()
	o := run(t, command([]string{"SSH_ORIGINAL_COMMAND=env"}, h.gate()...))
	want := fmt.Sprintf("HOME=%s\nUSER=%s\nLOGNAME=%[2]s\nSHELL=%s\nPATH=%s/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin\n", a.home, a.name, a.shell, h.dir)
	if o.stdout != want {
		t.Errorf("got %q\nwant %q", o.stdout, want)
	}
}
