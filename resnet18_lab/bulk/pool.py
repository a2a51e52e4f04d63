"""Worker processes on this machine: send batches, receive answers, replace dead workers."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resnet18_lab.base.children import ONE_THREAD, OWN_GROUP, import_path
from resnet18_lab.base.errors import EngineError, LabError, ParameterError
from resnet18_lab.bulk.batch import Answer, Item, Job, failed
from resnet18_lab.inference.engine import Closing
from resnet18_lab.preprocessing.refusals import image_error

if TYPE_CHECKING:
    from resnet18_lab.inference.engine import EngineInfo

_MAX_WORKERS = 256
QUEUED = 2  # batches per worker: the one it runs and the next, so that it never waits for the parent
_ATTEMPTS = 2
STARTS = 3  # replacement workers that may die in a row before they are ready


@dataclass
class _Task:
    number: int
    items: list[Item]
    attempts: int = 0


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    tasks: deque[_Task] = field(default_factory=deque)
    ready: bool = False


def check_workers(count: int | None) -> None:
    """Raise ParameterError unless ``count`` is an allowed number of workers or None (a default is chosen)."""
    if count is not None and not 1 <= count <= _MAX_WORKERS:
        raise ParameterError(f"workers={count} is not allowed; give 1 to {_MAX_WORKERS}.")


class Pool(Closing):
    """``count`` workers that all do the same job; a context manager that leaves no process behind."""

    def __init__(self, job: Job, count: int) -> None:
        check_workers(count)
        self._job = job
        self._messages: queue.SimpleQueue[tuple[_Worker, Any]] = queue.SimpleQueue()
        self._waiting: deque[_Task] = deque()
        self._numbers = 0
        self.engine: EngineInfo | None = None
        self.count = count
        self._failed_starts = 0
        self._workers: list[_Worker] = []
        try:
            for _ in range(count):
                self._workers.append(self._start())
            while self.engine is None:
                self._take()
        except BaseException:
            self.close()
            raise

    def _start(self) -> _Worker:
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "resnet18_lab.bulk.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **ONE_THREAD, **import_path()},
                **OWN_GROUP,
            )
        except OSError as error:
            raise EngineError(
                f"A worker process cannot be started ({error.strerror}); give fewer --workers."
            ) from error
        worker = _Worker(process)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        self._send(worker, self._job)
        return worker

    def _listen(self, worker: _Worker) -> None:
        """Put a worker's messages into the queue, and None when it has ended."""
        assert worker.process.stdout is not None  # noqa: S101 - it was asked for
        try:
            while True:
                self._messages.put((worker, pickle.load(worker.process.stdout)))  # noqa: S301 - our own child
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            self._messages.put((worker, None))

    def _send(self, worker: _Worker, message: object) -> None:
        assert worker.process.stdin is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(OSError):  # a worker that has died is noticed when its output ends
            worker.process.stdin.write(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))
            worker.process.stdin.flush()

    def submit(self, items: list[Item]) -> int:
        """Queue a batch; returns the number under which ``wait`` will return its answers."""
        self._numbers += 1
        self._waiting.append(_Task(self._numbers, items))
        self._hand_out()
        return self._numbers

    def _hand_out(self) -> None:
        while self._waiting:
            worker = min((one for one in self._workers if one.ready), key=lambda one: len(one.tasks), default=None)
            if worker is None or len(worker.tasks) >= QUEUED:
                return
            task = self._waiting.popleft()
            worker.tasks.append(task)
            self._send(worker, (task.number, task.items))

    def wait(self) -> tuple[int, list[Answer]]:
        """Number and answers of the next finished batch, in any order; LabError when the engine cannot be used."""
        while (batch := self._take()) is None:
            continue
        return batch

    def _take(self) -> tuple[int, list[Answer]] | None:
        worker, message = self._messages.get()
        if message is None:
            return self._replace(worker)
        if message[0] == "failed":
            raise message[1]
        if message[0] == "ready":
            if self.engine not in (None, message[1]):
                raise LabError("The artifact changed while the run was starting; start it again.")
            self.engine, worker.ready, self._failed_starts = message[1], True, 0
            self._hand_out()
            return None
        task = worker.tasks.popleft()
        self._hand_out()
        return task.number, message[2]

    def _replace(self, worker: _Worker) -> tuple[int, list[Answer]] | None:
        """Replace a dead worker and run its batches again; a picture that killed two workers gets an error."""
        status = worker.process.wait()
        self._workers.remove(worker)
        if not worker.ready:
            self._failed_starts += 1
            if self.engine is None or self._failed_starts >= STARTS:
                raise EngineError(
                    f"A worker process ended before it was ready (status {status}); `resnet18-lab doctor` may say why."
                )
        tasks = worker.tasks
        running = tasks.popleft() if tasks else None
        self._waiting.extendleft(reversed(tasks))
        self._workers.append(self._start())
        if running is None:
            return None
        running.attempts += 1
        if running.attempts < _ATTEMPTS:
            self._waiting.appendleft(running)
            return None
        if len(running.items) == 1:
            return running.number, [failed(self._job, running.items[0][0], image_error("worker_died"))]
        return running.number, [answer for item in running.items for answer in self._run_alone(item)]

    def _run_alone(self, item: Item) -> list[Answer]:
        """Run one picture of a batch that killed two workers in a separate pool."""
        with Pool(self._job, 1) as pool:
            pool.submit([item])
            return pool.wait()[1]

    def close(self) -> None:
        """Kill all workers; their unfinished batches are lost."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()
            for pipe in (worker.process.stdin, worker.process.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()
        self._workers = []
