"""The best settings of each engine, decided from a record."""

from pathlib import Path

from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.results.formatting import intervals, rates
from resnet18_lab.benchmark.statistics import Interval
from resnet18_lab.inference import tuned

_UNDECIDED = 0.15
"""Half width of the fastest setting's interval, as a share of it, from which noise would decide."""


def best_threads(record: Record) -> dict[str, int]:
    """For each engine the fewest threads whose interval overlaps the fastest's: more would buy nothing.

    Rows that ask for more threads than there are cores are measured, and never chosen. An engine whose
    fastest setting has an interval too wide to decide is left out: in noise everything overlaps, and the
    fewest threads would always win.
    """
    seconds = intervals(record, "latency")
    engines: dict[str, dict[int, Interval]] = {}
    for row in record.plain("latency"):
        if not row.oversubscribed:
            configuration = row.configuration
            engines.setdefault(configuration.backend, {})[configuration.threads] = seconds[configuration.key()]
    best = {}
    for backend, times in engines.items():
        fastest = min(times.values(), key=lambda interval: interval.value)
        if _is_clear(fastest):
            best[backend] = min(count for count, interval in times.items() if interval.overlaps(fastest))
    return best


def _is_clear(interval: Interval) -> bool:
    """True when the interval is narrow enough to decide by."""
    return interval.half_width <= _UNDECIDED * interval.value


def best_workers(record: Record) -> dict[str, int | None]:
    """For each engine of ``throughput`` the sessions of one thread that clearly beat any single session.

    The fewest whose pictures a second overlap the best's; None when one session is as good, or when the
    noise is too wide to tell. Each way is judged at its own best batch.
    """
    speeds = rates(record)
    single: dict[str, list[Interval]] = {}
    several: dict[str, dict[int, list[Interval]]] = {}
    for row in record.plain("throughput"):
        c = row.configuration
        if row.oversubscribed:
            continue
        if c.workers == 1:
            single.setdefault(c.backend, []).append(speeds[c.key()])
        elif c.threads == 1:
            several.setdefault(c.backend, {}).setdefault(c.workers, []).append(speeds[c.key()])
    return {
        backend: _clearly_better({count: _highest(rows) for count, rows in several[backend].items()}, _highest(rows))
        for backend, rows in single.items()
        if backend in several
    }


def _highest(speeds: list[Interval]) -> Interval:
    return max(speeds, key=lambda interval: interval.value)


def _clearly_better(several: dict[int, Interval], single: Interval) -> int | None:
    best = _highest(list(several.values()))
    if best.low <= single.high:
        return None
    return min(count for count, interval in several.items() if interval.overlaps(best))


def write_tuned(record: Record, folder: Path) -> Path | None:
    """Remember the best settings beside the artifacts; None when the record has none to tell."""
    best, workers = best_threads(record), best_workers(record)
    return tuned.write(best, folder, workers) if (best or workers) and not record.interrupted else None
