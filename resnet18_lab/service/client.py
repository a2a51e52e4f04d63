"""Start a service in a process of its own, send it requests, and stop it: for tests, notebooks and measurements."""

import atexit
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from resnet18_lab.base import proc
from resnet18_lab.base.errors import LabError

CLASSIFY = "/api/v1/classify"
_BOUNDARY = "resnet18lab"
FORM = f"multipart/form-data; boundary={_BOUNDARY}"
"""Content type of ``form``'s bodies."""
PATIENCE = 60
"""Seconds for a service to start, and for an answer."""
_READY = re.compile(r"serving on (http://\S+)")
_STOP_SECONDS = 20


@dataclass(frozen=True)
class Running:
    """A running service: its address, its process, and how long it took to be ready."""

    url: str
    process: subprocess.Popen[bytes]
    ready_seconds: float

    def stop(self) -> None:
        """Ask the service to finish the running requests and end; returns when it has ended."""
        _end(self.process)
        atexit.unregister(self.stop)


def start(*arguments: str, env: Mapping[str, str] | None = None) -> Running:
    """Start ``resnet18-lab serve`` on a free port; it is stopped when this process ends, at the latest.

    Raises LabError with the service's messages when it does not become ready.
    """
    command = [sys.executable, "-m", "resnet18_lab", "serve", "--port", "0", *arguments]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        (Path(folder) / "log.txt").open("wb") as log,
    ):
        start_time = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL, stderr=log)
        try:
            url = address_of(process, Path(log.name))
        except BaseException:
            _end(process)
            raise
    service = Running(url, process, time.perf_counter() - start_time)
    atexit.register(service.stop)
    return service


@contextmanager
def running(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """``start`` for a ``with`` block, which stops the service at its end."""
    service = start(*arguments, env=env)
    try:
        yield service
    finally:
        service.stop()


def address_of(process: subprocess.Popen[bytes], log: Path) -> str:
    """The address that the service writes to stderr once it is ready."""
    end = time.monotonic() + PATIENCE
    while True:
        has_ended = process.poll() is not None
        output = log.read_text(encoding="utf-8", errors="replace")
        if match := _READY.search(output):
            return match.group(1).rstrip("/")
        if has_ended or time.monotonic() > end:
            raise LabError(f"The service did not start. It said: {output.strip()}")
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def fetch(
    url: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and bytes of an answer; with a body it is a POST. OSError or HTTPException when there is no answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    try:
        connection.request("GET" if body is None else "POST", path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def get(url: str, path: str) -> tuple[int, Any]:
    """Status and JSON of a GET request."""
    status, content = fetch(url, path)
    return status, json.loads(content)


def classify(url: str, data: bytes, name: str) -> dict[str, Any]:
    """The answer to one picture sent as the body of a request."""
    answer: dict[str, Any] = json.loads(fetch(url, f"{CLASSIFY}?cached=1", body=data, headers={"X-Filename": name})[1])
    return answer


def batch(url: str, files: Sequence[tuple[str, bytes]]) -> list[dict[str, Any]]:
    """The results of several pictures (name and bytes) sent as one form, in their order."""
    _, content = fetch(url, f"{CLASSIFY}/batch", body=form(files), headers={"Content-Type": FORM})
    results: list[dict[str, Any]] = json.loads(content)["results"]
    return results


def form(files: Sequence[tuple[str, bytes]]) -> bytes:
    """The body that a browser would send for files (name and bytes) in the field ``file``; its type is FORM."""
    body = b""
    for name, data in files:
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body += f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + data + b"\r\n"
    return body + f"--{_BOUNDARY}--\r\n".encode()


def workers_of(process: subprocess.Popen[Any]) -> list[int]:
    """Process ids of a service's workers; Linux only."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    pids = [int(child) for child in children.read_text(encoding="ascii").split()] if children.exists() else []
    return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def resident(pids: Iterable[int]) -> int:
    """Bytes resident in these processes; Linux only."""
    return sum(proc.rss(f"{pid}/status") or 0 for pid in pids)
