# Runs an interactive zsh in a terminal of its own to its end, and shows what it printed.
zmodload zsh/zpty
zpty inner zsh -i
while zpty -r inner text; do
	print -rn -- $text
done
