"""Decoding processes on stock: lent for one picture each, watched, and replaced when they end."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from resnet18_lab.base.errors import EngineError, ImageError
from resnet18_lab.preprocessing.decoder_process import Process
from resnet18_lab.preprocessing.turns import AbandonedError

_STARTS = 3
_LONGEST_PAUSE = 30.0
_WATCH_SECONDS = 1.0


class DiedError(Exception):
    """The process ended instead of answering."""

    def __init__(self, *, by_deadline: bool) -> None:
        super().__init__()
        self.by_deadline = by_deadline


class DecoderPool:
    """``count`` processes with the same settings; one that does not answer for ``patience`` seconds is killed."""

    def __init__(self, count: int, settings: dict[str, Any], patience: float) -> None:
        self._settings, self._patience = settings, patience
        self._changed = threading.Condition()
        self._processes: set[Process] = set()
        self._idle: list[Process] = []
        self._failed_starts = 0
        self._closed = threading.Event()
        for _ in range(count):
            self._start()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def is_closed(self) -> bool:
        """True once no process is lent any more."""
        return self._closed.is_set()

    @property
    def is_ready(self) -> bool:
        """False while no process is there: at the start, or when all are being replaced."""
        return any(one.popen.poll() is None for one in list(self._processes))

    def wait_ready(self) -> None:
        """Return when a process is there; raises EngineError when none can start."""
        self._give_back(self._take(bool))

    @contextmanager
    def lent(self, is_abandoned: Callable[[], bool]) -> Iterator[Process]:
        """A process for one picture; raises DiedError when it ends, which starts another.

        Raises AbandonedError or EngineError when there is none to wait for.
        """
        process = self._take(is_abandoned)
        while process.popen.poll() is not None:  # it has ended since its last picture, which is not this one's fault
            self._replace(process)
            process = self._take(is_abandoned)
        try:
            yield process
        except EOFError:
            raise DiedError(by_deadline=self._replace(process)) from None
        except ImageError:
            self._give_back(process)
            raise
        except BaseException:
            self._replace(process)  # such as Ctrl-C between request and answer
            raise
        self._give_back(process)

    def wake(self) -> None:
        """Let those that wait for a process find out whether they are abandoned."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """End all processes."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
            ending, self._processes, self._idle = self._processes, set(), []
        for process in ending:
            process.end()

    def _take(self, is_abandoned: Callable[[], bool]) -> Process:
        def is_hopeless() -> bool:
            return self._closed.is_set() or self._failed_starts >= _STARTS or is_abandoned()

        with self._changed:
            self._changed.wait_for(lambda: self._idle or is_hopeless())
            if self._idle:
                return self._idle.pop()
        if self._closed.is_set() or is_abandoned():
            raise AbandonedError
        raise EngineError("Decoding processes end before they are ready; `resnet18-lab doctor` may say why.")

    def _give_back(self, process: Process) -> None:
        with self._changed:
            if process in self._processes:
                self._idle.append(process)
                self._changed.notify_all()

    def _replace(self, process: Process) -> bool:
        """Start another for one that has ended; True when a deadline ended it."""
        process.end()
        with self._changed:
            self._processes.discard(process)
            if not self._closed.is_set():
                self._start()
        return process.overdue or process.popen.returncode == -getattr(signal, "SIGPROF", 0)

    def _start(self) -> None:
        threading.Thread(target=self._start_one, daemon=True).start()

    def _start_one(self) -> None:
        while not self._closed.is_set():
            process = _started(self._settings)
            with self._changed:
                if process is None:
                    self._failed_starts += 1
                    self._changed.notify_all()
                    pause = min(0.1 * 2.0**self._failed_starts, _LONGEST_PAUSE)
                    self._changed.wait_for(self._closed.is_set, timeout=pause)
                elif not self._closed.is_set():
                    self._failed_starts = 0
                    self._processes.add(process)
                    self._idle.append(process)
                    self._changed.notify_all()
                    return
            if process is not None:
                process.end()

    def _watch(self) -> None:
        """Kill processes that do not answer (stopped ones use no CPU time), and replace those that have ended."""
        while not self._closed.is_set():
            time.sleep(_WATCH_SECONDS)
            with self._changed:
                ended = [one for one in self._idle if one.popen.poll() is not None]
                self._idle = [one for one in self._idle if one not in ended]
            for process in ended:
                self._replace(process)
            for process in list(self._processes):
                since = process.busy_since
                if since is not None and time.monotonic() - since > self._patience:
                    process.overdue = True
                    process.popen.kill()


def _started(settings: dict[str, Any]) -> Process | None:
    """A process that is ready; None when it cannot start."""
    try:
        process = Process(settings)
    except OSError:
        return None
    try:
        process.wait_ready()
    except EOFError:
        process.end()
        return None
    return process
