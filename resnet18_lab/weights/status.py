"""What is known of each weights file: a line each of `weights list`."""

import os
from dataclasses import dataclass
from pathlib import Path

from resnet18_lab.base.errors import WeightsError, WeightsNotFoundError
from resnet18_lab.weights.catalogue import CatalogueEntry, catalogue
from resnet18_lab.weights.find import VARIABLE, find_weights, locate
from resnet18_lab.weights.names import AUTO, UNTRAINED


@dataclass(frozen=True)
class StatusRow:
    """A line of ``weights list``; ``path`` is None when there is no file, ``problem`` when none is known."""

    name: str
    path: Path | None
    verified: bool
    problem: str | None
    bytes: int
    licence: str
    where: str


def weights_status() -> list[StatusRow]:
    """A row for each file of the catalogue, and one for what the variable chose instead of them."""
    rows = [_row(entry) for entry in catalogue()]
    try:
        taken = find_weights(AUTO)
    except WeightsError:
        return rows
    if taken.path is None:
        rows.append(StatusRow(UNTRAINED, None, verified=False, problem=None, bytes=0, licence="", where=VARIABLE))
    elif taken.name not in {row.name for row in rows}:
        problem = f"{taken.path} is not in the catalogue: there is nothing to verify it against"
        size = taken.path.stat().st_size
        rows.append(StatusRow(taken.name, taken.path, False, problem, size, "unknown", taken.origin))
    return rows


def _row(entry: CatalogueEntry) -> StatusRow:
    place: tuple[str, Path | None] = ("", None)
    try:
        place = locate(entry) or place
        file = find_weights(entry.name)
    except WeightsNotFoundError as error:
        problem = str(error) if os.environ.get(VARIABLE) else None  # a choice that rules it out is one
        return StatusRow(entry.name, None, False, problem, entry.bytes, entry.licence, "")
    except WeightsError as error:
        return StatusRow(entry.name, place[1], False, str(error), entry.bytes, entry.licence, place[0])
    return StatusRow(entry.name, file.path, True, None, entry.bytes, entry.licence, file.origin)
