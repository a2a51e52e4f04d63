"""Preprocessing as it goes wrong in the field: each mistake alone, to be set beside the right way.

None of them raises an error; that is the lesson.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.base.networks import Preprocessing
from resnet18_lab.base.notify import Notify
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


def _exif_ignored(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def _not_antialiased(picture: Image.Image, right: Preprocessing) -> Crop:
    step = min(picture.size) / right.resize
    left = (picture.width - right.crop * step) / 2
    top = (picture.height - right.crop * step) / 2
    placement = (step, 0.0, left, 0.0, step, top)  # output pixel -> source position, four neighbours each
    size = (right.crop, right.crop)
    return np.asarray(picture.transform(size, Image.Transform.AFFINE, placement, Image.Resampling.BILINEAR))


def _as_planes(values: NDArray[np.float32]) -> Batch:
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _squashed(picture: Image.Image, right: Preprocessing) -> Crop:
    resampling = Image.Resampling[right.interpolation.upper()]
    return np.asarray(picture.resize((right.crop, right.crop), resampling))


def _zero_to_one(view: Crop) -> Batch:
    return _as_planes(view.astype(np.float32) / np.float32(255))


def _zero_to_255(view: Crop) -> Batch:
    return _as_planes(view.astype(np.float32))


def preparations(right: Preprocessing) -> list[Preparation]:
    """The right way, first, and each mistake; with ImageNet's mean and std for a network that takes others."""

    def view(path: Path) -> Crop:
        return transform.crop(decode(path), right)

    scale = partial(transform.normalise, preprocessing=right)
    ways = [
        Preparation("right", f"resize {right.resize}, crop {right.crop}, mean and std", view, scale),
        Preparation("BGR", "channels swapped, as OpenCV reads them",
                    lambda path: np.ascontiguousarray(view(path)[:, :, ::-1]), scale),
        Preparation("no mean/std", "0..1, not normalised", view, _zero_to_one),
        Preparation("0..255", "not scaled at all", view, _zero_to_255),
        Preparation("squashed", f"resized to {right.crop}×{right.crop}, shape lost",
                    lambda path: _squashed(decode(path), right), scale),
        Preparation("no antialias", "four neighbours only when shrinking",
                    lambda path: _not_antialiased(decode(path), right), scale),
        Preparation("EXIF ignored", "the camera's orientation not applied",
                    lambda path: transform.crop(_exif_ignored(path), right), scale),
    ]  # fmt: skip
    usual = Preprocessing()
    if (right.mean, right.std) != (usual.mean, usual.std):
        foreign = partial(transform.normalise, preprocessing=replace(right, mean=usual.mean, std=usual.std))
        ways.append(Preparation("ImageNet's mean/std", "another network's numbers", view, foreign))
    return ways


def answers(path: Path, backend: Engine) -> list[tuple[str, Crop, Prediction]]:
    """For each preparation its name, the crop it makes of the picture, and the best class it leads to."""
    rows = []
    for preparation in preparations(backend.network.preprocessing):
        view = preparation.view(path)
        best = top_k(backend.run(preparation.scale(view)), 1)[0][0]
        rows.append((preparation.name, view, best))
    return rows


def counted(
    engine: Engine, pictures: Sequence[Picture], most: int = 100, notify: Notify = lambda _: None
) -> pd.DataFrame:
    """Right answers by preparation on at most ``most`` labelled pictures, each compared with the right way's.

    ``lost`` and ``won`` are pictures that a mistake turns from right to wrong, and the other way; ``p`` is McNemar's.
    """
    chosen = list(pictures[:: max(1, -(-len(pictures) // most))])
    right = evaluate.right_classes(chosen, list(range(len(chosen))))
    ways = preparations(engine.network.preprocessing)
    logits = {}
    for each in ways:
        notify(each.name)
        logits[each.name] = np.concatenate([engine.run(each.scale(each.view(path))) for path, _ in chosen])
    rows = {}
    for name, own in logits.items():
        hits = evaluate.evaluation_of(engine.engine, own, right).top1.hits
        paired = metrics.paired(logits[ways[0].name], own, right)
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
