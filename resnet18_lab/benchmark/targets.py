"""The figures this project holds itself to, from one record; stated beside their targets, asserted nowhere."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

import pandas as pd

from resnet18_lab.benchmark.configuration import OURS
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.benchmark.tables import bound_of, intervals

_MB = 1e6


@dataclass(frozen=True)
class Target:
    """A measured figure and the limit that was aimed at: the most, or with ``at_least`` the least."""

    what: str
    value: float
    limit: float
    unit: str = "×"
    at_least: bool = False

    @property
    def met(self) -> bool:
        """True when the figure is within the target."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        bound = "at least" if self.at_least else "at most"
        verdict = "met" if self.met else "NOT met"
        return f"{self.what}: {self.value:.3g} {self.unit} ({bound} {self.limit:g}: {verdict})"


def table(found: Iterable[Target]) -> pd.DataFrame:
    """What was aimed at, what was measured, and whether it is enough."""
    return pd.DataFrame(
        {
            "what": target.what,
            "measured": f"{target.value:.3g} {target.unit}".strip(),
            "wanted": f"{'≥' if target.at_least else '≤'} {target.limit:g} {target.unit}".strip(),
            "met": "yes" if target.met else "**no**",
        }
        for target in found
    )


def targets(record: Record) -> list[Target]:
    """The targets that the record's suites can tell."""
    return [*_int8(record), *_cold_start(record), *_preparation(record), *_folder(record)]


def _int8(record: Record) -> Iterator[Target]:
    """INT8 against the engines and files beside it, one thread each."""
    found = intervals(record, "latency")
    seconds = {
        row.configuration.engine: found[row.configuration.key()].value
        for row in record.of("latency")
        if row.results and row.configuration.threads == 1 and not row.configuration.twin
    }
    ours = seconds.get("onnxruntime-int8")
    if ours is None:
        return
    for other, limit in (("eager", 4.2), ("onnxruntime-fp32", 3.0)):
        if other in seconds:
            yield Target(f"one thread, INT8 faster than {other}", seconds[other] / ours, limit, at_least=True)
    for row in record.of("latency"):
        name = row.configuration.engine
        if row.configuration.file and row.configuration.threads == 1 and name in seconds:
            yield Target(f"one thread, INT8 / {name}", ours / seconds[name], 1.05)


def _cold_start(record: Record) -> Iterator[Target]:
    found = intervals(record, "cold-start")
    rows: dict[str, Row] = {row.configuration.variant: row for row in record.of("cold-start") if row.results}
    if "bare script" not in rows or "classify" not in rows:
        return
    times = [found[rows[name].configuration.key()].value for name in ("classify", "bare script")]
    yield Target("classify, start to answer / bare script's", times[0] / times[1], 1.5)
    peaks = [median(result["peak"] for result in rows[name].results) for name in ("classify", "bare script")]
    yield Target("classify, peak memory / bare script's", peaks[0] / peaks[1], 1.25)
    if rows["classify"].configuration.backend == "onnxruntime-int8":
        yield Target("classify with INT8, start to answer", times[0], 0.4, "s")
        yield Target("classify with INT8, peak memory", peaks[0] / _MB, 115, "MB")


def _folder(record: Record) -> Iterator[Target]:
    """This project's pipeline with its default engine against the tutorials' loop and the cores' bound."""
    rates = {
        (row.configuration.variant, row.configuration.backend): (median(r["rate"] for r in row.results), row)
        for row in record.of("end-to-end")
        if row.results
    }
    ours, theirs = rates.get((OURS, "onnxruntime-int8")), rates.get(("tutorial loop", "eager"))
    if ours and theirs:
        yield Target("folder, pictures a second / tutorial loop's", ours[0] / theirs[0], 4.3, at_least=True)
    if ours and (bound := bound_of(ours[1])):
        yield Target("folder, share of what the cores can do", ours[0] / bound, 0.9, "", at_least=True)


def _preparation(record: Record) -> Iterator[Target]:
    found = {key.split(" ", 5)[-1]: interval for key, interval in intervals(record, "sizes").items()}
    for size, how, limit in (("400×300", "ours", 0.65), ("4000×3000", "ours with draft", 0.3)):
        ours, theirs = found.get(f"{size} {how}"), found.get(f"{size} torchvision")
        if ours and theirs:
            yield Target(
                f"preparing a {size} JPEG, {how} / decode + torchvision's transforms", ours.value / theirs.value, limit
            )
