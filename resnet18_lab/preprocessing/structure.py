"""The structure of a picture's file, read on its bytes before any library opens it.

What a library would spend time on without being asked (metadata, later frames, texts, thousands of scans) is left out
of the bytes it gets; what cannot be left out is counted, and too much of it is refused. What is damaged is left as it
is found: the library says what is wrong with it.
"""

import struct
from dataclasses import dataclass, field

from resnet18_lab.base.errors import ImageError
from resnet18_lab.preprocessing.refusals import image_error

MOST_PARTS = 50_000
"""Segments, chunks or blocks of a file: ordinary ones have up to a few thousand, of 8 kB each."""
LARGEST_PROFILE = 1_000_000
"""Bytes of a colour profile, unpacked: those of cameras and printers have up to 600 kB."""
_ORIENTATION = 0x0112
_SHORT = 3
_MOST_TAGS = 500


@dataclass
class Structure:
    """The bytes that matter for the pixels, and what the rest of the file says of them."""

    data: bytes
    size: tuple[int, int] | None = None
    """Width and height as the file's head has them; None where it was not reached."""
    length: int = 0
    """Bytes of the whole file."""
    layout: str = ""
    """How pixels are stored: a row of the table of costs; "" where the head does not say."""
    samples: int = 1
    """Of a JPEG: samples a pixel."""
    passes: int = 1
    """Scans of a progressive JPEG: each goes over all blocks."""
    animated: bool = False
    orientation: int = 1
    """EXIF's 1 to 8."""
    profile: bytes | None = None
    """An ICC profile, not checked."""
    warnings: list[str] = field(default_factory=list)
    bits: int = 8
    kind: int = -1
    """Of a PNG: bits a sample, and the number of its kind of colours."""
    key: tuple[int, ...] | None = None
    """Of a PNG in grey or RGB: the sample, or three, that is transparent, with all its bits."""
    canvas: tuple[int, int] | None = None
    """Of a GIF whose first frame is smaller: the size of the whole, ``offset`` the frame's place on it."""
    offset: tuple[int, int] = (0, 0)


def too_costly(what: str) -> ImageError:
    """The error of a picture that would take too long to decode, whatever its size in bytes and pixels."""
    return image_error("image_too_costly", reason=what)


def orientation_in(exif: bytes) -> int:
    """The orientation in a block of EXIF (from its TIFF head on), 1 where there is none or it makes no sense."""
    try:
        order = {b"II": "<", b"MM": ">"}[exif[:2]]
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for number in range(min(count, _MOST_TAGS)):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * number)
            if tag == _ORIENTATION:
                return value if kind == _SHORT and 1 <= value <= 8 else 1
    except (KeyError, struct.error):
        pass  # garbled: it says nothing about the pixels
    return 1
