"""CPU time of this process and of all that it starts, also of what is killed before it can be accounted for."""

import threading
from typing import Self

import psutil

_EVERY = 0.25
"""Seconds between two looks: a process that ends between them loses less than that."""


class OwnTime:
    """Watches from entering to leaving; ``seconds`` is the CPU time of all in between.

    The system adds a child's time to its parent's only when the parent waits for it. A child whose parent is killed is
    nobody's, so each process is also looked at while it lives; the larger of both sums counts.
    """

    def __init__(self) -> None:
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._before = 0.0
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._before = self._look()
        self._first = dict(self._last)
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watching.join()
        accounted = self._look() - self._before
        seen = sum(last - self._first.get(number, 0.0) for number, last in self._last.items())
        self.seconds = max(accounted, seen)

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            self._look()

    def _look(self) -> float:
        """Note each process's own time; returns the sum as the system accounts for it, waited-for children included."""
        here, total = psutil.Process(), 0.0
        for process in [here, *here.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.Error:  # it has ended meanwhile
                continue
            self._last[process.pid] = times.user + times.system
            total += times.user + times.system + times.children_user + times.children_system
        return total
