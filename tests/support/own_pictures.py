"""Labelled pictures made by code, for models with classes of one's own: three of the lesson's kinds."""

from collections.abc import Iterable
from pathlib import Path

from resnet18_lab.course.own_classes import made_pictures

CLASSES = ("checks", "discs", "stripes")


def write_folder(folder: Path, numbers: Iterable[int], classes: Iterable[str] = CLASSES) -> Path:
    """A sub-folder a class with those pictures, as PNG files."""
    return made_pictures.write_folder(folder, numbers, classes)
