"""The journal ``OUT.part`` receives every row as soon as it is ready, so that a killed run keeps its rows."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from resnet18_lab.base.errors import LabError
from resnet18_lab.bulk.inputs import Listing

_SYNC_SECONDS = 2.0  # fsync for every row would slow the run; a power cut costs the rows of these seconds


def journal_of(output: Path) -> Path:
    """The file that holds the rows of an output until it is complete."""
    return output.with_name(output.name + ".part")


def listing_of(output: Path) -> Path:
    """The file that lists the inputs of an output until it is complete."""
    return output.with_name(output.name + ".inputs.part")


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Lock the output against other runs while the block runs; LabError when another run has locked it."""
    output.parent.mkdir(parents=True, exist_ok=True)
    place = output.with_name(output.name + ".lock.part")
    place.touch()  # where nothing can be written, the lock would take that for another run's
    lock = FileLock(place, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise LabError(f"Another run is writing {output}; wait for it, or choose another name.") from error
    try:
        yield
    finally:
        with suppress(OSError):  # before the release: afterwards the file may be another run's lock
            Path(lock.lock_file).unlink()
        lock.release()


def line_of(row: dict[str, Any]) -> bytes:
    """A row as one line of JSON in UTF-8, with escapes if a file's name is not valid Unicode."""
    try:
        return json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode("ascii") + b"\n"


class Journal:
    """Rows appended to a file whose first line says which run they belong to; a context manager.

    Each row is passed to the operating system at once, so it survives the death of this process. It reaches
    the disk every few seconds.
    """

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        self.path = path
        is_new = not path.exists() or path.stat().st_size == 0
        self._file = path.open("ab", buffering=0)
        self._synced = time.monotonic()
        if is_new:
            self.write({"run": run})

    def write(self, row: dict[str, Any]) -> None:
        """Append a row; OSError when the disk is full (``repair`` removes a partly written row on resuming)."""
        line = memoryview(line_of(row))
        while line:  # a nearly full disk may accept only part of a line
            line = line[self._file.write(line) :]
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def header(path: Path) -> dict[str, Any] | None:
    """The run a journal belongs to; None when there is no journal, or its first line is incomplete."""
    try:
        with path.open("rb") as file:
            line = file.readline()
    except FileNotFoundError:
        return None
    if not line.endswith(b"\n"):
        return None
    try:
        return dict(json.loads(line)["run"])
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, 1) from error


def damaged(path: Path, number: int) -> LabError:
    """The error for a journal whose content was changed."""
    return LabError(f"{path} is damaged in line {number}; delete it and start the run anew.")


def repair(path: Path, listing: Listing) -> tuple[int, int]:
    """Remove an incomplete last line; returns the number of complete rows, and how many of them are errors.

    LabError when a row does not match the input at its position: then the file is not this run's journal.
    """
    errors = count = 0
    with path.open("r+b") as file:
        end = len(file.readline())
        inputs = iter(listing)
        for line in file:
            if not line.endswith(b"\n"):
                break  # the run was killed while it wrote this line; its input is run again
            try:
                row = json.loads(line)
                expected = next(inputs, None)
                is_valid = expected is not None and row["file"] == expected.file
            except (ValueError, KeyError, TypeError):
                is_valid = False
            if not is_valid:
                raise damaged(path, count + 2)  # lines count from 1, and the first is the header
            count += 1
            errors += "error" in row
            end += len(line)
        file.truncate(end)
    return count, errors


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a complete journal."""
    with path.open("rb") as file:
        file.readline()
        for line in file:
            yield json.loads(line)
