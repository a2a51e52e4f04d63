"""The best setting of each engine, decided from a record."""

from pathlib import Path

from resnet18_lab import tuned
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.tables import intervals

UNDECIDED = 0.15
"""Half width of the fastest setting's interval, as a share of it, from which noise would decide."""


def best_threads(record: Record) -> dict[str, int]:
    """For each engine the fewest threads whose interval overlaps the fastest's: more would buy nothing.

    Rows that ask for more threads than there are cores are measured, and never chosen. An engine whose
    fastest setting has an interval too wide to decide is left out: in noise everything overlaps, and the
    fewest threads would always win.
    """
    found = intervals(record, "latency")
    engines: dict[str, dict[int, str]] = {}
    for row in record.of("latency"):
        configuration = row.configuration
        if configuration.key() in found and not configuration.twin and not row.oversubscribed:
            engines.setdefault(configuration.backend, {})[configuration.threads] = configuration.key()
    best = {}
    for backend, keys in engines.items():
        fastest = min((found[key] for key in keys.values()), key=lambda interval: interval.value)
        if fastest.high - fastest.low > 2 * UNDECIDED * fastest.value:
            continue
        best[backend] = min(count for count, key in keys.items() if found[key].overlaps(fastest))
    return best


def write_tuned(record: Record, folder: Path) -> Path | None:
    """Remember the best threads beside the artifacts; None when the record has none to tell."""
    best = best_threads(record)
    return tuned.write(best, folder) if best and not record.interrupted else None
