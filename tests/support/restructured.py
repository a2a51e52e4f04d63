"""Pictures whose parts are dropped, repeated, exchanged and given other sizes: damage that checksums do not show."""

import random
import re
import struct
import zlib
from collections.abc import Callable

_REPEATS = (2, 3, 30, 600, 5000)
_LARGEST = 4_000_000
_BOUNDARIES = (0, 1, 7, 255, 256, 32767, 65535)


def _jpeg(data: bytes) -> tuple[list[bytes], Callable[[list[bytes]], bytes]]:
    places = [found.start() for found in re.finditer(rb"\xff[\xc0-\xcf\xda-\xdf\xe0-\xef\xfe\xd9]", data)]
    ends = [*places[1:], len(data)]
    return [data[start:end] for start, end in zip(places, ends, strict=True)], lambda parts: data[:2] + b"".join(parts)


def _png(data: bytes) -> tuple[list[bytes], Callable[[list[bytes]], bytes]]:
    parts, place = [], 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        parts.append(data[place + 4 : place + 8 + length])
        place += 12 + length

    def join(bodies: list[bytes]) -> bytes:
        whole = (
            struct.pack(">I", max(0, len(body) - 4)) + body + struct.pack(">I", zlib.crc32(body)) for body in bodies
        )
        return data[:8] + b"".join(whole)

    return parts, join


def _webp(data: bytes) -> tuple[list[bytes], Callable[[list[bytes]], bytes]]:
    parts, place = [], 12
    while place + 8 <= len(data):
        end = place + 8 + (int.from_bytes(data[place + 4 : place + 8], "little") + 1) // 2 * 2
        parts.append(data[place:end])
        place = end

    def join(chunks: list[bytes]) -> bytes:
        body = b"WEBP" + b"".join(chunks)
        return b"RIFF" + struct.pack("<I", len(body)) + body

    return parts, join


def _gif(data: bytes) -> tuple[list[bytes], Callable[[list[bytes]], bytes]]:
    head = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    places = [head, *(found.start() for found in re.finditer(rb"!\xf9\x04|,....", data[head:], re.DOTALL))]
    places = sorted({head + place if place != head else head for place in places if place <= len(data)})
    ends = [*places[1:], len(data)]
    return [
        data[start:end] for start, end in zip(places, ends, strict=True)
    ], lambda parts: data[:head] + b"".join(parts)


def _bmp(data: bytes) -> tuple[list[bytes], Callable[[list[bytes]], bytes]]:
    offset = int.from_bytes(data[10:14], "little")
    step = max(2, (len(data) - offset) // 40 // 2 * 2)
    rest = [data[place : place + step] for place in range(offset, len(data), step)]
    return [data[14:54], data[54:offset], *rest], lambda parts: data[:14] + b"".join(parts)


_SPLIT = {b"\xff\xd8": _jpeg, b"\x89P": _png, b"RI": _webp, b"GI": _gif, b"BM": _bmp}


def restructured(whole: bytes, source: random.Random) -> bytes:
    """The picture with one to four changes of its structure."""
    parts, join = _SPLIT[whole[:2]](whole)
    for _ in range(source.randint(1, 4)):
        if not parts:
            break
        at = source.randrange(len(parts))
        kind = source.randrange(6)
        if kind == 0:
            del parts[at]
        elif kind == 1:
            count = min(source.choice(_REPEATS), _LARGEST // max(1, len(parts[at])))
            parts[at:at] = [parts[at]] * count
        elif kind == 2:
            other = source.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
        elif kind == 3:
            source.shuffle(parts)
        elif kind == 4:
            parts[at] = _with_other_number(parts[at], source)
        else:
            parts[at] = parts[at][: source.randrange(len(parts[at]) + 1)]
    return join(parts)


def _with_other_number(part: bytes, source: random.Random) -> bytes:
    """The part with a number near its start changed: mostly a size or a count."""
    at = source.randrange(min(len(part), 24) or 1)
    form = source.choice((">H", "<H", ">I", "<I", "B"))
    value = source.choice(_BOUNDARIES) & 255 if form == "B" else source.choice(_BOUNDARIES)
    number = struct.pack(form, value)
    return part[:at] + number + part[at + len(number) :]
