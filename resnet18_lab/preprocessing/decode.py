"""Decode bytes safely into an upright RGB picture; every picture of this project passes through here."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable

from PIL import Image, UnidentifiedImageError

from resnet18_lab.base.errors import ImageError
from resnet18_lab.preprocessing import png
from resnet18_lab.preprocessing.bmp import RUNS, bmp_structure, picture_of_runs
from resnet18_lab.preprocessing.formats import ALLOWED, unsupported_format, webp_is_cut_off
from resnet18_lab.preprocessing.gif import gif_structure
from resnet18_lab.preprocessing.jpeg import jpeg_structure
from resnet18_lab.preprocessing.pixels import SIDEWAYS, in_colour, on_canvas, orientation_of, to_rgb, upright_by, whiten
from resnet18_lab.preprocessing.png import png_structure
from resnet18_lab.preprocessing.refusals import image_error
from resnet18_lab.preprocessing.source import DEFAULT_LIMITS, Limits, Source, read
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
    (b"BM", bmp_structure),
)
_SHORTEST_PICTURE = 24  # bytes; anything shorter is at most a signature
_BMP_PARTS = {
    "bitfields": "unusual bit fields",
    "pixel": "this number of bits a pixel",
    "compression": "this compression",
}
_DAMAGE = (
    OSError, ValueError, TypeError, SyntaxError, EOFError, IndexError, KeyError, ArithmeticError, AttributeError,
    RuntimeError, AssertionError, struct.error, zlib.error,
)  # fmt: skip


def decode(
    source: Source | Image.Image, *, limits: Limits = DEFAULT_LIMITS, draft_for: int | None = None
) -> Image.Image:
    """An RGB picture, upright, alpha composited on white, from bytes, a path, a binary file or a Pillow picture.

    16-bit grey keeps its upper 8 bits. Of an animation the first frame is decoded, and ``info["animated"]``
    is True. With ``draft_for`` a JPEG of at least twice that size is decoded at a fraction of its size: this is
    quicker and gives other pixels; ``info["file_size"]`` keeps the file's own size. Limits are checked first.
    Raises only ImageError.
    """
    if isinstance(source, Image.Image):
        return _from_pillow(source, limits)
    data = read(source, limits=limits)
    return pixels_of(structure_of(data, limits), limits=limits, draft_for=draft_for)


def structure_of(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Structure:
    """What the file is made of, and the bytes of it that the library gets; nothing is decoded.

    Raises ImageError for what is no picture that is taken, for one over the limits, and for one that costs too much.
    """
    if not data:
        raise image_error("empty_file")
    if name := unsupported_format(data):
        raise image_error("svg" if name == "SVG" else "unsupported_format", format=name)
    try:
        told = _reader_of(data)(data)
    except _DAMAGE:
        told = Structure(data)  # garbled: the library says how
    told.length = len(data)
    if told.size is not None and min(told.size) > 0:
        check_size(told.size, limits)  # before the library opens it: some fill a plane then
    return told


def _reader_of(data: bytes) -> Callable[[bytes], Structure]:
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return webp_structure
    return next((reader for signature, reader in _READERS if data.startswith(signature)), Structure)


def pixels_of(told: Structure, *, limits: Limits = DEFAULT_LIMITS, draft_for: int | None = None) -> Image.Image:
    """The picture behind a structure, as ``decode`` gives it; raises only ImageError."""
    try:
        return _pixels_of(told, limits, draft_for)
    except ImageError as error:
        problem = error
    except Image.DecompressionBombError:
        problem = image_error("too_many_pixels", limit=limits.max_pixels // 1_000_000)
    except MemoryError:
        problem = image_error("out_of_memory")
    except _DAMAGE as error:
        problem = _damage_error(told, error)
    # Out here the error has no context: frames, and the pictures in them, would live as long as it does.
    try:
        raise problem.with_traceback(None)
    finally:
        del problem


def _from_pillow(picture: Image.Image, limits: Limits) -> Image.Image:
    """``decode`` for a picture that the caller has opened with Pillow; the caller's picture is not changed."""
    check_size(picture.size, limits)
    code = ""
    try:
        with picture.copy() as copy:
            orientation = orientation_of(copy)
            upright = upright_by(to_rgb(copy), orientation)
            upright = copy.copy() if upright is copy else upright
    except MemoryError:
        code = "out_of_memory"
    except Exception:  # Pillow may read the file only now, and it may be damaged in any way
        code = "image_corrupt"
    if code:
        raise image_error(code)
    upright.info = {}
    return upright


def file_size(picture: Image.Image) -> tuple[int, int]:
    """Width and height of the file behind a decoded picture, upright; larger than the picture itself after a draft."""
    width, height = picture.info.get("file_size", picture.size)
    return int(width), int(height)


def _pixels_of(told: Structure, limits: Limits, draft_for: int | None) -> Image.Image:
    with _opened(told) as picture:
        full_size = told.canvas or picture.size
        check_size(full_size, limits)
        if draft_for is not None and min(full_size) >= 2 * draft_for:
            picture.draft(None, (draft_for, draft_for))
        is_draft = told.canvas is None and picture.size != full_size
        picture.load()
        coloured = in_colour(picture, told)
        if told.key is not None:
            whiten(coloured, picture, told)
        if coloured is not picture:
            picture.close()  # or its pixels would lie beside those that are turned
        upright = upright_by(on_canvas(coloured, told), told.orientation)
    upright.info = {"animated": True} if told.animated else {}
    if told.warnings:
        upright.info["warnings"] = tuple(told.warnings)
    if is_draft:
        upright.info["file_size"] = full_size[::-1] if told.orientation in SIDEWAYS else full_size
    return upright


def _opened(told: Structure) -> Image.Image:
    if told.layout == RUNS:
        return picture_of_runs(told)
    return Image.open(io.BytesIO(told.data), formats=ALLOWED)


def check_size(size: tuple[int, int], limits: Limits) -> None:
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


def _damage_error(told: Structure, error: Exception) -> ImageError:
    """The error for data that Pillow rejected: not a picture, truncated, or damaged."""
    if told.length < _SHORTEST_PICTURE:
        return image_error("not_an_image")
    if told.data.startswith(b"RIFF") and told.data[8:12] == b"WEBP":
        return image_error("image_truncated" if webp_is_cut_off(told.data) else "image_corrupt")
    if isinstance(error, UnidentifiedImageError):
        is_gif = told.data.startswith((b"GIF87a", b"GIF89a"))
        return image_error("image_truncated" if is_gif else "not_an_image")
    words = str(error).lower()
    if words.startswith("unsupported bmp"):
        return image_error("unsupported_format", format=f"BMP with {_BMP_PARTS.get(words.split()[2], 'this layout')}")
    truncated = isinstance(error, EOFError) or any(sign in words for sign in ("truncated", "not enough", "end of file"))
    return image_error("image_truncated" if truncated else "image_corrupt")
