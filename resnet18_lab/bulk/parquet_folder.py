"""The output of a cluster: a folder of Parquet shards that holds its own provenance and appears as a whole."""

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
"""The provenance, in the folder once it is whole; readers of Parquet folders pass over names that begin so."""


def refuse_foreign(output: Path) -> None:
    """Raise LabError, which says what stands in the way, unless a folder of shards may replace the output."""
    if output.exists() and not (output / RUN_FILE).is_file():
        raise LabError(f"{output} exists and was not written by a cluster run; choose another name.")
    if journal_of(output).is_file():
        raise LabError(
            f"{journal_of(output)} holds the rows of an interrupted run on this machine; end that one with --resume "
            "and without --runner ray, or delete it."
        )


@contextmanager
def replacing_folder(output: Path) -> Iterator[Path]:
    """An empty folder ``OUT.part``; what is in it takes the output's place when the block ends well.

    ``finish`` must have been called by then. When the block raises, the folder stays to be looked at, and the
    output is untouched.
    """
    part = journal_of(output)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    _swap(output)


def finish(folder: Path, run: Row) -> None:
    """Mark the folder as whole."""
    for left_over in folder.glob(".*"):  # of a writer that was killed
        left_over.unlink()
    write_provenance(folder / RUN_FILE, run)


def recover(output: Path) -> None:
    """End a replacement that was killed in the middle: what was whole takes its place."""
    if (journal_of(output) / RUN_FILE).is_file():
        _swap(output)
    elif (_before(output) / RUN_FILE).is_file() and not output.exists():
        _before(output).replace(output)


def _before(output: Path) -> Path:
    return output.with_name(output.name + ".before.part")


def _swap(output: Path) -> None:
    before = _before(output)
    if output.exists():
        shutil.rmtree(before, ignore_errors=True)
        output.replace(before)
    journal_of(output).replace(output)
    shutil.rmtree(before, ignore_errors=True)


def shards_of(folder: Path) -> list[Path]:
    """The shards of a folder, in order of the inputs' positions."""
    return sorted(path for path in folder.glob("*.parquet") if not path.name.startswith("."))


def verify(folder: Path, expected: int) -> tuple[int, int]:
    """Rows and errors of a folder of shards; LabError unless each of the ``expected`` inputs has exactly one row."""
    parquet, _ = pyarrow_modules()
    seen = bytearray(expected)
    rows = errors = 0
    for shard in shards_of(folder):
        table = parquet.read_table(shard, columns=["position", "error"])
        for position in table.column("position").to_pylist():
            if 0 <= position < expected:
                seen[position] = 1
        rows += table.num_rows
        errors += table.num_rows - table.column("error").null_count
    if rows != expected or sum(seen) != expected:
        raise LabError(
            f"{folder} holds {rows} rows of {sum(seen)} inputs where {expected} were listed; run it again, with an "
            "output on a disk that all nodes share."
        )
    return rows, errors


def shard_schema(run: Row) -> Any:  # noqa: ANN401 - a type of an optional package
    """The columns of a shard: those of a table, after the position of the row's input in the listing."""
    _, arrow = pyarrow_modules()
    return parquet_schema(run).insert(0, arrow.field("position", arrow.int64()))


def write_shard(folder: Path, rows: list[Row], schema: Any) -> None:  # noqa: ANN401 - a type of an optional package
    """Write rows as a shard named by the first one's position, so that rows made again replace themselves."""
    parquet, arrow = pyarrow_modules()
    with replacing(folder / f"{rows[0]['position']:012}.parquet") as temporary:
        parquet.write_table(arrow.Table.from_pylist(rows, schema=schema), temporary, compression="zstd")


def join_folders(target: Path, folders: list[Path], run: Row) -> int:
    """Rows of the joined folder; folder K of N holds the K-th, (K+N)-th, ... input, and its positions say so."""
    parquet, arrow = pyarrow_modules()
    from pyarrow import compute

    count = 0
    for number, folder in enumerate(folders):
        for shard in shards_of(folder):
            table = parquet.read_table(shard)
            everywhere = compute.add(compute.multiply(table.column("position"), len(folders)), number)
            table = table.set_column(0, "position", everywhere.cast(arrow.int64()))
            table = table.replace_schema_metadata({METADATA_KEY: json.dumps(run, sort_keys=True).encode()})
            with replacing(target / f"{table.column('position')[0].as_py():012}.parquet") as temporary:
                parquet.write_table(table, temporary, compression="zstd")
            count += table.num_rows
    verify(target, count)
    return count
