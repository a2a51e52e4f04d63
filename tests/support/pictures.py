"""Odd and bad pictures, made by code: (number, bytes) for each; nothing of them is committed."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib

import numpy as np
from PIL import Image, PngImagePlugin, features

ORIENTATION = 0x0112


def scene(width: int = 160, height: int = 120) -> Image.Image:
    """A colourful picture with a clear top, bottom, left and right."""
    across = np.linspace(0, 255, width, dtype=np.float32)[None, :].repeat(height, axis=0)
    down = np.linspace(0, 255, height, dtype=np.float32)[:, None].repeat(width, axis=1)
    pixels = np.stack([across, down, 255 - across], axis=2).astype(np.uint8)
    pixels[: height // 4, : width // 4] = (255, 0, 0)
    return Image.fromarray(pixels)


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The picture in a format of Pillow's."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def jpeg(**options: object) -> bytes:
    """The scene as JPEG."""
    return encode(scene(), "JPEG", quality=90, **options)


def png_chunk(kind: bytes, data: bytes, wrong: int = 0) -> bytes:
    """One chunk with its length and checksum, which ``wrong`` spoils."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ wrong)


def png_header(width: int, height: int, *, data: bytes = b"", bits: int = 8, colour: int = 2) -> bytes:
    """A PNG that says its size and holds whatever data."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = png_chunk(b"IDAT", data or zlib.compress(b"\0" * 64))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + body + png_chunk(b"IEND", b"")


def flat_png(width: int, height: int) -> bytes:
    """A real 1-bit PNG of one colour: few bytes, many pixels."""
    row = b"\0" + b"\0" * ((width + 7) // 8)
    return png_header(width, height, data=zlib.compress(row * height, 9), bits=1, colour=0)


def broken_png() -> bytes:
    """A PNG whose picture data are damaged in the middle."""
    data = bytearray(encode(scene(), "PNG"))
    middle = data.index(b"IDAT") + 60
    data[middle : middle + 40] = b"\xff" * 40
    return bytes(data)


def text_bomb_png() -> bytes:
    """A PNG whose compressed text unpacks to more than Pillow allows."""
    info = PngImagePlugin.PngInfo()
    info.add_text("bomb", "a" * 5_000_000, zip=True)
    return encode(scene(), "PNG", pnginfo=info)


def animation(kind: str, frames: int = 12) -> bytes:
    """An animation whose first frame is the scene."""
    others = [Image.new("RGB", (160, 120), (number, 0, 0)) for number in range(frames)]
    return encode(scene(), kind, save_all=True, append_images=others, duration=40)


def slow_bmp(pixels: int = 2_000_000) -> bytes:
    """A BMP of as many runs of one pixel: about a microsecond of CPU time each, which its structure foretells."""
    width = 1000
    body = (b"\1\7" * width + b"\0\0") * (pixels // width) + b"\0\1"
    return bmp_runs(width, pixels // width, body)


def bmp_runs(width: int, height: int, body: bytes, bits: int = 8) -> bytes:
    """A BMP of run lengths whose colour number N is (N // 2, 255 - N, N)."""
    colours = b"".join(bytes([level, 255 - level, level // 2, 0]) for level in range(1 << bits))
    offset = 54 + len(colours)
    head = struct.pack("<IHHI", offset + len(body), 0, 0, offset)
    form = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 1 if bits == 8 else 2, len(body), 0, 0, 0, 0)
    return b"BM" + head + form + colours + body


def with_orientation(orientation: int, kind: str = "JPEG") -> bytes:
    """The scene stored so that the EXIF orientation turns it upright."""
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    picture = scene().transpose(turn[orientation]) if orientation in turn else scene()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(picture, kind, exif=exif)


def archive(kind: str) -> bytes:
    """An archive that holds a picture."""
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w") as target:
            target.writestr("cat.jpg", jpeg())
    elif kind == "tar.gz":
        with tarfile.open(fileobj=out, mode="w:gz") as target:
            entry = tarfile.TarInfo("cat.jpg")
            entry.size = len(jpeg())
            target.addfile(entry, io.BytesIO(jpeg()))
    else:
        out.write(gzip.compress(jpeg()))
    return out.getvalue()


def psd() -> bytes:
    """The scene as a Photoshop file: header, no palette, resources or layers, then the planes uncompressed."""
    width, height = scene().size
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, height, width, 8, 3)
    planes = b"".join(plane.tobytes() for plane in scene().split())
    return head + b"\0" * 12 + b"\0\0" + planes


def fits() -> bytes:
    """The scene in grey as FITS: cards of 80 characters and data, each padded to blocks of 2,880 bytes."""
    grey = scene().convert("L")
    values = [("SIMPLE", "T"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", grey.width), ("NAXIS2", grey.height)]
    cards = "".join(f"{name:8}= {value:>20}".ljust(80) for name, value in values) + "END".ljust(80)
    data = grey.tobytes()
    return cards.ljust(2880).encode() + data + b"\0" * (-len(data) % 2880)


def cmyk_jpeg(*, marker: bool) -> bytes:
    """The scene as a CMYK JPEG, with or without the marker by which Adobe's programs name the colours."""
    data = encode(scene().convert("CMYK"), "JPEG", quality=95)
    at = data.index(b"\xff\xee\0\x0eAdobe")
    return data if marker else data[:at] + data[at + 16 :]


def heic() -> bytes:
    """The beginning of a HEIC file: none can be made without its encoder, and none is read further than this."""
    return struct.pack(">I", 24) + b"ftypheic" + b"\0\0\0\0mif1heic" + b"\0" * 200


AVIF_HEAD = struct.pack(">I", 24) + b"ftypavif" + b"\0\0\0\0mif1avif" + b"\0" * 200
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'


def of_odd_sizes() -> dict[str, tuple[bytes, str]]:
    """The rows about too many or too few pixels."""
    return {
        "18 PNG header 50000x50000": (png_header(50_000, 50_000), "too_many_pixels"),
        "19 PNG header 12000x12000": (png_header(12_000, 12_000), "too_many_pixels"),
        "20 flat PNG 9000x9000": (flat_png(9000, 9000), "too_many_pixels"),
        "21 PNG 0x0": (png_header(0, 0), "not_an_image"),
        "22 PNG width 2^31": (png_header(2**31 - 1, 100), "too_many_pixels"),
        "23 PNG 1x1": (encode(Image.new("RGB", (1, 1)), "PNG"), "image_too_small"),
        "24 PNG 1x30000": (flat_png(1, 30_000), "extreme_aspect_ratio"),
        "25 JPEG 30000x1": (encode(Image.new("RGB", (30_000, 1)), "JPEG"), "extreme_aspect_ratio"),
    }


def rejected() -> dict[str, tuple[bytes, str]]:
    """Row of the table of bad inputs -> (bytes, code they get)."""
    kinds = (
        "JPEG",
        "PNG",
        "WEBP",
        "GIF",
        "BMP",
        "TIFF",
        "ICO",
        "EPS",
        "PDF",
        *(["AVIF"] if features.check("avif") else []),
    )
    whole = {kind: encode(scene(), kind) for kind in kinds}
    floating = encode(Image.fromarray(np.ones((20, 20), dtype=np.float32)), "TIFF")
    rows = {
        "4 zero bytes": (b"", "empty_file"),
        "5 one byte": (b"\xff", "not_an_image"),
        "5 JPEG magic only": (b"\xff\xd8\xff\xe0", "not_an_image"),
        "5 PNG signature only": (b"\x89PNG\r\n\x1a\n", "not_an_image"),
        "6 text": (b"dear reader, this is no picture at all, whatever its name says", "not_an_image"),
        "6 HTML": (b"<!doctype html><html><body>404</body></html>" + b" " * 50, "not_an_image"),
        "7 SVG": (SVG, "unsupported_format"),
        "8 PDF": (whole["PDF"], "unsupported_format"),
        "9 ZIP": (archive("zip"), "unsupported_format"),
        "9 tar.gz": (archive("tar.gz"), "unsupported_format"),
        "10 EPS": (whole["EPS"], "unsupported_format"),
        "10 TIFF": (whole["TIFF"], "unsupported_format"),
        "10 ICO": (whole["ICO"], "unsupported_format"),
        "10 PSD": (psd(), "unsupported_format"),
        "10 FITS": (fits(), "unsupported_format"),
        "10 AVIF": (whole.get("AVIF", AVIF_HEAD), "unsupported_format"),
        "10 HEIC": (heic(), "unsupported_format"),
        "13 half a JPEG": (whole["JPEG"][: len(whole["JPEG"]) // 2], "image_truncated"),
        "14 JPEG without its last 2 bytes": (whole["JPEG"][:-2], "image_truncated"),
        "16 broken PNG": (broken_png(), "image_corrupt"),
        **of_odd_sizes(),
        "30 float TIFF": (floating, "unsupported_format"),
    }
    for kind in ("PNG", "WEBP", "GIF", "BMP"):
        rows[f"15 half a {kind}"] = (whole[kind][: len(whole[kind]) // 2], "image_truncated")
    return rows
