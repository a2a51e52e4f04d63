"""From logits to named answers, and from pictures to results."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet18_lab import images, labels, preprocess
from resnet18_lab.backends.protocol import Backend, Engine, Logits
from resnet18_lab.errors import ImageError, LabError, ParameterError


@dataclass(frozen=True)
class Prediction:
    """One class and its share of the softmax (0..1); rank 1 is the best."""

    rank: int
    index: int
    wnid: str
    en: str
    zh: str
    score: float


@dataclass(frozen=True)
class Result:
    """The answer for one picture: predictions, or an error with its code."""

    file: str
    predictions: tuple[Prediction, ...] = ()
    warnings: tuple[str, ...] = ()
    engine: Engine | None = None
    error: ImageError | None = None

    def as_json(self, languages: Sequence[str] = ("en", "zh")) -> dict[str, Any]:
        """The result as every door writes it; the engine that gave an answer is named in it."""
        dropped = {"en", "zh"} - set(languages)
        if self.error is not None:
            error = {
                "code": self.error.code,
                "message": self.error.message,
                "message_zh": self.error.message_zh,
            }
            return {"file": self.file, "error": error}
        answer: dict[str, Any] = {
            "file": self.file,
            "predictions": [
                {name: value for name, value in asdict(prediction).items() if name not in dropped}
                for prediction in self.predictions
            ],
            "warnings": list(self.warnings),
        }
        if self.engine is not None:
            answer["engine"] = self.engine.as_json()
        return answer


def softmax(logits: Logits) -> NDArray[np.float64]:
    """Shares, float64 N×1000, each row summing to 1; the row's maximum is taken off so that nothing overflows."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def top_k(logits: Logits, k: int = 3) -> list[tuple[Prediction, ...]]:
    """The ``k`` best classes of each row of float32 logits N×1000; equal logits in order of index."""
    if not 1 <= k <= labels.CLASS_COUNT:
        raise ParameterError(f"top_k={k} is not allowed; give 1 to {labels.CLASS_COUNT}.")
    if not np.isfinite(logits).all():
        raise LabError(
            "The engine returned logits that are no finite numbers; rebuild its artifact with "
            "`resnet18-lab build --force`."
        )
    order = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    scores = softmax(logits)
    return [
        tuple(_prediction(rank, int(index), float(scores[row, index])) for rank, index in enumerate(best, start=1))
        for row, best in enumerate(order)
    ]


def _prediction(rank: int, index: int, score: float) -> Prediction:
    label = labels.by_index(index)
    return Prediction(rank, index, label.wnid, label.en, label.zh, score)


def classify_files(
    files: Iterable[str | PathLike[str]],
    backend: Backend,
    *,
    k: int = 3,
    batch_size: int = 1,
    draft_for: int | None = None,
) -> Iterator[Result]:
    """Results in the order of the files; a bad file gives an error result and the rest go on."""
    if batch_size < 1:
        raise ParameterError(f"batch_size={batch_size} is not allowed; give 1 or more.")
    remaining = iter(files)
    while chunk := [fspath(file) for file in islice(remaining, batch_size)]:
        yield from _classify_chunk(chunk, backend, k, draft_for)


def read_crops(
    named: Sequence[tuple[str, images.Source]], draft_for: int | None = None
) -> tuple[list[NDArray[np.uint8]], list[tuple[str, ...] | ImageError]]:
    """Crops of the pictures that can be taken, and for each picture its warnings or its error."""
    crops: list[NDArray[np.uint8]] = []
    noted: list[tuple[str, ...] | ImageError] = []
    for _, source in named:
        try:
            picture = images.decode(source, draft_for=draft_for)
            crops.append(preprocess.crop(picture))
        except ImageError as error:
            noted.append(error)
            continue
        noted.append(tuple(preprocess.warnings_for(picture.size)))
    return crops, noted


def _classify_chunk(files: list[str], backend: Backend, k: int, draft_for: int | None) -> list[Result]:
    crops, noted = read_crops([(file, file) for file in files], draft_for)
    answers: Iterator[tuple[Prediction, ...]] = iter(())
    if crops:
        answers = iter(top_k(backend.run(preprocess.normalise(np.stack(crops))), k))
    return [
        Result(file, error=note) if isinstance(note, ImageError) else Result(file, next(answers), note, backend.engine)
        for file, note in zip(files, noted, strict=True)
    ]
