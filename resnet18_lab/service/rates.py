"""How often one client may ask: a bucket of tokens for each address, which fills again with time."""

import math
import time
from collections import OrderedDict

from resnet18_lab.service.refusals import ServiceError, service_error

_BURST_SECONDS = 4
"""A client that has been quiet may ask at once for what it may ask in so many seconds."""
_MOST_CLIENTS = 10_000
"""Addresses that are remembered; those not heard of for longest start anew."""


class Rates:
    """Limits requests a second of each client address; a rate of 0 limits nothing."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate * _BURST_SECONDS)
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when they were counted

    def refusal_of(self, client: str) -> ServiceError | None:
        """None for a request that may be made, which is then counted; else the error that says when to come again."""
        if not self._rate:
            return None
        now = time.monotonic()
        tokens, since = self._clients.pop(client, (self._most, now))
        tokens = min(self._most, tokens + (now - since) * self._rate)
        error = None
        if tokens >= 1:
            tokens -= 1
        else:
            error = service_error("too_many_requests", rate=self._rate)
            error.retry_after = math.ceil((1 - tokens) / self._rate)
        self._clients[client] = (tokens, now)
        if len(self._clients) > _MOST_CLIENTS:
            self._clients.popitem(last=False)
        return error
