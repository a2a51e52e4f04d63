"""Speed and memory, measured so that a stranger's table means the same."""
