"""Where the command line's words go: results to stdout, everything else to stderr."""

import sys


def complain(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"resnet18-lab: {' '.join(message.split())}\n")


def note(message: str) -> None:
    """Progress and remarks on stderr."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
