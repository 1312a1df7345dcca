# Completion of ssh-gate for fish. It never starts ssh-gate, and evaluates nothing that it finds in a folder or on the line. The lists are
# held against the product by tests.

set -g __ssh_gate_reasons matched helped no-command needs-shell control-character not-utf8 too-long no-rule wrong-user wrong-address expired \
    key-not-proved wrong-key no-user-policy too-many-sessions too-often policy-missing policy-unsafe policy-unreadable \
    policy-invalid config-missing config-unsafe config-unreadable config-invalid account-unknown program-missing \
    program-unsafe program-failed folder-unavailable confine-unsupported confine-failed limits-unavailable record-failed \
    misinstalled internal-error usage
set -g __ssh_gate_findings policy-missing policy-unreadable policy-unsafe policy-invalid changed-while-read stray-file no-policies config-missing \
    config-unreadable config-unsafe config-invalid test-failed no-rules no-tests accept-unknown accept-unneeded users-unknown \
    from-everything expired expires-soon never-expires never-matches placeholder-ambiguous takes-anything program-missing \
    program-unsafe script-unsafe opens-shell opens-shell-confined runs-programs writes-anywhere reads-anywhere starts-pager no-containment \
    regex-takes-anything regex-takes-dash regex-takes-traversal regex-takes-empty regex-unescaped-dot path-without-access \
    env-dangerous pass-env-unknown cwd-missing confine-path-missing confine-path-link confine-unsupported fallback-allow write-where-policies-lie needs-privileges keep-privileges \
    key-line-without-policy policy-without-key-line key-line-faulty key-line-unrestricted key-line-other-binary \
    key-line-login-elsewhere key-file-unreadable

# Whether the line is for one of these: a verb, gate where an option stands in its place, or none yet.
function __ssh_gate_is
    set -l words (commandline -opc)
    if not set -q words[2]
        contains -- none $argv
    else if string match -q -- '-*' $words[2]
        contains -- gate $argv
    else
        contains -- $words[2] $argv
    end
end

# Whether the words behind a verb have begun: options end there for explain and suggest, and only begin there for init.
function __ssh_gate_words
    set -l words (commandline -opc)
    set -l wants no
    for word in $words[3..]
        if test $wants = yes
            set wants no
        else if contains -- $word --at --config --file --fingerprint --from --key --policy --policy-dir --since --until --user
            set wants yes
        else if not string match -q -- '-?*' $word
            return 0
        end
    end
    return 1
end

# Whether an option of this verb may stand here.
function __ssh_gate_option
    __ssh_gate_is $argv; or return
    switch $argv[1]
        case explain suggest
            not __ssh_gate_words
        case init
            __ssh_gate_words
    end
end

# The folder that --policy-dir names on the line before, if it does. What else a shell would expand stays as it is, and names no folder.
function __ssh_gate_folder
    set -l words (commandline -opc)
    set -l folder ''
    set -l wants no
    for word in $words[2..]
        if test $wants = yes
            set folder $word
            set wants no
        else if test "$word" = --policy-dir
            set wants yes
        else if string match -q -- '--policy-dir=*' $word
            set folder (string sub -s 14 -- $word)
        end
    end
    if string match -q -- '~/*' $folder
        set folder $HOME(string sub -s 2 -- $folder)
    end
    string match -q -- '/*' $folder; or test -z "$folder"; or set folder ./$folder
    printf '%s\n' $folder
end

# The policies in a folder: those that a key can name, and no others.
function __ssh_gate_names --argument-names folder
    for file in $folder/*.toml
        if string match -qr -- '/[A-Za-z0-9][A-Za-z0-9._-]{0,63}[.]toml\z' $file
            string replace -r -- '(?s)^.*/(.*)[.]toml\z' '$1' $file
        end
    end
end

function __ssh_gate_keys
    set -l folder (__ssh_gate_folder)
    test -n "$folder"; or set folder /etc/ssh-gate/keys
    __ssh_gate_names $folder
end

# The policies of keys, and those of accounts, which --policy-dir does not have.
function __ssh_gate_policies
    __ssh_gate_keys
    if test -z "$(__ssh_gate_folder)"
        for name in (__ssh_gate_names /etc/ssh-gate/users)
            echo users/$name
        end
    end
end

# Words to choose from, behind those that stand before the last comma.
function __ssh_gate_list
    set -l before (commandline -ct | string replace -r '^--[a-z]+=' '' | string match -r '^.*,')
    for word in $argv
        string match -q -- "*,$word,*" ",$before"; or printf '%s\n' "$before$word"
    end
end

