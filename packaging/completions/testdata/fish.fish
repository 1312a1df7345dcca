# Prints what fish offers for each line of standard input.
source $argv[1]
while read -l line
    complete -C $line | string replace -r '\t.*' ''
    printf '\f\n'
end
