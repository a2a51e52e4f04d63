"""The output of a cluster: a folder of Parquet shards with its own provenance, which appears only when complete."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resnet18_lab.base.errors import LabError
from resnet18_lab.base.files import replacing
from resnet18_lab.bulk.journal import journal_of
from resnet18_lab.bulk.plan import write_provenance
from resnet18_lab.bulk.writers import METADATA_KEY, Row, parquet_schema, pyarrow_modules

RUN_FILE = "_run.json"
"""The provenance, in the folder once it is complete; readers of Parquet folders ignore names with ``_`` in front."""


def refuse_foreign(output: Path) -> None:
    """Raise LabError, which says why not, unless a folder of shards may replace the output."""
    if output.exists() and not (output / RUN_FILE).is_file():
        raise LabError(f"{output} exists and was not written by a cluster run; choose another name.")
    if journal_of(output).is_file():
        raise LabError(
            f"{journal_of(output)} holds the rows of an interrupted run on this machine; end that one with --resume "
            "and without --runner ray, or delete it."
        )


@contextmanager
def replacing_folder(output: Path) -> Iterator[Path]:
    """An empty folder ``OUT.part``, which replaces the output when the block ends without an error.

    Call ``finish`` before the end of the block. When the block raises, the folder remains for inspection, and the
    output is untouched.
    """
    part = journal_of(output)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    _swap(output)


def finish(folder: Path, run: Row) -> None:
    """Mark the folder as complete by writing its provenance."""
    for leftover in folder.glob(".*"):  # temporary files of a writer that was killed
        leftover.unlink()
    write_provenance(folder / RUN_FILE, run)


def recover(output: Path) -> None:
    """Complete a replacement that was killed half way: the newest complete folder becomes the output."""
    if (journal_of(output) / RUN_FILE).is_file():
        _swap(output)
    elif (_previous_of(output) / RUN_FILE).is_file() and not output.exists():
        _previous_of(output).replace(output)


def _previous_of(output: Path) -> Path:
    return output.with_name(output.name + ".before.part")


def _swap(output: Path) -> None:
    previous = _previous_of(output)
    if output.exists():
        shutil.rmtree(previous, ignore_errors=True)
        output.replace(previous)
    journal_of(output).replace(output)
    shutil.rmtree(previous, ignore_errors=True)


def shards_of(folder: Path) -> list[Path]:
    """The shards of a folder, in order of the inputs' positions."""
    return sorted(path for path in folder.glob("*.parquet") if not path.name.startswith("."))


def verify(folder: Path, expected: int) -> tuple[int, int]:
    """Numbers of rows and errors in a folder of shards; LabError unless each expected input has exactly one row."""
    parquet, _ = pyarrow_modules()
    marks = bytearray(expected)
    rows = errors = 0
    for shard in shards_of(folder):
        table = parquet.read_table(shard, columns=["position", "error"])
        for position in table.column("position").to_pylist():
            if 0 <= position < expected:
                marks[position] = 1
        rows += table.num_rows
        errors += table.num_rows - table.column("error").null_count
    if rows != expected or sum(marks) != expected:
        raise LabError(
            f"{folder} holds {rows} rows of {sum(marks)} inputs where {expected} were listed; run it again, with an "
            "output on a disk that all nodes share."
        )
    return rows, errors


def shard_schema(run: Row) -> Any:  # noqa: ANN401 - a type of an optional package
    """The columns of a shard: the position of the row's input in the listing, then the columns of a table."""
    _, arrow = pyarrow_modules()
    return parquet_schema(run).insert(0, arrow.field("position", arrow.int64()))


def write_shard(folder: Path, rows: list[Row], schema: Any) -> None:  # noqa: ANN401 - a type of an optional package
    """Write rows as a shard named by the first one's position, so that repeated rows replace the earlier ones."""
    parquet, arrow = pyarrow_modules()
    with replacing(folder / f"{rows[0]['position']:012}.parquet") as temporary:
        parquet.write_table(arrow.Table.from_pylist(rows, schema=schema), temporary, compression="zstd")


def join_folders(target: Path, folders: list[Path], run: Row) -> int:
    """Join folders of shards; returns the number of rows.

    Folder K of N holds the K-th, (K+N)-th, ... input; positions are changed from the folder's to the whole run's.
    """
    parquet, arrow = pyarrow_modules()
    from pyarrow import compute

    count = 0
    for number, folder in enumerate(folders):
        for shard in shards_of(folder):
            table = parquet.read_table(shard)
            positions = compute.add(compute.multiply(table.column("position"), len(folders)), number)
            table = table.set_column(0, "position", positions.cast(arrow.int64()))
            table = table.replace_schema_metadata({METADATA_KEY: json.dumps(run, sort_keys=True).encode()})
            with replacing(target / f"{table.column('position')[0].as_py():012}.parquet") as temporary:
                parquet.write_table(table, temporary, compression="zstd")
            count += table.num_rows
    verify(target, count)
    return count
