"""This project's targets beside the figures of one record; they are reported and asserted nowhere."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from resnet18_lab.benchmark.configuration import EMPTY, IMPORT, OURS
from resnet18_lab.benchmark.folder import bound
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.benchmark.results.formatting import folder_rates, intervals, intervals_of, names_of
from resnet18_lab.benchmark.statistics import Interval

_MB = 1e6


@dataclass(frozen=True)
class Target:
    """A measured figure and the limit that was aimed at: the most, or with ``at_least`` the least.

    ``interval`` is the figure's 95 % interval, where one is known.
    """

    what: str
    value: float
    limit: float
    unit: str = "×"
    at_least: bool = False
    interval: Interval | None = None

    @property
    def met(self) -> bool:
        """True when the figure is within the target."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def verdict(self) -> str:
        """``yes`` or ``no``, and whether the limit lies inside the figure's interval: then noise decides."""
        noise = self.interval is not None and self.interval.low <= self.limit <= self.interval.high
        return ("yes" if self.met else "no") + (", within the noise" if noise else "")

    @property
    def measured(self) -> str:
        """The figure with its interval and unit."""
        span = self.interval if self.interval and self.interval.high < float("inf") else None
        around = f" ({span.low:.3g}-{span.high:.3g})" if span else ""
        return f"{self.value:.3g}{around} {self.unit}".strip()

    def __str__(self) -> str:
        limit = "at least" if self.at_least else "at most"
        verdict = self.verdict.replace("yes", "met").replace("no,", "NOT met,")
        return f"{self.what}: {self.measured} ({limit} {self.limit:g}: {'NOT met' if verdict == 'no' else verdict})"


def table(aims: Iterable[Target]) -> pd.DataFrame:
    """What was aimed at, what was measured, and whether it is enough."""
    return pd.DataFrame(
        {
            "what": target.what,
            "measured": target.measured,
            "wanted": f"{'≥' if target.at_least else '≤'} {target.limit:g} {target.unit}".strip(),
            "met": target.verdict if target.met else f"**{target.verdict}**",
        }
        for target in aims
    )


def targets(record: Record) -> list[Target]:
    """The targets that the record's suites have figures for."""
    return [*_int8(record), *_cold_start(record), *_preparation(record), *_folder(record)]


def _aimed(what: str, figure: Interval, limit: float, unit: str = "×", *, at_least: bool = False) -> Target:
    return Target(what, figure.value, limit, unit, at_least, figure)


def _int8(record: Record) -> Iterator[Target]:
    """INT8 against the engines and files beside it, one thread each."""
    by_key = intervals(record, "latency")
    one_thread = [row.configuration for row in record.plain("latency") if row.configuration.threads == 1]
    seconds = {configuration.backend: by_key[configuration.key()] for configuration in one_thread}
    ours = seconds.get("onnxruntime-int8")
    if ours is None:
        return
    for other, limit in (("eager", 4.2), ("onnxruntime-fp32", 3.0)):
        if other in seconds:
            yield _aimed(f"one thread, INT8 faster than {other}", seconds[other].over(ours), limit, at_least=True)
    names = names_of(record.of("latency"))
    for row in record.of("latency"):
        c = row.configuration
        if c.file and c.threads == 1 and row.results:
            yield _aimed(f"one thread, INT8 / {names[c.backend, c.file]}", ours.over(by_key[c.key()]), 1.05)


def _cold_start(record: Record) -> Iterator[Target]:
    """Whole commands, each timed from its start to its exit."""
    rows: dict[str, Row] = {row.configuration.variant: row for row in record.of("cold-start") if row.results}
    if "bare script" not in rows or "classify" not in rows:
        return
    seconds = intervals(record, "cold-start")
    ours, bare = (seconds[rows[name].configuration.key()] for name in ("classify", "bare script"))
    is_int8 = rows["classify"].configuration.backend == "onnxruntime-int8"
    yield _aimed("classify, start to exit / bare script's", ours.over(bare), 1.5)
    if is_int8:
        yield _aimed("classify with INT8, start to exit", ours, 0.4, "s")
    if EMPTY in rows and IMPORT in rows:
        imported, empty = (seconds[rows[name].configuration.key()] for name in (IMPORT, EMPTY))
        yield _aimed("import resnet18_lab, beside an empty start", imported.less(empty).times(1e3), 5, "ms")
    both = [rows["classify"], rows["bare script"]]
    if any(result["peak"] is None for row in both for result in row.results):
        return  # not available off Linux
    peaks = intervals_of(both, lambda result: [result["peak"] / _MB])
    own, least = (peaks[row.configuration.key()] for row in both)
    yield _aimed("classify, peak memory / bare script's", own.over(least), 1.25)
    if is_int8:
        yield _aimed("classify with INT8, peak memory", own, 115, "MB")


def _folder(record: Record) -> Iterator[Target]:
    """This project's pipeline with its default engine against the tutorials' loop and the cores' bound."""
    rates = folder_rates(record)
    rows = {
        (row.configuration.variant, row.configuration.backend): row for row in record.of("end-to-end") if row.results
    }
    ours, theirs = rows.get((OURS, "onnxruntime-int8")), rows.get(("tutorial loop", "eager"))
    if ours and theirs:
        ratio = rates[ours.configuration.key()].over(rates[theirs.configuration.key()])
        yield _aimed("folder, pictures a second / tutorial loop's", ratio, 4.3, at_least=True)
    bounded = [row for row in rows.values() if all("stages" in result for result in row.results)]
    if ours in bounded:
        workers = ours.configuration.workers
        shares = intervals_of(bounded, lambda result: [result["rate"] / bound(result["stages"], workers)])
        share = shares[ours.configuration.key()]
        yield _aimed("folder, share of what the cores can do", share, 0.9, "", at_least=True)


def _preparation(record: Record) -> Iterator[Target]:
    seconds = intervals(record, "sizes")
    measured = {
        (row.configuration.size, row.configuration.preparation): seconds[row.configuration.key()]
        for row in record.of("sizes")
        if row.results
    }
    for size, how, limit in (("400×300", "ours", 0.65), ("4000×3000", "ours with draft", 0.3)):
        ours, theirs = measured.get((size, how)), measured.get((size, "torchvision"))
        if ours and theirs:
            what = f"preparing a {size} JPEG, {how} / decode + torchvision's transforms"
            yield _aimed(what, ours.over(theirs), limit)
