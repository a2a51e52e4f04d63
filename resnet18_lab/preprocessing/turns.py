"""Turns of dear pictures: a few at a time, within a budget of memory, first come, first served."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class AbandonedError(Exception):
    """Nobody waits for this picture any more."""


class Turns:
    """At most ``most`` turns at a time that take ``memory`` bytes together; one turn may always be taken."""

    def __init__(self, most: int, memory: int) -> None:
        self._most, self._memory = most, memory
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._taken: list[int] = []

    @property
    def taken(self) -> int:
        """How many turns are taken now."""
        return len(self._taken)

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._queue)

    @contextmanager
    def turn(self, memory: int, is_abandoned: Callable[[], bool]) -> Iterator[None]:
        """Wait for a turn and hold it while the block runs; AbandonedError when it is not wanted any more."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                self._changed.wait_for(lambda: is_abandoned() or (self._queue[0] is ticket and self._fits(memory)))
                if is_abandoned():
                    raise AbandonedError
                self._taken.append(memory)
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            self.end(memory)

    def take_now(self, memory: int) -> bool:
        """Take a turn if nobody waits for one; False when there is no room. It is ended with ``end``."""
        with self._changed:
            if self._queue or not self._fits(memory):
                return False
            self._taken.append(memory)
            return True

    def end(self, memory: int) -> None:
        """End a turn of that many bytes."""
        with self._changed:
            self._taken.remove(memory)
            self._changed.notify_all()

    def wake(self) -> None:
        """Let those that wait find out whether they are abandoned."""
        with self._changed:
            self._changed.notify_all()

    def _fits(self, memory: int) -> bool:
        return not self._taken or (len(self._taken) < self._most and sum(self._taken) + memory <= self._memory)
