"""The settings that a benchmark found best on this machine: defaults for commands called without a number."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resnet18_lab.base.files import write_text
from resnet18_lab.base.machine import cpu_model, usable_cores

FILENAME = "tuned.json"


def machine() -> dict[str, Any]:
    """The machine for which tuned numbers are valid: CPU model, and cores usable by affinity and quota."""
    return {"cpu": cpu_model(), "cores": usable_cores()}


def threads_for(backend: str, folder: Path) -> int | None:
    """The tuned threads of an engine; None when it was not tuned, or on another CPU or core count."""
    return _count(folder, "threads", backend)


def workers_for(backend: str, folder: Path) -> int | None:
    """Number of one-thread sessions that together were clearly faster than any single session.

    None when it was not tuned, when one session was as good, or on another CPU or core count.
    """
    return _count(folder, "workers", backend)


def write(threads: Mapping[str, int], folder: Path, workers: Mapping[str, int | None] | None = None) -> Path:
    """Remember the best settings of each engine beside its artifacts; returns the file.

    ``workers`` holds None for an engine whose single session was as good. Engines that are not named keep
    their earlier settings for this machine.
    """
    path = folder / FILENAME
    settings = _read_settings(path)
    content = {
        "machine": machine(),
        "threads": {**settings.get("threads", {}), **threads},
        "workers": {**settings.get("workers", {}), **(workers or {})},
    }
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
    return path


def _count(folder: Path, kind: str, backend: str) -> int | None:
    count = _read_settings(folder / FILENAME).get(kind, {}).get(backend)
    return count if isinstance(count, int) and count > 0 else None


def _read_settings(path: Path) -> dict[str, dict[str, Any]]:
    """The settings in the file; empty when it is missing, damaged or written on another machine."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["machine"] != machine():
            return {}
        return {kind: dict(content[kind]) for kind in ("threads", "workers") if kind in content}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # the caller falls back on the usable cores
