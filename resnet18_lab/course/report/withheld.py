"""Conclusions that a notebook found too noisy to say, from its results."""

from pathlib import Path

from resnet18_lab.benchmark.kept_records import read_record

Stamp = tuple[int, int, int]


def stamp(path: Path | None) -> Stamp | None:
    """What changes when a file is written anew; None where there is none."""
    try:
        facts = path.stat() if path else None
    except OSError:
        return None
    return (facts.st_mtime_ns, facts.st_size, facts.st_ino) if facts else None


def withheld_in(path: Path | None, before: Stamp | None) -> tuple[str, ...]:
    """``name: reason`` of each conclusion withheld in results written since the stamp ``before`` was taken.

    Nothing for a notebook without results, and for results without conclusions.
    """
    if path is None or stamp(path) in (None, before):
        return ()
    try:
        conclusions = read_record(path).get("conclusions")
    except (OSError, ValueError, TypeError, RecursionError):
        return ()
    entries = [entry for entry in conclusions if isinstance(entry, dict)] if isinstance(conclusions, list) else []
    return tuple(f"{entry.get('name', '?')}: {entry['withheld']}" for entry in entries if entry.get("withheld"))