complete -c ssh-gate -f
complete -c ssh-gate -n '__ssh_gate_is none' -a init -d 'write the first policy of a key, and its key line'
complete -c ssh-gate -n '__ssh_gate_is none' -a check -d 'find what is wrong and what is doubtful in policies'
complete -c ssh-gate -n '__ssh_gate_is none' -a explain -d 'say what the gate would do with a request, and why'
complete -c ssh-gate -n '__ssh_gate_is none' -a log -d 'read the log'
complete -c ssh-gate -n '__ssh_gate_is none' -a unused -d 'list rules and policies that the log has not seen matched'
complete -c ssh-gate -n '__ssh_gate_is none' -a suggest -d 'print rules for requests, or for what a key was denied'
complete -c ssh-gate -n '__ssh_gate_is none' -a doctor -d 'say whether the log of this host stands up as evidence'
complete -c ssh-gate -n '__ssh_gate_is none' -a help -d 'show how to call the gate, or the options of a verb'
complete -c ssh-gate -n '__ssh_gate_is help' -a 'init check explain log unused suggest doctor help version'
complete -c ssh-gate -n '__ssh_gate_is none' -a version -d 'show the release'
complete -c ssh-gate -n '__ssh_gate_is none' -l version -d 'show the release'
complete -c ssh-gate -n '__ssh_gate_is none gate help version' -l help -d 'show the options'
complete -c ssh-gate -n '__ssh_gate_is check' -a '(__ssh_gate_policies)'
complete -c ssh-gate -n '__ssh_gate_is check' -F

complete -c ssh-gate -n '__ssh_gate_is none gate' -l key -x -a '(__ssh_gate_keys)' -d 'the policy of this key'
complete -c ssh-gate -n '__ssh_gate_is none gate' -l key-from -x -a 'fingerprint cert-id' -d 'the policy that the proof of the login names'
complete -c ssh-gate -n '__ssh_gate_is none gate' -l policy -r -F -d 'this policy'
complete -c ssh-gate -n '__ssh_gate_is none gate' -l policy-dir -x -a '(__fish_complete_directories)' -d 'look for the policy in this folder'
complete -c ssh-gate -n '__ssh_gate_is none gate' -l config -r -F -d 'this configuration of the host'

complete -c ssh-gate -n '__ssh_gate_option init' -l public-key -r -F -d 'the public key'
complete -c ssh-gate -n '__ssh_gate_option init' -l from -x -d 'from these addresses and networks only'
complete -c ssh-gate -n '__ssh_gate_option init' -l expires -x -d 'until this date only'
complete -c ssh-gate -n '__ssh_gate_option init' -l policy-dir -x -a '(__fish_complete_directories)' -d 'write the policy into this folder'
complete -c ssh-gate -n '__ssh_gate_option init' -l install -x -a '(__fish_complete_users)' -d 'put the key line into the authorized_keys of this account'
complete -c ssh-gate -n '__ssh_gate_option init' -l authorized-keys -r -F -d 'put the key line into this file'
complete -c ssh-gate -n '__ssh_gate_option init' -l replace -d 'in place of the line that this key has there'
complete -c ssh-gate -n '__ssh_gate_option init' -l print -d 'print the policy and the key line, and write nothing'
complete -c ssh-gate -n '__ssh_gate_option init' -l format -x -a 'text ansible puppet' -d 'print the key line for this tool'
complete -c ssh-gate -n '__ssh_gate_option init' -l help -d 'show the options'

complete -c ssh-gate -n '__ssh_gate_is check' -l config -r -F -d 'this configuration of the host'
complete -c ssh-gate -n '__ssh_gate_is check' -l json -d 'as JSON'
complete -c ssh-gate -n '__ssh_gate_is check' -l kind -x -a 'policy config' -d 'what the named files are'
complete -c ssh-gate -n '__ssh_gate_is check' -l level -x -a 'error warning note' -d 'tell what is at least so severe'
complete -c ssh-gate -n '__ssh_gate_is check' -l list -d 'list all that can be found'
complete -c ssh-gate -n '__ssh_gate_is check' -l policy-dir -x -a '(__fish_complete_directories)' -d 'the policies of keys are in this folder'
complete -c ssh-gate -n '__ssh_gate_is check' -l sarif -d 'as SARIF 2.1.0'
complete -c ssh-gate -n '__ssh_gate_is check' -l why -x -a '$__ssh_gate_findings' -d 'say what a finding means, and what to write instead'
complete -c ssh-gate -n '__ssh_gate_is check' -l help -d 'show the options'

