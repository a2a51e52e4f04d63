"""SHA-256 of files, remembered as long as a file does not change."""

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from resnet18_lab.base import paths
from resnet18_lab.base.files import write_text

MEMORY_LIMIT = 200
"""Files remembered; the ones hashed longest ago are forgotten first."""
TOO_FRESH_NS = 2_000_000_000
"""Age in ns under which a file is not remembered; FAT, the coarsest file system, has a clock of 2 s."""

_Memory = dict[str, dict[str, Any]]


def sha256(path: Path, *, remember: bool = True) -> str:
    """SHA-256 of the file's whole content, 64 lower-case hex digits.

    With ``remember`` a file whose size and times have not changed since is not read again; without it
    the memory is neither read nor written. A memory that is damaged or cannot be written is ignored.
    Raises OSError when the file cannot be read.
    """
    if not remember:
        return _digest(path)[0]
    key = str(path.resolve())
    entry = _read_memory().get(key, {})
    if entry.get("state") == _state(path.stat()):
        return str(entry["sha256"])
    digest, state = _digest(path)
    if state is not None:
        _remember(key, {"state": state, "sha256": digest})
    return digest


def memory_file() -> Path:
    """The file in which the hashes are remembered."""
    return paths.home() / ".state" / "hashes.json"


def _state(status: os.stat_result) -> list[int]:
    # the change time too: it reveals a file that was altered and then given its old modification time again
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _digest(path: Path) -> tuple[str, list[int] | None]:
    """The hash and the file state it belongs to; the state is None for a file too new, or changed meanwhile."""
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        after = os.fstat(file.fileno())
    now = time.time_ns()
    fresh = any(abs(now - moment) < TOO_FRESH_NS for moment in (after.st_mtime_ns, after.st_ctime_ns))
    return digest, None if fresh or _state(before) != _state(after) else _state(after)


def _read_memory() -> _Memory:
    try:
        content = json.loads(memory_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: entry for key, entry in content.items() if _is_sound(entry)}


def _is_sound(entry: object) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("state"), list):
        return False
    digest = entry.get("sha256")
    return isinstance(digest, str) and len(digest) == 64 and set(digest) <= set("0123456789abcdef")


def _remember(key: str, entry: dict[str, Any]) -> None:
    memory = _read_memory()  # read again: another process may have written since
    memory.pop(key, None)
    memory[key] = entry
    newest = dict(list(memory.items())[-MEMORY_LIMIT:])
    with contextlib.suppress(OSError):
        write_text(memory_file(), json.dumps(newest, indent=0) + "\n")
