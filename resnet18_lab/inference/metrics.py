"""How good answers are, and how similar those of two engines are: NumPy arrays in, numbers out."""

from dataclasses import dataclass
from math import comb, sqrt

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.inference.engine import Logits

Z_95 = 1.959963984540054
"""The normal distribution's 97.5 % point."""
_CALIBRATION_BINS = 15
"""Bins of the expected calibration error (Guo et al., ICML 2017 use 15)."""


@dataclass(frozen=True)
class Share:
    """``hits`` of ``of`` with the 95 % Wilson score interval, all as shares 0..1."""

    hits: int
    of: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Paired:
    """Two engines on the same pictures, the second against the first.

    ``lost``: right before, wrong now; ``won``: the reverse; ``p``: exact two-sided McNemar test of these
    two counts; ``agreement``: share of pictures with the same best class; ``cosine``: mean over pictures of the
    cosine between the two logit vectors.
    """

    lost: int
    won: int
    p: float
    agreement: float
    cosine: float


def wilson(hits: int, of: int) -> Share:
    """A share with its 95 % interval (Wilson, 1927), which holds for small counts and near 0 and 1 too."""
    if of == 0:
        return Share(0, 0, float("nan"), 0.0, 1.0)
    share = hits / of
    squared = Z_95**2 / of
    middle = (share + squared / 2) / (1 + squared)
    half = Z_95 * sqrt(share * (1 - share) / of + squared / (4 * of)) / (1 + squared)
    return Share(hits, of, share, max(0.0, middle - half), min(1.0, middle + half))


TOLD_APART = 0.05
"""McNemar's p up to which two ways are told apart by their right answers."""


def mcnemar(lost: int, won: int) -> float:
    """Exact two-sided probability of a split at least as uneven, if losing and winning were equally likely."""
    flips = lost + won
    if flips == 0:
        return 1.0
    tail: float = sum(comb(flips, k) for k in range(min(lost, won) + 1)) / 2**flips
    return min(1.0, 2 * tail)


def ranked(logits: Logits, k: int = 5) -> NDArray[np.int64]:
    """Class indexes of the ``k`` best of each row, equal logits in order of index; int64 N×k."""
    return np.argsort(-logits, axis=1, kind="stable")[:, :k].astype(np.int64)


def cosines(one: Logits, other: Logits) -> NDArray[np.float64]:
    """Cosine between each pair of rows, float64 N."""
    first, second = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny))


def paired(reference: Logits, logits: Logits, right: NDArray[np.bool_]) -> Paired:
    """Comparison of two engines' logits N×1000; ``right`` (N×1000) marks the acceptable classes."""
    rows = np.arange(len(right))
    before, now = ranked(reference, 1)[:, 0], ranked(logits, 1)[:, 0]
    was_right, is_right = right[rows, before], right[rows, now]
    lost, won = int((was_right & ~is_right).sum()), int((~was_right & is_right).sum())
    return Paired(
        lost, won, mcnemar(lost, won), float((before == now).mean()), float(cosines(reference, logits).mean())
    )


def calibration_error(confidence: NDArray[np.float64], hit: NDArray[np.bool_]) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over equal bins of confidence."""
    bins = np.minimum((confidence * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    total = 0.0
    for number in range(_CALIBRATION_BINS):
        inside = bins == number
        if inside.any():
            total += inside.mean() * abs(confidence[inside].mean() - hit[inside].mean())
    return float(total)
