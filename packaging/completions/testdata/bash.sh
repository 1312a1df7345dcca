# Prints what bash offers for each line of standard input, as readline would bring it: cut at blanks and at the = of COMP_WORDBREAKS.
# $1 is the completion; what else stands behind it are commands to run first, as a start-up file might.
source "$1"
shift
for setting; do
	eval "$setting"
done
separators=$IFS
compopt() { more=$2; }
while IFS= read -r line; do
	more=''
	COMP_LINE=$line COMP_POINT=${#line} COMP_WORDS=() COMP_CWORD=0
	cut=${line//=/ = }
	[[ $COMP_WORDBREAKS == *=* ]] || cut=$line
	set -f
	IFS=$' \t\n'
	for word in $cut; do
		COMP_WORDS+=("$word")
	done
	set +f
	[[ $line != *' ' ]] || COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	IFS=$separators
	call=$(complete -p ssh-gate)
	call=${call#*-F }
	${call%% *} ssh-gate "${COMP_WORDS[COMP_CWORD]}" ''
	if [[ ${#COMPREPLY[@]} == 0 ]]; then
		shopt -u failglob
		case $more in
		default) while IFS= read -r -d '' word; do COMPREPLY+=("$word"); done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]#=}" | tr '\n' '\0') ;;
		dirnames) while IFS= read -r -d '' word; do COMPREPLY+=("$word"); done < <(compgen -d -- "${COMP_WORDS[COMP_CWORD]#=}" | tr '\n' '\0') ;;
		esac
	fi
	for word in ${COMPREPLY[@]+"${COMPREPLY[@]}"}; do
		printf '%s\n' "$word"
	done
	printf '\f\n'
done
