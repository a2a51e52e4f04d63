"""Typical values with an interval that holds: the spread between process starts is the error bar."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, floor, log, log10, sqrt
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

# Two-sided 95 % points of Student's t for 1, 2, ... degrees of freedom (standard tables).
_T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
OWN_SPREAD_FROM = 4
"""Starts from which a configuration's own spread is used; with fewer, that of all configurations."""
WIDE_IQR = 0.10
"""Share of the median from which an interquartile range deserves a warning."""


@dataclass(frozen=True)
class Interval:
    """A typical value with its 95 % interval, in the samples' unit."""

    value: float
    low: float
    high: float

    def overlaps(self, other: "Interval") -> bool:
        """True when neither is clearly above the other."""
        return self.low <= other.high and other.low <= self.high

    def holds(self, value: float) -> bool:
        """True when the value lies within the interval: a ratio that holds 1 shows no difference."""
        return self.low <= value <= self.high

    def over(self, other: "Interval") -> "Interval":
        """The ratio to another, independent value: on the logarithmic scale the squares of the half widths add."""
        value = self.value / other.value
        if 0.0 in (self.low, other.low):
            return Interval(value, 0.0, float("inf"))
        half = exp(sqrt(log(self.high / self.low) ** 2 + log(other.high / other.low) ** 2) / 2)
        return Interval(value, value / half, value * half)

    def less(self, other: "Interval") -> "Interval":
        """The difference to another, independent value: the squares of the half widths add."""
        value, half = self.value - other.value, sqrt(self.half_width**2 + other.half_width**2)
        return Interval(value, value - half, value + half)

    def inverse(self) -> "Interval":
        """Calls a second of seconds a call, and the other way round."""
        return Interval(1 / self.value, 1 / self.high, 1 / self.low if self.low else float("inf"))

    def times(self, factor: float) -> "Interval":
        """The interval in a unit ``factor`` times smaller."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    @property
    def half_width(self) -> float:
        """Half of the interval's length, in the samples' unit; infinite when it is not known."""
        return (self.high - self.low) / 2


def t_95(freedom: int) -> float:
    """Two-sided 95 % point of Student's t."""
    return _T_95[freedom - 1] if freedom <= len(_T_95) else 1.960 + 2.42 / freedom


def mean_half_width(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Half of the 95 % interval of the mean of two values or more, in their unit; Student's t."""
    return t_95(len(values) - 1) * float(np.std(values, ddof=1)) / sqrt(len(values))


def paired_ratio(
    values: Sequence[float] | NDArray[np.float64], others: Sequence[float] | NDArray[np.float64]
) -> Interval:
    """The typical ratio of values to others measured on the same things, with its 95 % interval over these.

    On the logarithmic scale: the mean of the pairs' differences, and Student's t.
    """
    apart = np.log(np.asarray(values, dtype=np.float64)) - np.log(np.asarray(others, dtype=np.float64))
    middle, half = float(apart.mean()), mean_half_width(apart)
    return Interval(exp(middle), exp(middle - half), exp(middle + half))


def pooled_spread(groups: Iterable[Sequence[Sequence[float]]]) -> tuple[float, int]:
    """Relative spread between starts over many configurations, and its degrees of freedom.

    The spread is the standard deviation of the logarithms of the starts' medians around their
    configuration's own mean.
    """
    squares, freedom = 0.0, 0
    for starts in groups:
        centres = [log(median(samples)) for samples in starts if samples]
        if len(centres) > 1:
            middle = fmean(centres)
            squares += sum((centre - middle) ** 2 for centre in centres)
            freedom += len(centres) - 1
    return (sqrt(squares / freedom), freedom) if freedom else (0.0, 0)


def interval(starts: Sequence[Sequence[float]], pooled: tuple[float, int] = (0.0, 0)) -> Interval:
    """Typical value of one configuration's starts (each a list of samples > 0) with its 95 % interval.

    The samples of one start are not independent, so each start counts once, by its median (which
    outliers within it do not move); Student's t over the starts' logarithms gives the interval. Under
    four starts the ``pooled`` spread of all configurations stands in for one that two or three starts
    cannot tell. With a single start, or without any spread known, the interval is unbounded above.
    """
    centres = [log(median(samples)) for samples in starts if samples]
    middle = fmean(centres)
    if len(centres) >= OWN_SPREAD_FROM:
        spread = sqrt(sum((centre - middle) ** 2 for centre in centres) / (len(centres) - 1))
        freedom = len(centres) - 1
    else:
        spread, freedom = pooled
    if freedom == 0:
        return Interval(exp(middle), 0.0, float("inf"))
    half = t_95(freedom) * spread / sqrt(len(centres))
    return Interval(exp(middle), exp(middle - half), exp(middle + half))


def quantiles(samples: Sequence[float]) -> dict[str, float]:
    """Quantiles that so many samples can tell: p90 always, p95 from 20 samples, p99 from 1,000."""
    percents = {"p25": 25, "p50": 50, "p75": 75, "p90": 90}
    percents |= {"p95": 95} if len(samples) >= 20 else {}
    percents |= {"p99": 99} if len(samples) >= 1000 else {}
    values = np.percentile(samples, list(percents.values()))
    return dict(zip(percents, map(float, values), strict=True))


def decimals(half_width: float) -> int:
    """Place of the first digit that the interval's half width makes doubtful: 1 for tenths, -2 for hundreds."""
    if not 0 < half_width < float("inf"):
        return 1
    return -floor(log10(float(f"{half_width:.0e}")))  # rounded first, as it is printed: 99.6 becomes 100


def rounded(value: float, places: int) -> str:
    """The value to so many decimals; negative places round to tens, hundreds, and so on."""
    return f"{round(value, places):.{max(0, places)}f}"
