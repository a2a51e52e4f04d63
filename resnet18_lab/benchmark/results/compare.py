"""Two records side by side: what got faster or slower beyond the noise."""

from dataclasses import dataclass

from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.results.tables import intervals
from resnet18_lab.benchmark.statistics import Interval


@dataclass(frozen=True)
class Change:
    """One configuration in both records; ``ratio`` is new time over old, over 1 when it got slower."""

    key: str
    old: Interval
    new: Interval

    @property
    def ratio(self) -> float:
        """New time / old time."""
        return self.new.value / self.old.value

    @property
    def verdict(self) -> str:
        """``faster`` or ``slower`` when the intervals do not overlap, else ``within the noise``."""
        if self.new.overlaps(self.old):
            return "within the noise"
        return "slower" if self.ratio > 1 else "faster"


def compare(old: Record, new: Record) -> list[Change]:
    """A change for every configuration measured in both, slowest ratio first; twins are left out."""
    changes = []
    for suite in dict.fromkeys(row.configuration.suite for row in new.rows):
        if suite == "peak":
            continue
        before, now = intervals(old, suite), intervals(new, suite)
        changes += [Change(key, before[key], now[key]) for key in now if key in before and not key.endswith("A/A")]
    return sorted(changes, key=lambda change: -change.ratio)


def regressions(changes: list[Change], percent: float) -> list[Change]:
    """Changes that are slower beyond the noise and by more than so many percent."""
    return [change for change in changes if change.verdict == "slower" and change.ratio > 1 + percent / 100]
