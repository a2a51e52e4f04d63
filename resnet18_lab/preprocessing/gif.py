"""GIF: its first frame as a picture of its own, whatever follows."""

from resnet18_lab.preprocessing.structure import MOST_PARTS, Structure, too_costly

_EXTENSION, _FRAME, _END = 0x21, 0x2C, 0x3B
_CONTROL = 0xF9
_DISPOSAL = 0b00011100


def gif_structure(data: bytes) -> Structure:
    """A GIF of the first frame alone, on a canvas of its own size; ``canvas`` and ``offset`` say where it belongs."""
    told = Structure(data, layout="GIF")
    if len(data) < 13:
        return told
    told.size = _size(data, 6)
    place = 13 + _palette(data[10])
    head, control, parts = data[:place], b"", 0
    while place < len(data):
        kind = data[place]
        if kind == _EXTENSION:
            end, parts = _after_blocks(data, place + 2, parts)
            if data[place + 1 : place + 2] == bytes([_CONTROL]) and end - place == 8:
                control = data[place : place + 3] + bytes([data[place + 3] & ~_DISPOSAL]) + data[place + 4 : end]
            place = end
            continue
        if kind != _FRAME or place + 10 > len(data):
            return told  # no frame: the library says what is wrong
        frame, offset = _size(data, place + 5), _size(data, place + 1)
        end, _ = _after_blocks(data, place + 11 + _palette(data[place + 9]), 0)
        if frame != told.size or offset != (0, 0):
            told.canvas, told.offset = told.size, offset
        descriptor = bytes([_FRAME]) + bytes(4) + data[place + 5 : end]
        screen = head[:6] + data[place + 5 : place + 9] + head[10:]
        told.data = b"".join(
            [screen, control, descriptor, bytes([_END]) if end <= len(data) and _ended(data, end) else b""]
        )
        told.animated = _has_another(data, end, parts)
        told.size = (max(told.size[0], frame[0]), max(told.size[1], frame[1]))
        return told
    return told


def _size(data: bytes, place: int) -> tuple[int, int]:
    return int.from_bytes(data[place : place + 2], "little"), int.from_bytes(data[place + 2 : place + 4], "little")


def _palette(flags: int) -> int:
    """Bytes of the palette that a byte of flags announces."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, place: int, parts: int) -> tuple[int, int]:
    """The place behind a row of blocks, and how many parts have been counted with them."""
    while place < len(data) and data[place]:
        place += data[place] + 1
        parts += 1
        if parts > MOST_PARTS * 10:  # a block has at most 255 bytes
            raise too_costly(f"more than {MOST_PARTS * 10} blocks")
    return place + 1, parts


def _ended(data: bytes, end: int) -> bool:
    """True where the frame's last block is there: the byte before is the empty one."""
    return end - 1 < len(data) and data[end - 1] == 0


def _has_another(data: bytes, place: int, parts: int) -> bool:
    """True when another frame follows."""
    while place < len(data) and data[place] == _EXTENSION:
        place, parts = _after_blocks(data, place + 2, parts)
    return place < len(data) and data[place] == _FRAME
