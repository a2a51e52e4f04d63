"""Preprocessing as it goes wrong in the field: each mistake alone, to be set beside the right way.

None of them raises an error; that is the lesson.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.inference import evaluate, metrics
from resnet18_lab.inference.engine import Engine
from resnet18_lab.inference.labelled import Picture
from resnet18_lab.inference.predictions import Prediction, top_k
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.preprocessing.transform import Batch, Crop


@dataclass(frozen=True)
class Preparation:
    """One way to prepare a picture: ``view`` gives the uint8 crop, ``scale`` the float32 batch of it."""

    name: str
    what: str
    view: Callable[[Path], Crop]
    scale: Callable[[Crop], Batch]


def _right(path: Path) -> Crop:
    return transform.crop(decode(path))


def _bgr(path: Path) -> Crop:
    return np.ascontiguousarray(_right(path)[:, :, ::-1])


def _squashed(path: Path) -> Crop:
    size = (RESNET18.crop, RESNET18.crop)
    return np.asarray(decode(path).resize(size, Image.Resampling.BILINEAR))


def _not_antialiased(path: Path) -> Crop:
    picture = decode(path)
    step = min(picture.size) / RESNET18.preprocessing.resize
    left = (picture.width - RESNET18.crop * step) / 2
    top = (picture.height - RESNET18.crop * step) / 2
    placement = (step, 0.0, left, 0.0, step, top)  # output pixel -> source position, four neighbours each
    size = (RESNET18.crop, RESNET18.crop)
    return np.asarray(picture.transform(size, Image.Transform.AFFINE, placement, Image.Resampling.BILINEAR))


def _exif_ignored(path: Path) -> Crop:
    with Image.open(path) as picture:
        return transform.crop(picture.convert("RGB"))


def _as_planes(values: NDArray[np.float32]) -> Batch:
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _zero_to_one(crop: Crop) -> Batch:
    return _as_planes(crop.astype(np.float32) / np.float32(255))


def _zero_to_255(crop: Crop) -> Batch:
    return _as_planes(crop.astype(np.float32))


PREPARATIONS = (
    Preparation("right", "resize 256, crop 224, mean and std", _right, transform.normalise),
    Preparation("BGR", "channels swapped, as OpenCV reads them", _bgr, transform.normalise),
    Preparation("no mean/std", "0..1, not normalised", _right, _zero_to_one),
    Preparation("0..255", "not scaled at all", _right, _zero_to_255),
    Preparation("squashed", "resized to 224×224, shape lost", _squashed, transform.normalise),
    Preparation("no antialias", "four neighbours only when shrinking", _not_antialiased, transform.normalise),
    Preparation("EXIF ignored", "the camera's orientation not applied", _exif_ignored, transform.normalise),
)


def answers(path: Path, backend: Engine) -> list[tuple[str, Crop, Prediction]]:
    """For each preparation its name, the crop it makes of the picture, and the best class it leads to."""
    rows = []
    for preparation in PREPARATIONS:
        view = preparation.view(path)
        best = top_k(backend.run(preparation.scale(view)), 1)[0][0]
        rows.append((preparation.name, view, best))
    return rows


def counted(engine: Engine, pictures: Sequence[Picture], most: int = 100) -> pd.DataFrame:
    """Right answers by preparation on at most ``most`` labelled pictures, each compared with the right way's.

    ``lost`` and ``won`` are pictures that a mistake turns from right to wrong, and the other way; ``p`` is McNemar's.
    """
    chosen = list(pictures[:: max(1, -(-len(pictures) // most))])
    right = evaluate.right_classes(chosen, list(range(len(chosen))))
    logits = {
        each.name: np.concatenate([engine.run(each.scale(each.view(path))) for path, _ in chosen])
        for each in PREPARATIONS
    }
    rows = {}
    for name, own in logits.items():
        hits = evaluate.evaluation_of(engine.engine, own, right).top1.hits
        paired = metrics.paired(logits[PREPARATIONS[0].name], own, right)
        rows[name] = {"right": hits, "of": len(chosen), "lost": paired.lost, "won": paired.won, "p": paired.p}
    return pd.DataFrame(rows).T.astype({"right": int, "of": int, "lost": int, "won": int})


def harm(table: pd.DataFrame, where: str) -> Conclusion:
    """Which mistakes cost right answers on these pictures, and which cannot be told apart from the right way."""
    mistakes = table.iloc[1:]
    costly = mistakes[(mistakes["p"] <= metrics.TOLD_APART) & (mistakes["lost"] > mistakes["won"])]
    rest = mistakes.index.difference(costly.index, sort=False)
    said = f"On {table['of'].iloc[0]} pictures of {where}, "
    said += (
        "these mistakes cost right answers: " + ", ".join(costly.index)
        if len(costly)
        else "no mistake is shown to cost right answers"
    )
    return Conclusion("mistakes", f"{said}. Not told apart from the right way: {', '.join(rest) or 'none'}.")