complete -c ssh-gate -n '__ssh_gate_option explain' -l at -x -d 'the time of the login'
complete -c ssh-gate -n '__ssh_gate_option explain' -l config -r -F -d 'this configuration of the host'
complete -c ssh-gate -n '__ssh_gate_option explain' -l file -r -F -d 'this log, for --last and references'
complete -c ssh-gate -n '__ssh_gate_option explain' -l fingerprint -x -d 'the key that was used'
complete -c ssh-gate -n '__ssh_gate_option explain' -l from -x -d 'the address of the client'
complete -c ssh-gate -n '__ssh_gate_option explain' -l json -d 'as JSON'
complete -c ssh-gate -n '__ssh_gate_option explain' -l key -x -a '(__ssh_gate_policies)' -d 'the policy of this key'
complete -c ssh-gate -n '__ssh_gate_option explain' -l last -d 'the last request that the log has as denied'
complete -c ssh-gate -n '__ssh_gate_option explain' -l policy -r -F -d 'this policy'
complete -c ssh-gate -n '__ssh_gate_option explain' -l policy-dir -x -a '(__fish_complete_directories)' -d 'look for the policy in this folder'
complete -c ssh-gate -n '__ssh_gate_option explain' -l user -x -a '(__fish_complete_users)' -d 'the login user'
complete -c ssh-gate -n '__ssh_gate_option explain' -l help -d 'show the options'

complete -c ssh-gate -n '__ssh_gate_is log' -l client -x -d 'from these addresses or networks'
complete -c ssh-gate -n '__ssh_gate_is log' -l config -r -F -d 'this configuration of the host'
complete -c ssh-gate -n '__ssh_gate_is log' -l event -x -a '(__ssh_gate_list denied allowed error)' -d 'of these kinds'
complete -c ssh-gate -n '__ssh_gate_is log' -s f -d 'go on with what is yet to come'
complete -c ssh-gate -n '__ssh_gate_is log' -l file -r -F -d 'this log'
complete -c ssh-gate -n '__ssh_gate_is log' -l grep -x -d 'with this RE2 in the request or the detail'
complete -c ssh-gate -n '__ssh_gate_is log' -l json -d 'the records themselves'
complete -c ssh-gate -n '__ssh_gate_is log' -l key -x -a '(__ssh_gate_list (__ssh_gate_keys))' -d 'records of these keys'
complete -c ssh-gate -n '__ssh_gate_is log' -s n -x -d 'the last so many records only'
complete -c ssh-gate -n '__ssh_gate_is log' -l prometheus -r -F -d 'count all records into this file'
complete -c ssh-gate -n '__ssh_gate_is log' -l reason -x -a '(__ssh_gate_list $__ssh_gate_reasons)' -d 'with these reasons'
complete -c ssh-gate -n '__ssh_gate_is log' -l since -x -a 'today yesterday' -d 'from this time on'
complete -c ssh-gate -n '__ssh_gate_is log' -l top -d 'count what is denied most'
complete -c ssh-gate -n '__ssh_gate_is log' -l until -x -a 'today yesterday' -d 'before this time'
complete -c ssh-gate -n '__ssh_gate_is log' -l user -x -a '(__ssh_gate_list (__fish_complete_users | string replace -r "\t.*" ""))' -d 'of these login users'
complete -c ssh-gate -n '__ssh_gate_is log' -l help -d 'show the options'

complete -c ssh-gate -n '__ssh_gate_is unused' -l config -r -F -d 'this configuration of the host'
complete -c ssh-gate -n '__ssh_gate_is unused' -l file -r -F -d 'this log'
complete -c ssh-gate -n '__ssh_gate_is unused' -l json -d 'as JSON'
complete -c ssh-gate -n '__ssh_gate_is unused' -l policy-dir -x -a '(__fish_complete_directories)' -d 'the policies in this folder'
complete -c ssh-gate -n '__ssh_gate_is unused' -l since -x -a 'today yesterday' -d 'not matched since this time'
complete -c ssh-gate -n '__ssh_gate_is unused' -l without -x -a '(__ssh_gate_keys)' -d 'print the policy of this key without its unused rules'
complete -c ssh-gate -n '__ssh_gate_is unused' -l help -d 'show the options'

complete -c ssh-gate -n '__ssh_gate_option suggest' -l config -r -F -d 'this configuration of the host'
complete -c ssh-gate -n '__ssh_gate_option suggest' -l file -r -F -d 'this log'
complete -c ssh-gate -n '__ssh_gate_option suggest' -l key -x -a '(__ssh_gate_keys)' -d 'what this key was denied'
complete -c ssh-gate -n '__ssh_gate_option suggest' -l since -x -a 'today yesterday' -d 'from this time on'
complete -c ssh-gate -n '__ssh_gate_option suggest' -l until -x -a 'today yesterday' -d 'before this time'
complete -c ssh-gate -n '__ssh_gate_option suggest' -l help -d 'show the options'

complete -c ssh-gate -n '__ssh_gate_is doctor' -l config -r -F -d 'this configuration of the host'
complete -c ssh-gate -n '__ssh_gate_is doctor' -l json -d 'as JSON'
complete -c ssh-gate -n '__ssh_gate_is doctor' -l help -d 'show the options'
