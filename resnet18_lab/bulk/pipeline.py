"""Pictures through the workers: answers in the order of the inputs, and never more than a window in memory."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from resnet18_lab.base.errors import ImageError, LabError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.bulk.answer_cache import AnswerStore
from resnet18_lab.bulk.batch import Answer, Item, Job, check_batch, failed
from resnet18_lab.bulk.defaults import DEFAULT_BATCH
from resnet18_lab.bulk.inputs import Input
from resnet18_lab.bulk.pool import QUEUED, Pool
from resnet18_lab.inference import artifacts, tuned
from resnet18_lab.inference.registry import name_in
from resnet18_lab.preprocessing.decode import read

PathLike = str | os.PathLike[str]


@dataclass
class _Slot:
    """An input's place in the order; ``answer`` is None until it is known."""

    file: str
    answer: Answer | None = None
    digest: str | None = None


def default_workers(threads: int = 1) -> int:
    """Workers that keep the usable cores busy, and no more (affinity and the control group's quota count)."""
    return max(1, usable_cores() // threads)


def workers_for(job: Job) -> int:
    """Workers when none are asked for: tuned on this machine for the job's engine, else ``default_workers``.

    What was tuned is about workers of one thread each.
    """
    if job.threads != 1:
        return default_workers(job.threads)
    try:
        folder = artifacts.open_folder(job.weights)
        count = tuned.workers_for(name_in(folder, job.engine), folder.path)
    except LabError:
        count = None  # nothing to run yet: the engine's own error says more
    return count or default_workers()


def window(workers: int, batch: int) -> int:
    """Pictures that may be on their way at once: those that a run which is killed has to run again."""
    return (workers * QUEUED + 2) * batch


def stream(
    paths: Iterable[PathLike | Input],
    *,
    job: Job | None = None,
    workers: int | None = None,
    batch: int = DEFAULT_BATCH,
    dedupe: bool = False,
    cache: Path | None = None,
) -> Generator[Answer, None, None]:
    """One answer for every path, in order: predictions (or a vector), or an error with its code.

    ``paths`` are files and may be endless; use ``inputs.walk`` for folders. Workers are processes with a
    session each. At most a window of a few batches a worker is read ahead, so memory does not grow with
    the number of pictures; close the generator to stop early. ``dedupe`` runs identical bytes once;
    ``cache`` names a file that remembers answers from run to run (it implies ``dedupe``). Raises
    ArtifactError, WeightsError, BackendError or ParameterError before the first answer.
    """
    job = job or Job()
    check_batch(batch)
    count = workers_for(job) if workers is None else workers
    with ExitStack() as stack:
        pool = stack.enter_context(Pool(job, count))
        assert pool.engine is not None  # noqa: S101 - a pool is not made without one
        keep = AnswerStore(cache, job, pool.engine) if dedupe or cache else None
        stack.enter_context(keep or nullcontext())
        source = (entry if isinstance(entry, Input) else Input(os.fspath(entry)) for entry in paths)
        yield from _Pipeline(job, pool, batch, keep).run(source)


class _Pipeline:
    def __init__(self, job: Job, pool: Pool, batch: int, store: AnswerStore | None) -> None:
        self._job, self._pool, self._batch, self._store = job, pool, batch, store
        self._window: deque[_Slot] = deque()
        self._limit = window(pool.count, batch)
        self._open: list[tuple[_Slot, Item]] = []  # slots of the batch that is being filled
        self._running: dict[int, list[_Slot]] = {}
        self._twins: dict[str, list[_Slot]] = {}  # by content, slots that wait for the first one's answer

    def run(self, source: Iterator[Input]) -> Iterator[Answer]:
        """Answers in order; the source is read only as far as the window reaches."""
        ended = False
        while not ended or self._window:
            room = self._limit - len(self._window)
            taken = 0
            for taken, entry in enumerate(islice(source, room), start=1):  # noqa: B007 - counted past the loop
                self._add(entry)
            ended = ended or taken < room
            if ended:
                self._submit()  # what is left is a batch too
            while self._window and (answer := self._window[0].answer) is not None:
                self._window.popleft()
                yield answer
            if self._window and (ended or len(self._window) == self._limit):
                self._receive()

    def _add(self, entry: Input) -> None:
        slot = _Slot(entry.file)
        self._window.append(slot)
        if (error := entry.error) is not None:
            slot.answer = failed(self._job, entry.file, error)
        elif self._store is None:
            self._queue(slot, (entry.file, None))
        else:
            self._add_unless_known(slot)

    def _add_unless_known(self, slot: _Slot) -> None:
        """Read here, once, so that what is hashed is what is run."""
        assert self._store is not None  # noqa: S101 - the caller asked
        try:
            data = read(slot.file)
        except ImageError as error:
            slot.answer = failed(self._job, slot.file, error)
            return
        slot.digest = hashlib.sha256(data).hexdigest()
        if slot.digest in self._twins:
            self._twins[slot.digest].append(slot)
        elif (known := self._store.get(slot.digest)) is not None:
            slot.answer = replace(known, file=slot.file)
        else:
            self._twins[slot.digest] = []
            self._queue(slot, (slot.file, data))

    def _queue(self, slot: _Slot, item: Item) -> None:
        self._open.append((slot, item))
        if len(self._open) == self._batch:
            self._submit()

    def _submit(self) -> None:
        if self._open:
            number = self._pool.submit([item for _, item in self._open])
            self._running[number] = [slot for slot, _ in self._open]
            self._open = []

    def _receive(self) -> None:
        if not self._running:
            self._submit()
        number, answers = self._pool.wait()
        for slot, answer in zip(self._running.pop(number), answers, strict=True):
            slot.answer = answer
            if slot.digest is not None and self._store is not None:
                self._store.put(slot.digest, answer)
                for twin in self._twins.pop(slot.digest):
                    twin.answer = replace(answer, file=twin.file)
