"""A linear layer on a network's features: logistic regression, its regularization chosen on what is learned from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.errors import EngineError
from resnet18_lab.base.notify import Notify

STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1)
"""Inverse regularization strengths C that are tried (scikit-learn's), on standardised features."""
FOLDS = 3
_ITERATIONS = 300


@dataclass(frozen=True)
class Head:
    """``features @ weight.T + bias`` are the logits: weight float32 C×D, bias float32 C.

    ``strength`` is the chosen C, ``scores`` the cross-validated accuracy of each.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    strength: float
    scores: dict[float, float]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits float32 N×C of features float32 N×D."""
        return features @ self.weight.T + self.bias


def fit(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    balance: bool = False,
    seed: int = 0,
    notify: Notify = lambda _: None,
) -> Head:
    """The head for features float32 N×D with their classes; groups that are alike are never on both sides of a fold.

    ``balance`` weighs classes by the inverse of their frequency. EngineError where scikit-learn is missing.
    """
    try:
        from sklearn.model_selection import StratifiedGroupKFold
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise EngineError("Fine-tuning needs scikit-learn: pip install 'resnet18-lab[training]'.") from error
    mean, deviation = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    scaled = (features - mean) / deviation
    count = min(FOLDS, *(len(np.unique(groups[labels == label])) for label in np.unique(labels)))
    folds = list(StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(scaled, labels, groups))
    answers = {strength: np.full(len(labels), -1, np.int64) for strength in STRENGTHS}
    with threadpool_limits(1):  # these products are small: more threads wait for each other longer than they compute
        for number, (learned, judged) in enumerate(folds, start=1):
            notify(f"cross-validation {number} of {count}")
            model = _regression(balance, seed)
            if len(np.unique(labels[learned])) < 2:
                continue  # of two classes one stood in this fold as a whole: nothing is told by it
            for strength in STRENGTHS:  # each begins where the one before, more regularized, has ended
                model.set_params(C=strength).fit(scaled[learned], labels[learned])
                answers[strength][judged] = model.predict(scaled[judged])
    scores = {strength: float(np.mean(found == labels)) for strength, found in answers.items()}
    best = max(scores, key=lambda strength: (scores[strength], -strength))  # of equals the stronger regularization
    with threadpool_limits(1):
        model = _regression(balance, seed).set_params(C=best).fit(scaled, labels)
    weight, bias = _all_rows(model.coef_, model.intercept_)
    folded = weight / deviation
    return Head(folded.astype(np.float32), (bias - folded @ mean).astype(np.float32), best, scores)


def _regression(balance: bool, seed: int) -> Any:  # noqa: ANN401 - a class of an optional package
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        class_weight="balanced" if balance else None, max_iter=_ITERATIONS, random_state=seed, warm_start=True
    )


def _all_rows(
    weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A row a class; of two classes scikit-learn gives one row, whose softmax form has half of it for each."""
    if len(weight) > 1:
        return weight, bias
    return np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
