"""Tables of results as Parquet, CSV or JSON lines, and as lines for a terminal."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from resnet18_lab.base.files import replacing
from resnet18_lab.base.text import as_cell, printable
from resnet18_lab.bulk.writers import pyarrow_modules, writer_for

_WIDEST = 60
_EXACT = 2.0**53
Table = list[dict[str, Any]]
"""Rows with the same names in the same order; each column holds texts or numbers, or None."""


def check_output(output: Path) -> None:
    """Raise, before anything is read, for a name that no table can be written to, or a package that is missing."""
    writer_for(output, "classify")


def write(output: Path, rows: Table, numbers: Sequence[str]) -> None:
    """Replace the file by the table; the columns named in ``numbers`` are 64-bit floats, the others texts."""
    rows = [{name: _encodable(cell) for name, cell in row.items()} for row in rows]
    with replacing(output) as temporary:
        {".parquet": _parquet, ".csv": _csv, ".jsonl": _jsonl}[output.suffix.lower()](temporary, rows, numbers)


def _encodable(cell: object) -> object:
    """Half a character, which JSON may hold and no UTF-8 file, is written as its number."""
    return cell.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(cell, str) else cell


def _parquet(target: Path, rows: Table, numbers: Sequence[str]) -> None:
    parquet, arrow = pyarrow_modules()
    columns = [(name, arrow.float64() if name in numbers else arrow.string()) for name in rows[0]]
    parquet.write_table(arrow.Table.from_pylist(rows, schema=arrow.schema(columns)), target, compression="zstd")


def _csv(target: Path, rows: Table, numbers: Sequence[str]) -> None:
    import pandas as pd

    cells = [{name: as_cell(cell) if isinstance(cell, str) else cell for name, cell in row.items()} for row in rows]
    pd.DataFrame(cells).astype(dict.fromkeys(numbers, float)).to_csv(
        target, index=False, encoding="utf-8", lineterminator="\n"
    )


def _jsonl(target: Path, rows: Table, numbers: Sequence[str]) -> None:  # noqa: ARG001 - one signature for all
    lines = (json.dumps({name: _finite(cell) for name, cell in row.items()}, allow_nan=False) for row in rows)
    with target.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def _finite(cell: object) -> object:
    """JSON has no infinite numbers: an interval without a bound has none there."""
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def lines(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The cells in columns as wide as their widest."""
    cells = [[*headings], *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def text(value: str) -> str:
    """The beginning of a long text."""
    return value if len(value) <= _WIDEST else f"{value[: _WIDEST - 1]}…"


def number(value: float | None) -> str:
    """Six figures, all of a whole number; nothing for None."""
    if value is None:
        return ""
    return f"{value:.0f}" if value.is_integer() and abs(value) < _EXACT else f"{value:.6g}"


def interval(low: float | None, high: float | None) -> str:
    """``low to high`` in six figures; nothing where one is missing."""
    return "" if low is None or high is None else f"{low:.6g} to {high:.6g}"
