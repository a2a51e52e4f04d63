"""A decoding process as its parent sees it."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

from resnet18_lab.base.children import ONE_THREAD, OWN_GROUP, import_path
from resnet18_lab.preprocessing.decoder import receive, send

_PIPE_BYTES = 1 << 20
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "1000000", "MALLOC_TRIM_THRESHOLD_": "4000000"}
"""For glibc: what a large picture took returns to the system with it."""


class Process:
    """One decoding process."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._crop = _shared_memory()
        self._crop_bytes = 3 * int(settings["preprocessing"]["crop"]) ** 2
        settings = {**settings, "crop": self._crop}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "resnet18_lab.preprocessing.decoder"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, **_MALLOC, **ONE_THREAD, **import_path()},
            pass_fds=() if self._crop is None else (self._crop,), **OWN_GROUP,
        )  # fmt: skip
        assert self.popen.stdin is not None and self.popen.stdout is not None  # noqa: S101 - they were asked for
        self._requests, self._answers = self.popen.stdin, self.popen.stdout
        self.busy_since: float | None = None
        """When the request under way was sent, by the monotonic clock."""
        self.overdue = False
        """True once it was killed for answering too late."""
        for pipe in (self._requests, self._answers):
            _widen(pipe.fileno())
        self.tell(settings)

    def ask(self, head: dict[str, Any], body: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """The answer to a request; EOFError when the process has ended instead."""
        self.busy_since = time.monotonic()
        try:
            send(self._requests, head, body)
            answer, crop = receive(self._answers)
            return answer, crop if self._crop is None or crop else os.pread(self._crop, self._crop_bytes, 0)
        except OSError as error:
            raise EOFError from error
        finally:
            self.busy_since = None

    def tell(self, head: dict[str, Any]) -> None:
        """Send what has no answer."""
        with suppress(OSError):
            send(self._requests, head)

    def wait_ready(self) -> None:
        """Return when it has started; EOFError when it could not."""
        receive(self._answers)

    def end(self) -> None:
        """Kill it, and leave nothing of it behind."""
        self.popen.kill()
        self.popen.wait()
        for pipe in (self._requests, self._answers):
            with suppress(OSError):
                pipe.close()
        if self._crop is not None:
            os.close(self._crop)
            self._crop = None


def _shared_memory() -> int | None:
    """A file in memory for the crop, which spares a pipe 150 kB a picture; None where the system has none."""
    try:
        return os.memfd_create("crop")
    except (AttributeError, OSError):
        return None


def _widen(pipe: int) -> None:
    """Let most pictures, and a whole crop, lie in the pipe: its reader wakes up once instead of for every 64 kB."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # a user's pipes may have used up what there is for them
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
