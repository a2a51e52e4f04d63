"""The bytes of a picture's file, read without surprises, and the limits that every picture is held to."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from resnet18_lab.preprocessing.refusals import image_error

Source = bytes | str | os.PathLike[str] | BinaryIO
"""What is read: the file's bytes, its path, or an open binary file."""


@dataclass(frozen=True)
class Limits:
    """Limits checked before a picture is decoded: bytes of the file, pixels, pixels per side, aspect ratio."""

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    max_side: int = 12_000
    max_ratio: float = 20.0
    min_side: int = 8


DEFAULT_LIMITS = Limits()


def read(source: Source, *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of a picture's file, not decoded; only regular files are opened (a pipe would block).

    Raises only ImageError, also for a file that is too large or changed while it was read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source[: limits.max_bytes + 1])
    else:
        try:
            data = (
                _read_path(Path(source), limits)
                if isinstance(source, str | os.PathLike)
                else source.read(limits.max_bytes + 1)
            )
        except FileNotFoundError as error:
            raise image_error("file_not_found") from error
        except PermissionError as error:
            raise image_error("permission_denied") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name, a closed file
            raise image_error("unreadable", reason=getattr(error, "strerror", None) or error) from error
    if len(data) > limits.max_bytes:
        raise image_error("file_too_large", limit=limits.max_bytes // 1_000_000)
    return data


def _read_path(path: Path, limits: Limits) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise image_error("not_a_file")
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        # not simply `max_bytes + 1`: read() allocates all that is requested, 0.25 ms for a buffer of 20 MB
        data = file.read(min(before.st_size, limits.max_bytes) + 1)
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise image_error("file_changed")
    return data
