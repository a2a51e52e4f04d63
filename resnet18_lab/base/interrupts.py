"""Ctrl-C while Python imports waits until the import is done.

Seen without it, each once in some hundred interrupts during an import: the interrupt is lost in a callback of the
import's locks ("Exception ignored in") and the command goes on; it comes out as a RuntimeError, of a class being made;
the process says "interrupted" and still dies of the signal; a lock stays taken and the process hangs.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_IMPORTING = "<frozen importlib._bootstrap>"
_AGAIN_SECONDS = 0.02
_LONGEST_WAIT = 10.0
"""Seconds after which an import is interrupted after all: it may hang on a lost network drive."""


def is_importing(frame: FrameType | None) -> bool:
    """True when the frame is, or was called by, code that an import runs."""
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False


class _Handler:
    def __init__(self) -> None:
        self.waiting_since: float | None = None

    def __call__(self, _number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        since = self.waiting_since or now
        if is_importing(frame) and now - since < _LONGEST_WAIT:
            self.waiting_since = since
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
            return
        self.waiting_since = None
        raise KeyboardInterrupt


@contextmanager
def held_back_while_importing() -> Iterator[None]:
    """In the main thread, Ctrl-C within it raises KeyboardInterrupt outside imports. Where ignored, it stays so."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or not hasattr(signal, "setitimer"):
        yield
        return
    handler = _Handler()
    before = signal.signal(signal.SIGALRM, handler)
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        if handler.waiting_since is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
