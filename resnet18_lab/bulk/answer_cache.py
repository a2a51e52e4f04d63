"""A SQLite file of answers by content: identical bytes are classified once, within a run and across runs."""

from __future__ import annotations

import base64
import json
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from resnet18_lab.base.errors import ImageError, LabError
from resnet18_lab.bulk.batch import Answer, Job, Vector
from resnet18_lab.inference.engine import Closing
from resnet18_lab.inference.labels import Label
from resnet18_lab.inference.predictions import Prediction, Result
from resnet18_lab.inference.rules import sha256_of
from resnet18_lab.preprocessing.refusals import TRANSIENT

if TYPE_CHECKING:
    from resnet18_lab.inference.engine import EngineInfo

_MAX_ENTRIES = 1_000_000
_TRIM_EVERY = 1000  # writes between two looks at the size
_BUSY_SECONDS = 30.0
_TOLD = ("unknown", "distance", "rejected")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT NOT NULL, content TEXT NOT NULL, answer TEXT NOT NULL, number INTEGER PRIMARY KEY AUTOINCREMENT,
    UNIQUE (content, key)
)
"""


class AnswerStore(Closing):
    """Answers by SHA-256 of the content, for one artifact, preprocess id and job; a context manager.

    With ``path`` None the file lives as long as the store. At most ``max_entries`` are kept; the oldest are
    removed first. Two processes may share a file: each statement is a transaction of its own.
    """

    def __init__(self, path: Path | None, job: Job, engine: EngineInfo, *, max_entries: int = _MAX_ENTRIES) -> None:
        self._folder = None if path else tempfile.TemporaryDirectory(prefix="resnet18-lab-")
        self._path = path or Path(self._folder.name if self._folder else "", "answers.sqlite")
        told = [] if job.rules is None else [sha256_of(job.rules)]
        told += [] if job.tells_unknown else ["unknown not told"]
        self._key = "|".join((engine.sha256, job.preprocess_id, engine.backend, job.kind, str(job.top_k), *told))
        self._labels = job.labels if job.kind == "classify" else ()
        self._job, self._engine, self._max_entries = job, engine, max_entries
        self._writes = 0
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=OFF" if path is None else "PRAGMA synchronous=NORMAL")
            self._base.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise self._unusable_error(error) from error

    def _unusable_error(self, error: sqlite3.Error) -> LabError:
        return LabError(f"The cache {self._path} cannot be used ({error}); delete it or name another file.")

    def get(self, content: str) -> Answer | None:
        """The stored answer for a content, with an empty ``file``; None when there is none."""
        row = self._run("SELECT answer FROM answers WHERE content = ? AND key = ?", (content, self._key)).fetchone()
        try:
            return None if row is None else self._unpack(json.loads(row[0]))
        except (ValueError, KeyError, TypeError):
            return None  # a damaged entry is run again

    def put(self, content: str, answer: Answer) -> None:
        """Store an answer, unless it is an error of this machine (such as lack of memory) and not of the bytes."""
        if answer.error is not None and answer.error.code in TRANSIENT:
            return
        text = json.dumps(_pack(answer, self._labels))
        self._run("INSERT OR REPLACE INTO answers (key, content, answer) VALUES (?, ?, ?)",
                  (self._key, content, text))  # fmt: skip
        self._writes += 1
        if self._writes % min(_TRIM_EVERY, self._max_entries) == 0:
            self._trim()

    def _trim(self) -> None:
        cutoff = "SELECT number FROM answers ORDER BY number DESC LIMIT 1 OFFSET ?"
        self._run(f"DELETE FROM answers WHERE number <= ({cutoff})", (self._max_entries,))  # noqa: S608 - our own text

    def _run(self, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        try:
            return self._base.execute(statement, values)
        except sqlite3.Error as error:
            raise self._unusable_error(error) from error

    def _unpack(self, entry: dict[str, Any]) -> Answer:
        error = ImageError(*entry["error"]) if "error" in entry else None
        warnings = tuple(entry.get("warnings", ()))
        engine = None if error else self._engine
        if self._job.kind == "embed":
            vector = None if error else np.frombuffer(base64.b64decode(entry["embedding"]), dtype="<f4")
            return Vector("", vector, warnings, engine, error)
        predictions = tuple(
            Prediction(rank, *self._named(*one)) for rank, one in enumerate(entry.get("predictions", []), start=1)
        )
        told = {name: entry.get(name) for name in _TOLD}
        return Result("", predictions, warnings, engine, error, **told)

    def _named(
        self, index: int, score: float, name: str | None = None, wnid: str | None = None
    ) -> tuple[int, str | None, str, str, float]:
        """The fields of a prediction; ``name`` is one that a rule gave, ``wnid`` what it left."""
        label = self._labels[index]
        return (index, label.wnid, label.en, label.zh, score) if name is None else (index, wnid, name, name, score)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._trim()
        self._base.close()
        if self._folder is not None:
            self._folder.cleanup()


def _given_name(one: Prediction, labels: Sequence[Label]) -> list[str | None]:
    """The name that a rule gave and the wnid that it left, where they are not the class's own."""
    label = labels[one.index]
    return [] if (one.wnid, one.en, one.zh) == (label.wnid, label.en, label.zh) else [one.en, one.wnid]


def _pack(answer: Answer, labels: Sequence[Label]) -> dict[str, Any]:
    if answer.error is not None:
        return {"error": [answer.error.code, answer.error.message, answer.error.message_zh]}
    if isinstance(answer, Vector):
        return {"embedding": answer.as_json()["embedding"], "warnings": answer.warnings}
    told = {name: getattr(answer, name) for name in _TOLD if getattr(answer, name) is not None}
    predictions = [(one.index, one.score, *_given_name(one, labels)) for one in answer.predictions]
    return {"predictions": predictions, "warnings": answer.warnings, **told}
