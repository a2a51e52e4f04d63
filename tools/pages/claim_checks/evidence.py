"""What statements are checked against, and the verdicts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.benchmark.results.formatting import intervals
from resnet18_lab.benchmark.statistics import Interval

HOLDS, PART, ELSEWHERE, WRONG, UNCHECKED = (
    "holds", "holds in part", "holds elsewhere", "wrong", "cannot be checked",
)  # fmt: skip
VERDICTS = (HOLDS, PART, ELSEWHERE, WRONG, UNCHECKED)
MB, MIB = 1e6, 2**20


@dataclass(frozen=True)
class Answer:
    """What was measured here, the verdict, and the part of the reason that follows from the figures."""

    measured: str
    verdict: str
    why: str = ""


@dataclass(frozen=True)
class Evidence:
    """The records the table is made from, and facts of the network itself.

    ``evaluation`` is what ``evaluate --json`` writes, ``samples`` the top-3 scores of each sample picture,
    ``answers`` the top-3 names and scores by file, ``variants`` the record of quantized variants, ``serving``
    that of the service under load, ``network`` parameters, convolutions, share of the work before ``layer2``,
    times of two ways to prepare a picture, and how many classes are named streetlight. ``used`` collects the
    keys of the rows that were looked up.
    """

    bench: Record
    evaluation: dict[str, Any]
    samples: list[list[float]]
    variants: dict[str, Any]
    network: dict[str, Any]
    serving: dict[str, Any]
    answers: dict[str, list[list[Any]]] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)

    def row(self, suite: str, wanted: Callable[[Row], bool], what: str) -> Row:
        """The first measured row that ``wanted`` accepts; ParameterError when the record has none."""
        for row in self.bench.of(suite):
            if row.results and row.as_asked and wanted(row):
                self.used.append(row.configuration.key())
                return row
        raise ParameterError(f"no row {what} in suite {suite}")

    def interval(self, suite: str, engine: str, threads: int = 1) -> Interval:
        """Seconds of an engine with default settings, with their 95 % interval."""
        row = self.row(
            suite,
            lambda row: row.configuration.plain and (row.configuration.backend, row.configuration.threads)
            == (engine, threads),
            f"{engine} with {threads} threads",
        )  # fmt: skip
        return intervals(self.bench, suite)[row.configuration.key()]

    def seconds(self, suite: str, engine: str, threads: int = 1) -> float:
        """Typical seconds of an engine with default settings."""
        return self.interval(suite, engine, threads).value

    def ms(self, engine: str, threads: int = 1) -> float:
        """Milliseconds for one picture."""
        return self.seconds("latency", engine, threads) * 1e3

    def peak(self, engine: str) -> float:
        """Peak memory of the engine's process in MB (10⁶ bytes)."""
        row = self.row("memory", lambda row: row.configuration.backend == engine, engine)
        return megabytes(row)


def megabytes(row: Row) -> float:
    """Median of the row's peaks in MB (10⁶ bytes); ParameterError where they are not available."""
    peaks = [result["peak"] for result in row.results if result["peak"] is not None]
    if not peaks:
        raise ParameterError(f"no peak memory of {row.configuration.key()}")
    return float(median(peaks)) / MB


def verdict(holds: bool) -> str:
    """``holds`` or ``wrong``."""
    return HOLDS if holds else WRONG


def of_parts(measured: str, parts: Mapping[str, bool], other: str = WRONG) -> Answer:
    """The verdict of a statement of several parts: in part when some hold, ``other`` when none does."""
    true_parts = [name for name, holds in parts.items() if holds]
    false_parts = [name for name, holds in parts.items() if not holds]
    if not false_parts:
        return Answer(measured, HOLDS)
    if not true_parts:
        return Answer(measured, other)
    return Answer(measured, PART, f"Holds: {', '.join(true_parts)}; does not: {', '.join(false_parts)}.")


def of_range(measured: str, value: float, low: float, high: float) -> Answer:
    """The verdict of a stated range: a value above it holds in part, one below it is wrong."""
    if value > high:
        return Answer(measured, PART, "It is more than stated.")
    return Answer(measured, verdict(value >= low))
