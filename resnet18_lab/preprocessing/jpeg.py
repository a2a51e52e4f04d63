"""JPEG: the segments that pixels are made of, and a bound on its scans."""

import re

from resnet18_lab.preprocessing.refusals import image_error
from resnet18_lab.preprocessing.structure import (
    LARGEST_PROFILE,
    MOST_PARTS,
    Structure,
    orientation_in,
    too_costly,
)

MOST_SCANS = 500
_MOST_SCAN_PIXELS = 2_500_000_000
"""Scans × pixels: each scan is a pass over all blocks. 50 megapixels in 12 scans, as usual, are 600 million."""
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = {0xC0, 0xC1}
_TABLES = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD}
_ALONE = {0x01, *range(0xD0, 0xD9)}
_END, _SCAN, _APP0, _APP1, _APP2, _ADOBE = 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_COLOURS = {1: "grey", 3: "colour"}
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}


def jpeg_structure(data: bytes) -> Structure:
    """The file without its metadata; raises ImageError for one with too many scans, or of a kind no browser shows."""
    told = Structure(data)
    kept: list[bytes] = [data[:2]]
    profile: dict[int, bytes] = {}
    scans = parts = 0
    place, single = 2, b""
    while place + 4 <= len(data):
        parts += 1
        if parts > MOST_PARTS:
            raise too_costly(f"more than {MOST_PARTS} segments")
        if data[place] != 0xFF:
            break  # damaged: the library says how
        marker = data[place + 1]
        if marker == 0xFF or marker in _ALONE:
            place += 1 if marker == 0xFF else 2
            continue
        if marker == _END:
            break
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        body = data[place + 4 : end]
        if marker in _FRAMES and told.size is None:
            _read_frame(told, marker, body)
            single = body[5:6] if marker in _SEQUENTIAL else b""
        if marker == _SCAN:
            if not scans and body[:1] == single:  # all colours in one scan: the library reads no other
                kept.append(data[place:])
                place = len(data)
                break
            scans += 1
            _check_scans(scans, told)
            told.layout = f"{_layout(told.samples)} in scans"
            end = _scan_end(data, end)
        if marker in _FRAMES or marker in _TABLES or marker == _SCAN or _matters(marker, body):
            kept.append(data[place:end])
        else:
            _read_metadata(told, profile, marker, body)
        place = end
    told.data, told.passes = b"".join([*kept, _rest(data, place)]), max(1, scans)
    joined = b"".join(profile[number] for number in sorted(profile))
    told.profile = joined if 0 < len(joined) <= LARGEST_PROFILE else None
    return told


def _scan_end(data: bytes, start: int) -> int:
    """Where the marker after a scan's coded data stands."""
    found = _NEXT_MARKER.search(data, start)
    return found.start() if found else len(data)


def _read_metadata(told: Structure, profile: dict[int, bytes], marker: int, body: bytes) -> None:
    """Take the orientation, or one numbered part of the colour profile."""
    if marker == _APP1 and body.startswith(b"Exif\0\0") and told.orientation == 1:
        told.orientation = orientation_in(body[6:])
    elif marker == _APP2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
        profile.setdefault(body[12], body[14:])


def _rest(data: bytes, place: int) -> bytes:
    """What follows the last segment read: the end marker, or all of it where the file is damaged or cut."""
    at_a_marker = place + 4 <= len(data) and data[place] == 0xFF
    return data[place : place + 2] if at_a_marker else data[place:]


def _matters(marker: int, body: bytes) -> bool:
    """True for the two application segments that say how colours are stored."""
    return (marker == _APP0 and body.startswith(b"JFIF\0")) or (marker == _ADOBE and body.startswith(b"Adobe"))


def _read_frame(told: Structure, marker: int, body: bytes) -> None:
    if len(body) < 6:
        return
    if marker in _LOSSLESS:
        raise image_error("unsupported_format", format="Lossless JPEG")
    if body[0] != 8:
        raise image_error("unsupported_format", format=f"{body[0]}-bit JPEG")
    told.size = int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
    told.samples = body[5]
    told.layout = _layout(told.samples)


def _layout(samples: int) -> str:
    return f"JPEG {_COLOURS.get(samples, 'CMYK')}"


def _check_scans(scans: int, told: Structure) -> None:
    width, height = told.size or (0, 0)
    if scans > MOST_SCANS or scans * width * height > _MOST_SCAN_PIXELS:
        raise too_costly(f"{scans} scans or more of {width}×{height} pixels")
