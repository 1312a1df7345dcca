package lint

import (
	"strings"
	"sync"
)

// How a program reads its arguments, as far as that decides what a free one opens.
type style byte

const (
	plain       style = iota
	interpreter       // the first argument that is no option is code or a file of code; without one, code comes by standard input
	commander         // takes commands by standard input, some of which run programs
	wrapper           // runs the rest of its arguments
	pager             // a shell at the press of a key, on a terminal
	protocol          // what it reads and writes comes by standard input
	remote            // runs its arguments by a shell on another host
)

// program is what is known of programs that a free argument, or nothing more, opens. Lists are words between blanks. An option stands
// for itself with a value behind it, and a long one for itself with = and a value, too; with "*" at its end its value may be attached, and
// with "!" it needs none.
type program struct {
	names string
	with  string // one of these words stands among the arguments; the entry holds only then
	own   bool   // and stands before the first argument that is no option
	style style

	code string // options of an interpreter whose value is code
	feed string // the letter of the option with which a shell reads code from standard input, whatever follows

	loads string // options of an interpreter whose value is code, after which the first argument that is no option is run as well

	runs   string // words whose value is a program, or code, that is run
	obeys  string // words whose value is a file or folder that says what is run
	writes string // words whose value is a file that is written
	reads  string // words whose value is a file whose content comes back

	into     string // words, "*" for none, with which it writes files under names that the client sends, below its last operand; from: unless one of these
	from     string
	archive  string // options that name a file with these names, in place of standard input; "*": the first operand does
	folder   string // options that name the folder in place of the operand; without one of an archive it is the present folder
	anyplace string // options with which absolute names in the archive lead elsewhere
	saves    string // words, "*" for none, with which it writes a file named as a URL ends; unless a word of folder or named has a value
	named    string
	pours    bool // what it writes comes by standard input

	holds string // words of a program behind which another one and its arguments stand

	stdin string // words with which the program takes its arguments from standard input

	operands  string // what an argument that is no option names: a file that is read, "r", or written, "w", the last one, "rw"; what is run, "x"
	value     string // options of a wrapper, or of an interpreter, that have a value of their own
	instead   string // options with which the first argument is an operand already
	skip      int    // arguments before the command of a wrapper, or before the operands
	feeds     bool   // a wrapper that gives its command arguments from standard input
	pairs     string // options of a wrapper that have two values
	login     bool   // a wrapper that opens a shell where there is no command
	shells    string // words with which a wrapper opens one
	closed    string // words, or NAME=value of env, that close a pager, a commander, a protocol or a wrapper without a command
	pagerWith string // words with which a program starts a pager; "*": with any
	edits     string // words with which a program starts an editor, those of a kind between commas
	unedited  string // words, or NAME=value of env, that keep it from that
	terminal  bool   // it takes commands from the terminal, so that standard input says nothing
	pinned    int    // literal operands from which on a commander reads no standard input
}

// applets are programs that are many others: told nothing, they list them, and some read commands.
const applets = "busybox toybox"

