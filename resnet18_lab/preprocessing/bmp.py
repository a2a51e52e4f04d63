"""BMP: its size before the library opens it, and run lengths, whose skipped pixels are transparent."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.preprocessing.refusals import image_error
from resnet18_lab.preprocessing.structure import Structure

RUNS = "BMP RLE"
"""The layout of a BMP with run lengths."""
_CORE_HEADER = 12
"""Bytes of the header of OS/2, with sides of 16 bits."""
_RLE8, _RLE4 = 1, 2
_BITS = {_RLE8: 8, _RLE4: 4}
_SKIPPED = 256
_LINE_END, _END, _DELTA = 0, 1, 2


def bmp_structure(data: bytes) -> Structure:
    """What the header says; the bytes are handed on as they are."""
    told = Structure(data, layout="BMP")
    header = int.from_bytes(data[14:18], "little")
    if len(data) < 34:
        return told
    if header == _CORE_HEADER:
        told.size = int.from_bytes(data[18:20], "little"), int.from_bytes(data[20:22], "little")
        return told
    height = int.from_bytes(data[22:26], "little", signed=True)
    told.size = int.from_bytes(data[18:22], "little"), abs(height)
    told.bits = int.from_bytes(data[28:30], "little")
    if _BITS.get(int.from_bytes(data[30:34], "little")) == told.bits and height > 0:
        told.layout = RUNS
    return told


def picture_of_runs(told: Structure) -> Image.Image:
    """The RGB picture of a BMP with run lengths, white where a run skips; Pillow shows the first colour there.

    Raises ImageError for one that ends too early.
    """
    assert told.size is not None  # noqa: S101 - it has been read, or there would be no runs
    width, height = told.size
    data = told.data
    start, header = int.from_bytes(data[10:14], "little"), int.from_bytes(data[14:18], "little")
    plane = _plane(data, start, width, height, is_rle4=told.bits == 4)
    colours = np.full((_SKIPPED + 1, 3), 255, np.uint8)
    stored = np.frombuffer(data[14 + header : min(start, 14 + header + 4 * (1 << told.bits))], np.uint8)
    stored = stored[: len(stored) // 4 * 4].reshape(-1, 4)
    colours[:_SKIPPED] = 0
    colours[: len(stored)] = stored[:, 2::-1]
    rows = plane.reshape(height, width)[::-1]  # from the bottom up
    return Image.fromarray(colours[rows])


def _plane(data: bytes, place: int, width: int, height: int, *, is_rle4: bool) -> NDArray[np.uint16]:
    """Indices of all pixels, from the bottom row up."""
    plane = np.full(width * height, _SKIPPED, np.uint16)
    pairs = [np.tile(np.array([value >> 4, value & 15], np.uint8), 128) for value in range(256)] if is_rle4 else []
    x = y = 0
    left = 2 * (width + 2) * height  # a run that sets no pixel moves on, or the data are damaged
    while y < height:
        if place + 2 > len(data):
            raise image_error("image_truncated")
        left -= 1
        if left < 0:
            raise image_error("image_corrupt")
        count, value = data[place], data[place + 1]
        place += 2
        first, room = y * width + x, max(0, width - x)
        if count:
            plane[first : first + min(count, room)] = pairs[value][: min(count, room)] if is_rle4 else value
            x += count
        elif value > _DELTA:
            length = (value + 1) // 2 if is_rle4 else value
            literal = _literal(data[place : place + length], is_rle4=is_rle4)[: min(value, room)]
            plane[first : first + len(literal)] = literal
            place += length + length % 2  # rows of literal pixels fill whole words
            x += value
        elif value == _DELTA:
            x, y = x + data[place], y + data[place + 1] if place + 2 <= len(data) else height
            place += 2
        elif value == _LINE_END:
            x, y = 0, y + 1
        else:
            break
    return plane


def _literal(codes: bytes, *, is_rle4: bool) -> NDArray[np.uint8]:
    """The indices of a row of literal pixels."""
    found = np.frombuffer(codes, np.uint8)
    return np.stack([found >> 4, found & 15], axis=1).reshape(-1) if is_rle4 else found
