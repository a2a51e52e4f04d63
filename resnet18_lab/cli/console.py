"""Where the command line's words go: results to stdout, everything else to stderr."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def complain(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"resnet18-lab: {' '.join(message.split())}\n")


def note(message: str) -> None:
    """Progress and remarks on stderr."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def counting(bar: Any) -> "Callable[[int, int], None]":  # noqa: ANN401 - tqdm's class is generic in its stubs only
    """What brings a tqdm bar to so many done of so many."""

    def progress(done: int, of: int) -> None:
        bar.total = of
        bar.update(done - bar.n)

    return progress


def warn_untrained(weights: str) -> None:
    """Say so when answers come from weights that were never trained."""
    from resnet18_lab.weights.names import is_untrained

    if is_untrained(weights):
        note("UNTRAINED weights: the answers below mean nothing; they show shapes and speed only")
