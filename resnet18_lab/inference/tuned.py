"""What a benchmark found best on this machine, for the commands that are not told a number."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resnet18_lab.base.files import write_text
from resnet18_lab.base.machine import cpu_model, usable_cores

FILENAME = "tuned.json"


def machine() -> dict[str, Any]:
    """What must be the same for a tuned number to hold: CPU model, and cores usable by affinity and quota."""
    return {"cpu": cpu_model(), "cores": usable_cores()}


def threads_for(backend: str, folder: Path) -> int | None:
    """The tuned threads of an engine; None when nothing was tuned, or on another CPU or core count."""
    return _count(folder, "threads", backend)


def workers_for(backend: str, folder: Path) -> int | None:
    """Sessions of one thread each that answered clearly more pictures a second than any single session.

    None when nothing was tuned, when one session was as good, or on another CPU or core count.
    """
    return _count(folder, "workers", backend)


def write(threads: Mapping[str, int], folder: Path, workers: Mapping[str, int | None] | None = None) -> Path:
    """Remember the best settings of each engine beside its artifacts; returns the file.

    ``workers`` holds None for an engine whose single session was as good. Engines that are not named keep
    what was known of them on this machine.
    """
    path = folder / FILENAME
    known = _known(path)
    content = {
        "machine": machine(),
        "threads": {**known.get("threads", {}), **threads},
        "workers": {**known.get("workers", {}), **(workers or {})},
    }
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
    return path


def _count(folder: Path, kind: str, backend: str) -> int | None:
    count = _known(folder / FILENAME).get(kind, {}).get(backend)
    return count if isinstance(count, int) and count > 0 else None


def _known(path: Path) -> dict[str, dict[str, Any]]:
    """What the file holds for this machine; nothing when it was never written, is damaged, or of another one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["machine"] != machine():
            return {}
        return {kind: dict(content[kind]) for kind in ("threads", "workers") if kind in content}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # the usable cores are a safe choice
