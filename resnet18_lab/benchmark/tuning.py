"""The best setting of each engine, decided from a record."""

from pathlib import Path

from resnet18_lab import tuned
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.tables import intervals


def best_threads(record: Record) -> dict[str, int]:
    """For each engine the fewest threads whose interval overlaps the fastest's: more would buy nothing.

    Rows that ask for more threads than there are cores are measured, and never chosen.
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
        best[backend] = min(count for count, key in keys.items() if found[key].overlaps(fastest))
    return best


def write_tuned(record: Record, folder: Path) -> Path | None:
    """Remember the best threads beside the artifacts; None when the record has none to tell."""
    best = best_threads(record)
    return tuned.write(best, folder) if best and not record.interrupted else None
