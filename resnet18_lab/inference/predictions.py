"""From logits to named answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.errors import CodedError, LabError
from resnet18_lab.base.networks import check_top_k
from resnet18_lab.inference.engine import EngineInfo, Logits
from resnet18_lab.inference.labels import Label, all_labels

if TYPE_CHECKING:
    from resnet18_lab.inference.rules import Rules


@dataclass(frozen=True)
class Prediction:
    """One class and its share of the softmax (0..1); rank 1 is the best."""

    rank: int
    index: int
    wnid: str | None
    en: str
    zh: str
    score: float


@dataclass(frozen=True)
class Result:
    """The answer for one picture: predictions, or an error with its code.

    ``unknown`` and ``distance`` are None unless the network knows its training pictures: whether the picture is of none
    of its classes, by the distance (``inference.unknown``).
    """

    file: str
    predictions: tuple[Prediction, ...] = ()
    warnings: tuple[str, ...] = ()
    engine: EngineInfo | None = None
    error: CodedError | None = None
    unknown: bool | None = None
    distance: float | None = None
    rejected: str | None = None
    """Why a rule does not let the answer stand; None where none objects."""

    def as_json(self, languages: Sequence[str] = ("en", "zh")) -> dict[str, Any]:
        """The result as a dictionary for JSON, the same in every output; it names the engine that answered."""
        omitted_names = {"en", "zh"} - set(languages)
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
                {name: value for name, value in vars(prediction).items() if name not in omitted_names}
                for prediction in self.predictions
            ],
            "warnings": list(self.warnings),
        }
        if self.distance is not None:
            answer |= {"unknown": self.unknown, "distance": round(self.distance, 4)}
        if self.rejected is not None:
            answer["rejected"] = self.rejected
        if self.engine is not None:
            answer["engine"] = self.engine.as_json()
        return answer


def softmax(logits: Logits) -> NDArray[np.float64]:
    """Shares, float64 N×1000, each row summing to 1; the row's maximum is subtracted so that nothing overflows."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def top_k(logits: Logits, k: int = 3, classes: Sequence[Label] | None = None) -> list[tuple[Prediction, ...]]:
    """The ``k`` best classes of each row of float32 logits N×1000; equal logits in order of index.

    ``classes`` are ImageNet's if not given.
    """
    classes = all_labels() if classes is None else classes
    check_top_k(k, len(classes))
    scores = _scores(logits)
    return [
        tuple(_prediction(rank, classes[index], float(scores[row, index])) for rank, index in enumerate(best, start=1))
        for row, best in enumerate(_best(one, k) for one in logits)
    ]


def by_rules(
    logits: Logits, k: int, classes: Sequence[Label], rules: "Rules", size: tuple[int, int] | None, unknown: bool | None
) -> tuple[tuple[Prediction, ...], str | None]:
    """At most ``k`` answers to one picture (logits float32 1×C) as the rules leave them, and why they are rejected."""
    check_top_k(k, len(classes))
    left, rejected = rules.apply(_scores(logits)[0], classes, size, unknown)
    best = tuple(_prediction(rank, label, score) for rank, (label, score) in enumerate(left[:k], start=1))
    return best, rejected


def _scores(logits: Logits) -> NDArray[np.float64]:
    """The softmax; LabError for logits that are no numbers."""
    if not np.isfinite(logits).all():
        raise LabError(
            "The engine returned logits that are no finite numbers; rebuild its artifact with "
            "`resnet18-lab build --force`."
        )
    return softmax(logits)


def _best(logits: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Indexes of the ``k`` largest, in order; only those are sorted, which is quicker than sorting all."""
    least = np.partition(logits, -k)[-k]
    candidates = np.flatnonzero(logits >= least)  # by index, and more than k where several are equal to the least
    return candidates[np.argsort(-logits[candidates], kind="stable")][:k]


def _prediction(rank: int, label: Label, score: float) -> Prediction:
    return Prediction(rank, label.index, label.wnid, label.en, label.zh, score)
