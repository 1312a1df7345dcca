#!/bin/sh
# A script of ssh-gate's package. It runs as root on machines with and without systemd, again after a failure, and whatever umask the
# administrator has.
set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# say is no echo, which in some shells turns the \t of an escaped name back into what it stands for.
say() {
	printf 'ssh-gate: %s\n' "$*" >&2
}

has_group() {
	getent group ssh-gate >/dev/null
}

# make_group comes before the files: the program is setgid, so it must never lie there with another group, not even for a moment.
make_group() {
	has_group && return
	if command -v systemd-sysusers >/dev/null; then
		echo 'g ssh-gate -' | systemd-sysusers --replace=/usr/lib/sysusers.d/ssh-gate.conf - || true
	fi
	has_group || ! command -v groupadd >/dev/null || groupadd --system ssh-gate || true
	has_group || ! command -v addgroup >/dev/null || addgroup --system ssh-gate || addgroup -S ssh-gate || true
	if ! has_group; then
		say "error: the group ssh-gate cannot be made; make it (groupadd --system ssh-gate) and install again"
		exit 1
	fi
}

# settled says that the administrator has told dpkg which owner and mode this has.
settled() {
	command -v dpkg-statoverride >/dev/null && dpkg-statoverride --list "$1" >/dev/null 2>&1
}

# make_folder makes a folder that root and the group have, or brings it back to that. A link, and what belongs to somebody else, is left
# alone: who has put it there could lead root's chmod elsewhere. For the same reason it is entered, and judged and changed from within.
make_folder() { # folder, mode
	if [ ! -e "$1" ] && [ ! -L "$1" ]; then
		(umask 077; mkdir "$1")
	fi
	[ -d "$1" ] && [ ! -L "$1" ] && (
		cd -P "$1" || exit 1
		[ "$(pwd -P)" = "$(cd -P "${1%/*}" && pwd -P)/${1##*/}" ] || exit 1
		[ "$(stat -c %u .)" = 0 ] || exit 1
		settled "$1" || { chown root:ssh-gate . && chmod "$2" .; }
	)
}

# make_log makes the log where there is none. One that is there is evidence, and keeps what is in it.
make_log() (
	cd -P /var/log/ssh-gate || exit 1
	umask 077
	if [ ! -e ssh-gate.log ] && [ ! -L ssh-gate.log ]; then
		set -C
		: >ssh-gate.log || exit 1
	fi
	[ -f ssh-gate.log ] && [ ! -L ssh-gate.log ] && [ "$(stat -c %u:%h ssh-gate.log)" = 0:1 ] || exit 1
	settled /var/log/ssh-gate/ssh-gate.log || { chown root:ssh-gate ssh-gate.log && chmod 0660 ssh-gate.log; }
)

make_places() {
	make_folder /run/ssh-gate 2770 ||
		say "warning: /run/ssh-gate is a link, or not root's, and was left alone; limits of sessions and starts do not work until you have moved it away and installed again"
	if ! make_folder /var/log/ssh-gate 2750; then
		say "warning: /var/log/ssh-gate is a link, or not root's, and was left alone; nothing in it is evidence. Move it away and install again"
	elif ! make_log; then
		say "warning: /var/log/ssh-gate/ssh-gate.log is a link, has a second name, or is not a file of root's, and was left alone; nothing is recorded there. Move it away and install again"
	fi
}

# advise tells what is wrong on this host. None of it is a reason to leave the package half installed: what is wrong refuses requests.
advise() {
	problems=$(ssh-gate doctor 2>&1 </dev/null) ||
		say "warning: this host is not in order. To see it again: ssh-gate doctor
$(printf '%s\n' "$problems" | grep -v '^fine ')"
	if ssh-gate help | grep -q '^ *check '; then
		problems=$(ssh-gate check 2>&1 </dev/null) ||
			say "warning: the configuration or a policy has faults, and what has a fault allows nothing. Correct them, then: ssh-gate check
$problems"
	fi
}
