"""Lines for stderr that nothing waits for: a full disk or a pipe that nobody reads costs lines, never requests."""

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

_KEPT = 1024
"""Lines that may wait to be written; more are lost, and counted."""


class Lines:
    """Writes lines in a thread of its own: to its ``descriptor``, else to what ``sys.stderr`` is at the time."""

    def __init__(self, on_loss: Callable[[], None]) -> None:
        self.descriptor: int | None = None
        self._on_loss = on_loss
        self._waiting: queue.Queue[str] = queue.Queue(_KEPT)
        threading.Thread(target=self._write_all, daemon=True).start()

    def put(self, line: str) -> None:
        """Have a line written; returns at once."""
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self._on_loss()

    def flush(self, seconds: float = 1.0) -> None:
        """Return when all lines are written, or after that time."""
        end = time.monotonic() + seconds
        while self._waiting.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.005)

    def _write_all(self) -> None:
        while True:
            line = self._waiting.get()
            try:
                self._write(f"{line}\n")
            except (OSError, ValueError):  # ValueError: stderr is closed
                self._on_loss()
            finally:
                self._waiting.task_done()

    def _write(self, text: str) -> None:
        if self.descriptor is not None:
            data = text.encode("utf-8", "backslashreplace")
            while data:
                data = data[os.write(self.descriptor, data) :]
        elif sys.stderr is not None:
            sys.stderr.write(text)
            with suppress(OSError):
                sys.stderr.flush()
