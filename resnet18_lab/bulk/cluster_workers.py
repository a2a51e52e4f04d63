"""The code that runs on the nodes of a cluster: readers, and engines that run batches as local workers do.

Build the artifact on every node, or put ``RESNET18_LAB_HOME`` on a disk that all nodes share.
"""

from __future__ import annotations

import contextlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from resnet18_lab.base.errors import ImageError, LabError
from resnet18_lab.bulk.batch import Item, failed, open_decoders, open_engine, run_batch
from resnet18_lab.bulk.parquet_folder import shard_schema, write_shard
from resnet18_lab.bulk.plan import Plan
from resnet18_lab.bulk.sources import is_url, read_source
from resnet18_lab.bulk.writers import Row, parquet_row

READ_AT_ONCE = 16
"""Pictures that one reader fetches at a time: a store has a high latency, but serves many requests at once."""


class Reader:
    """Reads files, relative names below ``folder``; called with tables of inputs."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._threads = ThreadPoolExecutor(READ_AT_ONCE)

    def __call__(self, table: Any) -> Any:  # noqa: ANN401 - Arrow tables
        """The table with a column of bytes, and a column of errors for files that could not be read."""
        import pyarrow as arrow

        names, problems = table.column("file").to_pylist(), table.column("problem").to_pylist()
        results = list(self._threads.map(self._read, names, problems))
        columns = {"position": table.column("position"), "file": table.column("file")}
        contents = arrow.array([content for content, _ in results], arrow.binary())
        return arrow.table({**columns, "content": contents, "problem": [problem for _, problem in results]})

    def _read(self, encoded: bytes, problem: str) -> tuple[bytes | None, str]:
        if problem:
            return None, problem
        name = os.fsdecode(encoded)
        try:
            return read_source(name if is_url(name) else os.path.join(self._folder, name)), ""  # noqa: PTH118 - a str
        except ImageError as error:
            return None, packed(error)


def packed(error: ImageError | None) -> str:
    """An error as text for a column; empty without one."""
    return json.dumps([error.code, error.message, error.message_zh]) if error else ""


class Classifier:
    """An engine that lives as long as its process; called with tables of ``Reader``.

    Each table becomes a shard in ``folder``. It is written here and not by separate tasks: where engines
    occupy all cores, those would start a process for every shard.
    """

    def __init__(self, plan: Plan, run: Row, folder: str) -> None:
        self._job, self._batch, self._run, self._folder = plan.job, plan.batch, run, Path(folder)
        self._schema = shard_schema(run)
        self._engine = open_engine(plan.job)
        self._decoders = open_decoders(plan.job)
        if self._engine.engine.sha256 != run["artifact_sha256"]:
            raise LabError("This node has another artifact than the one that started the run; build it anew.")

    def __call__(self, table: Any) -> Any:  # noqa: ANN401 - Arrow tables
        """One row: how many pictures of the table were answered, and how many of the answers are errors."""
        import pyarrow as arrow

        rows: list[Row] = []
        for start in range(0, table.num_rows, self._batch):
            rows += self._answer(table.slice(start, self._batch))
        if rows:
            write_shard(self._folder, rows, self._schema)
        return arrow.table({"rows": [len(rows)], "errors": [sum("error" in row for row in rows)]})

    def _answer(self, table: Any) -> list[Row]:  # noqa: ANN401 - Arrow tables
        names = [os.fsdecode(name) for name in table.column("file").to_pylist()]
        contents, problems = table.column("content").to_pylist(), table.column("problem").to_pylist()
        readable: list[Item] = [
            (name, content) for name, content, problem in zip(names, contents, problems, strict=True) if not problem
        ]
        answers = iter(run_batch(self._job, self._engine, self._decoders, readable))
        rows = []
        for position, name, problem in zip(table.column("position").to_pylist(), names, problems, strict=True):
            answer = failed(self._job, name, ImageError(*json.loads(problem))) if problem else next(answers)
            rows.append({"position": position, **parquet_row(answer.as_json(self._run["languages"]))})
        return rows

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._decoders.close()
            self._engine.close()
