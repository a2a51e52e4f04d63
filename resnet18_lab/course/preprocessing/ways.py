"""Ways to turn a picture's file into the network's input: what each gives, takes, and costs in answers."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import ExifTags, Image

from resnet18_lab.base import paths
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.benchmark.measure import stages
from resnet18_lab.inference import evaluate, metrics
from resnet18_lab.inference.engine import Engine, Logits
from resnet18_lab.inference.labelled import Picture
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode

Tensor = NDArray[Any]
_DRAFT = 256
_ENLARGED = 3
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class Way:
    """One way from a file to a tensor 1×3×224×224."""

    what: str
    prepare: Callable[[Path], Tensor]


def _torchvision(path: Path) -> Tensor:
    tensor: Tensor = stages.torchvision_preparation(path)()
    return tensor


def _by_hand(path: Path) -> Tensor:
    """As tutorials print it, squashed and in float64."""
    with Image.open(path) as picture:
        values = np.array(picture.convert("RGB").resize((224, 224))) / 255.0
    values = (values - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    tensor: Tensor = values.transpose(2, 0, 1)[None]
    return tensor


def _ours(path: Path) -> Tensor:
    return transform.preprocess(decode(path))


def _draft(path: Path) -> Tensor:
    return transform.preprocess(decode(path, draft_for=_DRAFT))


_BUFFER = np.empty((1, 3, RESNET18.crop, RESNET18.crop), np.float32)


def _into_buffer(path: Path) -> Tensor:
    """The same numbers, written over those of the last picture."""
    return transform.normalise_into(_BUFFER, transform.crop(decode(path))[None])


REFERENCE = "torchvision"
WAYS = {
    REFERENCE: Way("decode, Resize(256), CenterCrop(224), ToTensor, Normalize", _torchvision),
    "NumPy by hand": Way("decode, squash to 224×224, divide, subtract, divide; float64", _by_hand),
    "one resample": Way("checked decode, crop and resize in one step, one multiplication and addition", _ours),
    "one resample, buffer reused": Way("the same, into an array that exists already", _into_buffer),
    "one resample, draft": Way("the JPEG decoder gives 1/2, 1/4 or 1/8 of each side where enough is left", _draft),
}  # fmt: skip


def times(files: Sequence[Path], rounds: int, names: Sequence[str] = tuple(WAYS)) -> pd.DataFrame:
    """Milliseconds a picture by way, median and quartiles over ``rounds`` rounds.

    Every round takes all pictures through all ways in turn, so that drift hits them alike; the first is
    thrown away. One process: differences of a few percent are not to be trusted.
    """
    if not files:
        raise ParameterError("There are no pictures to time.")

    def through(name: str) -> None:
        for path in files:
            WAYS[name].prepare(path)

    return alternate({name: partial(through, name) for name in names}, rounds) / len(files)


def alternate(actions: Mapping[str, Callable[[], object]], rounds: int) -> pd.DataFrame:
    """Milliseconds of each action, median and quartiles; in turn ``rounds`` times, after one that is not counted."""
    samples: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds + 1):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            if number:
                samples[name].append((time.perf_counter() - started) * 1e3)
    table = pd.DataFrame(samples).quantile([0.5, 0.25, 0.75]).T
    return table.set_axis(["ms", "from", "to"], axis=1)


def times_by_size(folder: Path, sizes: Sequence[str], rounds: int, names: Sequence[str]) -> pd.DataFrame:
    """Milliseconds by picture size (megapixels in the index) and way, for JPEGs made of one photograph."""
    rows = {}
    for size in sizes:
        path = stages.make_picture(size, folder)
        width, height = map(int, size.split("×"))
        rows[width * height / 1e6] = times([path], rounds, names)["ms"]
    return pd.DataFrame(rows).T.rename_axis("megapixels")


def labelled(folder: str, most: int) -> tuple[str, list[Picture]]:
    """At most so many labelled pictures, spread evenly, and their folder's name.

    They come from the folder, or from $RESNET18_LAB_IMAGES, or else from the project's samples. Those stored
    rotated are left out: only some ways turn them upright, which would look like a difference of resampling.
    """
    place = folder or os.environ.get("RESNET18_LAB_IMAGES", "")
    pictures = evaluate.labelled_pictures(Path(place) if place else paths.samples_dir())
    upright = [picture for picture in pictures if _is_stored_upright(picture[0])]
    step = max(1, -(-len(upright) // most))
    return Path(place).name if place else "data/samples", upright[::step]


def _is_stored_upright(path: Path) -> bool:
    with Image.open(path) as picture:
        return picture.getexif().get(ExifTags.Base.Orientation) not in range(2, 9)  # EXIF: 1 is upright


def enlarged(pictures: Sequence[Picture], folder: Path, times_larger: int = _ENLARGED) -> list[Picture]:
    """The pictures made larger as JPEGs: stand-ins for photographs as cameras take them, where draft has an effect."""
    copies = []
    for number, (path, right) in enumerate(pictures):
        picture = decode(path)
        size = (picture.width * times_larger, picture.height * times_larger)
        target = folder / f"{number:05}.jpg"
        picture.resize(size, Image.Resampling.BICUBIC).save(target, "JPEG", quality=_JPEG_QUALITY)
        copies.append((target, right))
    return copies


def answers(engine: Engine, pictures: Sequence[Picture], name: str) -> Logits:
    """Logits N×1000 of the pictures prepared in one way (as float32: the network takes nothing else)."""
    rows = [engine.run(WAYS[name].prepare(path).astype(np.float32, copy=False)) for path, _ in pictures]
    return np.concatenate(rows)


def accuracy(engine: Engine, pictures: Sequence[Picture], names: Sequence[str] = tuple(WAYS)) -> pd.DataFrame:
    """Right answers by way, and how far its answers are from those of the reference (the first of the names)."""
    right = evaluate.right_classes(list(pictures), list(range(len(pictures))))
    reference = answers(engine, pictures, names[0])
    rows = {}
    for name in names:
        logits = reference if name == names[0] else answers(engine, pictures, name)
        share = metrics.wilson(int(right[np.arange(len(right)), metrics.ranked(logits, 1)[:, 0]].sum()), len(right))
        comparison = metrics.paired(reference, logits, right)
        rows[name] = {
            "right": f"{share.hits} of {share.of}", "top-1": share.share, "from": share.low, "to": share.high,
            "lost": comparison.lost, "won": comparison.won,
            "same answer": comparison.agreement, "cosine": comparison.cosine,
        }  # fmt: skip
    return pd.DataFrame(rows).T


def views(path: Path, names: Sequence[str]) -> Mapping[str, NDArray[np.float64]]:
    """What the network is shown, as colours 0..1 of 224×224×3, by way."""
    mean, deviation = (
        np.asarray(values)[:, None, None] for values in (RESNET18.preprocessing.mean, RESNET18.preprocessing.std)
    )
    return {name: np.clip(WAYS[name].prepare(path)[0] * deviation + mean, 0, 1).transpose(1, 2, 0) for name in names}
