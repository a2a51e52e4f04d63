"""Results as a Rich table, a JSON array, or CSV; each writer returns how many pictures failed."""

import csv
import json
import sys
from collections.abc import Callable, Iterable

from resnet18_lab.classify import Result

_BAR_WIDTH = 20
_WIDE = 110  # columns from which a full bar leaves room for names
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
CSV_COLUMNS = [
    "file", "rank", "index", "wnid", "en", "zh", "score", "warnings", "error", "message",
    "backend", "weights", "artifact_sha256",
]  # fmt: skip


def bar(score: float, width: int = _BAR_WIDTH) -> str:
    """A score 0..1 as a bar of ``width`` characters, to an eighth of one."""
    eighths = round(score * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def printable(text: str) -> str:
    """Text without characters that a terminal or an encoder would choke on (file names hold anything)."""
    encoded = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in encoded)


def spreadsheet_safe(text: str) -> str:
    """Text a spreadsheet will not run as a formula."""
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def write_table(results: Iterable[Result]) -> int:
    """Print a table with bars; answers of one picture stand together."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    width = _BAR_WIDTH if console.width >= _WIDE else _BAR_WIDTH // 3
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("file", "#", "class", "score", "", "id"):
        table.add_column(heading, justify="right" if heading in ("#", "score") else "left", overflow="fold")
    failed = 0
    for result in results:
        name = Text(printable(result.file))
        if result.error is not None:
            failed += 1
            table.add_row(
                name,
                "",
                Text(result.error.message, style="red"),
                "",
                "",
                Text(result.error.code, style="red"),
            )
            continue
        for prediction in result.predictions:
            first = prediction.rank == 1
            names = prediction.en + (f"  [{', '.join(result.warnings)}]" if first and result.warnings else "")
            table.add_row(
                name if first else "",
                str(prediction.rank),
                Text(names, style="bold" if first else ""),
                f"{prediction.score:.3f}",
                Text(bar(prediction.score, width), style="green" if first else "dim"),
                f"{prediction.index} {prediction.wnid}",
            )
    console.print(table)
    return failed


def write_json(results: Iterable[Result]) -> int:
    """Write one JSON array, an object a picture, each line as soon as it is known."""
    failed = 0
    sys.stdout.write("[")
    for position, result in enumerate(results):
        failed += result.error is not None
        # ASCII only: file names that are no valid UTF-8 survive as escapes in any terminal's encoding
        sys.stdout.write((",\n " if position else "\n ") + json.dumps(result.as_json()))
    sys.stdout.write("\n]\n")
    return failed


def write_csv(results: Iterable[Result]) -> int:
    """Write CSV: a row an answer, or one row with the error's code for a picture that failed."""
    writer = csv.DictWriter(sys.stdout, CSV_COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    failed = 0
    for result in results:
        file = spreadsheet_safe(printable(result.file))
        if result.error is not None:
            failed += 1
            writer.writerow({"file": file, "error": result.error.code, "message": result.error.message})
            continue
        engine = result.engine
        origin = (
            {"backend": engine.backend, "weights": engine.weights, "artifact_sha256": engine.sha256} if engine else {}
        )
        for prediction in result.predictions:
            row = {**vars(prediction), "score": f"{prediction.score:.6f}"}
            writer.writerow({"file": file, **row, "warnings": ";".join(result.warnings), **origin})
    return failed


WRITERS: dict[str, Callable[[Iterable[Result]], int]] = {
    "table": write_table,
    "json": write_json,
    "csv": write_csv,
}
