"""Standard streams that were closed by whoever started this process.

The next file that is opened would take the number of a closed stream: a log would then be written into a socket.
"""

import io
import os
import sys

from resnet18_lab.base.errors import LabError


class _Closed(io.TextIOBase):
    """Stands for a closed stdout: what is written to it is an error, and not lost without a word."""

    encoding = "utf-8"

    @property
    def buffer(self) -> "_Closed":
        """Takes bytes no more than the stream takes text."""
        return self

    def write(self, _text: object) -> int:
        """Raise LabError."""
        raise LabError(
            "stdout is closed, the answer has nowhere to go; open it, or give --output FILE where there is one."
        )


def fill_closed() -> None:
    """Open what is closed: stdin is empty, stderr says nothing to nobody, stdout refuses what is written to it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
            os.set_inheritable(number, True)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    if sys.stdout is None:
        sys.stdout = _Closed()
