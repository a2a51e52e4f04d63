"""Files of results below folders, and their rows with the run, the notebook and the machine they are of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet18_lab.base.errors import LabError
from resnet18_lab.base.text import printable
from resnet18_lab.benchmark.kept_records import ENVELOPE, read_record
from resnet18_lab.course.results.long_form import Quantity, quantities

_FOLDER = "results"
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class ResultsFile:
    """A file, and the run it belongs to: what was given, and the folders below it other than ``results``."""

    run: str
    path: Path


@dataclass(frozen=True)
class Row:
    """A row of the table; the last four say where and when it was measured, where the file knows."""

    run: str
    notebook: str
    key: str
    value: float | None
    low: float | None
    high: float | None
    unit: str | None
    text: str | None
    cpu: str | None
    commit: str | None
    started: str | None
    profile: str | None


def files_of(place: str) -> list[ResultsFile]:
    """Every ``results/*.json`` below a folder, or the file given; LabError when there is none.

    ``LABEL=PLACE`` gives the run a name of its own.
    """
    label, path = _label_and_path(place)
    if path.is_dir():
        found = [ResultsFile(_run_of(label, path, file), file) for file in sorted(path.rglob("*.json"))
                 if _is_result(path, file)]  # fmt: skip
        if not found:
            raise LabError(f"{path} holds no results (looked for results/*.json in it and below it)")
        return found
    if not path.exists():
        raise LabError(f"{path} does not exist")
    return [ResultsFile(label, path)]


def _label_and_path(place: str) -> tuple[str, Path]:
    label, equals, rest = place.partition("=")
    if equals and not Path(place).exists():  # folders of a sweep have such a sign in their own names
        return printable(label), Path(rest)
    return printable(str(Path(place))), Path(place)


def _is_result(folder: Path, file: Path) -> bool:
    """True below a folder of results, which may be the one that was given or that one's own."""
    names = {*folder.resolve().parts[-2:], *file.relative_to(folder).parts[:-1]}
    return _FOLDER in names and not any(part.startswith(".") for part in file.relative_to(folder).parts)


def _run_of(label: str, folder: Path, file: Path) -> str:
    below = [printable(part) for part in file.relative_to(folder).parts[:-1] if part != _FOLDER]
    return "/".join([label.rstrip("/"), *below] if label else below)


def rows_of(file: ResultsFile) -> list[Row]:
    """The rows of a file; LabError with one line when it holds no results."""
    try:
        size = file.path.stat().st_size
        if size > _MOST_BYTES:
            raise ValueError(f"{size:,} bytes, more than any notebook writes")
        record = read_record(file.path)
        has_envelope = "format" in record and isinstance(record.get("environment"), dict)
        found = list(_intervals(file.path) if _is_bench(record) else quantities(_content(record, has_envelope)))
    except (OSError, ValueError, TypeError, RecursionError, LabError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise LabError(f"{file.path} holds no results ({' '.join(reason.split())})") from None
    facts = _facts(record) if has_envelope else dict.fromkeys(("cpu", "commit", "started", "profile"))
    return [Row(file.run, file.path.stem, **vars(quantity), **facts) for quantity in found]


def _content(record: dict[str, Any], has_envelope: bool) -> dict[str, Any]:
    return {name: value for name, value in record.items() if not (has_envelope and name in ENVELOPE)}


def _is_bench(record: dict[str, Any]) -> bool:
    rows = record.get("rows")
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], dict) and "configuration" in rows[0]


def _intervals(path: Path) -> Iterator[Quantity]:
    """The seconds of one call of each configuration: a record of `bench` holds raw samples."""
    from resnet18_lab.benchmark.record import read
    from resnet18_lab.benchmark.results.formatting import intervals

    record = read(path)
    for suite in dict.fromkeys(row.configuration.suite for row in record.rows):
        if suite == "peak":  # operations, not seconds
            continue
        for key, one in intervals(record, suite).items():
            yield Quantity(key, one.value, one.low, one.high, "s")


def _facts(record: dict[str, Any]) -> dict[str, str | None]:
    environment = record["environment"]
    facts = {
        "cpu": environment.get("cpu"),
        "commit": record.get("commit") or environment.get("git_commit"),
        "started": record.get("started"),
        "profile": record.get("profile"),
    }
    return {name: fact if isinstance(fact, str) else None for name, fact in facts.items()}


def read_places(places: Sequence[str], *, called: str | None = None) -> tuple[list[Row], list[str]]:
    """The rows of all places, and a line for each place or file that could not be read; a file counts once.

    ``called`` is what the runs are called instead of the places.
    """
    found: dict[Path, ResultsFile] = {}
    rows: list[Row] = []
    complaints: list[str] = []
    for place in places:
        try:
            for file in files_of(place if called is None else f"{called}={place}"):
                found.setdefault(file.path.resolve(), file)
        except (LabError, OSError) as error:
            complaints.append(str(error))
    for file in found.values():
        try:
            rows += rows_of(file)
        except LabError as error:
            complaints.append(str(error))
    return rows, complaints
