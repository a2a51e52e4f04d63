"""From a picture's bytes to its answer: read, decode, crop, normalise, run, name the classes.

Every part of the project classifies through this module. ``answers`` does all steps; ``prepare``, ``outputs`` and
``result_of`` are its parts, for callers that run the engine elsewhere (the service), need numbers instead of names
(evaluation, embedding) or time the stages.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from os import PathLike, environ, fspath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.base.errors import ImageError, ParameterError
from resnet18_lab.inference.engine import Engine, Logits
from resnet18_lab.inference.predictions import Result, by_rules
from resnet18_lab.inference.predictions import top_k as best_of
from resnet18_lab.preprocessing import prepare as preparing
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.prepare import InProcess, Prepared, Preparer
from resnet18_lab.preprocessing.source import Source, read

_USUAL_TOP_K = 3
STEPS = ("read", "decode", "resize", "normalise", "run", "top-k")


class Clock:
    """Seconds spent in each stage, summed over all pictures."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STEPS, 0.0)
        self._mark = time.perf_counter()

    def start(self) -> None:
        """Begin a stage; the time before it is not counted."""
        self._mark = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage and begin the next."""
        now = time.perf_counter()
        self.seconds[stage] += now - self._mark
        self._mark = now

    def add(self, stage: str, seconds: float) -> None:
        """Count seconds that were measured elsewhere."""
        self.seconds[stage] += seconds


class _NoClock(Clock):
    def start(self) -> None:
        return

    def lap(self, stage: str) -> None:  # noqa: ARG002 - it measures nothing
        return

    def add(self, stage: str, seconds: float) -> None:  # noqa: ARG002
        return


_NO_CLOCK = _NoClock()
_IN_PROCESS = InProcess()


@dataclass(frozen=True)
class Output:
    """What ``engine.rows`` gave of one picture (a row: float32 1000, or 512 features), or the picture's error."""

    file: str
    row: NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()
    error: ImageError | None = None
    size: tuple[int, int] | None = None
    """Width and height in pixels, upright."""


def prepare(source: Source | Image.Image, *, preparer: Preparer = _IN_PROCESS, clock: Clock = _NO_CLOCK) -> Prepared:
    """The crop of a picture, from a path, bytes, a binary file or a Pillow picture; raises ImageError.

    ``preparer`` decodes: in this process, or in decoding processes (``Decoders``) where many strangers' pictures are.
    """
    if isinstance(source, Image.Image):
        ready = preparing.prepare(source, limits=preparer.limits, preprocessing=preparer.preprocessing)
    else:
        clock.start()
        data = read(source, limits=preparer.limits)
        clock.lap("read")
        ready = preparer.prepare(data)
    clock.add("decode", ready.decode_seconds)
    clock.add("resize", ready.resize_seconds)
    return ready


def outputs(
    sources: Sequence[tuple[str, Source | Image.Image]],
    engine: Engine,
    *,
    preparer: Preparer | None = None,
    clock: Clock = _NO_CLOCK,
) -> list[Output]:
    """The engine's output for each (name, source), run as one batch; a bad picture yields an error in its place.

    ``preparer`` is that of ``prepare``; one that makes crops for another network than the engine's is refused with
    ParameterError.
    """
    preprocessing = engine.network.preprocessing
    preparer = preparer or InProcess(preprocessing=preprocessing)
    if preparer.preprocessing != preprocessing:
        raise ParameterError(f"The crops are not made as {engine.network.title} takes them; prepare them for it.")
    inputs: list[Prepared | ImageError] = []
    for _, source in sources:
        try:
            inputs.append(prepare(source, preparer=preparer, clock=clock))
        except ImageError as error:
            inputs.append(error.with_traceback(None))  # whose frames would keep the bytes of every bad file
    crops = [one.crop for one in inputs if isinstance(one, Prepared)]
    rows: Iterator[NDArray[np.float32]] = iter(())
    if crops:
        clock.start()
        batch = transform.normalise(np.stack(crops), preprocessing)
        clock.lap("normalise")
        rows = iter(engine.rows(batch))
        clock.lap("run")
    return [
        Output(file, error=one)
        if isinstance(one, ImageError)
        else Output(file, next(rows), one.warnings, size=one.size)
        for (file, _), one in zip(sources, inputs, strict=True)
    ]


