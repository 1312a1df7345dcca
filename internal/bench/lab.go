package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed testdata
var testdata embed.FS

const (
	bareGo    = "bare Go, allow"
	staticC   = "static C, allow"
	bashDeny  = "bash wrapper, deny"
	bashLogin = "bash as login shell, bash wrapper"
	gateAllow = "ssh-gate, allow"
	gateRules = "ssh-gate, 1,000 rules, allow"

	manyPolicies = 10_000

	mostForDenial      = 100 * time.Microsecond // over an allowed command
	mostForContainment = 200 * time.Microsecond // so

	permitted = "deploy v1.4.2"
	forbidden = "systemctl restart sshd"
	allowed   = 0
	denied    = 77
)

// lab is a folder with the programs under test and all that they read and write.
type lab struct {
	dir        string
	user       string
	contenders []*contender
}

func newLab(ctx context.Context, dir string) (*lab, error) {
	who, err := user.Current()
	if err != nil {
		return nil, err
	}
	l := &lab{dir: dir, user: who.Username}
	for _, add := range []func(context.Context) error{l.addBaselines, l.addWrappers, l.addGate, l.addOthers} {
		if err := errors.Join(add(ctx), ctx.Err()); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *lab) addBaselines(ctx context.Context) error {
	err := errors.Join(l.put("bare.go", "bare.go"), l.put("static.c", "static.c"), l.put("contained.c", "contained.c"),
		l.put("policy.toml", "policy.toml"))
	static := l.add(staticC, permitted, allowed, l.path("static"))
	contained := l.add("static C, contained, allow", permitted, allowed, l.path("contained"), l.dir).over(staticC, mostForContainment)
	if command(ctx, "gcc", "-static", "-O2", "-o", l.path("static"), l.path("static.c")) != nil ||
		command(ctx, "gcc", "-static", "-O2", "-o", l.path("contained"), l.path("contained.c")) != nil {
		static.missing = "not installed: apt-get install gcc libc6-dev"
		contained.missing = static.missing
	}
	l.add(bareGo, permitted, allowed, l.path("bare"))
	l.add("bare Go, decodes a policy, allow", permitted, allowed, l.path("decode"), l.path("policy.toml")).aim(bashLogin, 0.8)
	return errors.Join(err, build(ctx, l.path("bare"), l.path("bare.go")), build(ctx, l.path("decode"), "./internal/bench/testdata/decode"))
}

// addWrappers adds the script that ssh-gate replaces, one text under two shells.
func (l *lab) addWrappers(context.Context) error {
	text, err := testdata.ReadFile("testdata/wrapper.sh")
	for _, shell := range []string{"bash", "dash"} {
		script := l.path(shell + ".sh")
		err = errors.Join(err, os.WriteFile(script, append([]byte("#!/bin/"+shell+"\n"), text...), 0o755))
		l.add(shell+" wrapper, allow", permitted, allowed, script).needs("/bin/"+shell, shell)
		l.add(shell+" wrapper, deny", forbidden, denied, script).needs("/bin/"+shell, shell).log = script + ".log"
	}
	return err
}

func (l *lab) addGate(ctx context.Context) error {
	log, config := l.path("gate.log"), l.path("config.toml")
	err := errors.Join(
		os.WriteFile(config, fmt.Appendf(nil, "[log]\nfile = %q\n", log), 0o644),
		os.WriteFile(l.path("silent.toml"), []byte("[log]\nfile = \"\"\n"), 0o644),
		os.Mkdir(l.path("few"), 0o755), os.Mkdir(l.path("many"), 0o755),
		l.put("few/key-05000.toml", "policy.toml"), l.put("few/seed.toml", "seed.toml"),
		os.WriteFile(l.path("few/rules.toml"), manyRules(), 0o644))
	for i := range manyPolicies {
		err = errors.Join(err, l.put(fmt.Sprintf("many/key-%05d.toml", i), "policy.toml"))
	}
	add := func(name, request string, want int, folder, key string) *contender {
		return l.add(name, request, want, l.path("ssh-gate"), "--policy-dir", l.path(folder), "--key", key, "--config", config)
	}
	add(gateAllow, permitted, allowed, "few", "key-05000").aim(bareGo, 1.25)
	add("ssh-gate, deny", forbidden, denied, "few", "key-05000").aim(bashDeny, 0.9).over(gateAllow, mostForDenial).log = log
	silent := add("ssh-gate, deny without a record", forbidden, denied, "few", "key-05000")
	silent.argv[len(silent.argv)-1] = l.path("silent.toml")
	add("ssh-gate, two commands, allow", permitted, allowed, "few", "seed").aim(bareGo, 1.25)
	add("ssh-gate, two commands, deny", forbidden, denied, "few", "seed").aim(bashDeny, 0.9).log = log
	add("ssh-gate, 10,000 policies, allow", permitted, allowed, "many", "key-05000").aim(bareGo, 1.25)
	add("ssh-gate, 10,000 policies, deny", forbidden, denied, "many", "key-05000").aim(bashDeny, 0.9).log = log
	add(gateRules, lastRequest, allowed, "few", "rules")
	return errors.Join(err, l.addContained(add), l.addShells(), build(ctx, l.path("ssh-gate"), "./cmd/ssh-gate"))
}

// contained is what the same policy takes on as the default of its rules. Sessions and starts are counted in a folder that only root
// can make.
const (
	contained = `confine = { read = ["/etc/hostname"], network = false }
limits = { timeout = "1h", cpu = "1h", memory = "4G", files = 512, file_size = "1G", processes = 10000, nice = 1%s }
`
	counted = `, sessions = 1000, rate = "1000/1s"`
)

// addContained adds an allowed command that the kernel holds.
func (l *lab) addContained(add func(name, request string, want int, folder, key string) *contender) error {
	policy, err := testdata.ReadFile("testdata/policy.toml")
	name, extra := "ssh-gate, confined and limited, allow", counted
	if mountRun() != nil {
		name, extra = "ssh-gate, confined, limited but for sessions and rate, allow", ""
	}
	text := fmt.Sprintf(contained, extra) + string(policy)
	add(name, permitted, allowed, "few", "contained").over(gateAllow, mostForContainment)
	return errors.Join(err, os.WriteFile(l.path("few/contained.toml"), []byte(text), 0o644))
}

// addShells adds what sshd starts in a login: the account's login shell with the forced command. Under sshd bash then reads its start-up
// files, and an account has those that the system gives to a new one.
func (l *lab) addShells() error {
	if text, err := os.ReadFile("/etc/skel/.bashrc"); err == nil {
		if err := os.WriteFile(l.path(".bashrc"), text, 0o644); err != nil {
			return err
		}
	}
	l.add(bashLogin, permitted, allowed, "/bin/bash", "-c", l.path("bash.sh")).needs("/bin/bash", "bash")
	gate := l.add("ssh-gate as login shell", permitted, allowed, l.path("ssh-gate"), "-c", "/usr/bin/ssh-gate --key bench").aim(bashLogin, 0.8)
	policy, err := testdata.ReadFile("testdata/policy.toml")
	if mountEtc(l.path("etc"), policy) != nil {
		gate.missing = "not measured: as a login shell it reads /etc/ssh-gate only; as root, another is laid over it for this run alone"
	}
	return err
}

// addOthers adds other programs for the purpose, each with the same five rules. The last two can only run what is requested, so
// the program itself is requested.
func (l *lab) addOthers(context.Context) error {
	const request = "/bin/true v1.4.2"
	err := errors.Join(l.put("rush.rc", "rush.rc"), l.put("authprogs.yaml", "authprogs.yaml"),
		os.Mkdir(l.path("restricted"), 0o755), l.put("restricted/rules", "restricted-ssh-commands"))

	rush := l.add("GNU rush, allow", "", allowed, "/usr/sbin/rush", "-c", permitted).needs("/usr/sbin/rush", "rush")
	if rush.missing == "" && mountOver("/etc/rush.rc", l.path("rush.rc")) != nil {
		rush.missing = "not measured: reads /etc/rush.rc only; as root, another is laid over it for this run alone"
	}

	script, readErr := os.ReadFile("/usr/lib/restricted-ssh-commands")
	l.add("restricted-ssh-commands, allow", request, allowed, l.path("restricted-ssh-commands"), "rules").
		needs("/usr/lib/restricted-ssh-commands", "restricted-ssh-commands").ends = "" // a shell may stay as the parent
	if readErr == nil {
		// It reads below /etc only, so what runs is a copy that reads here.
		script = bytes.ReplaceAll(script, []byte("/etc/restricted-ssh-commands"), []byte(l.path("restricted")))
		err = errors.Join(err, os.WriteFile(l.path("restricted-ssh-commands"), script, 0o755))
	}

	l.add("authprogs, allow", request, allowed, "/usr/bin/authprogs", "--run", "--configfile", l.path("authprogs.yaml")).
		needs("/usr/bin/authprogs", "authprogs").ends = "" // so does Python
	return err
}

// private gives this thread a mount namespace of its own, which ends with it. All later programs start from this thread.
var private = sync.OnceValue(func() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
})

