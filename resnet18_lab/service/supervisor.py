"""The parent of the workers: it shares one socket among N processes, replaces dead ones, and ends them in order."""

import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from resnet18_lab.base.errors import ServeError
from resnet18_lab.service import worker
from resnet18_lab.service.settings import METRICS_DIRECTORY, Settings

_MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1000000", "MALLOC_TRIM_THRESHOLD_": "4000000"}
"""For glibc: large buffers return to the system when freed, whichever thread allocated them."""
_SPAWN = multiprocessing.get_context("spawn")
_TOO_QUICK = 5
"""Workers that may die in a row before one is ready; then the service gives up."""
_LONGEST_PAUSE = 30.0


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    ready: bool = False


class Supervisor:
    """Runs the service until it is stopped; ``notify`` is called with a line for each event."""

    def __init__(self, settings: Settings, notify: Callable[[str], None]) -> None:
        self._settings = settings
        self._notify = notify
        self._workers: list[_Worker] = []
        self._stopping = False
        self._announced = False
        self._failures = 0
        self._due: list[float] = []  # moments at which workers that could not start are tried again

    def run(self) -> None:
        """Serve; raises ServeError when the address is in use or no worker can start."""
        metrics_folder = tempfile.mkdtemp(prefix="resnet18_lab-metrics-")
        os.environ[METRICS_DIRECTORY] = metrics_folder
        os.environ.update({name: value for name, value in _MALLOC.items() if name not in os.environ})
        handlers = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            with bound_socket(self._settings) as sock:
                self._workers = [self._start(sock) for _ in range(self._settings.workers)]
                while not self._stopping:
                    self._watch(sock)
                    self._try_again(sock)
        finally:
            self._end()
            for number, handler in handlers.items():
                signal.signal(number, handler)
            del os.environ[METRICS_DIRECTORY]
            shutil.rmtree(metrics_folder, ignore_errors=True)

    def _start(self, sock: socket.socket) -> _Worker:
        own_end, worker_end = _SPAWN.Pipe()
        process = _SPAWN.Process(target=worker.work, args=(asdict(self._settings), sock, worker_end), name="worker")
        process.start()
        worker_end.close()  # the worker keeps the only copy, so that recv() raises EOFError when it dies
        return _Worker(process, own_end)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _watch(self, sock: socket.socket) -> None:
        """Handle the next messages or deaths of workers; the timeout lets ``run`` notice a signal or a due restart."""
        pipes = {one.pipe: one for one in self._workers}
        for pipe in wait(list(pipes), timeout=0.2):
            one = pipes[pipe]  # type: ignore[index]
            try:
                message = one.pipe.recv()
            except (EOFError, OSError):
                if not self._stopping:
                    self._replace(one, sock)
                continue
            if message == "ready":
                one.ready, self._failures = True, 0
                self._announce(sock)
            elif self._announced:
                self._notify(message)  # the other workers go on; this one ends by itself and is restarted later
            else:
                raise ServeError(message)

    def _announce(self, sock: socket.socket) -> None:
        if self._announced or self._due or not all(one.ready for one in self._workers):
            return
        self._announced = True
        host, port = sock.getsockname()[:2]
        self._notify(f"serving on http://{f'[{host}]' if ':' in host else host}:{port}")

    def _replace(self, dead: _Worker, sock: socket.socket) -> None:
        dead.process.join(5)
        dead.pipe.close()
        self._workers.remove(dead)
        self._count(dead)
        end = f"worker {dead.process.pid} ended with status {dead.process.exitcode}"
        if dead.ready:
            self._notify(f"{end}: starting another")
            self._workers.append(self._start(sock))
            return
        self._failures += 1
        if not self._announced and self._failures >= _TOO_QUICK:
            raise ServeError("The workers die before they are ready; their messages stand above.")
        # A worker that cannot start (such as a missing artifact) would fail again at once: wait longer each time.
        pause = min(2.0 ** (self._failures - 1), _LONGEST_PAUSE) if self._announced else 0.0
        self._notify(f"{end} before it was ready: starting another in {pause:g} s")
        self._due.append(time.monotonic() + pause)

    def _try_again(self, sock: socket.socket) -> None:
        now = time.monotonic()
        for moment in [moment for moment in self._due if moment <= now]:
            self._due.remove(moment)
            self._workers.append(self._start(sock))

    @staticmethod
    def _count(dead: _Worker) -> None:
        from resnet18_lab.service import prometheus

        prometheus.RESTARTS.inc()
        if dead.process.pid:
            prometheus.forget_process(dead.process.pid)

    def _end(self) -> None:
        """Let the workers finish their requests, then make sure that they have ended."""
        for one in self._workers:
            if one.process.is_alive():
                one.process.terminate()
        deadline = time.monotonic() + self._settings.drain_seconds + 2
        for one in self._workers:
            one.process.join(max(0.1, deadline - time.monotonic()))
            if one.process.is_alive():
                one.process.kill()
                one.process.join()


def bound_socket(settings: Settings) -> socket.socket:
    """A socket bound to the address, not yet listening; ServeError when it cannot be bound."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # Without IPPROTO_TCP asyncio leaves Nagle's algorithm on: an answer's body would wait 40 ms for an ACK.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        raise ServeError(
            f"{settings.host}:{settings.port} cannot be served on ({error.strerror or error}); "
            "choose another --port (0 takes any free one) or --host."
        ) from error
    sock.set_inheritable(True)
    return sock


def serve(settings: Settings, notify: Callable[[str], None]) -> None:
    """Run the service in this process's children until SIGTERM or Ctrl-C."""
    if not settings.is_local:
        notify(
            f"{settings.host} is no loopback address: everybody who can reach this machine can use the service. "
            "It has no TLS, passwords or rate limits of its own; put a reverse proxy before it (docs/deploy.md)."
        )
    Supervisor(settings, notify).run()
