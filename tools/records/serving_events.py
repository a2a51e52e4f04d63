"""What tools/records/serving.py does to a service at work: dear pictures among the others, SIGHUP, SIGTERM."""

import http.client
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

from serving_services import ROOT, HealthWatch, predict, send, service, workers_of

from resnet18_lab.service import client

sys.path.append(str(ROOT / "tests"))
from support import dear_pictures

HOSTILE_CLIENTS = 4
CALLERS = 4
_LOST = "lost"
_NOT_TAKEN = "not taken"
_LONGEST = 60.0


def ask_on(url: str, bodies: list[bytes], end: threading.Event, outcomes: Counter) -> None:
    """Send the bodies in turn until the end: statuses, connections that were not taken, requests that were lost."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=client.PATIENCE)
    for body in cycle(bodies):
        if end.is_set():
            break
        try:
            connection.request("POST", client.CLASSIFY, body)
            answer = connection.getresponse()
            answer.read()
            outcomes[str(answer.status)] += 1
        except ConnectionRefusedError:
            connection.close()
            outcomes[_NOT_TAKEN] += 1
            time.sleep(0.05)
        except (OSError, http.client.HTTPException):
            connection.close()
            outcomes[_LOST] += 1
    connection.close()


@contextmanager
def asking(url: str, bodies: list[bytes], callers: int) -> Iterator[Counter]:
    """So many callers that ask while the block runs, and what they were answered."""
    end, outcomes = threading.Event(), Counter()
    threads = [
        threading.Thread(target=ask_on, args=(url, bodies[number:] + bodies[:number], end, outcomes))
        for number in range(callers)
    ]
    for one in threads:
        one.start()
    try:
        yield outcomes
    finally:
        end.set()
        for one in threads:
            one.join()


def hostile_mix(folder: Path, at_once: int, requests: int) -> dict:
    """The same load as the others', while clients send what takes the most time and memory to decode."""
    dear = [*dear_pictures.of_time().values(), *dear_pictures.of_memory().values()]
    with service("--cache", "0") as running:
        with asking(running.url, dear, HOSTILE_CLIENTS) as hostile, HealthWatch(running.url) as health:
            load = send(predict(running), folder, "--at-once", at_once, "--requests", requests)
        before = workers_of(running)
        return {**load, "clients": HOSTILE_CLIENTS, "hostile": dict(hostile), "workers": len(before),
                "health_p99": health.percentile(99), "health_failed": health.failed}  # fmt: skip


def replaced_workers(folder: Path) -> dict:
    """SIGHUP to two workers at work: seconds until both are others, and what the callers saw."""
    with service("--cache", "0", "--workers", "2", cores=(0, 1)) as running:
        before = set(workers_of(running))
        return _signalled(running, folder, signal.SIGHUP, lambda: not before & set(workers_of(running)))


def ended(folder: Path) -> dict:
    """SIGTERM at work: seconds until the service has ended, and what the callers saw."""
    with service("--cache", "0", "--grace-seconds", "2") as running:
        return _signalled(running, folder, signal.SIGTERM, lambda: running.process.poll() is not None)


def _signalled(running: client.Running, folder: Path, number: int, is_done: Callable[[], bool]) -> dict:
    bodies = [path.read_bytes() for path in sorted(folder.iterdir())[:100]]
    with asking(running.url, bodies, CALLERS) as outcomes:
        time.sleep(1)
        began = time.perf_counter()
        running.process.send_signal(number)
        while not is_done() and time.perf_counter() - began < _LONGEST:
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        time.sleep(0.5)
    counts = {name: outcomes[name] for name in ("200", _LOST, _NOT_TAKEN)}
    return {"seconds": seconds, "callers": CALLERS, "requests": outcomes.total() - counts[_NOT_TAKEN],
            "answered": counts["200"], "lost": counts[_LOST]}  # fmt: skip
