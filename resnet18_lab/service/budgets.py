"""Bounds of what a worker takes on at a time: pictures waiting for an answer, bytes of uploads, pixels decoded."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from resnet18_lab.service import prometheus
from resnet18_lab.service.refusals import service_error


class Admission:
    """How many pictures are taken and not yet answered; over the limit nothing more is taken."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    @property
    def is_full(self) -> bool:
        """True when there is no room for one more picture."""
        return self.taken >= self.limit

    def check(self) -> None:
        """Refuse with ``server_busy`` when there is no room for one more."""
        if self.is_full:
            raise service_error("server_busy")

    @contextmanager
    def taking(self, pictures: int) -> Iterator[None]:
        """Take that many pictures while the block runs, or refuse; an idle service takes a batch of any size."""
        if self.taken and self.taken + pictures > self.limit:
            raise service_error("server_busy")
        self._change(pictures)
        try:
            yield
        finally:
            self._change(-pictures)

    def _change(self, pictures: int) -> None:
        self.taken += pictures
        prometheus.PENDING.inc(pictures)


class UploadBudget:
    """Bytes of all uploads that are in memory; one that would exceed the limit is refused.

    What is announced and not yet sent takes nothing: clients that only promise bodies cannot use it up.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    @contextmanager
    def holding(self) -> Iterator["Holding"]:
        """What one request holds of it, given back at the end of the block."""
        held = Holding(self)
        try:
            yield held
        finally:
            self.used -= held.size


class Holding:
    """The bytes one request has taken from an upload budget."""

    def __init__(self, budget: UploadBudget) -> None:
        self.size = 0
        self._budget = budget

    def take(self, size: int) -> None:
        """Take that many more, or refuse with ``server_busy``."""
        if self._budget.used + size > self._budget.limit:
            raise service_error("server_busy")
        self._budget.used += size
        self.size += size


class PixelGate:
    """Lets threads decode pictures of so many pixels together; a larger one goes through alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._turn = threading.Lock()  # first come, first served: small pictures would keep a large one waiting
        self._changed = threading.Condition()

    @contextmanager
    def entered(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for that many, which are taken while the block runs."""
        with self._turn, self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + pixels <= self._limit)
            self._used += pixels
        try:
            yield
        finally:
            with self._changed:
                self._used -= pixels
                self._changed.notify_all()
