"""One thread runs the engine; requests put pictures into its bounded queue and await logits.

A single request never waits for others: the thread takes the requests in the queue, up to the largest batch, and
runs them. Batches have only a few fixed sizes, so that the engine's memory use becomes stable.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.networks import Preprocessing
from resnet18_lab.preprocessing import transform
from resnet18_lab.service import prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resnet18_lab.inference.engine import Engine, Logits

_BATCH_SIZES = (8, 4, 2, 1)
Rows = NDArray[np.uint8] | NDArray[np.float32]


@dataclass
class BatchOutput:
    """What ``engine.rows`` gave of a job's rows, and how long the job waited and ran, in ms."""

    logits: Logits
    queue_ms: float
    model_ms: float


@dataclass
class _Request:
    rows: Rows
    """Crops uint8 N×H×W×3, or a ready batch float32 N×3×H×W; N is at most the largest batch."""
    future: asyncio.Future[BatchOutput]
    loop: asyncio.AbstractEventLoop
    queued_at: float = field(default_factory=time.perf_counter)

    def write_into(self, batch: NDArray[np.float32], preprocessing: Preprocessing) -> None:
        """Write the engine's input into ``batch``, float32 N×3×H×W."""
        if self.rows.dtype == np.uint8:
            transform.normalise_into(batch, cast(transform.Crop, self.rows), preprocessing)
        else:
            batch[...] = self.rows


class Inference:
    """The queue and its thread; ``close`` ends the thread after the queued jobs."""

    def __init__(self, backend: Engine, largest: int = _BATCH_SIZES[0]) -> None:
        self.backend = backend
        self._largest = largest
        self._buffer = np.empty((largest, *backend.network.shape), np.float32)
        self._jobs: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._postponed: _Request | None = None  # taken from the queue, but too large for the current batch
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """False when the thread has ended: the service cannot answer any more."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Finish the queued jobs, then free the engine."""
        self._jobs.put(None)
        self._thread.join()
        self.backend.close()

    async def run(self, rows: Rows) -> BatchOutput:
        """The logits of the rows; the work of a caller that is cancelled while it waits is skipped."""
        loop = asyncio.get_running_loop()
        parts = [rows[start : start + self._largest] for start in range(0, len(rows), self._largest)]
        jobs = [_Request(part, loop.create_future(), loop) for part in parts]
        for job in jobs:
            self._jobs.put(job)
        answers = await asyncio.gather(*(job.future for job in jobs))
        if len(answers) == 1:
            return answers[0]
        logits = np.concatenate([answer.logits for answer in answers])
        return BatchOutput(logits, max(a.queue_ms for a in answers), sum(a.model_ms for a in answers))

    def _work(self) -> None:
        while (jobs := self._next_jobs()) is not None:
            if jobs:
                self._serve(jobs)

    def _next_jobs(self) -> list[_Request] | None:
        """Jobs that fit into one batch; waits only for the first one. None at the end."""
        first = self._postponed or self._jobs.get()
        self._postponed = None
        if first is None:
            return None
        jobs, rows = ([], 0) if first.future.cancelled() else ([first], len(first.rows))
        while rows < self._largest:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)  # run the jobs collected so far first, then end
                break
            if job.future.cancelled():
                continue
            if rows + len(job.rows) > self._largest:
                self._postponed = job
                break
            jobs.append(job)
            rows += len(job.rows)
        return jobs

    def _serve(self, jobs: list[_Request]) -> None:
        start = time.perf_counter()
        try:
            logits = np.concatenate([self._run(part) for part in _in_fixed_sizes(self._gather(jobs))])
        except Exception as error:
            for job in jobs:
                _hand_over(job, error)
            return
        model_ms = (time.perf_counter() - start) * 1000
        row = 0
        for job in jobs:
            job_logits = logits[row : row + len(job.rows)]
            row += len(job.rows)
            prometheus.QUEUE_SECONDS.inc(start - job.queued_at)
            _hand_over(job, BatchOutput(job_logits, (start - job.queued_at) * 1000, model_ms))

    def _gather(self, jobs: list[_Request]) -> NDArray[np.float32]:
        """The rows of the jobs, one after the other, in the buffer that every run reuses."""
        row = 0
        for job in jobs:
            job.write_into(self._buffer[row : row + len(job.rows)], self.backend.network.preprocessing)
            row += len(job.rows)
        return self._buffer[:row]

    def _run(self, part: NDArray[np.float32]) -> Logits:
        start = time.perf_counter()
        logits = self.backend.rows(part)
        prometheus.BATCH_ROWS.observe(len(part))
        prometheus.MODEL_SECONDS.observe(time.perf_counter() - start)
        return logits


def _in_fixed_sizes(batch: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The rows in parts of the fixed sizes, the largest that fits first."""
    start = 0
    while start < len(batch):
        size = next(size for size in _BATCH_SIZES if size <= len(batch) - start)
        yield batch[start : start + size]
        start += size


def _hand_over(job: _Request, outcome: BatchOutput | Exception) -> None:
    def settle() -> None:
        if job.future.done():
            return  # the caller has gone
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)

    try:
        job.loop.call_soon_threadsafe(settle)
    except RuntimeError:
        return  # the loop is closed: nobody waits for the result
