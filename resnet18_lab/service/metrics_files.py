"""Room for the metrics of a process, taken on the disk before it is used.

prometheus_client maps sparse files into memory: on a full disk the first write to a new page ends the process with
SIGBUS. Files whose blocks exist beforehand cannot do that; where there is no room, a process counts for itself.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from resnet18_lab.service.settings import METRICS_DIRECTORY

_KINDS = ("counter", "histogram", "gauge_livesum")
_BYTES = 1 << 20
"""What prometheus_client starts with; all our numbers need a tenth of it."""


def reserve() -> bool:
    """Take room for the metrics of this process; False when there is none, and then its numbers are its own.

    Must be called before prometheus_client is imported, which decides then where its numbers are kept.
    """
    folder = os.environ.get(METRICS_DIRECTORY)
    if not folder or not hasattr(os, "posix_fallocate"):
        return bool(folder)
    files = [Path(folder, f"{kind}_{os.getpid()}.db") for kind in _KINDS]
    try:
        for file in files:
            with file.open("wb") as opened:
                os.posix_fallocate(opened.fileno(), 0, _BYTES)
    except OSError:
        for file in files:
            with suppress(OSError):
                file.unlink()
        del os.environ[METRICS_DIRECTORY]
        return False
    return True


def shrink(pid: int) -> None:
    """Give back what a dead worker's counters do not use; their first four bytes say how much they do."""
    for kind in _KINDS:
        with suppress(OSError):
            file = Path(os.environ[METRICS_DIRECTORY], f"{kind}_{pid}.db")
            with file.open("r+b") as opened:
                used = int.from_bytes(opened.read(4), sys.byteorder)
                opened.truncate(max(used, 8))
