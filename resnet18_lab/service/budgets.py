"""Limits of a worker's load: pictures waiting for an answer, bytes of uploads."""

from collections.abc import Iterator
from contextlib import contextmanager

from resnet18_lab.service import prometheus
from resnet18_lab.service.refusals import service_error


class Admission:
    """Counts the pictures that are accepted and not yet answered; above the limit no more are accepted."""

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
        """Accept that many pictures while the block runs, or refuse; an idle service accepts a batch of any size."""
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

    Only received bytes count: clients that announce large bodies and do not send them cannot use it up.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    @contextmanager
    def holding(self) -> Iterator["Holding"]:
        """The bytes that one request uses; they are returned to the budget at the end of the block."""
        holding = Holding(self)
        try:
            yield holding
        finally:
            self.used -= holding.size


class Holding:
    """The bytes of an upload budget that one request uses."""

    def __init__(self, budget: UploadBudget) -> None:
        self.size = 0
        self._budget = budget

    def take(self, size: int) -> None:
        """Take that many bytes more, or refuse with ``server_busy``."""
        if self._budget.used + size > self._budget.limit:
            raise service_error("server_busy")
        self._budget.used += size
        self.size += size
