"""The contents of table cells: intervals, figures rounded to what their spread supports, and warnings."""

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from resnet18_lab.benchmark import statistics
from resnet18_lab.benchmark.configuration import Configuration
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.benchmark.statistics import Interval, decimals, rounded

NOT_AVAILABLE = "not available"
_STEAL, _OTHERS = 0.01, 0.05
"""Shares of all cores' time from which being stolen, or used by others, deserves a warning."""
_MB = 1e6
Result = dict[str, Any]


def intervals(record: Record, suite: str) -> dict[str, Interval]:
    """Seconds of one call with their 95 % interval, by the configuration's key; failed ones are left out."""
    return intervals_of(record.of(suite), lambda result: result["samples"])


def intervals_of(rows: Iterable[Row], samples: Callable[[Result], list[float]]) -> dict[str, Interval]:
    """The 95 % interval of anything that each start's result holds, by the configuration's key.

    A start counts once, by the median of the samples named; rows without results are left out.
    """
    starts = {
        row.configuration.key(): (row.oversubscribed, [samples(result) for result in row.results])
        for row in rows
        if row.results
    }
    # times scatter many times wider where threads outnumber cores, so each kind pools its own spread only
    pooled = {
        over: statistics.pooled_spread(own_samples for kind, own_samples in starts.values() if kind is over)
        for over in (False, True)
    }
    return {key: statistics.interval(own_samples, pooled[over]) for key, (over, own_samples) in starts.items()}


def rates(record: Record) -> dict[str, Interval]:
    """Pictures a second of each row of ``throughput`` with their 95 % interval, by key."""
    seconds = intervals(record, "throughput")
    return {
        c.key(): seconds[c.key()].inverse().times(c.batch * c.workers)
        for c in (row.configuration for row in record.of("throughput") if row.results)
    }


def folder_rates(record: Record) -> dict[str, Interval]:
    """Pictures a second of each row of ``end-to-end`` with their 95 % interval, by key."""
    return intervals_of(record.of("end-to-end"), lambda result: [result["rate"]])


def warnings_of(row: Row) -> str:
    """Reasons to doubt the row's figures: spread, steal, load, threads, or why there are none."""
    if not row.results:
        return row.failures[0] if row.failures else "not measured"
    remarks = [] if row.as_asked else [f"engine ran {row.ran_threads} thread{'s' if row.ran_threads > 1 else ''}"]
    remarks += ["oversubscribed"] if row.oversubscribed else []
    samples = [value for start in row.starts for value in start]
    if len(samples) >= 4:
        q = statistics.quantiles(samples)
        remarks += ["wide spread"] if (q["p75"] - q["p25"]) / q["p50"] > statistics.WIDE_IQR else []
    noise = [entry for entry in row.noise if entry]
    remarks += ["steal"] if any(entry["steal"] > _STEAL for entry in noise) else []
    remarks += ["load from others"] if any(entry["others"] > _OTHERS for entry in noise) else []
    remarks += [f"steal and load {NOT_AVAILABLE}"] if row.noise and not noise else []
    return ", ".join([*remarks, *row.failures])


def shown(interval: Interval, scale: float = 1e3) -> str:
    """``value ± half width`` in units of 1/scale seconds, to the digits that the interval supports."""
    half = interval.half_width * scale
    if half == float("inf"):
        return f"{interval.value * scale:.1f} ± ?"
    places = decimals(half)
    return f"{rounded(interval.value * scale, places)} ± {rounded(half, places)}"


def supported(interval: Interval, scale: float = 1.0) -> str:
    """The value alone in units of 1/scale, to the digits that its interval supports."""
    value, half = interval.value * scale, interval.half_width * scale
    if not 0 < half < value:
        half = value / 10  # no spread known, or one that leaves no digit at all: two digits
    return rounded(value, decimals(half))


def megabytes(values: list[int | None]) -> str:
    """Median of bytes as MB (10⁶ bytes), or that they are not available."""
    numbers = [value for value in values if value is not None]
    return f"{median(numbers) / _MB:.0f}" if numbers else NOT_AVAILABLE


def names_of(rows: Iterable[Row]) -> dict[tuple[str, str], str]:
    """What each engine or file is called, by (backend, file): files of one name are told apart by their folder."""
    configurations: dict[tuple[str, str], Configuration] = {
        (row.configuration.backend, row.configuration.file): row.configuration for row in rows
    }
    engines = [configuration.engine for configuration in configurations.values()]
    return {
        key: configuration.engine if engines.count(configuration.engine) == 1 else configuration.folder_and_name
        for key, configuration in configurations.items()
    }
