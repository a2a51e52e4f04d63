"""How fast many pictures are classified, beside the most that the cores could do."""

import io
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.samples import load_samples
from resnet18_lab.bulk import inputs
from resnet18_lab.bulk.batch import Job, open_engine
from resnet18_lab.bulk.defaults import DEFAULT_BATCH
from resnet18_lab.bulk.pipeline import stream
from resnet18_lab.inference.classify import STEPS, Clock, outputs
from resnet18_lab.preprocessing.prepare import InProcess

WORK = STEPS[:-1]
"""Stages that a run of many pictures spends its time in: naming the classes takes hardly any."""
_QUALITIES = range(80, 96)


def make_jpegs(sources: Iterable[Path], folder: Path, count: int) -> list[Path]:
    """Make ``count`` JPEGs in ``folder`` from the pictures in turn; no two have the same bytes.

    Each round over the pictures has another quality, and each file a comment with its number.
    """
    originals = list(sources)
    if not originals:
        raise ParameterError("There is no picture to make others of.")
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, source in enumerate(islice(cycle(originals), count)):
        out = io.BytesIO()
        quality = _QUALITIES[number // len(originals) % len(_QUALITIES)]
        with Image.open(source) as picture:
            picture.convert("RGB").save(out, "JPEG", quality=quality, comment=str(number).encode())
        files.append(folder / f"{number:07}.jpg")
        files[-1].write_bytes(out.getvalue())
    return files


def photographs(source: Path | None) -> list[Path]:
    """The pictures in a folder and below it; the project's samples if None."""
    if source is None:
        return [sample.path for sample in load_samples()]
    if not source.is_dir():
        raise ParameterError(f"{source} is no folder; give one with photographs in it or below it.")
    return [Path(entry.file) for entry in inputs.walk([source]) if entry.problem is None]


def make_folder(source: Path | None, folder: Path, count: int) -> dict[str, Any]:
    """Make ``count`` JPEGs of the photographs in ``source`` (the project's samples if None); returns their origin."""
    originals = photographs(source)
    make_jpegs(originals, folder, count)
    return {"folder": source.resolve().name if source else "data/samples", "photographs": len(originals), "made": count}


def stage_means(files: Sequence[Path], job: Job, batch: int = DEFAULT_BATCH) -> dict[str, float]:
    """Mean seconds a picture of each stage, one after the other in this process, after a warm-up batch."""
    whole = files[: len(files) // batch * batch]
    clock = Clock()
    with open_engine(job) as engine:
        engine.run(np.zeros((batch, *engine.network.shape), dtype=np.float32))
        for start in range(0, len(whole), batch):
            outputs(
                [(path.name, path) for path in whole[start : start + batch]], engine,
                preparer=InProcess(draft_for=job.draft_for, preprocessing=engine.network.preprocessing), clock=clock,
            )  # fmt: skip
    return {stage: seconds / len(whole) for stage, seconds in clock.seconds.items() if stage in WORK}


@dataclass(frozen=True)
class Throughput:
    """A run of the pipeline: seconds until the first answer, and pictures a second after it."""

    workers: int
    pictures: int
    first_answer: float
    seconds: float

    @property
    def rate(self) -> float:
        """Pictures a second between the first answer and the last."""
        return (self.pictures - 1) / (self.seconds - self.first_answer)

    def as_json(self) -> dict[str, Any]:
        """The fields and the rate."""
        return {**vars(self), "rate": self.rate}


def throughput(files: Sequence[Path], job: Job, *, workers: int, batch: int = DEFAULT_BATCH) -> Throughput:
    """The pipeline over the files, timed from its start."""
    started = time.perf_counter()
    first = 0.0
    for answer in stream(files, job=job, workers=workers, batch=batch):
        if answer.error is not None:
            raise ParameterError(f"{answer.file} cannot be timed: {answer.error.message}")
        first = first or time.perf_counter() - started
    return Throughput(workers, len(files), first, time.perf_counter() - started)


def bound(stages: dict[str, float], cores: int) -> float:
    """Pictures a second that ``cores`` could do if every one of them were always busy with a stage."""
    return cores / sum(stages.values())
