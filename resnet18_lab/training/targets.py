"""Soft targets: what a teacher says of several views of each picture, its likeliest classes alone.

An ``.npz`` holds ``B`` (float16 N×V×4: box of each view in the packed picture, left, top, right, bottom), ``I`` (int16
N×V×K: classes) and ``P`` (float16 N×V×K: their probabilities), V views a picture, view 0 the centre square; ``names``
(text N) where they were computed here, else the order of the ``index.csv`` beside the file.
"""

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.files import replacing
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.training.pictures import INDEX, PackedPictures

_VIEWS = 5
_KEPT_CLASSES = 24
"""Classes of a view that are kept: of the teacher's probability they hold nearly all."""
_SMALLEST_AREA = 0.35
"""Share of the picture that a random view shows at least."""
_LARGEST_ASPECT = 4 / 3


@dataclass(frozen=True)
class Targets:
    """Boxes float32 N×V×4, classes int64 N×V×K, and their probabilities float32 N×V×K, each row summing to 1."""

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def best(self) -> NDArray[np.int64]:
        """The teacher's answer to the centre of each picture: a hard label."""
        rows = np.arange(len(self))
        answers: NDArray[np.int64] = self.classes[rows, 0, self.probabilities[:, 0].argmax(axis=1)]
        return answers

    @property
    def weights(self) -> NDArray[np.float32]:
        """Weight of each picture, mean 1: Σ p(class) / √(pictures of the class), so that rare classes count more."""
        amount = np.bincount(self.classes[:, 0].ravel(), self.probabilities[:, 0].ravel(), minlength=RESNET18.classes)
        rarity = 1 / np.sqrt(np.maximum(amount, 1.0))
        weights = (rarity[self.classes[:, 0]] * self.probabilities[:, 0]).sum(axis=1)
        return np.asarray(weights / weights.mean(), dtype=np.float32)


def boxes_of(width: int, height: int, name: str, views: int = _VIEWS) -> NDArray[np.float32]:
    """Boxes of a picture's views, float32 V×4: the centre square, then random ones that only the name decides."""
    side = min(width, height)
    across, down = (width - side) / 2, (height - side) / 2
    boxes = [(across, down, across + side, down + side)]
    random = np.random.default_rng(np.frombuffer(name.encode("utf-8", "surrogateescape"), np.uint8))
    while len(boxes) < views:
        area = random.uniform(_SMALLEST_AREA, 1) * width * height
        aspect = np.exp(random.uniform(-np.log(_LARGEST_ASPECT), np.log(_LARGEST_ASPECT)))
        wide, high = min(width, (area * aspect) ** 0.5), min(height, (area / aspect) ** 0.5)
        left, top = random.uniform(0, width - wide), random.uniform(0, height - high)
        boxes.append((left, top, left + wide, top + high))
    return np.asarray(boxes, np.float32)


def tempered(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities along the last axis to the power 1/temperature, summing to 1: above 1 softer, below 1 sharper."""
    powered = probabilities ** (1 / temperature)
    softened: NDArray[np.float32] = powered / powered.sum(axis=-1, keepdims=True)
    return softened


def kept_classes(probabilities: NDArray[np.float32]) -> tuple[NDArray[np.int16], NDArray[np.float16]]:
    """The likeliest classes of each row of N×1000 and their probabilities, likeliest first."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :_KEPT_CLASSES]
    return order.astype(np.int16), np.take_along_axis(probabilities, order, axis=1).astype(np.float16)


def write_targets(
    path: Path, names: list[str], boxes: NDArray[np.float32], classes: NDArray[np.int16], kept: NDArray[np.float16]
) -> None:
    """Write targets with the names of their pictures."""
    out = io.BytesIO()
    np.savez(out, B=boxes.astype(np.float16), I=classes, P=kept, names=np.asarray(names))
    with replacing(path) as target:
        target.write_bytes(out.getvalue())


def read_targets(path: Path, pictures: PackedPictures) -> Targets:
    """The targets of these pictures, in their order; ParameterError when the file is none, or of other pictures."""
    try:
        with np.load(path, allow_pickle=False) as file:
            boxes, classes, kept = (file[name] for name in "BIP")
            named = [str(name) for name in file["names"]] if "names" in file.files else _names_beside(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no .npz file of B, I, P and names"
        raise ParameterError(f"{path} holds no soft targets ({reason}); see `resnet18-lab distill --help`.") from error
    if not (boxes.shape[:2] == classes.shape[:2] == kept.shape[:2] and boxes.shape[2:] == (4,)):
        raise ParameterError(f"{path} holds arrays that do not belong together; compute the targets anew.")
    if classes.size and not (classes.min() >= 0 and classes.max() < RESNET18.classes):
        raise ParameterError(
            f"{path} names classes outside 0..{RESNET18.classes - 1}: they are another network's targets."
        )
    rows = _rows_of(pictures.names, named, len(boxes), path)
    total = kept[rows].astype(np.float32)
    share = total / np.maximum(total.sum(axis=2, keepdims=True), 1e-6)
    return Targets(boxes[rows].astype(np.float32), classes[rows].astype(np.int64), share)


def _names_beside(path: Path) -> list[str]:
    with (path.parent / INDEX).open(encoding="utf-8", newline="") as file:
        return [row["name"] for row in csv.DictReader(file)]


def _rows_of(wanted: list[str], named: list[str], count: int, path: Path) -> list[int]:
    places = {name: row for row, name in enumerate(named)}
    missing = [name for name in wanted if name not in places]
    if missing or len(named) != count:
        raise ParameterError(
            f"{path} holds targets of other pictures: {len(missing)} of {len(wanted)} are not among them "
            f"({', '.join(missing[:3])}); compute them anew, without --targets."
        )
    return [places[name] for name in wanted]
