"""The parent of the workers: it shares one socket among N processes, replaces dead ones, and ends them in order."""

import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing.connection import wait
from types import FrameType

from resnet18_lab.base.errors import ServeError
from resnet18_lab.base.notify import Notify
from resnet18_lab.service import worker
from resnet18_lab.service.listening import address_of, listening
from resnet18_lab.service.metrics_files import reserve
from resnet18_lab.service.settings import METRICS_DIRECTORY, Settings
from resnet18_lab.service.staff import SILENT_SECONDS, Worker
from resnet18_lab.service.systemd import Systemd

_MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1000000", "MALLOC_TRIM_THRESHOLD_": "4000000"}
"""For glibc: large buffers return to the system when freed, whichever thread allocated them."""
_TOO_QUICK = 5
"""Workers that may die in a row before one is ready; then the service gives up."""
_LONGEST_PAUSE = 30.0
_OPEN_FILES = 65_536
_GRACE_OF_REPLACED = 2.0
"""Seconds in which each connection of a replaced worker is told to close with an answer; nobody waits for them."""
_HANG_UP = getattr(signal, "SIGHUP", None)


class Supervisor:
    """Runs the service until it is stopped; ``notify`` is called with a line for each event.

    SIGTERM: no longer ready, then no new connections, then the end. SIGHUP: the workers are replaced one by one (at a
    terminal, which sends it when it is closed, it ends the service). SIGINT: the end, without a grace.
    """

    def __init__(self, settings: Settings, notify: Notify) -> None:
        self._settings = settings
        self._tell = notify
        self._workers: list[Worker] = []
        self._stopping = self._hurried = self._announced = False
        self._failures = 0
        self._due: list[float] = []  # moments at which workers that could not start are tried again
        self._old: list[Worker] = []  # to be replaced one by one
        self._fresh: Worker | None = None
        self._systemd = Systemd(os.environ)

    def run(self) -> None:
        """Serve; raises ServeError when the address is in use or no worker can start."""
        metrics_folder = _shared_folder()
        os.environ.update({name: value for name, value in _MALLOC.items() if name not in os.environ})
        _raise_limit_of_open_files()
        numbers = (signal.SIGTERM, signal.SIGINT) if _HANG_UP is None else (signal.SIGTERM, signal.SIGINT, _HANG_UP)
        handlers = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            with listening(self._settings) as sock:
                self._workers = [Worker(self._settings, sock) for _ in range(self._settings.workers)]
                while not self._stopping:
                    self._watch(sock)
                    self._try_again(sock)
                    self._go_on_replacing(sock)
                self._systemd.stopping()
                if not self._hurried:
                    self._wait_for_grace(sock)
        finally:
            self._end()
            for number, handler in handlers.items():
                signal.signal(number, handler)
            os.environ.pop(METRICS_DIRECTORY, None)
            if metrics_folder:
                shutil.rmtree(metrics_folder, ignore_errors=True)

    def _notify(self, text: str) -> None:
        with suppress(OSError):  # a log that cannot be written ends nothing
            self._tell(text)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == _HANG_UP and not _is_at_a_terminal():
            self._old = [one for one in self._workers if one not in self._old and not one.retiring] or self._old
            if self._announced:
                self._systemd.reloading()
            return
        self._stopping = True
        self._hurried = number != signal.SIGTERM

    def _watch(self, sock: socket.socket) -> None:
        """Handle the next messages or deaths of workers; the timeout lets ``run`` notice a signal or a due restart."""
        self._systemd.beat()
        by_pipe = {one.pipe: one for one in self._workers}
        for pipe in wait(list(by_pipe), timeout=0.2):
            one = by_pipe[pipe]  # type: ignore[index]
            message = one.hear()
            if message is None:
                if not self._stopping:
                    self._replace(one, sock)
            elif message == worker.READY:
                self._failures = 0
                self._announce(sock)
            elif message == worker.ALIVE:
                continue
            elif self._announced:
                self._notify(message)  # the other workers go on; this one ends by itself and is restarted later
            else:
                raise ServeError(message)
        for one in self._workers:
            if one.is_silent and not self._stopping:
                self._notify(f"worker {one.process.pid} has said nothing for {SILENT_SECONDS:g} s: it is killed")
                one.process.kill()
            one.go_on_retiring()

    def _announce(self, sock: socket.socket) -> None:
        if self._announced or self._due or not all(one.ready for one in self._workers):
            return
        self._announced = True
        status = f"serving on {address_of(sock)}"
        self._systemd.ready(status)
        self._notify(status)

    def _replace(self, dead: Worker, sock: socket.socket) -> None:
        end = dead.bury()
        self._workers.remove(dead)
        self._old = [one for one in self._old if one is not dead]
        self._count(dead)
        if dead.retiring:
            return
        if dead is self._fresh:  # what is there goes on
            self._fresh, self._old = None, []
            self._notify(f"{end} before it was ready: the others are not replaced")
            return
        if dead.ready:
            self._notify(f"{end}: starting another")
            self._workers.append(Worker(self._settings, sock))
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
            self._workers.append(Worker(self._settings, sock))

    def _go_on_replacing(self, sock: socket.socket) -> None:
        """After SIGHUP: when a fresh worker is ready, an old one retires, and the next fresh one is started."""
        if self._fresh is not None and self._fresh.ready:
            if self._old:
                grace = max(self._settings.grace_seconds, _GRACE_OF_REPLACED)
                self._old.pop(0).retire(grace, self._settings.drain_seconds + 2)
            self._fresh = None
            if not self._old:
                self._notify("all workers have been replaced")
        if self._fresh is None and self._old:
            self._fresh = Worker(self._settings, sock)
            self._workers.append(self._fresh)
        if self._systemd.is_reloading and self._fresh is None:  # even when those to be replaced have died meanwhile
            self._systemd.ready()

    @staticmethod
    def _count(dead: Worker) -> None:
        from resnet18_lab.service import prometheus

        if not dead.retiring:
            prometheus.RESTARTS.inc()
        if dead.process.pid:
            prometheus.forget_process(dead.process.pid)

    def _wait_for_grace(self, sock: socket.socket) -> None:
        """Let those who send requests see that the service is no longer ready, while it still answers."""
        for one in self._workers:
            one.drain()
        end = time.monotonic() + self._settings.grace_seconds
        while time.monotonic() < end and not self._hurried:
            self._watch(sock)

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


def _shared_folder() -> str | None:
    """A folder for the metrics of all workers; None where there is no room for one."""
    try:
        folder = tempfile.mkdtemp(prefix="resnet18_lab-metrics-")
    except OSError:
        return None
    os.environ[METRICS_DIRECTORY] = folder
    reserve()
    return folder


def _raise_limit_of_open_files() -> None:
    """A connection is an open file, and the usual soft limit is 1024."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _is_at_a_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def serve(settings: Settings, notify: Notify) -> None:
    """Run the service in this process's children until SIGTERM or Ctrl-C."""
    if not settings.is_local:
        notify(
            f"{settings.host} is no loopback address: everybody who can reach this machine can use the service. "
            f"It has no TLS{'' if settings.api_key_file else ' and asks for no key'}; put a reverse proxy before it "
            "(docs/deploy.md)."
        )
    Supervisor(settings, notify).run()
