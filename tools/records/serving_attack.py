"""What tools/records/serving.py attacks the service with: clients that do not finish, bad inputs, overload, kill -9."""

import contextlib
import http.client
import os
import select
import signal
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from serving_services import ROOT, HealthWatch, get, predict, resident, restarts, send, service, workers_of

from resnet18_lab.service import client

sys.path.append(str(ROOT / "tests"))
from support import pictures

SLOW_CLIENTS = 50
"""Of each kind: silent after half a request, and one byte a second."""


class SlowClients:
    """Clients that have each sent half a head or half a body; those it drops connect again, while the block runs."""

    def __init__(self, url: str, count: int = SLOW_CLIENTS) -> None:
        self._where = urlsplit(url)
        self._count = count
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep_on)
        self.dropped = 0

    def _open(self, number: int) -> socket.socket:
        sock = socket.create_connection((self._where.hostname, self._where.port), timeout=client.PATIENCE)
        sock.sendall(f"POST {client.CLASSIFY} HTTP/1.1\r\nHost: {self._where.netloc}\r\n".encode())
        if number % 2:
            sock.sendall(b"Content-Type: image/jpeg\r\nContent-Length: 50000\r\n\r\n\xff\xd8\xff")
        return sock

    def _keep_on(self) -> None:
        socks = [self._open(number) for number in range(2 * self._count)]
        while not self._end.wait(1):
            for number, sock in enumerate(socks):
                gone = bool(select.select([sock], [], [], 0)[0])  # a 408, or the end
                with contextlib.suppress(OSError):
                    if not gone and number < self._count:
                        sock.sendall(b"x")  # of a header's name, or of the body
                if gone:
                    self.dropped += 1
                    sock.close()
                    socks[number] = self._open(number)
        for sock in socks:
            sock.close()

    def __enter__(self) -> "SlowClients":
        self._thread.start()
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def slow_clients(folder: Path, at_once: int, requests: int) -> dict:
    """The same load without and with clients that do not finish their requests, /healthz watched meanwhile."""
    options = ("--at-once", at_once, "--requests", requests)
    with service("--cache", "0") as running:
        quiet = send(predict(running), folder, *options)
        with SlowClients(running.url) as slow, HealthWatch(running.url) as health:
            attacked = send(predict(running), folder, *options)
    return {"quiet": quiet, "attacked": attacked, "clients": SLOW_CLIENTS, "dropped": slow.dropped,
            "health_p99": health.percentile(99), "health_failed": health.failed}  # fmt: skip


def bad_inputs(rounds: int) -> dict:
    """Every bad picture of the tests as a form and as a raw body, again and again: statuses, and MB that memory grew."""
    bodies = [data for data, _ in pictures.rejected().values()]
    large = [pictures.encode(pictures.scene(4000, 3000), kind) for kind in ("JPEG", "PNG")]
    with service("--cache", "0") as running:
        for data in [*large, *bodies]:  # the first use of memory is no leak
            _statuses(running.url, data)
        before = resident(running)
        statuses = sum((_statuses(running.url, data) for _ in range(rounds) for data in bodies), Counter())
        grown = resident(running) - before
    failed = sum(count for status, count in statuses.items() if not 400 <= status < 500)
    return {"statuses": {str(status): count for status, count in statuses.items()}, "requests": statuses.total(),
            "not_refused": failed, "growth_mb": grown}  # fmt: skip


def _statuses(url: str, data: bytes) -> Counter:
    form = client.form([("a.jpg", data)])
    kinds = [(form, client.FORM), (data, "application/octet-stream")]
    return Counter(_status(url, body, kind) for body, kind in kinds)


def _status(url: str, body: bytes, kind: str) -> int:
    try:
        return client.fetch(url, client.CLASSIFY, body=body, headers={"Content-Type": kind})[0]
    except (OSError, http.client.HTTPException):
        return 0


def overload(folder: Path, peak: float, seconds: float) -> dict:
    """Twice its capacity, with /healthz watched meanwhile."""
    with service("--cache", "0") as running:
        send(predict(running), folder, "--at-once", 2, "--requests", 20)
        with HealthWatch(running.url) as health:
            options = ("--at-once", 200, "--rate", 2 * peak, "--seconds", seconds)
            load = send(predict(running), folder, *options)
    return {**load, "peak": peak, "health_p99": health.percentile(99), "health_failed": health.failed}


def killed_worker() -> dict:
    """Seconds from kill -9 of a worker until another has taken its place, and what /metrics counts."""
    with service() as running:
        before, (pid,) = restarts(running.url), workers_of(running)
        started = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        while time.perf_counter() - started < 30:
            now = [one for one in workers_of(running) if one != pid]
            if now and get(running.url, "/readyz")[0] == 200:
                break
            time.sleep(0.01)
        return {"seconds": time.perf_counter() - started, "counted": restarts(running.url) - before}
