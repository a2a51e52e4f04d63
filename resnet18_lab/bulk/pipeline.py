"""Run pictures through the workers: answers in the order of the inputs, a bounded window of pictures in memory."""

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
from resnet18_lab.bulk.batch import Answer, Item, Job, failed
from resnet18_lab.bulk.defaults import DEFAULT_BATCH, check_batch
from resnet18_lab.bulk.inputs import Input
from resnet18_lab.bulk.pool import QUEUED, Pool
from resnet18_lab.inference import artifacts, tuned
from resnet18_lab.inference.registry import name_in
from resnet18_lab.preprocessing.source import read

PathLike = str | os.PathLike[str]


@dataclass
class _Slot:
    """An input's place in the order; ``answer`` is None until it is known."""

    file: str
    answer: Answer | None = None
    digest: str | None = None


def default_workers(threads: int = 1) -> int:
    """Just enough workers to keep the usable cores busy (affinity and the control group's quota are respected)."""
    return max(1, usable_cores() // threads)


def workers_for(job: Job) -> int:
    """Default number of workers: tuned on this machine for the job's engine, else ``default_workers``.

    The tuned number applies only to workers of one thread each.
    """
    if job.threads != 1:
        return default_workers(job.threads)
    try:
        folder = artifacts.open_folder(job.weights)
        count = tuned.workers_for(name_in(folder, job.engine), folder.path)
    except LabError:
        count = None  # no artifact yet: opening the engine raises a better error
    return count or default_workers()


def window(workers: int, batch: int) -> int:
    """Pictures that may be in progress at once; a run that is killed must repeat at most these."""
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
    session each. At most a few batches per worker are read ahead, so memory does not grow with
    the number of pictures; close the generator to stop early. ``dedupe`` runs identical bytes once;
    ``cache`` names a file that remembers answers from run to run (it implies ``dedupe``). Raises
    ArtifactError, WeightsError, BackendError or ParameterError before the first answer.
    """
    job = job or Job()
    check_batch(batch)
    count = workers_for(job) if workers is None else workers
    with ExitStack() as stack:
        pool = stack.enter_context(Pool(job, count))
        assert pool.engine is not None  # noqa: S101 - a pool always has an engine once it is ready
        store = AnswerStore(cache, job, pool.engine) if dedupe or cache else None
        stack.enter_context(store or nullcontext())
        source = (entry if isinstance(entry, Input) else Input(os.fspath(entry)) for entry in paths)
        yield from _Pipeline(job, pool, batch, store).run(source)


class _Pipeline:
    def __init__(self, job: Job, pool: Pool, batch: int, store: AnswerStore | None) -> None:
        self._job, self._pool, self._batch, self._store = job, pool, batch, store
        self._window: deque[_Slot] = deque()
        self._limit = window(pool.count, batch)
        self._open: list[tuple[_Slot, Item]] = []  # slots of the batch that is being filled
        self._running: dict[int, list[_Slot]] = {}
        self._twins: dict[str, list[_Slot]] = {}  # by content, slots that wait for the first one's answer

    def run(self, source: Iterator[Input]) -> Iterator[Answer]:
        """Answers in order; the source is read only while there is room in the window."""
        at_end = False
        while not at_end or self._window:
            room = self._limit - len(self._window)
            count = 0
            for count, entry in enumerate(islice(source, room), start=1):  # noqa: B007 - used after the loop
                self._add(entry)
            at_end = at_end or count < room
            if at_end:
                self._submit()  # the last batch may be smaller
            while self._window and (answer := self._window[0].answer) is not None:
                self._window.popleft()
                yield answer
            if self._window and (at_end or len(self._window) == self._limit):
                self._receive()

    def _add(self, entry: Input) -> None:
        slot = _Slot(entry.file)
        self._window.append(slot)
        if (error := entry.error) is not None:
            slot.answer = failed(self._job, entry.file, error)
        elif self._store is None:
            self._queue(slot, (entry.file, None))
        else:
            self._add_unless_stored(slot)

    def _add_unless_stored(self, slot: _Slot) -> None:
        """Read the file here, once, so that the bytes that are hashed are the bytes that are classified."""
        assert self._store is not None  # noqa: S101 - the caller has checked
        try:
            data = read(slot.file)
        except ImageError as error:
            slot.answer = failed(self._job, slot.file, error)
            return
        slot.digest = hashlib.sha256(data).hexdigest()
        if slot.digest in self._twins:
            self._twins[slot.digest].append(slot)
        elif (answer := self._store.get(slot.digest)) is not None:
            slot.answer = replace(answer, file=slot.file)
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
