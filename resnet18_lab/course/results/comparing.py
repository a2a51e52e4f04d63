"""Two runs side by side: both intervals of what both measured, their ratio, and whether they overlap."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from resnet18_lab.base.errors import ParameterError, unknown_name
from resnet18_lab.benchmark.statistics import Interval
from resnet18_lab.course.results.reading import Row


@dataclass(frozen=True)
class Pair:
    """One quantity in both; ``run`` tells the runs of a sweep apart where each side has several."""

    run: str
    notebook: str
    key: str
    unit: str | None
    a: Interval
    b: Interval

    @property
    def ratio(self) -> float | None:
        """B over A; None where A is 0."""
        return self.b.value / self.a.value if self.a.value else None

    @property
    def verdict(self) -> str:
        """``higher`` or ``lower`` of B, or that no difference is shown, when the intervals overlap."""
        if self.a.overlaps(self.b):
            return "no difference shown"
        return "higher" if self.b.value > self.a.value else "lower"

    def as_row(self) -> dict[str, float | str | None]:
        """The row of the table that is written."""
        values = {f"{side}{end}": getattr(one, name) for side, one in (("a", self.a), ("b", self.b))
                  for end, name in (("", "value"), ("_low", "low"), ("_high", "high"))}  # fmt: skip
        names = {"run": self.run, "notebook": self.notebook, "key": self.key, "unit": self.unit}
        return {**names, **values, "ratio": self.ratio, "verdict": self.verdict}


def pairs(a: Iterable[Row], b: Iterable[Row]) -> list[Pair]:
    """What both sides give with an interval and in the same unit, in A's order."""
    others = {_name(row): one for row in b if (one := _interval(row))}
    return [
        Pair(row.run, row.notebook, row.key, row.unit, own, others[_name(row)])
        for row in a
        if (own := _interval(row)) and _name(row) in others
    ]


def _name(row: Row) -> tuple[str | None, ...]:
    return row.run, row.notebook, row.key, row.unit


def _interval(row: Row) -> Interval | None:
    if row.value is None or row.low is None or row.high is None:
        return None
    return Interval(row.value, row.low, row.high)


def of_run(rows: Sequence[Row], name: str) -> list[Row]:
    """The rows of the run of that name, or of the only one whose name ends so; they then are those of a run alone."""
    runs = list(dict.fromkeys(row.run for row in rows))
    ending = re.compile(rf"(?:^|[/-]){re.escape(name)}$")
    chosen = [run for run in runs if run == name] or [run for run in runs if ending.search(run)]
    if not chosen:
        raise ParameterError(unknown_name("run", name, runs))
    if len(chosen) > 1:
        raise ParameterError(f"{len(chosen)} runs end in {name!r}: {', '.join(chosen)}; give the whole name.")
    return [replace(row, run="") for row in rows if row.run == chosen[0]]
