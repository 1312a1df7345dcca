# Completion of ssh-gate for bash, with or without the package bash-completion. It starts nothing, and nothing that stands in a folder
# or on the line is evaluated. The lists are held against the product by tests.

# _ssh_gate_options sets options to what a verb takes: OPTION, or OPTION=KIND where a value follows, of that kind.
_ssh_gate_options() {
	case $1 in
	gate) options='--key=key --key-from=proof --policy=file --policy-dir=dir --config=file' ;;
	init) options='--public-key=file --from=text --expires=text --policy-dir=dir --install=user --authorized-keys=file --replace --print --format=format' ;;
	check) options='--config=file --json --kind=kind --level=level --list --policy-dir=dir --sarif --why=finding' ;;
	explain) options='--at=text --config=file --file=file --fingerprint=text --from=text --json --key=policy --last --policy=file --policy-dir=dir --user=user' ;;
	log) options='--client=text --config=file --event=events -f --file=file --grep=text --json --key=keys -n=text --prometheus=file --reason=reasons --since=since --top --until=since --user=users' ;;
	unused) options='--config=file --file=file --json --policy-dir=dir --since=since --without=key' ;;
	suggest) options='--config=file --file=file --key=key --since=since --until=since' ;;
	doctor) options='--config=file --json' ;;
	help | version) options='' ;;
	*) return 1 ;;
	esac
	options+=' --help'
}

_ssh_gate_verbs='init check explain log unused suggest doctor help version'
_ssh_gate_reasons='matched helped no-command needs-shell control-character not-utf8 too-long no-rule wrong-user wrong-address expired
key-not-proved wrong-key no-user-policy too-many-sessions too-often policy-missing policy-unsafe policy-unreadable
policy-invalid config-missing config-unsafe config-unreadable config-invalid account-unknown program-missing program-unsafe
program-failed folder-unavailable confine-unsupported confine-failed limits-unavailable record-failed misinstalled
internal-error usage'
_ssh_gate_findings='policy-missing policy-unreadable policy-unsafe policy-invalid changed-while-read stray-file no-policies config-missing
config-unreadable config-unsafe config-invalid test-failed no-rules no-tests accept-unknown accept-unneeded users-unknown
from-everything expired expires-soon never-expires never-matches placeholder-ambiguous takes-anything program-missing
program-unsafe script-unsafe opens-shell opens-shell-confined runs-programs writes-anywhere reads-anywhere starts-pager no-containment
regex-takes-anything regex-takes-dash regex-takes-traversal regex-takes-empty regex-unescaped-dot path-without-access
env-dangerous pass-env-unknown cwd-missing confine-path-missing confine-path-link confine-unsupported fallback-allow write-where-policies-lie needs-privileges keep-privileges
key-line-without-policy policy-without-key-line key-line-faulty key-line-unrestricted key-line-other-binary
key-line-login-elsewhere key-file-unreadable'

# _ssh_gate offers what may stand where the cursor is. readline has cut --key=NAME at the = unless COMP_WORDBREAKS lacks it.
_ssh_gate() {
	local - IFS=$' \t\n' verb='' folder='' options='' wants='' ended='' words=0 i word REPLY
	set +eu -f # as it was again at the end
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]-}
		if [[ $word == = ]]; then
			continue
		elif [[ -n $wants ]]; then
			_ssh_gate_value "$word"
		elif [[ -n $ended ]]; then
			words=$((words + 1))
		elif [[ $word == -- ]]; then
			ended=1
		elif [[ $word == -* ]]; then
			if [[ -z $verb ]]; then
				verb=gate
			fi
			_ssh_gate_options "$verb"
			if [[ " $options " == *" ${word%%=*}="* ]]; then
				wants=${word%%=*}
			fi
			if [[ $word == *=* ]]; then
				_ssh_gate_value "${word#*=}"
			fi
		elif [[ -z $verb ]]; then
			verb=$word
		else
			words=$((words + 1))
		fi
	done
	_ssh_gate_offer
	return 0
}

# _ssh_gate_value ends an option that waited for its value.
_ssh_gate_value() {
	if [[ $wants == --policy-dir ]]; then
		_ssh_gate_plain "$1"
		folder=$REPLY
	fi
	wants=''
}

