"""Results as a Rich table, a JSON array, or CSV; each writer returns how many pictures failed."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from resnet18_lab.base.errors import CodedError
from resnet18_lab.base.text import printable
from resnet18_lab.inference.csv_rows import write_rows
from resnet18_lab.inference.predictions import Result

Languages = tuple[str, ...]

_BAR_WIDTH = 20
_WIDE, _NARROW = 110, 70  # columns: from the first on a long bar, under the second none
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(score: float, width: int = _BAR_WIDTH) -> str:
    """A score 0..1 as a bar of ``width`` characters, to an eighth of one."""
    eighths = round(score * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def write_table(results: Iterable[Result], languages: Languages, top_k: int) -> int:  # noqa: ARG001 - one signature for all
    """Print a table with bars; answers of one picture stand together."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    roomy = console.width >= _NARROW
    width = _BAR_WIDTH if console.width >= _WIDE else _BAR_WIDTH // 3
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("file", "#", "class", "score", *(("", "id") if roomy else ())):
        table.add_column(heading, justify="right" if heading in ("#", "score") else "left", overflow="fold")
    failed = 0
    for result in results:
        name = Text(printable(result.file))
        if result.error is not None:
            failed += 1
            message = Text(f"{_message(result.error, languages)} [{result.error.code}]", style="red")
            table.add_row(name, "", message)
            continue
        for prediction in result.predictions:
            first = prediction.rank == 1
            names = " ".join(getattr(prediction, language) for language in languages)
            remarks = [*result.warnings, *([f"unknown, distance {result.distance:.2f}"] if result.unknown else [])]
            remarks += [f"rejected: {result.rejected}"] if result.rejected else []
            names += f"  [{', '.join(remarks)}]" if first and remarks else ""
            bars = Text(bar(prediction.score, width), style="green" if first else "dim")
            row = [name if first else "", str(prediction.rank), Text(names, style="bold" if first else ""),
                   f"{prediction.score:.3f}", bars, f"{prediction.index} {prediction.wnid or ''}".rstrip()]  # fmt: skip
            table.add_row(*(row if roomy else row[:4]))
    console.print(table)
    return failed


def _message(error: CodedError, languages: Languages) -> str:
    texts = {"en": error.message, "zh": error.message_zh}
    return " ".join(texts[language] for language in languages)


def _write_json(results: Iterable[Result], languages: Languages, top_k: int) -> int:  # noqa: ARG001 - one signature for all
    """Write one JSON array, an object a picture, each line as soon as it is known."""
    failed = 0
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    sys.stdout.write("[")
    for position, result in enumerate(results):
        failed += result.error is not None
        answer = result.as_json(languages)
        sys.stdout.write((",\n " if position else "\n ") + json.dumps(answer, ensure_ascii=plain))
    sys.stdout.write("\n]\n")
    return failed


def write_csv(results: Iterable[Result], languages: Languages, top_k: int) -> int:
    """Write CSV: a row a picture, in the columns of ``csv_rows``."""
    failed = 0

    def told() -> Iterator[dict[str, Any]]:
        nonlocal failed
        for result in results:
            failed += result.error is not None
            yield result.as_json(languages)

    write_rows(sys.stdout, told(), top_k=top_k, languages=languages)
    return failed


def write_jsonl(results: Iterable[Result], languages: Languages, top_k: int) -> int:  # noqa: ARG001 - one signature for all
    """Write one JSON object a line, each as soon as it is known."""
    failed = 0
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    for result in results:
        failed += result.error is not None
        answer = result.as_json(languages)
        sys.stdout.write(json.dumps(answer, ensure_ascii=plain) + "\n")
        sys.stdout.flush()
    return failed


WRITERS: dict[str, Callable[[Iterable[Result], Languages, int], int]] = {
    "table": write_table,
    "json": _write_json,
    "jsonl": write_jsonl,
    "csv": write_csv,
}
