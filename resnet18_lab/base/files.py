"""Atomic file writes: write a temporary file beside the target, flush it to disk, then replace the target."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resnet18_lab.base.errors import LabError


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path in the target's folder that replaces the target when the block ends without an error.

    When the block raises (Ctrl-C included), the target is untouched and the temporary file is removed. A symbolic
    link stays one: what it leads to is replaced. Raises LabError for a pipe or a device, which cannot be.
    """
    target = written_file(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    ending = f".tmp{target.suffix}"  # some libraries choose the format by the suffix
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=ending, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes private files; use the mode open() would
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def written_file(target: Path) -> Path:
    """The file that is written under that name: a link's target. LabError for a pipe, a socket or a device."""
    if target.is_symlink():
        target = Path(os.path.realpath(target))
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise LabError(f"{target} is a pipe or a device, which cannot be replaced as a whole; give the name of a file.")
    return target


def write_text(target: Path, text: str) -> None:
    """Replace a UTF-8 text file as a whole."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


_LFS = b"version https://git-lfs"


def is_lfs_pointer(path: Path) -> bool:
    """True for what Git LFS leaves in a file's place until it has been fetched."""
    with path.open("rb") as file:
        return file.read(len(_LFS)) == _LFS


_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})


def is_system_file(name: str) -> bool:
    """True for names that a person did not choose: hidden ones (``.DS_Store``, ``._x.jpg``) and Windows' own."""
    return name.startswith(".") or name.lower() in _SYSTEM_FILES
