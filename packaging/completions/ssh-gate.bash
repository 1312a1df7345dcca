# Completion of ssh-gate for bash.
