"""What a picture will cost to decode, foretold from its structure: bytes of memory and seconds of CPU time.

``TABLE`` is measured by ``tools/records/decoding.py``; a test holds it against the record, docs/decoding.md shows it.
"""

from dataclasses import dataclass

from resnet18_lab.preprocessing.bmp import RUNS
from resnet18_lab.preprocessing.structure import Structure


@dataclass(frozen=True)
class Layout:
    """Cost of one way to store pixels: most bytes of memory a pixel, and usual nanoseconds of CPU time a pixel."""

    bytes_a_pixel: int
    ns_a_pixel: int


TABLE = {
    "JPEG grey": Layout(10, 7),
    "JPEG colour": Layout(9, 7),
    "JPEG CMYK": Layout(9, 13),
    "JPEG grey in scans": Layout(10, 9),
    "JPEG colour in scans": Layout(11, 9),
    "JPEG CMYK in scans": Layout(13, 15),
    "PNG grey": Layout(10, 14),
    "PNG grey 16-bit": Layout(9, 25),
    "PNG RGB": Layout(11, 25),
    "PNG RGB 16-bit": Layout(16, 60),
    "PNG palette": Layout(9, 15),
    "PNG grey alpha": Layout(9, 20),
    "PNG grey alpha 16-bit": Layout(13, 40),
    "PNG RGBA": Layout(14, 35),
    "PNG RGBA 16-bit": Layout(15, 60),
    "GIF": Layout(9, 14),
    "WebP": Layout(22, 28),
    "BMP": Layout(5, 6),
    RUNS: Layout(10, 40),
}
_DEAREST = Layout(max(one.bytes_a_pixel for one in TABLE.values()), max(one.ns_a_pixel for one in TABLE.values()))
_NS_PROFILE, _NS_TURN = 16, 4
"""Nanoseconds a pixel for taking a colour profile into account, and for an orientation."""
_NS_A_PASS = 1
"""Nanoseconds a pixel of each further scan of a JPEG, empty ones included."""
_NS_A_RUN_BYTE = 600
"""Nanoseconds for each byte of run lengths, which are read one by one in Python."""
_COPIES = 3
"""Of the file's bytes: as received, without its metadata, and in the library."""


@dataclass(frozen=True)
class Cost:
    """Most bytes of memory beyond an idle process, and about how many seconds of CPU time."""

    memory: int
    seconds: float


def foretold(told: Structure, draft_for: int | None = None) -> Cost:
    """The cost of a picture; of one whose size is not known, that of its bytes (the library will refuse it)."""
    layout = TABLE.get(told.layout, _DEAREST)
    width, height = told.size or (0, 0)
    pixels = width * height
    decoded = pixels // _reduction(told, draft_for) ** 2
    later = _NS_PROFILE * (told.profile is not None) + _NS_TURN * (told.orientation != 1)
    nanoseconds = decoded * (layout.ns_a_pixel + later) + (told.passes - 1) * pixels * _NS_A_PASS
    if told.layout == RUNS:
        nanoseconds += told.length * _NS_A_RUN_BYTE
    memory = (pixels if told.passes > 1 else decoded) * layout.bytes_a_pixel + _COPIES * told.length
    return Cost(memory, nanoseconds / 1e9)


def most_memory(max_pixels: int, max_bytes: int) -> int:
    """Bytes that the dearest picture within the limits takes."""
    return max_pixels * _DEAREST.bytes_a_pixel + _COPIES * max_bytes


def _reduction(told: Structure, draft_for: int | None) -> int:
    """By how much a draft divides the sides: 1, 2, 4 or 8, as libjpeg does."""
    if draft_for is None or told.size is None or not told.layout.startswith("JPEG"):
        return 1
    return next((scale for scale in (8, 4, 2) if min(told.size) >= scale * draft_for), 1)
