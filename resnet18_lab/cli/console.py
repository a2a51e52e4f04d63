"""Where the command line's words go: results to stdout, everything else to stderr."""

import sys


def complain(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"resnet18-lab: {' '.join(message.split())}\n")


def note(message: str) -> None:
    """Progress and remarks on stderr."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def warn_untrained(weights: str) -> None:
    """Say so when answers come from weights that were never trained."""
    from resnet18_lab.weights.names import is_untrained

    if is_untrained(weights):
        note("UNTRAINED weights: the answers below mean nothing; they show shapes and speed only")
