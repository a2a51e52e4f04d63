"""How far a cell that takes long has come: one line that is replaced as it goes on."""

import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from IPython import get_ipython
from IPython.display import DisplayHandle, display

_AT_MOST_EVERY = 0.5
"""Seconds: a line that changes more often would be work for the machine that is being measured."""
_Item = TypeVar("_Item")


class Steps:
    """The line of one cell, called with what is being done now; a script, which has no cells, shows nothing."""

    def __init__(self, what: str) -> None:
        self._what, self._shown_at = what, 0.0
        self._line: DisplayHandle | None = None
        if get_ipython() is not None:
            self._line = display(_text(f"{what} …"), raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def __call__(self, said: str) -> None:
        """Show what is being done, unless the line has just changed."""
        if self._line is not None and time.monotonic() - self._shown_at >= _AT_MOST_EVERY:
            self._line.update(_text(f"{self._what}: {said}"), raw=True)  # type: ignore[no-untyped-call]
            self._shown_at = time.monotonic()

    def over(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """The items, each counted as it is handed out."""
        of = f" of {len(items)}" if isinstance(items, Sized) else ""
        for number, item in enumerate(items, start=1):
            self(f"{number}{of}")
            yield item

    def end(self) -> None:
        """Leave a line that is the same in every run, so that stored outputs do not change with it."""
        if self._line is not None:
            self._line.update(_text(f"{self._what}: done"), raw=True)  # type: ignore[no-untyped-call]


@contextmanager
def progress(what: str) -> Iterator[Steps]:
    """Steps to be told of while the block runs; where the block fails, the line keeps what was done last."""
    steps = Steps(what)
    yield steps
    steps.end()


def _text(line: str) -> dict[str, str]:
    return {"text/plain": line}
