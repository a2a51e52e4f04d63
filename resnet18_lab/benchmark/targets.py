"""The ratios this project holds itself to, from one record; stated beside their targets, asserted nowhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.tables import intervals


@dataclass(frozen=True)
class Target:
    """A measured ratio and the largest that was aimed at."""

    what: str
    ratio: float
    at_most: float

    @property
    def met(self) -> bool:
        """True when the ratio is within the target."""
        return self.ratio <= self.at_most


def targets(record: Record) -> list[Target]:
    """The ratios that the record's suites can tell."""
    return [*_cold_start(record), *_preparation(record)]


def _cold_start(record: Record) -> Iterator[Target]:
    found = intervals(record, "cold-start")
    rows = {row.configuration.variant: row for row in record.of("cold-start") if row.results}
    if "bare script" not in rows or "classify" not in rows:
        return
    times = [found[rows[name].configuration.key()].value for name in ("classify", "bare script")]
    yield Target("classify, start to answer / bare script's", times[0] / times[1], 1.5)
    peaks = [median(result["peak"] for result in rows[name].results) for name in ("classify", "bare script")]
    yield Target("classify, peak memory / bare script's", peaks[0] / peaks[1], 1.25)


def _preparation(record: Record) -> Iterator[Target]:
    found = {key.split(" ", 5)[-1]: interval for key, interval in intervals(record, "sizes").items()}
    for size, how, limit in (("400×300", "ours", 0.65), ("4000×3000", "ours with draft", 0.3)):
        ours, theirs = found.get(f"{size} {how}"), found.get(f"{size} torchvision")
        if ours and theirs:
            yield Target(
                f"preparing a {size} JPEG, {how} / decode + torchvision's transforms", ours.value / theirs.value, limit
            )
