"""Write a run's rows, one per input, as CSV, JSON lines or Parquet."""

from __future__ import annotations

import base64
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.base.text import printable
from resnet18_lab.bulk.journal import line_of
from resnet18_lab.inference.csv_rows import ENGINE_COLUMNS, write_rows

Row = dict[str, Any]
METADATA_KEY = b"resnet18_lab"
_PREDICTIONS_OF_A_GROUP = 6_000  # per row group; with 30,000 the peak memory grew by 20 MB
_A_VECTOR = 20  # predictions that take about as much memory as one vector
_FEWEST_OF_A_GROUP = 100
_CONVERTED = 500  # rows held as Python objects at once; those are many times as large as Arrow's


def write_jsonl(target: Path, rows: Iterable[Row], run: Row) -> None:  # noqa: ARG001 - one signature for all
    """One JSON object per line."""
    with target.open("wb") as file:
        file.writelines(line_of(row) for row in rows)


def write_csv(target: Path, rows: Iterable[Row], run: Row) -> None:
    """One line per input, the answers side by side; ``base.text.from_cell`` recovers a file's name from its cell."""
    if run["kind"] == "embed":
        raise ParameterError("Vectors are written as .parquet or .jsonl, not as CSV.")
    encoding = "utf-8-sig" if run["bom"] else "utf-8"
    with target.open("w", encoding=encoding, newline="") as file:
        write_rows(file, rows, top_k=run["top_k"], languages=run["languages"])


def write_parquet(target: Path, rows: Iterable[Row], run: Row) -> None:
    """Typed columns, in row groups, with the run's provenance in the file's metadata."""
    write_tables(target, (parquet_row(row) for row in rows), parquet_schema(run), run)


def write_tables(target: Path, rows: Iterable[Row], schema: Any, run: Row) -> int:  # noqa: ANN401 - an Arrow type
    """Write the rows, one row group in memory at a time; returns their number."""
    parquet, arrow = pyarrow_modules()
    width = _A_VECTOR if run["kind"] == "embed" else run["top_k"]
    size = max(_FEWEST_OF_A_GROUP, _PREDICTIONS_OF_A_GROUP // width)
    remaining = iter(rows)
    count = 0
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        while True:
            pieces = [
                arrow.Table.from_pylist(piece, schema=schema)
                for piece in _groups(itertools.islice(remaining, size), _CONVERTED)
            ]
            if not pieces:
                return count
            group = arrow.concat_tables(pieces).combine_chunks()
            writer.write_table(group, row_group_size=size)
            count += group.num_rows


def pyarrow_modules() -> tuple[Any, Any]:
    """pyarrow.parquet and pyarrow; LabError names the extra that is missing."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise LabError("Parquet needs pyarrow: pip install 'resnet18-lab[bulk]'; or write .csv or .jsonl.") from error
    return parquet, pyarrow


def parquet_schema(run: Row) -> Any:  # noqa: ANN401 - a type of an optional package
    """The columns of a run's table; ``file_bytes`` is set for names that are not valid Unicode."""
    _, arrow = pyarrow_modules()
    text = arrow.string()
    if run["kind"] == "embed":
        answers = arrow.field("embedding", arrow.list_(arrow.float32(), run.get("features", RESNET18.features)))
    else:
        fields = [("rank", arrow.int16()), ("index", arrow.int16()), ("wnid", text)]
        fields += [(language, text) for language in run["languages"]]
        answers = arrow.field("predictions", arrow.list_(arrow.struct([*fields, ("score", arrow.float64())])))
    told = (
        []
        if run["kind"] == "embed"
        else [("unknown", arrow.bool_()), ("distance", arrow.float64()), ("rejected", text)]
    )
    columns = [("file", text), ("file_bytes", arrow.binary()), answers, *told, ("warnings", arrow.list_(text))]
    columns += [(name, text) for name in ("error", "message", "message_zh", *ENGINE_COLUMNS)]
    return arrow.schema(columns, metadata={METADATA_KEY: json.dumps(run, sort_keys=True).encode()})


def parquet_row(row: Row) -> Row:
    """A row of the journal as a row of the table."""
    try:
        row["file"].encode("utf-8")
        columns: Row = {"file": row["file"]}
    except UnicodeEncodeError:
        columns = {"file": printable(row["file"]), "file_bytes": os.fsencode(row["file"])}
    if (error := row.get("error")) is not None:
        return columns | {"error": error["code"], "message": error["message"], "message_zh": error["message_zh"]}
    columns |= {"warnings": row["warnings"], **{name: row["engine"][name] for name in ENGINE_COLUMNS}}
    if "embedding" in row:
        import numpy as np

        return columns | {"embedding": np.frombuffer(base64.b64decode(row["embedding"]), dtype="<f4")}
    return columns | {name: row[name] for name in ("predictions", "unknown", "distance", "rejected") if name in row}


def _groups(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while group := list(itertools.islice(remaining, size)):
        yield group


Writer = Callable[[Path, Iterable[Row], Row], None]
WRITERS: dict[str, Writer] = {".csv": write_csv, ".jsonl": write_jsonl, ".parquet": write_parquet}


def writer_for(output: Path, kind: str) -> Writer:
    """The writer for the output's suffix; raises ParameterError, before anything is run, when there is none."""
    suffix = output.suffix.lower()
    if suffix not in WRITERS or (kind == "embed" and suffix == ".csv"):
        suffixes = ", ".join(name for name in WRITERS if kind != "embed" or name != ".csv")
        raise ParameterError(f"{output.name!r} has no ending that can be written here; give one of {suffixes}.")
    if suffix == ".parquet":
        pyarrow_modules()
    return WRITERS[suffix]
