"""Pictures whose pixels are easily shown wrongly: depth, transparency, profile, orientation, canvas, run lengths."""

import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

from support import pictures
from support.pictures import png_chunk


def png(bits: int, colour: int, rows: list[bytes], extra: bytes = b"", width: int = 32, height: int = 32) -> bytes:
    """A PNG of packed rows, with chunks before its pixels."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + head + extra + body + png_chunk(b"IEND", b"")


def exchanged_profile() -> bytes:
    """sRGB's own profile with the primaries of red and blue exchanged: unmistakable when it is ignored."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = data.index(b"rXYZ"), data.index(b"bXYZ")
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(data).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


def wide_profile() -> bytes:
    """A profile with the primaries of Display P3 and the curve of sRGB, as telephones write it."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    places = {
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    for number in range(struct.unpack_from(">I", data, 128)[0]):
        name, offset, _ = struct.unpack_from(">4sII", data, 132 + 12 * number)
        if name in places:
            struct.pack_into(">iii", data, offset + 8, *(round(value * 65536) for value in places[name]))
    return bytes(data).replace("sRGB".encode("utf-16-be"), "wide".encode("utf-16-be"))


def grey_with_key(bits: int) -> bytes:
    """A ramp with a square of the transparent value in its middle."""
    top, key = (1 << bits) - 1, {1: 1, 2: 1, 4: 5, 8: 85, 16: 21845}[bits]
    rows = []
    for y in range(32):
        values = [key if 8 <= x < 24 and 8 <= y < 24 else x * top // 31 for x in range(32)]
        whole = int("".join(format(value, f"0{bits}b") for value in values), 2)
        rows.append(whole.to_bytes(32 * bits // 8, "big"))
    return png(bits, 0, rows, png_chunk(b"tRNS", struct.pack(">H", key)))


def gif(*, background: int = 0, transparency: int | None = None) -> bytes:
    """A GIF whose frame lies in the middle of a larger canvas."""
    frame = Image.fromarray((np.arange(48)[:, None] // 4 * 12 + np.arange(64)[None] // 8).astype(np.uint8), "P")
    frame.putpalette([value for level in range(256) for value in (level, 255 - level, level // 2)])
    options = {} if transparency is None else {"transparency": transparency}
    data = bytearray(pictures.encode(frame, "GIF", optimize=False, **options))
    descriptor = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    data[6:10], data[11] = struct.pack("<HH", 96, 80), background
    data[descriptor + 1 : descriptor + 5] = struct.pack("<HH", 16, 16)
    return bytes(data)


def bmp_with_alpha() -> bytes:
    """A BMP of version 5 with an alpha channel."""
    rows = b"".join(bytes([x * 8, y * 8, 128, min(255, x * 16)]) for y in range(32) for x in range(32))
    form = struct.pack("<IiiHHIIiiII", 124, 32, 32, 1, 32, 3, len(rows), 2835, 2835, 0, 0)
    form += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(124 - 40 - 16 - 4)
    return b"BM" + struct.pack("<IHHI", 14 + 124 + len(rows), 0, 0, 14 + 124) + form + rows


def made() -> dict[str, bytes]:
    """Name, with the format's first, and bytes of each."""
    scene, small = pictures.scene(), pictures.scene(64, 48)
    ramp = Image.fromarray(np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16))
    soft = small.convert("RGBA")
    soft.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))))
    ones = [struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC) * 16 + struct.pack(">HHH", 0x1235, 0x5678, 0x9ABC) * 16] * 32
    skips = (b"\5\7" + b"\0\2\2\1" + b"\0\3\1\2\3\0" + b"\0\0") * 4 + b"\0\1"
    return {
        "PNG RGB": pictures.encode(small, "PNG"),
        "PNG soft": pictures.encode(soft, "PNG"),
        "PNG grey with alpha": pictures.encode(soft.convert("LA"), "PNG"),
        "PNG 16-bit grey": pictures.encode(ramp, "PNG"),
        "PNG 48-bit key": png(16, 2, ones, png_chunk(b"tRNS", struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC))),
        "PNG palette": pictures.encode(small.quantize(64), "PNG"),
        "PNG palette with alpha": pictures.encode(small.quantize(64), "PNG", transparency=bytes(range(0, 256, 4))),
        "PNG animated": pictures.animation("PNG"),
        "PNG turned": pictures.with_orientation(6, "PNG"),
        "PNG profile": pictures.encode(small, "PNG", icc_profile=exchanged_profile()),
        "PNG soft with profile": pictures.encode(soft, "PNG", icc_profile=exchanged_profile()),
        "PNG grey with RGB profile": pictures.encode(small.convert("L"), "PNG", icc_profile=exchanged_profile()),
        "PNG damaged profile": png(8, 0, [b"\x80" * 32] * 32, png_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"x"), 1)),
        "PNG damaged text": png(8, 0, [b"\x80" * 32] * 32, png_chunk(b"tEXt", b"a\0b", 1)),
        "GIF": gif(),
        "GIF background": gif(background=200),
        "GIF transparent": gif(transparency=5),
        "GIF animated": pictures.animation("GIF"),
        "JPEG": pictures.encode(scene, "JPEG", quality=95),
        "JPEG grey": pictures.encode(scene.convert("L"), "JPEG", quality=95),
        "JPEG progressive": pictures.encode(scene, "JPEG", quality=95, progressive=True),
        "JPEG profile": pictures.encode(scene, "JPEG", quality=95, icc_profile=exchanged_profile()),
        "JPEG wide profile": pictures.encode(scene, "JPEG", quality=95, icc_profile=wide_profile()),
        "WEBP": pictures.encode(scene, "WEBP", quality=95),
        "WEBP lossless": pictures.encode(soft, "WEBP", lossless=True),
        "WEBP soft": pictures.encode(soft, "WEBP", quality=95),
        "WEBP profile": pictures.encode(scene, "WEBP", quality=95, icc_profile=exchanged_profile()),
        "WEBP animated": pictures.animation("WEBP"),
        "BMP": pictures.encode(scene, "BMP"),
        "BMP alpha": bmp_with_alpha(),
        "BMP runs that skip": pictures.bmp_runs(16, 12, skips),
        "BMP short runs that skip": pictures.bmp_runs(16, 12, skips, 4),
        **{f"PNG grey key of {bits} bits": grey_with_key(bits) for bits in (1, 2, 4, 8, 16)},
        **{f"JPEG orientation {number}": pictures.with_orientation(number) for number in range(1, 9)},
    }
