"""The workers that a supervisor has: how they are started, how they are doing, how they leave."""

import math
import multiprocessing
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.context import SpawnProcess

from resnet18_lab.service import worker
from resnet18_lab.service.settings import Settings

_SPAWN = multiprocessing.get_context("spawn")
SILENT_SECONDS = 6.0
"""A worker that has not said for so long that it is alive is stopped, or hangs."""


class Worker:
    """A worker process as its parent sees it."""

    def __init__(self, settings: Settings, sock: socket.socket) -> None:
        self.pipe, worker_end = _SPAWN.Pipe()
        self.process: SpawnProcess = _SPAWN.Process(
            target=worker.work, args=(asdict(settings), sock, worker_end), name="worker"
        )
        self.process.start()
        worker_end.close()  # the worker keeps the only copy, so that recv() raises EOFError when it dies
        self.ready = False
        self.retiring = False
        """True for one that has been replaced already: its end is no loss."""
        self._heard = time.monotonic()
        self._ends = self._killed = math.inf  # moments at which a retiring one is told to end, and is ended

    def hear(self) -> str | None:
        """What it says, None when it has died."""
        try:
            message = str(self.pipe.recv())
        except (EOFError, OSError):
            return None
        self._heard = time.monotonic()
        self.ready |= message == worker.READY
        return message

    @property
    def is_silent(self) -> bool:
        """True when it should have said that it is alive, and has not; pipes of Windows do not tell whether one may."""
        return os.name == "posix" and self.ready and time.monotonic() - self._heard > SILENT_SECONDS

    def drain(self) -> None:
        """Tell it to be no longer ready, and to close connections with their next answers."""
        with suppress(OSError):
            self.pipe.send(worker.DRAIN)

    def retire(self, grace: float, drain: float) -> None:
        """Let it go: after ``grace`` seconds it takes no more connections, ``drain`` seconds later it is killed."""
        self.retiring = True
        self.drain()
        self._ends = time.monotonic() + grace
        self._killed = self._ends + drain

    def go_on_retiring(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if now > self._ends:
            self.process.terminate()
            self._ends = math.inf
        if now > self._killed:
            self.process.kill()

    def bury(self) -> str:
        """Forget it, once it has died; returns a sentence about its end."""
        self.process.join(5)
        self.pipe.close()
        return f"worker {self.process.pid} ended with status {self.process.exitcode}"
