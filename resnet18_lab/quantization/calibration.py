"""The pictures INT8 quantization is calibrated on: chosen the same way every time, and recorded by hash."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import ImageError, ParameterError
from resnet18_lab.base.networks import RESNET18, Preprocessing
from resnet18_lab.base.samples import load_samples
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.preprocessing.transform import Crop

_FOLDER_LIMIT = 128
"""Most pictures taken from a folder: more of them cost time and memory and change little."""
_CORNER_SHARE = 0.7
_CORNERS = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))


@dataclass(frozen=True)
class Source:
    """Where one crop comes from: the file, its content, and the view taken of it."""

    name: str
    sha256: str
    view: str


@dataclass(frozen=True)
class Calibration:
    """Crops, uint8 N×H×W×3, with their sources in the same order; ``unreadable`` names files without one."""

    crops: Crop
    sources: tuple[Source, ...]
    origin: str
    unreadable: tuple[str, ...] = ()

    @property
    def list_sha256(self) -> str:
        """SHA-256 over the sources, one line for each: runs on the same list of pictures have the same hash."""
        lines = "".join(f"{source.sha256} {source.view} {source.name}\n" for source in self.sources)
        return hashlib.sha256(lines.encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """What the manifest records; the crops themselves are not kept."""
        return {
            "origin": self.origin,
            "crops": len(self.sources),
            "pictures_sha256": sorted({source.sha256 for source in self.sources}),
            "list_sha256": self.list_sha256,
            "unreadable": list(self.unreadable),
        }


def default_crops(preprocessing: Preprocessing = RESNET18.preprocessing) -> Calibration:
    """Six views of each of the project's own photographs: centre, its mirror image, and the four corners.

    Raises ParameterError where the project is installed without them.
    """
    samples = load_samples()
    if not samples:
        raise ParameterError("The project is installed without data/samples; name a folder of photographs.")
    crops, sources = [], []
    for sample in samples:
        digest = hashing.sha256(sample.path, remember=False)
        for view, picture in _views(decode(sample.path)):
            crops.append(transform.crop(picture, preprocessing))
            sources.append(Source(sample.path.name, digest, view))
    return Calibration(np.stack(crops), tuple(sources), "data/samples")


def from_folder(
    folder: Path, limit: int = _FOLDER_LIMIT, preprocessing: Preprocessing = RESNET18.preprocessing
) -> Calibration:
    """The centre crops of a folder's pictures, sub-folders included, sorted by path.

    Of more than ``limit`` files every n-th is taken. Raises ParameterError when none can be read.
    """
    if not folder.is_dir():
        raise ParameterError(f"{folder} is no folder; give one with photographs in it or below it.")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return from_files(files, folder, limit, preprocessing)


def from_files(files: list[Path], root: Path, limit: int, preprocessing: Preprocessing) -> Calibration:
    """The centre crops of these files in their order; named in the record by their path below ``root``.

    Of more than ``limit`` every n-th is taken. Raises ParameterError when none can be read.
    """
    if limit < 1:
        raise ParameterError(f"limit={limit} is not allowed; calibrate on at least 1 picture.")
    selection = [files[index * len(files) // limit] for index in range(limit)] if len(files) > limit else files
    crops, sources, unreadable = [], [], []
    for path in selection:
        name = path.relative_to(root).as_posix()
        try:
            crops.append(transform.crop(decode(path), preprocessing))
        except ImageError:
            unreadable.append(name)
            continue
        sources.append(Source(name, hashing.sha256(path, remember=False), "centre"))
    if not crops:
        raise ParameterError(f"None of the {len(selection)} files in {root} is a picture that can be read.")
    return Calibration(np.stack(crops), tuple(sources), root.name, tuple(unreadable))


def _views(picture: Image.Image) -> list[tuple[str, Image.Image]]:
    """Each view by name; every other corner is mirrored, so that both directions are seen."""
    views = [("centre", picture), ("centre mirrored", ImageOps.mirror(picture))]
    side = round(_CORNER_SHARE * min(picture.size))
    for number, (across, down) in enumerate(_CORNERS):
        left, top = round(across * (picture.width - side)), round(down * (picture.height - side))
        window = picture.crop((left, top, left + side, top + side))
        name = f"{side}x{side}+{left}+{top}"
        views.append((f"{name} mirrored", ImageOps.mirror(window)) if number % 2 else (name, window))
    return views