_ssh_gate_offer() {
	local cur=${COMP_WORDS[COMP_CWORD]-} before='' kind
	_ssh_gate_options "${verb:-gate}" || return
	if [[ -z $wants && -z $ended && $cur == --*=* ]]; then
		before=${cur%%=*}=
		cur=${cur#*=}
		wants=${before%=}
	elif [[ $cur == = ]]; then
		cur=''
	fi
	cur=${cur#[\"\']}
	if [[ -n $wants ]]; then
		kind=text
		if [[ " $options " == *" $wants="* ]]; then
			kind=${options#*"$wants="}
			kind=${kind%%[!a-z]*}
		fi
		_ssh_gate_kind "$kind"
	elif [[ -z $verb && $cur != -* ]]; then
		_ssh_gate_match "$_ssh_gate_verbs"
	elif [[ $verb == help && $words == 0 && $cur != -* ]]; then
		_ssh_gate_match "$_ssh_gate_verbs"
	elif [[ $verb == check && ($cur != -* || -n $ended) ]]; then
		_ssh_gate_kind policy
		if ((${#COMPREPLY[@]} == 0)); then
			_ssh_gate_kind file
		fi
	elif [[ $cur == -* && -z $ended ]]; then
		case $verb in
		init) # its name comes first
			if ((words == 0)); then
				options=''
			fi
			;;
		explain | suggest) # what follows the first word is the request
			if ((words > 0)); then
				return 0
			fi
			;;
		esac
		if [[ -z $verb ]]; then
			options+=' --version'
		fi
		word=''
		for kind in $options; do
			word+=" ${kind%%=*}"
		done
		kind=''
		_ssh_gate_match "$word"
	fi
}

# _ssh_gate_kind offers values of one kind.
_ssh_gate_kind() {
	case $1 in
	file) compopt -o default 2>/dev/null ;; # readline quotes what it finds
	dir) compopt -o dirnames 2>/dev/null ;;
	key | keys) _ssh_gate_names "${folder:-/etc/ssh-gate/keys}" ;;
	policy)
		_ssh_gate_names "${folder:-/etc/ssh-gate/keys}"
		if [[ -z $folder ]]; then
			before+=users/
			if [[ $cur == users/* ]]; then
				cur=${cur#users/}
				_ssh_gate_names /etc/ssh-gate/users
			elif [[ users/ == "$cur"* ]]; then
				cur=''
				_ssh_gate_names /etc/ssh-gate/users
			fi
		fi
		;;
	user | users) _ssh_gate_match "$(compgen -u 2>/dev/null)" ;;
	since) _ssh_gate_match 'today yesterday' ;;
	event | events) _ssh_gate_match 'denied allowed error' ;;
	reasons) _ssh_gate_match "$_ssh_gate_reasons" ;;
	finding) _ssh_gate_match "$_ssh_gate_findings" ;;
	level) _ssh_gate_match 'error warning note' ;;
	kind) _ssh_gate_match 'policy config' ;;
	proof) _ssh_gate_match 'fingerprint cert-id' ;;
	format) _ssh_gate_match 'text ansible puppet' ;;
	esac
}

# _ssh_gate_names offers the policies in a folder: those that a key can name, and no others.
_ssh_gate_names() {
	_ssh_gate_match "$(
		exec 2>/dev/null
		set +fvx
		shopt -u failglob
		shopt -s nullglob
		GLOBIGNORE='' LC_ALL=C CDPATH=''
		[[ $1 == /* ]] || set -- "./$1"
		builtin cd -- "$1" || exit 0
		for word in *.toml; do
			if [[ $word =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.toml$ ]]; then
				builtin echo "${word%.toml}"
			fi
		done
	)"
}

# _ssh_gate_match offers the words of a list that begin as typed. compgen -W would evaluate them.
_ssh_gate_match() {
	local word last=$cur chosen=''
	case ${kind-} in
	keys | users | events | reasons) # as many as wanted, separated by commas
		last=${cur##*,}
		chosen=${cur%"$last"}
		;;
	esac
	for word in $1; do
		if [[ $word == "$last"* && ,$chosen != *,"$word",* ]]; then
			COMPREPLY+=("$before$chosen$word")
		fi
	done
}

# _ssh_gate_plain sets REPLY to a word without its quotes. What else a shell would expand stays as it is, and names no folder.
_ssh_gate_plain() {
	local in=${1:0:4096} i c quote=''
	REPLY=''
	if [[ $in == \~/* ]]; then
		REPLY=${HOME-}/
		in=${in:2}
	fi
	for ((i = 0; i < ${#in}; i++)); do
		c=${in:i:1}
		if [[ $c == "$quote" ]]; then
			quote=''
		elif [[ -z $quote && ($c == \' || $c == \") ]]; then
			quote=$c
		elif [[ $c == \\ && $quote != \' ]]; then
			i=$((i + 1))
			REPLY+=${in:i:1}
		else
			REPLY+=$c
		fi
	done
}

complete -F _ssh_gate ssh-gate
