"""Threads that a benchmark found best on this machine, for the commands that are not told a number."""

import json
from pathlib import Path
from typing import Any

from resnet18_lab import atomicfile
from resnet18_lab.cores import usable_cores
from resnet18_lab.environment import cpu_model

FILENAME = "tuned.json"


def machine() -> dict[str, Any]:
    """What must be the same for a tuned number to hold: CPU model, and cores usable by affinity and quota."""
    return {"cpu": cpu_model(), "cores": usable_cores()}


def threads_for(backend: str, folder: Path) -> int | None:
    """The tuned threads of an engine; None when nothing was tuned, or on another CPU or core count."""
    try:
        tuned = json.loads((folder / FILENAME).read_text(encoding="utf-8"))
        count = tuned["threads"][backend] if tuned["machine"] == machine() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never tuned, or a damaged file: the usable cores are a safe choice
    return count if isinstance(count, int) and count > 0 else None


def write(threads: dict[str, int], folder: Path) -> Path:
    """Remember the best threads of each engine beside its artifacts; returns the file."""
    path = folder / FILENAME
    known: dict[str, int] = {}
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        known = dict(before["threads"]) if before["machine"] == machine() else {}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing worth keeping
    content = {"machine": machine(), "threads": {**known, **threads}}
    atomicfile.write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
    return path