// mountOver lays a file over another.
func mountOver(path, file string) error {
	if err := private(); err != nil {
		return err
	}
	return unix.Mount(file, path, "", unix.MS_BIND, "")
}

// mountRun makes a /run of this thread's own, with the folder in which sessions and starts are counted.
func mountRun() error {
	if err := private(); err != nil {
		return err
	}
	return errors.Join(unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"), os.Mkdir("/run/ssh-gate", 0o755))
}

// mountEtc lays a folder over /etc that has a policy for the key bench.
func mountEtc(dir string, policy []byte) error {
	if err := private(); err != nil {
		return err
	}
	upper, work := filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	err := errors.Join(os.MkdirAll(dir, 0o755), unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"), os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755),
		unix.Mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir="+upper+",workdir="+work))
	return errors.Join(err, os.MkdirAll("/etc/ssh-gate/keys", 0o755), os.WriteFile("/etc/ssh-gate/keys/bench.toml", policy, 0o644))
}

// add adds a program to those that are measured, with the environment that sshd gives a forced command.
func (l *lab) add(name, request string, want int, argv ...string) *contender {
	c := &contender{name: name, argv: argv, want: want, dir: l.dir, env: []string{
		"HOME=" + l.dir, // nothing in the real home may count, such as ~/.ssh/authprogs.d
		"USER=" + l.user,
		"LOGNAME=" + l.user,
		"SHELL=/bin/sh",
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"SSH_CLIENT=203.0.113.7 50022 22",
		"SSH_CONNECTION=203.0.113.7 50022 192.0.2.10 22",
		"SSH_ORIGINAL_COMMAND=" + request,
	}}
	if want == allowed {
		c.ends = "true"
	}
	l.contenders = append(l.contenders, c)
	return c
}

func (l *lab) find(name string) *contender {
	for _, c := range l.contenders {
		if c.name == name {
			return c
		}
	}
	panic("no contender " + name)
}

// checkRecords holds the logs against the denials: one without a record is not what was to be measured.
func (l *lab) checkRecords() error {
	runs := map[string]int{}
	for _, c := range l.contenders {
		runs[c.log] += c.runs
	}
	delete(runs, "")
	for log, n := range runs {
		if n == 0 {
			continue
		}
		text, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		if got := bytes.Count(text, []byte("\n")); got != n {
			return fmt.Errorf("%s has %d records of %d denials", log, got, n)
		}
	}
	return nil
}

func (l *lab) path(name string) string { return l.dir + "/" + name }

func (l *lab) put(to, name string) error {
	text, err := testdata.ReadFile("testdata/" + name)
	return errors.Join(err, os.WriteFile(l.path(to), text, 0o644))
}

// build builds as the product is built.
// build installs what it builds, as a package would: Go's linker writes through a mapping, which leaves the file in the page cache in
// single pages, and every start of it then takes more page faults, 0.3 ms here, than one of the same file written in order.
func build(ctx context.Context, to, from string) error {
	linked := to + ".linked"
	return errors.Join(
		command(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", linked, from),
		command(ctx, "install", "-m", "755", linked, to))
}

func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
