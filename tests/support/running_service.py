"""A running service for the tests, and raw HTTP for what no client library would send."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn

from resnet18_lab.service.app import create_app
from resnet18_lab.service.client import resident, workers_of
from resnet18_lab.service.listening import bound_socket
from resnet18_lab.service.middleware import Edge
from resnet18_lab.service.settings import Settings
from resnet18_lab.service.worker import server_config


@dataclass
class Service:
    """``resnet18-lab serve`` in a process of its own."""

    process: subprocess.Popen
    port: int
    temporary: Path
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options: object) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, **options)

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        return workers_of(self.process)

    def memory(self) -> int:
        """Resident bytes of all workers."""
        return resident(self.workers())

    def raw(self, data: bytes, *, seconds: float = 20) -> bytes:
        """Everything the service answers to these bytes until it closes or falls silent."""
        with self.connection() as sock:
            sock.settimeout(seconds)
            sock.sendall(data)
            return read_all(sock)

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()


def read_all(sock: socket.socket) -> bytes:
    received = b""
    try:
        while data := sock.recv(65536):
            received += data
    except (TimeoutError, ConnectionError):
        pass
    return received


def status_of(answer: bytes) -> int:
    """Status of a raw answer, 0 when there is none."""
    match = re.match(rb"HTTP/1\.1 (\d+)", answer)
    return int(match[1]) if match else 0


def environment_of(home: Path) -> dict[str, str]:
    """This process's environment, with that home."""
    return {**os.environ, "RESNET18_LAB_HOME": str(home)}


def start(home: Path, temporary: Path, *options: str, env: dict[str, str] | None = None) -> Service:
    """A service on a free port, ready to be asked."""
    temporary.mkdir(parents=True, exist_ok=True)
    environment = {**environment_of(home), "TMPDIR": str(temporary), **(env or {})}
    command = [sys.executable, "-m", "resnet18_lab", "serve", "--port", "0", "--threads", "1", *options]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    service = Service(process, 0, temporary)
    threading.Thread(target=_collect, args=(service,), daemon=True).start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for line in service.lines:
            if found := re.match(r"serving on http://.*:(\d+)$", line):
                service.port = int(found[1])
                return service
        time.sleep(0.01)
    process.kill()
    raise AssertionError("the service did not start: " + "\n".join(service.lines))


@dataclass
class Inside:
    """A worker's server in a thread of this process, where its parts can be reached."""

    edge: Edge
    server: uvicorn.Server
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def classifier(self):
        return self.edge.app.state.classifier

    def connection(self, *, receive_buffer: int | None = None) -> socket.socket:
        sock = socket.socket()
        sock.settimeout(20)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(("127.0.0.1", self.port))
        return sock


@contextmanager
def inside(*, send_buffer: int | None = None, **settings: object) -> Iterator[Inside]:
    """The server with the untrained network of RESNET18_LAB_HOME, on sockets with that buffer."""
    chosen = Settings(port=0, weights="untrained", **settings)
    edge = create_app(chosen)
    server = uvicorn.Server(server_config(edge, chosen))
    with bound_socket(chosen) as sock:
        if send_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield Inside(edge, server, sock.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(30)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until(happened: Callable[[], object], seconds: float = 20) -> None:
    """Returns when it has happened; an AssertionError when that takes too long."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def number(url: str, name: str) -> float:
    """The sum of a number of /metrics over its labels; ``name`` may end within them."""
    lines = httpx.get(url + "/metrics", timeout=30).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def _collect(service: Service) -> None:
    for line in service.process.stderr:
        service.lines.append(line.rstrip("\n"))


def post(name: str, body: bytes, *headers: str, target: str = "/api/v1/classify") -> bytes:
    """A raw POST of a body with these header lines."""
    lines = [f"POST {target} HTTP/1.1", "Host: localhost", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def form(files: list[tuple[bytes, bytes]], *, field: bytes = b"file", end: bool = True) -> bytes:
    """A multipart body with the boundary ``B`` of (file name, content)."""
    body = b""
    for name, content in files:
        body += b'--B\r\nContent-Disposition: form-data; name="' + field + b'"; filename="' + name + b'"\r\n\r\n'
        body += content + b"\r\n"
    return body + (b"--B--\r\n" if end else b"")


FORM = "Content-Type: multipart/form-data; boundary=B"
