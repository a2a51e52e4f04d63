"""Pictures sent to a service at a set rate, and what comes back."""

import http.client
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

from resnet18_lab.base.notify import Notify
from resnet18_lab.service.client import CLASSIFY, PATIENCE, running

_CONNECTIONS = 24
_BUSY = 503
_OCTETS = "application/octet-stream"
_Due = tuple[float | None, bytes]
"""When a body is to be sent, in seconds from the start (None: as soon as possible), and the body."""


@dataclass(frozen=True)
class Load:
    """The outcome of one offered load: requests a second, and each answer's time in ms from its due moment."""

    mode: str
    offered: float
    answered: float
    milliseconds: tuple[float, ...]
    refused: int
    failed: int

    def percentile(self, share: int) -> float:
        """The time in ms within which ``share`` percent of the answers came; NaN when there were too few."""
        return percentile(self.milliseconds, share)

    def as_json(self) -> dict[str, Any]:
        """The fields, times rounded to a tenth of a ms."""
        return {**asdict(self), "milliseconds": [round(value, 1) for value in self.milliseconds]}


def percentile(milliseconds: Sequence[float], share: int) -> float:
    """The time in ms that ``share`` percent of these do not exceed; NaN for fewer than two."""
    if len(milliseconds) < 2:
        return float("nan")
    return quantiles(milliseconds, n=100, method="inclusive")[share - 1]


def peak_rate(url: str, pictures: Sequence[bytes], *, at_once: int = 8, seconds: float = 2.0) -> float:
    """Answers a second when ``at_once`` callers ask again as soon as they have an answer."""
    counts = [0] * at_once
    end = time.perf_counter() + seconds

    def ask(caller: int) -> None:
        connection = _connection(url)
        number = caller
        while time.perf_counter() < end:
            counts[caller] += _post(connection, pictures[number % len(pictures)]) == http.client.OK
            number += at_once
        connection.close()

    _in_threads(ask, at_once)
    return sum(counts) / seconds


def peak_of(arguments: Sequence[str], pictures: Sequence[bytes], **options: Any) -> float:  # noqa: ANN401 - those of peak_rate
    """The peak rate of a service that is started for this measurement alone."""
    with running(*arguments) as service:
        _warm_up(service.url, pictures)
        return peak_rate(service.url, pictures, **options)


def offered_load(url: str, pictures: Sequence[bytes], rate: float, *, seconds: float = 3.0, mode: str = "") -> Load:
    """Send pictures at random moments, ``rate`` a second, whether or not answers come back.

    Each time counts from the moment the picture was due: a caller who has to wait for a free connection
    waits too. The moments are the same in every run.
    """
    due = arrivals(pictures, rate, seconds)
    outcomes, elapsed = send_all(url, due, at_once=_CONNECTIONS)
    good = tuple(ms for status, ms in outcomes if status == http.client.OK)
    refused = sum(status == _BUSY for status, _ in outcomes)
    offered = len(due) / seconds
    return Load(mode, offered, len(good) / max(elapsed, seconds), good, refused, len(due) - len(good) - refused)


def send_all(
    url: str, due: Sequence[_Due], *, at_once: int, path: str = CLASSIFY, kind: str = _OCTETS
) -> tuple[list[tuple[int, float]], float]:
    """Status (0: no answer) and ms of each request, over ``at_once`` connections, and the seconds of all.

    A body is sent at its moment, or as soon as a connection is free when it has none.
    """
    waiting: queue.SimpleQueue[_Due] = queue.SimpleQueue()
    for entry in due:
        waiting.put(entry)
    outcomes: list[tuple[int, float]] = []
    started = time.perf_counter()

    def send(_: int) -> None:
        connection = _connection(url)
        while True:
            try:
                moment, data = waiting.get_nowait()
            except queue.Empty:
                break
            due_at = time.perf_counter() if moment is None else started + moment
            time.sleep(max(due_at - time.perf_counter(), 0))
            status = _post(connection, data, path, kind)
            outcomes.append((status, (time.perf_counter() - due_at) * 1e3))
        connection.close()

    _in_threads(send, at_once)
    return outcomes, time.perf_counter() - started


def curve(
    modes: Mapping[str, Sequence[str]],
    pictures: Sequence[bytes],
    rates: Sequence[float],
    *,
    seconds: float = 3.0,
    notify: Notify = lambda _: None,
) -> list[Load]:
    """Each mode's service, started with its arguments, under each rate in turn."""
    loads = []
    for mode, arguments in modes.items():
        with running(*arguments) as service:
            _warm_up(service.url, pictures)
            for rate in rates:
                notify(f"{mode}, {rate:.0f} pictures a second")
                loads.append(offered_load(service.url, pictures, rate, seconds=seconds, mode=mode))
    return loads


def arrivals(pictures: Sequence[bytes], rate: float, seconds: float) -> list[_Due]:
    """Due moments and the picture of each, in turn.

    The moments are uniform and sorted: a Poisson process with exactly ``rate * seconds`` callers, so that a
    short run also offers the rate it is asked for.
    """
    chance = random.Random(0)  # noqa: S311 - arrivals, not secrets
    moments = sorted(chance.uniform(0, seconds) for _ in range(max(1, round(rate * seconds))))
    return [(moment, pictures[number % len(pictures)]) for number, moment in enumerate(moments)]


def _warm_up(url: str, pictures: Sequence[bytes]) -> None:
    """The first pictures of a process are slower; a cache, where there is one, knows them all afterwards."""
    connection = _connection(url)
    for picture in pictures:
        _post(connection, picture)
    connection.close()


def _connection(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)


def _post(connection: http.client.HTTPConnection, data: bytes, path: str = CLASSIFY, kind: str = _OCTETS) -> int:
    """Status of the answer; 0 when there was none."""
    try:
        connection.request("POST", path, data, {"Content-Type": kind})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return 0
    return answer.status


def _in_threads(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
