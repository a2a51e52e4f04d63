"""The story of the shipped weights, from the kept record."""

from collections.abc import Mapping
from typing import Any

import pandas as pd


def runs_table(record: Mapping[str, Any]) -> pd.DataFrame:
    """A row a kept run and one for the shipped weights: what it began with, what it saw, what it answers."""
    shipped = record["labelled"]
    rows = {"shipped": _row("see its card", None, None, shipped)}
    for run in record["runs"]:
        rows[run["name"]] = _row(run["parameters"]["start"], run["seconds"], run["views_seen"], run["labelled"])
    return pd.DataFrame(rows).T


def _row(start: str, seconds: float | None, seen: int | None, labelled: Mapping[str, Any]) -> dict[str, str]:
    return {
        "begins with": start,
        "minutes": "-" if seconds is None else f"{seconds / 60:.0f}",
        "views seen": "-" if seen is None else f"{seen:,}",
        "first answer right": f"{labelled['top1']['hits']} of {labelled['top1']['of']}",
        "among five": f"{labelled['top5']['hits']} of {labelled['top5']['of']}",
    }
