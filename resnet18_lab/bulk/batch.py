"""What one worker does with one small batch; the same code runs on this machine and on a cluster."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.errors import ImageError, LabError, ParameterError
from resnet18_lab.base.networks import Network, check_top_k
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.class_names import class_names
from resnet18_lab.inference.classify import answers, outputs
from resnet18_lab.inference.labels import Label
from resnet18_lab.inference.predictions import Result
from resnet18_lab.inference.registry import EMBEDDING
from resnet18_lab.preprocessing.decoders import Decoders
from resnet18_lab.preprocessing.defaults import DECODE_SECONDS
from resnet18_lab.preprocessing.prepare import Preparer
from resnet18_lab.preprocessing.refusals import image_error
from resnet18_lab.preprocessing.transform import preprocess_id
from resnet18_lab.weights.find import find_weights
from resnet18_lab.weights.names import split_name

if TYPE_CHECKING:
    from resnet18_lab.inference.engine import Engine, EngineInfo

Item = tuple[str, bytes | None]
"""A file's name, and its bytes if they have been read already."""
KINDS = ("classify", "embed")
_LONGEST_REASON = 300


@dataclass(frozen=True)
class Job:
    """The settings that all workers of a run share."""

    kind: str = "classify"
    backend: str = "auto"
    weights: str = "auto"
    threads: int = 1
    top_k: int = 3
    draft_for: int | None = None
    decode_seconds: float = DECODE_SECONDS
    rules: str | None = None
    """The text of a file of rules (``inference.rules``)."""
    tells_unknown: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ParameterError(f"The kind of a job is {' or '.join(KINDS)}, not {self.kind!r}.")
        if self.kind == "classify":
            check_top_k(self.top_k, split_name(self.weights)[0].classes)

    @property
    def network(self) -> Network:
        """The network that its engine runs, as the artifact folder says, or the name of the weights."""
        try:
            folder = artifacts.open_folder(self.weights)
            return folder.network if folder.manifest["files"] else find_weights(self.weights).network
        except LabError:  # opening the engine will say it
            return split_name(self.weights)[0]

    @property
    def labels(self) -> tuple[Label, ...]:
        """The classes that its engine names, by index."""
        return class_names(self.weights)

    @property
    def engine(self) -> str:
        """Name of the engine that runs it."""
        return EMBEDDING.name if self.kind == "embed" else self.backend

    @property
    def preprocess_id(self) -> str:
        """Name of all steps applied to the pixels."""
        return preprocess_id(self.draft_for, self.network.preprocessing)


@dataclass(frozen=True)
class Vector:
    """The features of one picture before the last layer, or an error with its code."""

    file: str
    embedding: NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()
    engine: EngineInfo | None = None
    error: ImageError | None = None

    def as_json(self, languages: Sequence[str] = ()) -> dict[str, Any]:  # noqa: ARG002 - a vector has no class names
        """The vector as little-endian float32 in base64: exact, and a third as long as decimal digits."""
        if self.error is not None:
            return Result(self.file, error=self.error).as_json()
        assert self.embedding is not None and self.engine is not None  # noqa: S101 - one or the other is set
        base64_text = base64.b64encode(self.embedding.astype("<f4").tobytes()).decode("ascii")
        answer = {"file": self.file, "embedding": base64_text, "warnings": list(self.warnings)}
        return {**answer, "engine": self.engine.as_json()}


Answer = Result | Vector


def open_engine(job: Job) -> Engine:
    """The job's engine; its idle threads do not spin, because workers share the cores."""
    from resnet18_lab.inference import registry

    engine = registry.open_engine(job.engine, weights=job.weights, threads=job.threads, spinning=False)
    return registry.judged_by(engine, job.rules, tells_unknown=job.tells_unknown)


def open_decoders(job: Job) -> Decoders:
    """A decoding process for one worker: it decodes while other workers compute."""
    return Decoders(seconds=job.decode_seconds, draft_for=job.draft_for, preprocessing=job.network.preprocessing)


def run_batch(job: Job, engine: Engine, preparer: Preparer, items: Sequence[Item]) -> list[Answer]:
    """One answer per item, in order; a failure of one picture becomes the error of that picture alone."""
    try:
        return _run_batch(job, engine, preparer, items)
    except MemoryError:
        problem = image_error("out_of_memory")
    except Exception as error:  # engines' errors have no common base, and one picture must not end the run
        words = " ".join(f"{type(error).__name__}: {error}".split())
        problem = image_error("internal_error", reason=words[:_LONGEST_REASON])
    if len(items) == 1:
        return [failed(job, items[0][0], problem)]
    return [answer for item in items for answer in run_batch(job, engine, preparer, [item])]


def _run_batch(job: Job, engine: Engine, preparer: Preparer, items: Sequence[Item]) -> list[Answer]:
    sources = [(file, file if data is None else data) for file, data in items]
    if job.kind == "classify":
        return list(answers(sources, engine, k=job.top_k, preparer=preparer))
    return [
        Vector(one.file, error=one.error) if one.row is None else Vector(one.file, one.row, one.warnings, engine.engine)
        for one in outputs(sources, engine, preparer=preparer)
    ]


def failed(job: Job, file: str, error: ImageError) -> Answer:
    """The answer for a picture that could not be classified."""
    return Vector(file, error=error) if job.kind == "embed" else Result(file, error=error)
