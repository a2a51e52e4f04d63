"""Labelled pictures made by code, for a lesson on a machine that has none: patterns in changing colours, with noise."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

KINDS = ("checks", "discs", "stripes", "rings", "waves", "diagonals")
"""The classes; some differ by little, so that not all of them are learned at once."""
SIDE = 96


def picture(kind: str, number: int, noise: float = 8.0) -> Image.Image:
    """The ``number``-th picture of a kind, always the same; ``noise`` is a standard deviation in grey levels."""
    random = np.random.default_rng([KINDS.index(kind), number])
    across, down = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    size, shift = random.integers(8, 16), random.integers(0, 16)
    mask = _mask(kind, across + shift, down + shift, int(size))
    light, dark = random.integers(140, 256, 3), random.integers(0, 110, 3)
    values = np.where(mask[..., None], light, dark) + random.normal(0, noise, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _mask(kind: str, across: NDArray[np.int64], down: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Where the light colour is."""
    from_centre = (across % (2 * size) - size) ** 2 + (down % (2 * size) - size) ** 2
    masks = {
        "checks": (across // size + down // size) % 2 == 0,
        "discs": from_centre < (0.7 * size) ** 2,
        "stripes": (across // size) % 2 == 0,
        "rings": (from_centre < (0.8 * size) ** 2) & (from_centre > (0.35 * size) ** 2),
        "waves": ((across + np.rint(size / 2 * np.sin(down / size * 2)).astype(np.int64)) // size) % 2 == 0,
        "diagonals": ((across + down) // size) % 2 == 0,
    }
    chosen: NDArray[np.bool_] = masks[kind]
    return chosen


def write_folder(folder: Path, numbers: Iterable[int], kinds: Iterable[str] = KINDS, noise: float = 8.0) -> Path:
    """A sub-folder a kind with those pictures, as PNG files."""
    numbers = list(numbers)
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        for number in numbers:
            picture(kind, number, noise).save(folder / kind / f"{kind}-{number:03}.png")
    return folder
