# Completion of ssh-gate for fish.