def outputs_of(files: Sequence[str | PathLike[str]], engine: Engine, *, batch_size: int) -> Iterator[Output]:
    """The engine's output for each file, in order, run in batches of that size."""
    for start in range(0, len(files), batch_size):
        yield from outputs([(fspath(file), file) for file in files[start : start + batch_size]], engine)


def answers(
    sources: Sequence[tuple[str, Source | Image.Image]],
    engine: Engine,
    *,
    k: int = 3,
    preparer: Preparer | None = None,
    clock: Clock = _NO_CLOCK,
) -> list[Result]:
    """The result of each (name, source), run as one batch, in order; a bad picture yields a result with an error."""
    engine_outputs = outputs(sources, engine, preparer=preparer, clock=clock)
    clock.start()
    results = [
        Result(one.file, error=one.error)
        if one.row is None
        else result_of(one.file, one.row[None], one.warnings, engine, k, one.size)
        for one in engine_outputs
    ]
    clock.lap("top-k")
    return results


def result_of(
    file: str, row: Logits, warnings: tuple[str, ...], engine: Engine, k: int, size: tuple[int, int] | None = None
) -> Result:
    """The result of one picture from what ``engine.rows`` gave of it: logits float32 1×1000, and perhaps a distance.

    ``size`` (width, height in pixels) is for the engine's rules.
    """
    classes, distance, unknown, rejected = len(engine.labels), None, None, None
    if row.shape[1] > classes and engine.familiar is not None:
        distance = float(row[0, classes])
        unknown = distance > engine.familiar.threshold
    if engine.rules is None:
        best = best_of(row[:, :classes], k, engine.labels)[0]
    else:
        best, rejected = by_rules(row[:, :classes], k, engine.labels, engine.rules, size, unknown)
    return Result(file, best, warnings, engine.engine, unknown=unknown, distance=distance, rejected=rejected)


def classify_files(
    files: Iterable[str | PathLike[str]],
    engine: Engine,
    *,
    k: int = 3,
    batch_size: int = 1,
    preparer: Preparer | None = None,
) -> Iterator[Result]:
    """Results in the order of the files; a bad file yields a result with an error, and the rest go on."""
    if batch_size < 1:
        raise ParameterError(f"batch_size={batch_size} is not allowed; give 1 or more.")
    remaining = iter(files)
    while chunk := [fspath(file) for file in islice(remaining, batch_size)]:
        yield from answers([(file, file) for file in chunk], engine, k=k, preparer=preparer)


def classify(
    source: Source | Image.Image,
    engine: Engine | str = "auto",
    *,
    top_k: int | None = None,
    weights: str = "auto",
    threads: int | None = None,
) -> Result:
    """The best ``top_k`` classes of one picture (3 if not given): a path, its bytes, a binary file or a Pillow picture.

    ``engine`` is an open engine or the name of one; a named engine is opened with ``weights`` and ``threads`` at
    the first call and kept for later calls. Scores are shares of the softmax (0..1). Raises ImageError for a
    picture that cannot be classified, and what ``open_engine`` raises; all of these are LabErrors.
    """
    if isinstance(engine, str):
        places = (environ.get("RESNET18_LAB_HOME"), environ.get("RESNET18_LAB_WEIGHTS"))
        engine = _cached_engine(engine, weights, threads, places)
    count = min(_USUAL_TOP_K, len(engine.labels)) if top_k is None else top_k
    (result,) = answers([(_name_of(source), source)], engine, k=count)
    if result.error is not None:
        raise result.error
    return result


def _name_of(source: object) -> str:
    name = source if isinstance(source, str | PathLike) else getattr(source, "name", None)
    return fspath(name) if isinstance(name, str | PathLike) else ""


@lru_cache(maxsize=2)
def _cached_engine(name: str, weights: str, threads: int | None, _places: tuple[str | None, ...]) -> Engine:
    from resnet18_lab.inference.registry import open_engine

    return open_engine(name, weights=weights, threads=threads)
