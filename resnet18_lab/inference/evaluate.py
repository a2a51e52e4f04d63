"""Accuracy on labelled pictures: of one engine, and of several engines on the same pictures."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.inference import artifacts, metrics
from resnet18_lab.inference.class_names import class_names
from resnet18_lab.inference.classify import outputs
from resnet18_lab.inference.engine import Engine, EngineInfo, Logits
from resnet18_lab.inference.labelled import Picture, labelled
from resnet18_lab.inference.predictions import softmax
from resnet18_lab.inference.registry import open_engine

_BATCH = 8
_INT8 = artifacts.kind_of("onnx-int8-static")
_MOST_CONFUSED = 10


@dataclass(frozen=True)
class Evaluation:
    """One engine on a folder; ``paired`` compares it with the first engine of the run."""

    engine: EngineInfo
    top1: metrics.Share
    top5: metrics.Share
    calibration_error: float
    confused: list[tuple[int, int, int]]
    """(true class, answered class, how often), most frequent first; only of pictures with one right class."""
    paired: metrics.Paired | None

    def as_json(self) -> dict[str, Any]:
        """The fields as a dictionary for JSON."""
        return {**asdict(self), "engine": self.engine.as_json()}


def labelled_pictures(folder: Path) -> list[Picture]:
    """The pictures of ``labelled``, without what is said about folders that are no class."""
    return labelled(folder).pictures


def calibrated_on(pictures: list[Picture], weights: str = "auto") -> list[Path]:
    """The pictures, compared by content, that the INT8 file was calibrated on: its accuracy on them is biased."""
    folder = artifacts.open_folder(weights)
    entry = folder.manifest["files"].get(_INT8.filename(folder.network), {})
    digests = set(entry.get("calibration", {}).get("pictures_sha256", []))
    return [path for path, _ in pictures if digests and _digest(path) in digests]


def _digest(path: Path) -> str:
    """SHA-256 of a file, empty for one that cannot be read: it is left out of the evaluation, and counted there."""
    try:
        return hashing.sha256(path, remember=False)
    except OSError:
        return ""


def logits_of(
    engine: Engine, pictures: list[Picture], *, progress: Callable[[int], None] = lambda _: None
) -> tuple[Logits, list[int]]:
    """Logits, float32 M×1000, of the pictures that could be read, and their positions in the list."""
    rows, positions = [], []
    for start in range(0, len(pictures), _BATCH):
        batch = [(str(path), path) for path, _ in pictures[start : start + _BATCH]]
        for position, one in enumerate(outputs(batch, engine), start):
            if one.row is not None:  # unreadable pictures are neither right nor wrong; the caller counts them
                rows.append(one.row[: engine.network.classes])
                positions.append(position)
        progress(start + len(batch))
    return (np.stack(rows) if rows else np.empty((0, engine.network.classes), np.float32)), positions


def evaluation_of(
    engine: EngineInfo, logits: Logits, right: NDArray[np.bool_], reference: Logits | None = None
) -> Evaluation:
    """Figures of one engine's logits N×1000; ``right`` (N×1000) marks the acceptable classes."""
    best = metrics.ranked(logits, 5)
    hits = np.take_along_axis(right, best, axis=1)
    confidence = softmax(logits).max(axis=1)
    return Evaluation(
        engine=engine,
        top1=metrics.wilson(int(hits[:, 0].sum()), len(right)),
        top5=metrics.wilson(int(hits.any(axis=1).sum()), len(right)),
        calibration_error=metrics.calibration_error(confidence, hits[:, 0]),
        confused=_confused(best[:, 0], right),
        paired=None if reference is None else metrics.paired(reference, logits, right),
    )


def right_classes(pictures: list[Picture], positions: list[int], classes: int = RESNET18.classes) -> NDArray[np.bool_]:
    """Boolean M×classes that marks the acceptable classes of the pictures at those positions."""
    right = np.zeros((len(positions), classes), dtype=bool)
    for row, position in enumerate(positions):
        right[row, list(pictures[position][1])] = True
    return right


def _confused(best: NDArray[np.int64], right: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    pairs: Counter[tuple[int, int]] = Counter()
    for answer, acceptable in zip(best, right, strict=True):
        true = np.flatnonzero(acceptable)
        if len(true) == 1 and true[0] != answer:
            pairs[int(true[0]), int(answer)] += 1
    counts = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return [(true, answer, count) for (true, answer), count in counts[:_MOST_CONFUSED]]


def on_pictures(
    engines: list[Engine],
    pictures: list[Picture],
    *,
    progress: Callable[[str, int], None] = lambda _name, _done: None,
) -> tuple[list[Evaluation], int]:
    """An evaluation for each engine, compared with the first, and how many pictures could not be read.

    ``progress`` is called with the engine's name and how many pictures it has seen. Raises ParameterError when
    no picture can be read.
    """
    evaluations: list[Evaluation] = []
    reference: Logits | None = None
    positions: list[int] = []
    for engine in engines:
        logits, positions = logits_of(engine, pictures, progress=partial(progress, engine.name))
        if not positions:
            raise ParameterError(f"None of the {len(pictures)} pictures can be read.")
        right = right_classes(pictures, positions, engine.network.classes)
        evaluations.append(evaluation_of(engine.engine, logits, right, reference))
        reference = logits if reference is None else reference
    return evaluations, len(pictures) - len(positions)


def evaluate(
    folder: str | PathLike[str], engines: Sequence[Engine | str] = ("auto",), *, weights: str = "auto"
) -> list[Evaluation]:
    """How often each engine is right on a folder of labelled pictures, compared with the first picture by picture.

    ``engines`` are open engines or names (opened with ``weights``, closed afterwards). Pictures that cannot be read
    are left out: ``top1.of`` counts the rest. Raises ParameterError for a folder without labels or without a
    readable picture, and what ``open_engine`` raises.
    """
    open_ones = [engine for engine in engines if not isinstance(engine, str)]
    pictures = labelled(Path(folder), classes=open_ones[0].labels if open_ones else class_names(weights)).pictures
    with ExitStack() as stack:
        open_engines = [
            stack.enter_context(open_engine(engine, weights=weights)) if isinstance(engine, str) else engine
            for engine in engines
        ]
        return on_pictures(open_engines, pictures)[0]
