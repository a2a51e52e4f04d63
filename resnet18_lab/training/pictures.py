"""The pictures that are learned from: packed small and in one place, so that an epoch reads no folder of large files.

A packed folder holds ``index.csv`` (name, shard, offset, length, width, height, source) and the shards it names:
encoded pictures, one after the other. Any other folder of photographs is packed first (``packing``).
"""

import csv
import hashlib
import io
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.base.errors import ParameterError

INDEX = "index.csv"
COLUMNS = ("name", "shard", "offset", "length", "width", "height", "source")
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Entry:
    """Where one packed picture lies, and its size in pixels."""

    name: str
    shard: str
    offset: int
    length: int
    width: int
    height: int
    source: str


class PackedPictures:
    """The pictures of a packed folder, by position; their bytes stay on the disk until they are asked for."""

    def __init__(self, folder: Path, entries: Sequence[Entry]) -> None:
        self.folder = folder
        self.entries = list(entries)
        self._shards: dict[str, mmap.mmap] = {}
        for name in {entry.shard for entry in entries}:
            with (folder / name).open("rb") as file:
                self._shards[name] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def names(self) -> list[str]:
        """Names, in order."""
        return [entry.name for entry in self.entries]

    @property
    def sha256(self) -> str:
        """SHA-256 over names and sizes: two runs on the same pictures share it."""
        lines = "".join(f"{entry.name} {entry.length} {entry.width}x{entry.height}\n" for entry in self.entries)
        return hashlib.sha256(lines.encode()).hexdigest()

    def picture(self, position: int) -> Image.Image:
        """One picture as RGB."""
        entry = self.entries[position]
        data = self._shards[entry.shard][entry.offset : entry.offset + entry.length]
        with Image.open(io.BytesIO(data)) as picture:
            return picture.convert("RGB")

    def view(self, position: int, box: tuple[float, float, float, float], side: int, mirrored: bool) -> Pixels:
        """A box of one picture, resampled to uint8 side×side×3, mirrored or not."""
        picture = self.picture(position)
        left, top, right, bottom = box
        inside = (max(0.0, left), max(0.0, top), min(float(picture.width), right), min(float(picture.height), bottom))
        pixels = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR, box=inside))
        return pixels[:, ::-1] if mirrored else pixels


def is_packed(folder: Path) -> bool:
    """True for a folder with an index of packed pictures."""
    return (folder / INDEX).is_file()


def open_packed(folder: Path) -> PackedPictures:
    """The pictures of a packed folder; ParameterError names the line that is wrong, or the shard that is missing."""
    path = folder / INDEX
    entries = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                offset, length, width, height = (int(row[name]) for name in ("offset", "length", "width", "height"))
                place = Path(row["shard"]).name, offset, length
                entries.append(Entry(row["name"], *place, width, height, row["source"]))
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise ParameterError(f"{path} is no index of packed pictures (after row {len(entries)}: {error}).") from error
    if not entries:
        raise ParameterError(f"{path} names no picture.")
    _check_shards(folder, entries)
    return PackedPictures(folder, entries)


def _check_shards(folder: Path, entries: list[Entry]) -> None:
    for shard in sorted({entry.shard for entry in entries}):
        needed = max(entry.offset + entry.length for entry in entries if entry.shard == shard)
        if not (folder / shard).is_file() or (folder / shard).stat().st_size < needed:
            raise ParameterError(f"{folder / shard} is missing or too short for what {INDEX} says of it.")
