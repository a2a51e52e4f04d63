"""The one form of every record, its writer and its reader: an envelope that says how it was measured, and the content.

Envelope: ``format``, ``environment``, ``parameters``, ``profile``, ``started``, ``seconds``, ``commit``.
"""

import json
import time
from pathlib import Path
from typing import Any

from resnet18_lab.base import paths
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.files import write_text
from resnet18_lab.base.machine import snapshot

FORMAT = 2
"""Format 1 (`bench` alone), and records without a number, held everything side by side; they are still read."""
ENVELOPE = ("format", "environment", "parameters", "profile", "started", "seconds", "commit")


class Measuring:
    """A running measurement: it starts when the object is created and ends when ``write`` stores the record."""

    def __init__(self, *, profile: str = "full", **parameters: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        self._profile, self._parameters = profile, parameters
        self._started, self._began = now(), time.perf_counter()
        self._environment = snapshot()

    def write(self, path: Path, content: dict[str, Any]) -> None:
        """Write the record, whole or not at all."""
        write_record(
            path,
            content,
            environment=self._environment,
            parameters=self._parameters,
            profile=self._profile,
            started=self._started,
            seconds=round(time.perf_counter() - self._began, 1),
        )


def now() -> str:
    """Date and time of day with the zone, as records hold them."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def write_record(
    path: Path,
    content: dict[str, Any],
    *,
    environment: dict[str, Any],
    parameters: dict[str, Any],
    profile: str,
    started: str,
    seconds: float,
) -> None:
    """Write a record, whole or not at all; a list named ``rows`` in ``content`` is written one row a line."""
    envelope = dict(
        zip(ENVELOPE, (FORMAT, environment, parameters, profile, started, seconds, environment.get("git_commit")),
            strict=True)
    )  # fmt: skip
    rest = {name: value for name, value in content.items() if name != "rows"}
    text = json.dumps({**envelope, "content": rest}, indent=1)
    if "rows" in content:
        rows = ",\n".join(json.dumps(row) for row in content["rows"])
        text = f'{text[:-2]},\n "rows": [\n{rows}\n]}}'
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text + "\n")


def read_record(path: Path) -> dict[str, Any]:
    """Envelope and content side by side; OSError or ValueError when the file holds no record."""
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"{path} holds a {type(record).__name__}")
    return {**record.pop("content", {}), **record}


def kept_record(name: str) -> dict[str, Any]:
    """A record of docs/records; ParameterError where the project is installed without it."""
    path = paths.records_dir() / f"{name}.json"
    try:
        return read_record(path)
    except (OSError, ValueError) as error:
        raise ParameterError(f"{path} cannot be read; it is part of a clone.") from error
