"""Labelled pictures made by code, for models with classes of one's own: discs, stripes and checks in changing colours."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("checks", "discs", "stripes")
SIDE = 96


def picture(kind: str, number: int) -> Image.Image:
    """The ``number``-th picture of a class, always the same."""
    random = np.random.default_rng([CLASSES.index(kind), number])
    across, down = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    size, shift = random.integers(8, 16), random.integers(0, 16)
    masks = {
        "checks": ((across + shift) // size + (down + shift) // size) % 2 == 0,
        "discs": ((across + shift) % (2 * size) - size) ** 2 + ((down + shift) % (2 * size) - size) ** 2
        < (0.7 * size) ** 2,
        "stripes": ((across + shift) // size) % 2 == 0,
    }
    light, dark = random.integers(140, 256, 3), random.integers(0, 110, 3)
    values = np.where(masks[kind][..., None], light, dark) + random.normal(0, 8, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def write_folder(folder: Path, numbers: Iterable[int], classes: Iterable[str] = CLASSES) -> Path:
    """A sub-folder a class with those pictures, as PNG files."""
    numbers = list(numbers)
    for kind in classes:
        (folder / kind).mkdir(parents=True)
        for number in numbers:
            picture(kind, number).save(folder / kind / f"{kind}-{number:03}.png")
    return folder
