"""The schema of every CSV with answers: one row per picture, its answers side by side.

Columns: ``file``; for each rank ``index_N``, ``wnid_N``, the names (``en_N``, ``zh_N``) and ``score_N``;
``unknown`` and ``distance`` (``inference.unknown``; else empty), ``rejected`` (``inference.rules``); ``warnings``;
``error``, ``message``, ``message_zh``; ``backend``, ``precision``, ``weights``, ``sha256`` of the engine that answered.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from resnet18_lab.base.text import as_cell

UNKNOWN_COLUMNS = ("unknown", "distance")
"""Empty unless the network knows its training pictures."""
REJECTED = "rejected"
"""Why a rule does not let the answer stand; else empty."""
ENGINE_COLUMNS = ("backend", "precision", "weights", "sha256")


def columns(top_k: int, languages: Sequence[str]) -> list[str]:
    """The columns in order, for ``top_k`` answers per picture in these languages."""
    rank_columns = [f"{name}_{rank}" for rank in range(1, top_k + 1) for name in _answer_fields(languages)]
    return [
        "file",
        *rank_columns,
        *UNKNOWN_COLUMNS,
        REJECTED,
        "warnings",
        "error",
        "message",
        "message_zh",
        *ENGINE_COLUMNS,
    ]


def write_rows(file: TextIO, answers: Iterable[dict[str, Any]], *, top_k: int, languages: Sequence[str]) -> None:
    """Write the header, and a line for each answer (``Result.as_json``) as soon as it is available.

    ``base.text.from_cell`` recovers a file's name from its cell.
    """
    writer = csv.DictWriter(file, columns(top_k, languages), lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(_rows(answers, languages))


def _rows(answers: Iterable[dict[str, Any]], languages: Sequence[str]) -> Iterator[dict[str, Any]]:
    fields = _answer_fields(languages)
    for answer in answers:
        row: dict[str, Any] = {"file": as_cell(answer["file"])}
        if (error := answer.get("error")) is not None:
            yield row | {"error": error["code"], "message": error["message"], "message_zh": error["message_zh"]}
            continue
        row |= {name: str(answer[name]).lower() for name in UNKNOWN_COLUMNS if name in answer}
        row |= {REJECTED: as_cell(answer[REJECTED])} if REJECTED in answer else {}
        row["warnings"] = ";".join(answer["warnings"])
        row |= {name: answer["engine"][name] for name in ENGINE_COLUMNS}
        yield row | {f"{name}_{best['rank']}": _cell(best[name]) for best in answer["predictions"] for name in fields}


def _cell(value: object) -> object:
    """A name as a spreadsheet may hold it: one's own classes may be called anything."""
    return as_cell(value) if isinstance(value, str) else value


def _answer_fields(languages: Sequence[str]) -> tuple[str, ...]:
    return "index", "wnid", *languages, "score"
