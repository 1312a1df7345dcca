package suggest

import (
	"slices"
	"strings"

	"example.org/ssh-gate/internal/lint"
)

// known is what is known of a program beyond its words.
type known struct {
	mode  string   // requests of different modes never share a rule
	label string   // what rules are named after
	exact bool     // no word is guessed
	lines []string // of TOML that its rules need
	notes []string
}

// placeholder is what people have to replace. No such file is there, so a rule that still has it runs nothing.
const placeholder = "/usr/local/sbin/CHANGE-ME"

const needsRun = `run = "` + placeholder + `"`

// knownAs recognises well-known requests, behind sudo and its like as well: there only a program of the administrator's own pins them.
func knownAs(words []string) known {
	k := direct(words)
	if !lint.IsWrapper(base(words[0])) || len(k.lines) > 0 {
		return k
	}
	for i := 1; i < min(len(words), maxWords); i++ {
		inner := direct(words[i:])
		if len(inner.lines) > 0 && inner.mode != "builtin" && inner.mode != "path" {
			return known{mode: "wrapped", label: k.label, exact: true, lines: []string{needsRun}, notes: inner.notes}
		}
	}
	return k
}

// direct recognises well-known requests. What they reach is often not in their words; then run, cwd or confine pins it, with a path
// that only people know.
func direct(words []string) known {
	k := recognised(words)
	if len(k.lines) == 0 && opensAnyway(words) {
		k = known{mode: "shell", label: k.label, exact: true, lines: []string{needsRun},
			notes: []string{"It takes commands from its client once it runs, and some of them run programs: name a program of yours in run, or leave the rule out."}}
	}
	return keepHome(k, words)
}

func recognised(words []string) known {
	program := base(words[0])
	k := known{label: program}
	has := func(w string) bool { return slices.Contains(words[1:], w) }
	switch {
	case opensShell(words):
		return known{mode: "shell", label: program, exact: true, lines: []string{needsRun},
			notes: []string{"It would read commands from standard input, and so run anything: name a program of yours in run, or leave the rule out."}}
	case isBuiltin(words[0]):
		return known{mode: "builtin", label: program, exact: true, lines: []string{needsRun},
			notes: []string{quoteShown(words[0]) + " is a word of shells, not a program: name what shall run in run."}}
	case !isProgram(words[0]):
		return known{mode: "path", label: program, exact: true, lines: []string{needsRun},
			notes: []string{"The first word is neither a name nor an absolute path: write out the program's path in run."}}
	case program == "sftp-server" || words[0] == "internal-sftp":
		return known{mode: "sftp", label: "sftp", exact: true,
			lines: []string{`run = "/usr/lib/openssh/sftp-server -R -d /srv/CHANGE-ME"`, `confine = { read = ["/srv/CHANGE-ME", "/etc/passwd"], network = false }`},
			notes: []string{"sftp carries its paths where no rule sees them: run and confine pin it. See examples/sftp.toml and examples/sftp-confined.toml."}}
	case program == "borg" && has("serve"):
		return known{mode: "serve", label: "borg", exact: true,
			lines: []string{`run = "/usr/bin/borg serve --restrict-to-path /srv/CHANGE-ME --append-only"`},
			notes: []string{"The words of the request do not tell which repository: run pins it. See examples/borg.toml."}}
	case program == "rsync" && has("--server"):
		return rsync(words, has("--sender"))
	case program == "scp" && has("-f"):
		return known{mode: "f", label: "scp-download", notes: []string{"-f makes the server read; the path is what pins it. See examples/scp.toml."}}
	case program == "scp" && has("-t"):
		return known{mode: "t", label: "scp-upload", notes: []string{"-t makes the server write; the path is what pins it. See examples/scp.toml."}}
	case program == "git-upload-pack":
		return known{label: "fetch", notes: []string{"The repository is what pins it. See examples/git.toml."}}
	case program == "git-receive-pack":
		return known{label: "push", notes: []string{"The repository is what pins it; hooks in it run as the account. See examples/git.toml and examples/git-confined.toml."}}
	case isServer(words):
		k.mode, k.exact, k.lines = "server", true, []string{`confine = { write = ["/srv/CHANGE-ME"] }`}
		k.notes = []string{"A server on standard input: its client may ask it for anything that it can do as the account, whatever these words say: confine pins it. See examples/sftp-confined.toml."}
	case program == "sudo" || program == "doas":
		k.exact = true
		k.notes = []string{program + ` needs privileges = "keep" in the rule. What it may run, its own configuration says as well.`}
	case runsArguments(program):
		k.exact = true
		k.notes = []string{"This program can be made to run others, so no word is guessed."}
	}
	return k
}

// opensAnyway says whether a program gives a shell although every word of it is fixed, as editors, debuggers and clients of databases do.
func opensAnyway(words []string) bool {
	_, opens := lint.Opens(words)
	return opens
}

func base(program string) string { return program[strings.LastIndexByte(program, '/')+1:] }

// isProgram says whether a word can be a program in a policy: a name, or an absolute path that is written out.
func isProgram(w string) bool {
	name, absolute := strings.CutPrefix(w, "/")
	parts := strings.Split(name, "/")
	bad := slices.Contains(parts, "") || slices.Contains(parts, ".") || slices.Contains(parts, "..")
	return !bad && (absolute || len(parts) == 1)
}

func isBuiltin(w string) bool {
	switch w {
	case ".", ":", "alias", "bg", "break", "cd", "command", "continue", "declare", "eval", "exec", "exit", "export", "fg", "for", "hash", "if", "jobs", "logout",
		"popd", "pushd", "read", "readonly", "return", "set", "shift", "source", "times", "trap", "type", "ulimit", "umask", "unalias", "unset", "until", "wait", "while":
		return true
	}
	return false
}

