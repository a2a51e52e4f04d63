"""The two services that tools/records/serving.py loads, each on its own cores, and what can be asked about them."""

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from resnet18_lab.benchmark import load
from resnet18_lab.benchmark.load import percentile
from resnet18_lab.service import client

ROOT = Path(__file__).resolve().parents[2]
SERVICE_CORE, CLIENT_CORE = 0, 1


@contextlib.contextmanager
def on_cores(*cores: int) -> Iterator[None]:
    """Processes started in the block run on these cores only (where the system can do that)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores) & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def tutorial_service() -> Iterator[str]:
    """The tutorials' service on the service's core; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(ROOT / "tools" / "records" / "tutorial_service.py"), str(port)]
    with on_cores(SERVICE_CORE):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + client.PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit("the tutorials' service did not start; is Flask installed?")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/predict"
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def service(*arguments: str, cores: tuple[int, ...] = (SERVICE_CORE,)) -> Iterator[client.Running]:
    """Ours on the same core, one thread a worker."""
    with on_cores(*cores):
        running = client.start("--threads", "1", "--no-access-log", *arguments)
    try:
        yield running
    finally:
        running.stop()


def predict(running: client.Running) -> str:
    """The address that both services have."""
    return f"{running.url}/predict"


def workers_of(running: client.Running) -> list[int]:
    """Process ids of the workers."""
    return client.workers_of(running.process)


def resident(running: client.Running) -> float:
    """MB (10⁶ bytes) resident in all workers."""
    return client.resident(workers_of(running)) / 1e6


def cpu_seconds(running: client.Running) -> float:
    """Seconds of processor time that all workers have used; Linux alone."""
    ticks = 0
    for pid in workers_of(running):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime and stime
    return ticks / os.sysconf("SC_CLK_TCK")


def get(url: str, path: str) -> tuple[int, str]:
    """Status and text of an address; status 0 when there is no answer."""
    try:
        status, content = client.fetch(url, path)
    except (OSError, http.client.HTTPException):
        return 0, ""
    return status, content.decode("utf-8", "replace")


class HealthWatch:
    """Asks /healthz again and again while the block runs; ``ms`` holds how long each answer took."""

    def __init__(self, url: str) -> None:
        self.ms: list[float] = []
        self.failed = 0
        self._url, self._end = url, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._end.wait(0.05):
            started = time.perf_counter()
            status, _ = get(self._url, "/healthz")
            self.ms.append((time.perf_counter() - started) * 1e3)
            self.failed += status != 200

    def __enter__(self) -> "HealthWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def percentile(self, share: int) -> float:
        """In ms."""
        return load.percentile(self.ms, share)


def restarts(url: str) -> float:
    """Workers replaced, as /metrics counts them."""
    match = re.search(r"^resnet18_worker_restarts_total (\S+)", get(url, "/metrics")[1], re.MULTILINE)
    return float(match.group(1)) if match else 0.0


def ask(url: str, folder: Path, *options: object, cores: tuple[int, ...] = (CLIENT_CORE,)) -> dict:
    """The outcome that the load generator prints."""
    command = [sys.executable, str(ROOT / "tools" / "records" / "load_client.py"), url, str(folder), *map(str, options)]
    with on_cores(*cores):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
    output, _ = process.communicate()
    return json.loads(output)


def send(url: str, folder: Path, *options: object, cores: tuple[int, ...] = (CLIENT_CORE,)) -> dict:
    """The figures of one load."""
    return summed([ask(url, folder, *options, cores=cores)])


def summed(parts: list[dict]) -> dict:
    """Rate of good answers, percentiles in ms and failures of the parts together, in place of every single time."""
    times = [ms for part in parts for ms in part["ms"]]
    statuses = sum((Counter(part["statuses"]) for part in parts), Counter())
    seconds = sum(part["seconds"] for part in parts)
    client = sum(part["client_cpu_share"] * part["seconds"] for part in parts) / seconds
    return {
        "seconds": seconds, "statuses": statuses, "client_cpu_share": client, "requests": statuses.total(),
        "rate": len(times) / seconds, "rates": [len(part["ms"]) / part["seconds"] for part in parts],
        "p50": percentile(times, 50), "p99": percentile(times, 99), "refused": statuses["503"],
        "failed": statuses.total() - len(times) - statuses["503"],
    }  # fmt: skip
