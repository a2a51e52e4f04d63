"""PNG: the chunks that pixels are made of; a damaged one that pixels do not need is passed over, as browsers do."""

import struct
import zlib

from resnet18_lab.preprocessing.refusals import image_error
from resnet18_lab.preprocessing.structure import LARGEST_PROFILE, MOST_PARTS, Structure, orientation_in, too_costly

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, RGB = 0, 2
_KINDS = {_GREY: "grey", RGB: "RGB", 3: "palette", 4: "grey alpha"}
_CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_USED = {b"tRNS", b"eXIf", b"iCCP", b"acTL"}


def png_structure(data: bytes) -> Structure:
    """The file with its critical chunks and transparency alone; raises ImageError for a damaged critical chunk."""
    told = Structure(data)
    kept = [SIGNATURE]
    place, parts, pixels_begun = len(SIGNATURE), 0, False
    while place + 12 <= len(data):
        parts += 1
        if parts > MOST_PARTS:
            raise too_costly(f"more than {MOST_PARTS} chunks")
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        end = place + 12 + length
        if end > len(data):
            break
        if kind in _CRITICAL:
            if _sum_is_wrong(data, place, end):
                raise image_error("image_corrupt")
            pixels_begun |= kind == b"IDAT"
            kept.append(data[place:end])
        elif kind in _USED and not _sum_is_wrong(data, place, end):
            _take(told, kept, kind, data[place:end], pixels_begun)
        if kind == b"IHDR" and told.size is None and length == 13:
            width, height, told.bits, told.kind = struct.unpack_from(">IIBB", data, place + 8)
            told.size, told.layout = (width, height), _layout(told.kind, told.bits)
        place = end
        if kind == b"IEND":
            break
    kept.append(b"" if kept[-1][4:8] == b"IEND" else data[place:])
    told.data = b"".join(kept)
    return told


def _layout(kind: int, bits: int) -> str:
    return f"PNG {_KINDS.get(kind, 'RGBA')}{' 16-bit' if bits == 16 else ''}"


def _sum_is_wrong(data: bytes, place: int, end: int) -> bool:
    return zlib.crc32(data[place + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big")


def _take(told: Structure, kept: list[bytes], kind: bytes, chunk: bytes, pixels_begun: bool) -> None:
    body = chunk[8:-4]
    if kind == b"tRNS" and not pixels_begun:
        samples = {_GREY: 1, RGB: 3}.get(told.kind)
        if samples is None:
            kept.append(chunk)
        elif len(body) >= 2 * samples:  # Pillow compares in 8 bits, where the file may have fewer or more
            told.key = struct.unpack_from(f">{samples}H", body)
    elif kind == b"acTL" and not pixels_begun:
        told.animated |= int.from_bytes(body[:4], "big") > 1
    elif kind == b"eXIf":
        told.orientation = orientation_in(body.removeprefix(b"Exif\0\0"))
    elif kind == b"iCCP" and told.profile is None:
        told.profile = _unpacked(body)


def _unpacked(body: bytes) -> bytes | None:
    """The profile of an iCCP chunk; None for one that is damaged or larger than profiles are."""
    _, _, rest = body.partition(b"\0")
    if rest[:1] != b"\0":  # the only method there is
        return None
    try:
        unpacker = zlib.decompressobj()
        profile = unpacker.decompress(rest[1:], LARGEST_PROFILE + 1)
    except zlib.error:
        return None
    return profile if 0 < len(profile) <= LARGEST_PROFILE else None
