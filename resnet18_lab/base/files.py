"""Whole files or none: write beside the target, flush to disk, then replace."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path in the target's folder that takes the target's place when the block ends well.

    The target is untouched, and the temporary file gone, when the block raises (Ctrl-C included).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    ending = f".tmp{target.suffix}"  # some writers and readers insist on an ending
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=ending, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes private files; give what open() would have given
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Replace a UTF-8 text file as a whole."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
