"""Pictures within all limits that cost as much as they can: memory of each format, and CPU time."""

import struct
import zlib

import numpy as np
from PIL import Image

from support import pictures
from support.pictures import png_chunk

SIDE = 7000
"""49 megapixels."""


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG segment."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def scans(count: int, side: int = 64) -> bytes:
    """A progressive JPEG with that many empty scans."""

    def table(kind: int, symbol: int) -> bytes:
        return segment(0xC4, bytes([kind << 4]) + bytes([1] + [0] * 15) + bytes([symbol]))

    frame = segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0]))
    first, more = segment(0xDA, bytes([1, 1, 0, 0, 0, 0])), segment(0xDA, bytes([1, 1, 0, 1, 63, 0]))
    return (
        b"\xff\xd8" + segment(0xDB, b"\0" + b"\x01" * 64) + frame + table(0, 0) + table(1, 0xE0)
        + first + more * count + b"\xff\xd9"
    )  # fmt: skip


def large_png(kind: int, bits: int, extra: bytes = b"", cut: int = 0) -> bytes:
    """A black PNG of 49 megapixels, which packs to a few hundred kilobytes; ``cut`` leaves out its end."""
    row = b"\0" * (1 + SIDE * {0: 1, 2: 3, 6: 4}[kind] * bits // 8)
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(row * 100) for _ in range(SIDE // 100)) + packer.flush()
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, bits, kind, 0, 0, 0))
    whole = png_chunk(b"IDAT", body)
    return b"\x89PNG\r\n\x1a\n" + head + extra + (whole[:-cut] if cut else whole + png_chunk(b"IEND", b""))


def of_memory() -> dict[str, bytes]:
    """The dearest of each format."""
    grey, colour = Image.new("L", (SIDE, SIDE), 90), Image.new("RGB", (SIDE, SIDE), (90, 120, 60))
    return {
        "JPEG in scans": pictures.encode(colour.convert("CMYK"), "JPEG", progressive=True, subsampling=0, quality=5),
        "PNG of 48 bits with a key": large_png(2, 16, png_chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))),
        "PNG of 64 bits": large_png(6, 16),
        "PNG cut short": large_png(6, 8, cut=2000),
        "GIF": pictures.encode(grey, "GIF", transparency=3),
        "WebP": pictures.encode(colour, "WEBP", quality=1, method=0),
        "BMP": pictures.bmp_runs(SIDE, SIDE, (b"\xff\7" * 28 + b"\0\0") * SIDE + b"\0\1"),
    }


def of_time() -> dict[str, bytes]:
    """What takes long to decode, or would if it were let."""
    return {
        "scans": scans(2000, SIDE),
        "runs": pictures.slow_bmp(6_000_000),
        "JPEG of nothing": b"\xff\xd8" + segment(0xFE, b"") * 49_000 + pictures.jpeg()[2:],
        "a canvas": b"GIF89a" + struct.pack("<HH", 16000, 11000) + b"\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\10\0\0\0\0,"
        + struct.pack("<HHHH", 0, 0, 16000, 11000) + b"\0\2\2\x44\1\0;",
        "profiles": pictures.encode(Image.fromarray(np.zeros((64, 64), np.uint8)), "PNG")[:33]
        + png_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"\0" * 1_000_000)) * 1000
        + pictures.encode(Image.fromarray(np.zeros((64, 64), np.uint8)), "PNG")[33:],
    }  # fmt: skip
