"""Decode bytes safely into an upright RGB picture; every picture of this project passes through here."""

import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from resnet18_lab.base.errors import ImageError
from resnet18_lab.preprocessing import png
from resnet18_lab.preprocessing.formats import ALLOWED, unsupported_format, webp_is_cut_off
from resnet18_lab.preprocessing.gif import gif_structure
from resnet18_lab.preprocessing.jpeg import jpeg_structure
from resnet18_lab.preprocessing.pixels import SIDEWAYS, in_colour, on_canvas, orientation_of, to_rgb, upright_by, whiten
from resnet18_lab.preprocessing.png import png_structure
from resnet18_lab.preprocessing.refusals import image_error
from resnet18_lab.preprocessing.structure import Structure
from resnet18_lab.preprocessing.webp import webp_structure

# Set once, here: changing filters around each call is not safe between threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_READERS: tuple[tuple[bytes, Callable[[bytes], Structure]], ...] = (
    (b"\xff\xd8\xff", jpeg_structure),
    (png.SIGNATURE, png_structure),
    (b"GIF87a", gif_structure),
    (b"GIF89a", gif_structure),
)
_SHORTEST_PICTURE = 24  # bytes; anything shorter is at most a signature

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


def decode(
    source: Source | Image.Image,
    *,
    limits: Limits = DEFAULT_LIMITS,
    draft_for: int | None = None,
    before_pixels: Callable[[int], object] | None = None,
) -> Image.Image:
    """An RGB picture, upright, alpha composited on white, from bytes, a path, a binary file or a Pillow picture.

    16-bit grey keeps its upper 8 bits. Of an animation the first frame is decoded, and ``info["animated"]``
    is True. With ``draft_for`` a JPEG of at least twice that size is decoded at a fraction of its size: this is
    quicker and gives other pixels; ``info["file_size"]`` keeps the file's own size. ``before_pixels`` is called
    with the number of pixels before any of them is decoded, so it may wait until there is memory for them
    (8 bytes each at most). Limits are checked first. Raises only ImageError.
    """
    if isinstance(source, Image.Image):
        return _from_pillow(source, limits)
    data = read(source, limits=limits)
    if not data:
        raise image_error("empty_file")
    if name := unsupported_format(data):
        raise image_error("svg" if name == "SVG" else "unsupported_format", format=name)
    try:
        return _decode_bytes(data, limits, draft_for, before_pixels)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise image_error("too_many_pixels", limit=limits.max_pixels // 1_000_000) from error
    except MemoryError as error:
        raise image_error("out_of_memory") from error
    except (OSError, ValueError, TypeError, SyntaxError, EOFError, IndexError, KeyError, ArithmeticError,
            AttributeError, RuntimeError, struct.error, zlib.error) as error:  # fmt: skip
        raise _damage_error(data, error) from error


def _from_pillow(picture: Image.Image, limits: Limits) -> Image.Image:
    """``decode`` for a picture that the caller has opened with Pillow; the caller's picture is not changed."""
    _check_size(picture.size, limits)
    try:
        with picture.copy() as copy:
            orientation = orientation_of(copy)
            upright = upright_by(to_rgb(copy), orientation)
            upright = copy.copy() if upright is copy else upright
    except MemoryError as error:
        raise image_error("out_of_memory") from error
    except Exception as error:  # Pillow may read the file only now, and it may be damaged in any way
        raise image_error("image_corrupt") from error
    upright.info = {}
    return upright


def structure_of(data: bytes) -> Structure:
    """What the file is made of, and the bytes of it that the library gets; ImageError for what costs too much."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return webp_structure(data)
    for signature, reader in _READERS:
        if data.startswith(signature):
            return reader(data)
    return Structure(data)


def file_size(picture: Image.Image) -> tuple[int, int]:
    """Width and height of the file behind a decoded picture, upright; larger than the picture itself after a draft."""
    width, height = picture.info.get("file_size", picture.size)
    return int(width), int(height)


def _decode_bytes(
    data: bytes, limits: Limits, draft_for: int | None, before_pixels: Callable[[int], object] | None
) -> Image.Image:
    told = structure_of(data)
    if told.size is not None and min(told.size) > 0:
        _check_size(told.size, limits)  # before the library opens it: some fill a plane then
    with Image.open(io.BytesIO(told.data), formats=ALLOWED) as picture:
        full_size = told.canvas or picture.size
        _check_size(full_size, limits)
        if draft_for is not None and min(full_size) >= 2 * draft_for:
            picture.draft(None, (draft_for, draft_for))
        is_draft = told.canvas is None and picture.size != full_size
        if before_pixels is not None:
            before_pixels(max(picture.width * picture.height, full_size[0] * full_size[1] * (not is_draft)))
        picture.load()
        coloured = in_colour(picture, told)
        if told.key is not None:
            whiten(coloured, picture, told)
        upright = upright_by(on_canvas(coloured, told), told.orientation)
    upright.info = {"animated": True} if told.animated else {}
    if told.warnings:
        upright.info["warnings"] = tuple(told.warnings)
    if is_draft:
        upright.info["file_size"] = full_size[::-1] if told.orientation in SIDEWAYS else full_size
    return upright


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


def _check_size(size: tuple[int, int], limits: Limits) -> None:
    """Refuse in this order: pixels, ratio, short side, long side."""
    short, long = sorted(size)
    if short * long > limits.max_pixels:
        raise image_error("too_many_pixels", size=size, limit=limits.max_pixels // 1_000_000)
    if short > 0 and long > limits.max_ratio * short:
        raise image_error("extreme_aspect_ratio", size=size, limit=limits.max_ratio)
    if short < limits.min_side:
        raise image_error("image_too_small", size=size, limit=limits.min_side)
    if long > limits.max_side:
        raise image_error("side_too_long", size=size, limit=limits.max_side)


def _damage_error(data: bytes, error: Exception) -> ImageError:
    """The error for data that Pillow rejected: not a picture, truncated, or damaged."""
    if len(data) < _SHORTEST_PICTURE:
        return image_error("not_an_image")
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return image_error("image_truncated" if webp_is_cut_off(data) else "image_corrupt")
    if isinstance(error, UnidentifiedImageError):
        return image_error("image_truncated" if data.startswith((b"GIF87a", b"GIF89a")) else "not_an_image")
    words = str(error).lower()
    truncated = isinstance(error, EOFError) or any(sign in words for sign in ("truncated", "not enough", "end of file"))
    return image_error("image_truncated" if truncated else "image_corrupt")
