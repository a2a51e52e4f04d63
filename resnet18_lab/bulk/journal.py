"""The journal ``OUT.part``: every row as soon as it is known, so that a killed run loses none of them."""

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

_SYNC_SECONDS = 2.0


def journal_of(output: Path) -> Path:
    """Where the rows of an output are kept until it is whole."""
    return output.with_name(output.name + ".part")


def listing_of(output: Path) -> Path:
    """Where the inputs of an output are listed until it is whole."""
    return output.with_name(output.name + ".inputs.part")


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keep other runs from writing the output while the block runs; LabError when one is doing so."""
    output.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(output.with_name(output.name + ".lock.part"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise LabError(f"Another run is writing {output}; wait for it, or choose another file.") from error
    try:
        yield
    finally:
        with suppress(OSError):  # while it is held: a moment later the file may be another run's lock
            Path(lock.lock_file).unlink()
        lock.release()


def line_of(row: dict[str, Any]) -> bytes:
    """A row as one line of JSON in UTF-8; with escapes where a file's name is no Unicode."""
    try:
        return json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode("ascii") + b"\n"


class Journal:
    """Rows appended to a file whose first line says what run they belong to; a context manager.

    Each row goes to the operating system at once, and to the disk every few seconds.
    """

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        self.path = path
        fresh = not path.exists() or path.stat().st_size == 0
        self._file = path.open("ab", buffering=0)
        self._synced = time.monotonic()
        if fresh:
            self.write({"run": run})

    def write(self, row: dict[str, Any]) -> None:
        """Append a row; OSError when the disk is full (what was written of it is repaired on resuming)."""
        line = memoryview(line_of(row))
        while line:  # a disk that is nearly full takes part of a line
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
    """What run a journal belongs to; None when there is none yet, or its first line was torn."""
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
    """The error of a journal that is not what was written."""
    return LabError(f"{path} is damaged in line {number}; delete it and start the run anew.")


def repair(path: Path, listing: Listing) -> tuple[int, int]:
    """Cut a torn last line off; returns rows that stand, and how many of them are errors.

    LabError when a row is not about the input of its place: then the file is not this run's journal.
    """
    errors = done = 0
    with path.open("r+b") as file:
        end = len(file.readline())
        inputs = iter(listing)
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                row = json.loads(line)
                expected = next(inputs, None)
                sound = expected is not None and row["file"] == expected.file
            except (ValueError, KeyError, TypeError):
                sound = False
            if not sound:
                raise damaged(path, done + 2)
            done += 1
            errors += "error" in row
            end += len(line)
        file.truncate(end)
    return done, errors


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a whole journal."""
    with path.open("rb") as file:
        file.readline()
        for line in file:
            yield json.loads(line)