// programs is public knowledge, from the programs' own manuals.
var programs = [...]program{
	// Shells and interpreters.
	{names: "sh bash dash ash ksh ksh93 mksh zsh rbash rksh yash posh fish csh tcsh", style: interpreter,
		code: "-c --command", loads: "--rcfile --init-file", feed: "s", value: "-O +O -o +o"},
	{names: "python pypy ipython", style: interpreter, code: "-c* -m*"},
	{names: "perl", style: interpreter, code: "-e* -E*", loads: "-M* -m* -d* -I*"},
	{names: "ruby irb", style: interpreter, code: "-e*", loads: "-r* -I*"},
	{names: "node nodejs deno bun", style: interpreter, code: "-e -p -pe --eval --print", loads: "-r --require --import --loader"},
	{names: "lua luajit", style: interpreter, loads: "-e* -l*"},
	{names: "php", style: interpreter, code: "-r -B -R -E -f -F --run --file", loads: "-d* -c"},
	{names: "java", style: interpreter, code: "-jar -m --module", loads: "-javaagent:* -agentpath:* -agentlib:* -cp -classpath --class-path -p --module-path @*"},
	{names: "tclsh wish expect jimsh guile racket scheme ghci runghc R Rscript octave julia groovy jshell scala elixir iex erl " +
		"ocaml pwsh elvish nu xonsh",
		style: interpreter, code: "-c* -e* -E* --eval"},
	{names: "awk gawk mawk nawk original-awk", style: interpreter, code: "-f* -e* --file --source --exec", loads: "-i* -l* --include --load",
		operands: "r", skip: 1, instead: "-f -e --file --source"},
	{names: "sed gsed", style: interpreter, code: "-e* -f* --expression --file", writes: "-i* --in-place", operands: "r",
		skip: 1, instead: "-e -f --expression --file"},
	{names: "jq yq", reads: "-f --from-file --slurpfile --rawfile -L*", operands: "r", skip: 1},
	{names: "grep egrep fgrep zgrep rg ag ack look", runs: "--pre --pager", reads: "-f* --file --exclude-from",
		operands: "r", skip: 1, instead: "-e -f --regexp --file"},
	{names: "bc", operands: "r"},
	{names: "m4", style: interpreter, operands: "r"},
	{names: applets, style: wrapper},

	// Editors and pagers.
	{names: "sudoedit vi vim view rvim nvim nano pico emacs mg joe mcedit micro jed hx kak", style: commander, terminal: true,
		runs: "-c* +* -S* -s* --cmd --eval --load -f --speller", operands: "rw"},
	{names: "ed red ex", style: commander,
		runs: "-c* +* -S* -s* --cmd --eval --load -f --speller", operands: "rw"},
	{names: "visudo vipw vigr", style: commander, terminal: true, closed: "-c --check", reads: "-f --file"},
	{names: "sudo", with: "-e --edit", own: true, style: commander, terminal: true, operands: "rw"},
	{names: "less more most pg", style: pager, terminal: true, runs: "-k* --lesskey-file +*", writes: "-o* -O* --log-file --LOG-FILE", operands: "r",
		closed: "LESSSECURE=1"},
	{names: "man", style: pager, runs: "-P* -H* --pager --html -C* --config-file", operands: "r",
		closed: "PAGER=cat MANPAGER=cat -w --where -P"},
	{names: "info", style: pager, writes: "-o* --output", operands: "r", closed: "-o --output"},
	{names: "dc", style: commander, operands: "r", runs: "-e* -f* --expression --file"},

	// Programs that run another one.
	{names: "env", style: wrapper, value: "-u -C -S --unset --chdir", runs: "-S* --split-string"},
	{names: "taskset chrt", style: wrapper, value: "-p -T -P -D", skip: 1},
	{names: "nice ionice setsid nohup stdbuf unbuffer time catchsegv faketime cpulimit prlimit " +
		"linux32 linux64 eatmydata torsocks proxychains systemd-inhibit systemd-cat choom numactl cgexec rlwrap dbus-run-session",
		style: wrapper, value: "-n -c -p -i -o -e -r -t -g -N -m -C --adjustment --class --classdata"},
	{names: "setpriv", style: wrapper, value: "--ambient-caps --inh-caps --bounding-set --groups --regid --rgid --egid --reuid --ruid --euid " +
		"--pdeathsig --securebits --selinux-label --apparmor-profile --ptracer"},
	{names: "aa-exec", style: wrapper, value: "-p -n --profile --namespace"},
	{names: "runcon", style: wrapper, value: "-t -u -r -l --type --user --role --range"},
	{names: "gosu su-exec setuidgid envuidgid s6-setuidgid", style: wrapper, skip: 1},
	{names: "chpst", style: wrapper, value: "-u -U -b -e -/ -C -n -l -L -m -d -o -p -f -c -r -t"},
	{names: "softlimit sshpass", style: wrapper, value: "-f -d -a -c -l -m -n -o -s -t"},
	{names: "start-stop-daemon", runs: "-x* --exec -a* --startas"},
	{names: "setarch logsave", style: wrapper, skip: 1},
	{names: "fakeroot fakechroot proot", style: wrapper, login: true, value: "-l -f -s -i -b -r -w -R"},
	{names: "mosh-server", style: wrapper, login: true, skip: 1, value: "-i -p -c -l"},
	{names: "timeout", style: wrapper, value: "-k -s --kill-after --signal", skip: 1},
	{names: "flock", style: wrapper, value: "-w -E --timeout --conflict-exit-code", skip: 1, runs: "-c --command"},
	{names: "chroot", style: wrapper, skip: 1, login: true, value: "--userspec --groups"},
	{names: "xargs", style: wrapper, feeds: true, value: "-I -L -n -P -s -d -E -a --arg-file --max-args --max-procs --delimiter",
		reads: "-a --arg-file"},
	{names: "parallel", style: wrapper, feeds: true, value: "-j -a --jobs --arg-file", reads: "-a --arg-file", login: true},
	{names: "watch", style: wrapper, value: "-n --interval"},
	{names: "perf", with: "record stat trace", style: wrapper, skip: 1, value: "-e -o -p -t -C -F -g -G --event --output --pid --tid --cpu",
		writes: "-o* --output"},
	{names: "strace ltrace gdbserver perf valgrind", style: wrapper, value: "-e -o -p -s -u -E -S", writes: "-o* --output --log-file"},
	{names: "script", style: commander, runs: "-c* --command", operands: "w"},
	{names: "screen tmux byobu dtach abduco zellij", style: commander, runs: "-c* -f* -X"},
	{names: "sudo doas pkexec run0", style: wrapper, value: "-u -g -h -p -C -r -t -D -R -T -U --user --group --chdir --chroot --host",
		login: true, closed: "-l --list -v --validate -k --reset-timestamp -K --remove-timestamp -V --version",
		runs: "-e! --edit! -s! -i! --shell! --login!"},
	{names: "runuser", with: "-u --user", own: true, style: wrapper, value: "-g -G -w --group --supp-group --user --whitelist-environment"},
	{names: "su runuser sg newgrp", style: wrapper, value: "-c -g -G -s -w -T --command --group --shell --session-command",
		login: true, closed: "-c --command --session-command", skip: 1, runs: "-c --command --session-command -s --shell"},
	{names: "nsenter unshare capsh bwrap firejail", style: wrapper, login: true,
		value: "-t -S -G --target --setuid --setgid --root --wd --chdir --unsetenv --dev --proc --tmpfs --mqueue --dir --uid --gid --hostname " +
			"--cap-add --cap-drop --remount-ro --lock-file",
		pairs: "--bind --dev-bind --ro-bind --bind-try --dev-bind-try --ro-bind-try --symlink --setenv --file --bind-data --ro-bind-data --chmod"},
	{names: "systemd-run", style: wrapper,
		value:  "-u -p -E -M -H -t --unit --property --uid --gid --slice --working-directory --setenv --on-calendar --on-active",
		shells: "-S --shell",
		runs:   "-p* --property"},
	{names: "ip", with: "exec", style: wrapper, skip: 3, value: "-n -netns"},
	{names: "ip", runs: "exec -b* -batch -force"},
	{names: "machinectl", runs: "shell! login! copy-to copy-from import-tar", edits: "edit", pagerWith: "*",
		closed: "--no-pager SYSTEMD_PAGER= SYSTEMD_PAGER=cat PAGER=cat"},
	{names: "docker podman", with: "compose", style: wrapper, skip: 3, runs: "-f --file",
		value: "-f -p -u -w -e --file --project-name --user --workdir --env --index --project-directory --profile --env-file"},
	{names: "docker-compose podman-compose", with: "exec run", style: wrapper, skip: 2, runs: "-f --file",
		value: "-f -p -u -w -e --file --project-name --user --workdir --env --index --project-directory --profile --env-file"},
	{names: "docker-compose podman-compose", runs: "run! exec! cp! build! up! -f --file"},
	{names: "docker podman nerdctl kubectl oc k3s lxc incus", with: "exec", style: wrapper, skip: 2,
		value: "-e -u -w -c -n -f -H --env --user --workdir --container --namespace --context --index --cwd"},
	{names: "docker podman nerdctl ctr crictl lxc incus",
		runs: "run! exec! create! cp! build! compose! attach! import! -v* --volume --mount --device --volumes-from --cap-add --security-opt " +
			"--privileged!",
		value: "--name --label --network --net --hostname --memory --cpus --restart --user --workdir --env --tag --log-driver --log-opt " +
			"--stop-timeout --platform"},
	{names: "lxc-attach", style: wrapper, login: true, value: "-n --name --uid --gid -v --set-var --keep-var"},
	{names: "kubectl oc k3s", with: "-", style: commander, runs: "--kubeconfig"},
	{names: "kubectl oc k3s helm", runs: "exec! run! debug! attach! cp! apply! edit! create! --kubeconfig --post-renderer --editor --plugins",
		operands: "x", value: "-n --namespace --context --cluster --replicas --image-pull-policy", edits: "edit",
		unedited: "KUBE_EDITOR=true EDITOR=true"},
	{names: "virsh vboxmanage VBoxManage qemu-system-x86_64", edits: "edit, net-edit, pool-edit", runs: "edit! create define -monitor -drive* qemu-monitor-command --"},

	// Files.
	{names: "find", runs: "-exec -execdir -ok -okdir", holds: "-exec -execdir -ok -okdir", writes: "-fprint -fprint0 -fprintf -fls -delete!", reads: "-files0-from"},
	{names: "fd fdfind", runs: "-x! -X! --exec! --exec-batch!", holds: "-x -X --exec --exec-batch"},
	{names: "tar gtar bsdtar", into: "-x --extract --get", archive: "-f --file", anyplace: "-P --absolute-names",
		folder: "-C --directory --cd --one-top-level",
		runs: "-I* -F* --use-compress-program --checkpoint-action --to-command --info-script --new-volume-script --rsh-command " +
			"--rmt-command",
		writes: "-C* --directory --transform -f* --file --listed-incremental --index-file", reads: "-T* --files-from --exclude-from",
		operands: "r"},
	{names: "cpio", with: "-i --extract", style: protocol, closed: "--no-absolute-filenames",
		runs: "--rsh-command"},
	{names: "cpio", with: "-o -p --create --pass-through", style: protocol, runs: "--rsh-command", writes: "-F* -O* -D* --file --directory"},
	{names: "cpio pax", runs: "--rsh-command -H*", writes: "-F* -O* -D* --file --directory -s*"},
	{names: "zip zipnote", runs: "-TT* --unzip-command -T!", writes: "-O* -b* -lf* --output-file --out --temp-path --logfile-path", reads: "-@!", operands: "rw"},
	{names: "unzip", writes: "-d*", operands: "r", into: "*", from: "-l -t -p -c -v -z -Z", archive: "*", folder: "-d"},
	{names: "7z 7za 7zr p7zip rar unrar", writes: "-o* -w*", reads: "@*", operands: "rw"},
	{names: "ar", operands: "rw"},
	{names: "gzip bzip2 xz zstd lz4 lzma compress gunzip bunzip2 unxz unzstd", writes: "-o --output --output-dir-flat", operands: "r"},
	{names: "zcat bzcat xzcat zless cat tac nl head tail cut paste join comm diff diff3 sdiff cmp fold fmt pr strings od xxd " +
		"hexdump base64 base32 rev uniq wc column expand unexpand iconv file md5sum sha1sum sha256sum sha512sum b2sum cksum " +
		"sum readelf objdump nm bat pv soelim troff nroff groff eqn tbl pic ul hd",
		reads: "--files0-from --check", writes: "--output", operands: "r"},
	{names: "sort", runs: "--compress-program", writes: "-o* -T* --output --temporary-directory", reads: "--files0-from", operands: "r"},
	{names: "split", runs: "--filter", operands: "rw"},
	{names: "csplit", writes: "-f* --prefix", operands: "r"},
	{names: "shuf", writes: "-o* --output", operands: "r"},
	{names: "dd", with: "if", writes: "of=*", reads: "if=*", folder: "of="},
	{names: "dd", writes: "of=*", reads: "if=*", folder: "of=", pours: true},
	{names: "cp install ditto", writes: "-t* --target-directory", folder: "-t --target-directory", operands: "rw"},
	{names: "mv ln link rename mmv", writes: "-t* --target-directory", folder: "-t --target-directory", operands: "w"},
	{names: "tee sponge", operands: "w", pours: true},
	{names: "rm rmdir unlink shred truncate touch mkdir mkfifo mknod mktemp chmod chown chgrp chattr setfacl setcap fallocate",
		reads: "--reference --restore", operands: "w"},
	{names: "sshfs", runs: "-o* -F*"},
	{names: "mount umount losetup fusermount fusermount3 mkfs fsck e2fsck debugfs", runs: "-t* -o* --options --types -f --",
		operands: "w"},
	{names: "insmod modprobe rmmod kmod kexec", runs: "-C* -d* --config --dirname", operands: "x"},
	{names: "logrotate", runs: "-m* --mail", writes: "-s* -l* --state --log", operands: "x"},
	{names: "ld.so ld-linux-x86-64.so ld-linux-aarch64.so ld-linux.so", style: wrapper, value: "--library-path --preload --audit --argv0",
		runs: "--preload --audit --library-path"},
	{names: "run-parts", operands: "x"},

	// Copying between hosts.
	{names: "rsync", with: "--server", into: "--server", from: "--sender", runs: "--daemon! --config --dparam", writes: "--log-file --backup-dir --temp-dir " +
		"--partial-dir -T*",
		reads: "--files-from --compare-dest --copy-dest --link-dest", operands: "rw",
		stdin: "-s* -s.! -slogDtpre.iLs! -logDtprse.iLs! --protect-args! --secluded-args!"},
	{names: "rsync", runs: "-e* --rsh --rsync-path --config -M* --remote-option",
		writes: "--log-file --backup-dir --temp-dir --partial-dir --write-batch --only-write-batch --compare-dest",
		reads:  "--files-from --password-file --include-from --exclude-from --read-batch --link-dest --copy-dest", operands: "rw",
		value: "--exclude --include --filter --chmod --chown --bwlimit --timeout --port --usermap --groupmap --out-format"},
	{names: "ssh slogin autossh mosh rsh rlogin", style: remote, runs: "-o* -F* -I* -S*", writes: "-E*", closed: "-N -W",
		value: "-B -b -c -D -E -e -F -I -i -J -L -l -m -O -o -P -p -Q -R -S -w"},
	{names: "scp", runs: "-S* -o* -F* -D*", operands: "rw", into: "-t"},
	{names: "sftp", style: commander, runs: "-S* -D* -o* -F* -b* -s*", closed: "-b"},
	{names: "sftp-server", style: protocol, closed: "-R", writes: "-f*"},
	{names: "svnserve", with: "-t --tunnel", style: protocol, closed: "-r --root"},
	{names: "rdiff-backup", with: "--server server", style: protocol,
		closed: "--restrict --restrict-path --restrict-read-only --restrict-update-only"},
	{names: "borg", with: "serve", style: protocol, closed: "--restrict-to-path --restrict-to-repository"},
	{names: "borg", runs: "--rsh --remote-path", writes: "--log-json! --debug-profile", reads: "--patterns-from --exclude-from"},
	{names: "restic", runs: "-o* --option --password-command", reads: "--password-file -p --repository-file --files-from",
		writes: "--target -t"},
	{names: "rclone", runs: "--config --password-command --sftp-ssh --metadata-mapper", writes: "--log-file --config", operands: "rw"},
	{names: "rsnapshot rdiff-backup duplicity unison", runs: "-c* --remote-schema --rsh --ssh-options -sshcmd", operands: "rw"},
	{names: "curl", runs: "--engine", saves: "-O --remote-name --remote-name-all", folder: "--output-dir",
		writes: "-o* -O! -D* -c* -J! -K* --output --output-dir --remote-name! --dump-header --cookie-jar --trace --trace-ascii " +
			"--stderr --config --hsts --alt-svc --etag-save --libcurl",
		reads: "-T* -F* -d* -E* --upload-file --data --data-binary --form --netrc-file file:*"},
	{names: "wget wget2", runs: "--use-askpass --use_askpass", saves: "*", folder: "-P --directory-prefix", named: "-O --output-document",
		writes: "-O* -o* -a* -P* -e* --output-document --output-file --append-output --directory-prefix --execute --config " +
			"--save-cookies --warc-file",
		reads: "-i* --input-file --post-file --body-file"},
	{names: "aria2c axel", runs: "--on-download-complete --on-download-error --conf-path", writes: "-o* -d* --dir --out --log"},
	{names: "lftp ncftp ftp tftp telnet", style: commander, runs: "-c* -e* -f*"},
	{names: "git",
		runs: "-c* --config-env --exec-path --upload-pack --receive-pack --exec -u* --ext-diff! --extcmd -x* --upload-archive --remote " +
			"ext::* -O* --open-files-in-pager --strategy filter-branch! bisect! rebase! submodule! difftool! mergetool! config!",
		value: "-m -am -sm -qm -asm --message --author --date --format --grep --since --until",
		obeys: "-C* --git-dir --work-tree", writes: "--output --output-directory --separate-git-dir --template", reads: "--no-index!",
		edits: "commit, rebase -i, rebase --interactive, tag -a, tag -s, tag --annotate, config -e, config --edit, branch --edit-description, " +
			"notes edit, notes add, add -e, add --edit",
		unedited:  "-m --message -F --file --no-edit GIT_EDITOR=true EDITOR=true",
		pagerWith: "log diff show blame branch tag reflog help shortlog stash grep config whatchanged",
		closed:    "--no-pager GIT_PAGER=cat GIT_PAGER= PAGER=cat"},
	{names: "git:archive git:format-patch", writes: "-o* --output --output-directory"},
	{names: "git:bundle", operands: "w", skip: 2},
	{names: "git:blame", reads: "--contents"},
	{names: "git:commit git:tag git:merge git:notes", reads: "-F* --file -t* --template"},
	{names: "git:hash-object", operands: "r", skip: 1},
	{names: "git:worktree", operands: "w", skip: 2},
	{names: "git:init", operands: "w", skip: 1},
	{names: "git-upload-pack git-upload-archive", operands: "r"},
	{names: "git-receive-pack", operands: "x"},
	{names: "hg svn bzr cvs fossil",
		runs: "--config --config-option --ssh --rsh --diff-cmd --diff3-cmd --editor-cmd -e* --debugger! --remotecmd"},

	// Services, packages and the system.
	{names: "systemctl",
		runs: "edit! link! enable! reenable! set-property! import-environment! set-environment! switch-root! -H* -M* --host " +
			"--machine --root --image",
		edits: "edit", unedited: "--stdin SYSTEMD_EDITOR=true EDITOR=true",
		operands:  "x",
		pagerWith: "status list-units list-unit-files list-timers list-sockets list-jobs list-dependencies cat show help log",
		closed:    "--no-pager SYSTEMD_PAGER= SYSTEMD_PAGER=cat PAGER=cat"},
	{names: "journalctl", reads: "-D* --directory --file --root --image", writes: "--cursor-file --vacuum-size! --vacuum-time! --rotate!",
		pagerWith: "*", closed: "--no-pager SYSTEMD_PAGER= SYSTEMD_PAGER=cat PAGER=cat"},
	{names: "loginctl timedatectl hostnamectl localectl networkctl resolvectl bootctl coredumpctl systemd-analyze",
		runs: "debug! gdb! --debugger", edits: "edit", pagerWith: "*", closed: "--no-pager SYSTEMD_PAGER= SYSTEMD_PAGER=cat PAGER=cat"},
	{names: "service rc-service invoke-rc.d initctl", operands: "x"},
	{names: "crontab incrontab", with: "-", style: commander, closed: "-l -r"},
	{names: "crontab incrontab", style: commander, closed: "-l -r", pinned: 1, runs: "-e!", operands: "x"},
	{names: "at batch", style: commander, closed: "-l -c -r -d", runs: "-f*"},
	{names: "apt apt-get aptitude", edits: "edit-sources", runs: "-o* -c* --option --config-file changelog! install! source! build-dep! edit-sources!", operands: "x"},
	{names: "dpkg dpkg-reconfigure", runs: "-i --install --post-invoke --pre-invoke --admindir --root", operands: "x"},
	{names: "rpm", runs: "-i -U -F -E* --eval -D* --define --pipe --rcfile --root --dbpath --import", operands: "x"},
	{names: "yum dnf zypper apk pacman",
		runs: "-i -U -e* --eval --define --pipe --rcfile --installroot --config -c* install! add! localinstall! -S! shell!", operands: "x"},
	{names: "pipx poetry uv conda go cargo", runs: "install! exec! run! tool! generate! -c* -i* --config --toolexec -toolexec --index-url", operands: "x"},
	{names: "uvx npx bunx", style: wrapper},
	{names: "pip npm yarn pnpm gem bundle composer cpan cpanm easy_install",
		runs:  "install! add! exec! x! dlx! create! -c* -i* -e* -r* --index-url --extra-index-url --find-links --editable --requirement --config",
		obeys: "--prefix --cwd -C --dir", operands: "x"},
	{names: "snap flatpak", runs: "install! run! --command", operands: "x"},
	{names: "make gmake bmake ninja cmake scons ant mvn gradle rake",
		runs: "-f* -C* -I* -E* --file --makefile --eval --directory SHELL=* MAKEFLAGS=* MAKEFILES=*", operands: "x"},
	{names: "gcc g++ cc c++ clang clang++ cpp tcc", runs: "-wrapper -B* -fplugin=* -specs=* -no-canonical-prefixes @*", writes: "-o*",
		reads: "-include @*", operands: "r"},
	{names: "ld as gold", runs: "-plugin", writes: "-o* -Map", reads: "@*", operands: "r"},
	{names: "gdb lldb", style: commander, runs: "-ex -iex -x* -ix -eval-command --eval-command --command --args"},
	{names: "tcpdump", runs: "-z*", writes: "-w*", reads: "-r* -F* -V*"},
	{names: "tshark dumpcap", runs: "-X*", writes: "-w*", reads: "-r* -F* -V*"},
	{names: "nmap masscan", runs: "--script --datadir --servicedb --interactive!", writes: "-o* -oN -oX -oG -oA",
		reads: "-iL --excludefile --resume"},
	{names: "mysql mariadb", style: commander, closed: "-e --execute",
		runs: "-e* --execute --pager --tee --init-command --plugin-dir --defaults-file --defaults-extra-file"},
	{names: "mysqldump mariadb-dump pg_dump pg_dumpall", runs: "--plugin-dir --defaults-file --defaults-extra-file",
		writes: "-r* -T* -f* --result-file --tab --file"},
	{names: "psql", style: commander, closed: "-c --command -f --file", runs: "-c* -f* -v* --command --file --set --variable",
		writes: "-o* -L* --output --log-file"},
	{names: "sqlite sqlite3", style: commander, pinned: 2, runs: "-cmd -init -bail", operands: "rw"},
	{names: "mongo mongosh", style: commander, runs: "--eval", operands: "x"},
	{names: "redis-cli", style: commander, pinned: 1, runs: "--eval"},
	{names: "socat", runs: "EXEC:* SYSTEM:* exec:* system:*", operands: "x"},
	{names: "nc ncat netcat nc.openbsd nc.traditional", runs: "-e* -c* --exec --sh-exec --lua-exec", writes: "-o* --output"},
	{names: "openssl", runs: "-engine -provider -provider-path", writes: "-out", reads: "-in -inkey -kfile -passin file:*"},
	{names: "ssh-keygen ssh-add", runs: "-D* -w* -S*", writes: "-f* -s", reads: "-f* -c"},
	{names: "ssh-agent", style: wrapper, value: "-a -E -P -t"},
	{names: "gpg gpg2 gpgsm", runs: "--agent-program --dirmngr-program --photo-viewer --gpgconf --exec-path --options --homedir",
		writes: "-o* --output --log-file --status-file", operands: "r"},
	{names: "dmesg", pagerWith: "-H --human", closed: "-P --nopager PAGER=cat", reads: "-F* -K* --file"},
	{names: "mail mailx s-nail", style: commander, pinned: 1, runs: "-E* --exec -S* -O* -Y* -X*", reads: "-a* -A* -f* -q* --attach --file"},
	{names: "mutt neomutt", runs: "-F* -e*", reads: "-a* -i*"},
	{names: "sendmail exim exim4", runs: "-C* -be! -O* -D*", writes: "-X*"},
	{names: "sysctl", runs: "kernel.core_pattern=* kernel.modprobe=* kernel.hotplug=*", obeys: "-p* --load -f* --system"},
	{names: "logger", reads: "-f* --file"},
	{names: "wall", operands: "r"},
	{names: "nginx apache2 httpd apachectl apache2ctl haproxy", runs: "-g* -C*", obeys: "-c* -f* -d* -p*"},
	{names: "exiftool", obeys: "-config", reads: "-@", writes: "-o -w*", operands: "r"},
	{names: "passwd chsh chfn usermod useradd adduser gpasswd chpasswd", runs: "-s* --shell -G* --groups",
		operands: "x"},
	{names: "date", reads: "-f* --file"},
	{names: "nft iptables-restore ip6tables-restore", reads: "-f* --file", runs: "-M* --modprobe"},
	{names: "iptables ip6tables", runs: "--modprobe"},
	{names: "update-alternatives", runs: "--install", writes: "--altdir --admindir --log"},
	{names: "certbot acme.sh dehydrated lego",
		runs:   "--manual-auth-hook --manual-cleanup-hook --deploy-hook --pre-hook --post-hook --renew-hook --reloadcmd --hook",
		writes: "--config-dir --work-dir --logs-dir"},
	{names: "ansible ansible-playbook ansible-pull salt salt-call puppet chef-client",
		runs:  "-a* -e* -m* -i* -M* --args --extra-vars --module-path --module-name --inventory --exec --ssh-common-args --ssh-extra-args",
		obeys: "--vault-password-file --vault-id", operands: "x"},
	{names: "terraform tofu", runs: "init! import! console!", obeys: "-chdir=* -var-file -state -backend-config", operands: "x"},
	{names: "ffmpeg convert magick gs pdflatex latex tex xelatex lualatex", runs: "-shell-escape! --shell-escape! -f* -filter_script",
		operands: "rw"},
}

// index finds what is known of a name. It is made when the first policy is examined: a login needs none of it.
var index struct {
	once   sync.Once
	byName map[string][]*program

	letters map[string]string // of shorts
}

func makeIndex() {
	index.once.Do(func() {
		index.byName, index.letters = map[string][]*program{}, map[string]string{}
		for i := range shorts {
			for _, n := range strings.Fields(shorts[i].names) {
				index.letters[n] = shorts[i].letters
			}
		}
		for i := range programs {
			for _, n := range strings.Fields(programs[i].names) {
				index.byName[n] = append(index.byName[n], &programs[i])
			}
		}
	})
}

func programsOf(name string) []*program {
	makeIndex()
	return index.byName[name]
}

// lend are programs with a setuid bit or capabilities that privileges = "keep" is for.
const lend = " sudo doas su runuser pkexec run0 newgrp sg mount umount fusermount fusermount3 ping ping6 traceroute mtr passwd " +
	"chsh chfn gpasswd crontab at newuidmap newgidmap bwrap podman pmount udevil sudoedit ssh-keysign nvidia-modprobe " +
	"chage expiry wall write screen tcpdump dumpcap nmap "