// runsArguments says whether a program can be made to run another by its arguments.
func runsArguments(program string) bool {
	if lint.RunsOthers(program) {
		return true
	}
	switch program {
	case "find", "tar", "gtar", "bsdtar", "git", "hg", "bzr", "brz", "scp", "rsync", "zip", "less", "more", "most", "man",
		"make", "gmake", "bmake", "ninja", "rake", "ant", "mvn", "gradle", "scons", "start-stop-daemon", "run-parts", "socat", "openssl",
		"nc", "ncat", "netcat", "nc.openbsd", "nc.traditional":
		return true
	}
	return false
}

// opensShell says whether a request starts an interpreter that is told on standard input what to do, behind wrappers or not.
func opensShell(words []string) bool {
	if base(words[0]) == "env" { // its -S takes a command as one word
		words = strings.Fields(strings.Join(words, " "))
	}
	for i, w := range words {
		program, rest := base(w), words[i+1:]
		switch {
		case lint.IsInterpreter(program):
			return interactive(rest)
		case lint.IsWrapper(program):
			if program == "su" && !slices.Contains(rest, "-c") {
				return true
			}
			if (program == "sudo" || program == "doas") && interactive(rest) && (slices.Contains(rest, "-i") || slices.Contains(rest, "-s")) {
				return true
			}
			if opensByItself(program) && all(rest, func(w string) bool { return strings.HasPrefix(w, "-") }) {
				return true
			}
		case i == 0 && !(runsInside(program) && slices.Contains(rest, "exec")):
			return false
		}
	}
	return false
}

// opensByItself are wrappers that start a shell where no command is named.
func opensByItself(program string) bool {
	switch program {
	case "fakeroot", "firejail", "nsenter", "proot", "run0", "unshare":
		return true
	}
	return false
}

// runsInside are programs whose exec runs a command in a container.
func runsInside(program string) bool {
	switch program {
	case "docker", "docker-compose", "podman", "podman-compose", "nerdctl", "kubectl", "oc", "lxc", "incus":
		return true
	}
	return false
}

// interactive says whether there are options only, or one that says so, or standard input by its name.
func interactive(args []string) bool {
	script := false
	for i, w := range args {
		switch {
		case w == "-s" || w == "-i", isStdin(w) && !script:
			return true
		case !strings.HasPrefix(w, "-") && !strings.HasPrefix(w, "+"):
			script = script || i == 0 || !takesValue(args[i-1])
		}
	}
	return !script
}

// takesValue says whether a shell's option has a value of its own, which is no script.
func takesValue(option string) bool {
	switch option {
	case "-O", "+O", "-o", "+o", "--rcfile", "--init-file":
		return true
	}
	return false
}

func isStdin(w string) bool {
	return w == "-" || w == "/dev/stdin" || w == "/dev/fd/0" || w == "/proc/self/fd/0"
}

func isServer(words []string) bool {
	switch base(words[0]) {
	case "unison":
		return slices.Contains(words, "-server")
	case "rdiff-backup":
		return slices.Contains(words, "--server")
	case "hg", "bzr", "brz":
		return slices.Contains(words, "serve")
	case "bup", "cvs":
		return slices.Contains(words, "server")
	case "svnserve", "git-annex-shell", "git-lfs-transfer", "mosh-server":
		return true
	}
	return false
}

// rsync knows the request that rsync's client sends.
func rsync(words []string, sender bool) known {
	k := known{mode: "push", label: "rsync-push", notes: []string{"Without --sender the server writes. Flags and path are what pins it: see examples/rsync-push.toml for a rule that takes what -a sends."}}
	if sender {
		k = known{mode: "pull", label: "rsync-pull", notes: []string{"--sender makes the server read. Flags and path are what pins it: see examples/rsync-pull.toml for a rule that takes what -a sends."}}
	}
	for _, w := range words[1:] {
		if w == "-s" || w == "--secluded-args" || w == "--protect-args" || strings.HasPrefix(w, "-s") && strings.Contains(w, ".") {
			k.mode, k.exact = "hidden", true
			k.lines = []string{`confine = { write = ["/srv/CHANGE-ME"], read = ["/etc/passwd", "/etc/group"], network = false }`}
			k.notes = []string{"rsync -s sends paths and options where no rule sees them: only confine pins it. See examples/rsync-confined.toml."}
		}
	}
	return k
}

// hasActions says whether a program's first word tells what it does, so that a rule may be named after it.
func hasActions(program string) bool {
	switch program {
	case "systemctl", "loginctl", "apt", "apt-get", "dnf", "yum", "zfs", "zpool", "btrfs", "git", "hg", "docker", "podman", "kubectl", "restic", "borg", "nmcli", "ip":
		return true
	}
	return false
}

// accessOf guesses what a well-known program does with files; empty where it is not known.
func accessOf(program string) string {
	switch base(program) {
	case "cat", "tac", "tail", "head", "ls", "wc", "stat", "du", "file", "grep", "egrep", "fgrep", "zcat", "zgrep", "xzcat", "bzcat", "cksum", "md5sum",
		"sha1sum", "sha256sum", "sha512sum", "b2sum", "nl", "od", "strings", "readlink", "realpath":
		return "read"
	case "tee", "touch", "mkdir", "rmdir", "truncate":
		return "write"
	}
	return ""
}

// named are placeholders that a well-known program has a word for.
func named(program string) string {
	switch base(program) {
	case "systemctl", "service", "journalctl":
		return "unit"
	case "git-upload-pack", "git-receive-pack":
		return "repo"
	case "zfs", "zpool":
		return "dataset"
	case "pg_dump", "mysqldump", "createdb", "dropdb", "psql":
		return "database"
	case "docker", "podman":
		return "container"
	}
	return ""
}
