"""WebP: the chunks that the first picture is made of."""

from resnet18_lab.preprocessing.structure import LARGEST_PROFILE, MOST_PARTS, Structure, orientation_in, too_costly

_ALPHA, _ANIMATION = 0x10, 0x02
_PIXELS = (b"VP8 ", b"VP8L", b"ALPH")


def webp_structure(data: bytes) -> Structure:
    """The file without metadata, and of an animation with its first frame alone."""
    told = Structure(data, layout="WebP")
    kept: list[bytes] = []
    frames, place, parts = 0, 12, 0
    end_of_all = min(len(data), int.from_bytes(data[4:8], "little") + 8)
    while place + 8 <= end_of_all:
        parts += 1
        if parts > MOST_PARTS:
            raise too_costly(f"more than {MOST_PARTS} chunks")
        kind, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        end = place + 8 + length + length % 2
        if end > len(data) and length + place + 8 > len(data):
            return Structure(data, _size(data), layout="WebP")  # cut off: the library says so
        body = data[place + 8 : place + 8 + length]
        frames += kind == b"ANMF"
        if kind == b"VP8X" and not kept:
            kept.append(data[place : place + 8] + bytes([body[0] & (_ALPHA | _ANIMATION)]) + body[1:] if body else b"")
        elif kind in _PIXELS or kind == b"ANIM" or (kind == b"ANMF" and frames == 1):
            kept.append(data[place:end])
        elif kind == b"EXIF":
            told.orientation = orientation_in(body.removeprefix(b"Exif\0\0"))
        elif kind == b"ICCP" and len(body) <= LARGEST_PROFILE:
            told.profile = body
        place = end
    told.size, told.animated = _size(data), frames > 1
    joined = b"".join(kept)
    told.data = b"RIFF" + (len(joined) + 4).to_bytes(4, "little") + b"WEBP" + joined
    return told


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the first chunk has them."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None
