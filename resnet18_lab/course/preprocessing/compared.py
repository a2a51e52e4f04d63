"""What ways to prepare a picture take, and what they cost in answers."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import ExifTags, Image

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.notify import Notify
from resnet18_lab.benchmark.measure import stages
from resnet18_lab.course.preprocessing.ways import Way, Ways
from resnet18_lab.inference import evaluate, metrics
from resnet18_lab.inference.engine import Engine, Logits
from resnet18_lab.inference.labelled import Picture, folder_to_count_on
from resnet18_lab.preprocessing.decode import decode

_ENLARGED = 3
_JPEG_QUALITY = 90


def times(files: Sequence[Path], rounds: int, ways: Ways, notify: Notify = lambda _: None) -> pd.DataFrame:
    """Milliseconds a picture by way, median and quartiles over ``rounds`` rounds.

    Every round takes all pictures through all ways in turn, so that drift hits them alike; the first is
    thrown away. One process: differences of a few percent are not to be trusted.
    """
    if not files:
        raise ParameterError("There are no pictures to time.")

    def through(way: Way) -> None:
        for path in files:
            way.prepare(path)

    actions = {name: partial(through, way) for name, way in ways.items()}
    return alternate(actions, rounds, notify) / len(files)


def alternate(
    actions: Mapping[str, Callable[[], object]], rounds: int, notify: Notify = lambda _: None
) -> pd.DataFrame:
    """Milliseconds of each action, median and quartiles; in turn ``rounds`` times, after one that is not counted."""
    samples: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds + 1):
        notify(f"round {number} of {rounds}")
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            if number:
                samples[name].append((time.perf_counter() - started) * 1e3)
    table = pd.DataFrame(samples).quantile([0.5, 0.25, 0.75]).T
    return table.set_axis(["ms", "from", "to"], axis=1)


def times_by_size(
    folder: Path, sizes: Sequence[str], rounds: int, ways: Ways, notify: Notify = lambda _: None
) -> pd.DataFrame:
    """Milliseconds by picture size (megapixels in the index) and way, for JPEGs made of one photograph."""
    rows = {}
    for size in sizes:
        notify(f"{size} pixels")
        path = stages.make_picture(size, folder)
        width, height = map(int, size.split("×"))
        rows[width * height / 1e6] = times([path], rounds, ways)["ms"]
    return pd.DataFrame(rows).T.rename_axis("megapixels")


def labelled(folder: str, most: int) -> tuple[str, list[Picture]]:
    """At most so many labelled pictures, spread evenly, and their folder's name.

    Those stored rotated are left out: only some ways turn them upright, which would look like a difference of
    resampling.
    """
    name, place = folder_to_count_on(folder)
    pictures = evaluate.labelled_pictures(place)
    upright = [picture for picture in pictures if _is_stored_upright(picture[0])]
    step = max(1, -(-len(upright) // most))
    return name, upright[::step]


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


def answers(engine: Engine, pictures: Sequence[Picture], way: Way) -> Logits:
    """Logits N×1000 of the pictures prepared in one way (as float32: the network takes nothing else)."""
    rows = [engine.run(way.prepare(path).astype(np.float32, copy=False)) for path, _ in pictures]
    return np.concatenate(rows)


def accuracy(engine: Engine, pictures: Sequence[Picture], ways: Ways, notify: Notify = lambda _: None) -> pd.DataFrame:
    """Right answers by way, and how far its answers are from those of the first, the reference."""
    right = evaluate.right_classes(list(pictures), list(range(len(pictures))))
    logits_of = {}
    for name, way in ways.items():
        notify(name)
        logits_of[name] = answers(engine, pictures, way)
    reference = next(iter(logits_of.values()))
    rows = {}
    for name, logits in logits_of.items():
        share = metrics.wilson(int(right[np.arange(len(right)), metrics.ranked(logits, 1)[:, 0]].sum()), len(right))
        comparison = metrics.paired(reference, logits, right)
        rows[name] = {
            "right": f"{share.hits} of {share.of}", "top-1": share.share, "from": share.low, "to": share.high,
            "lost": comparison.lost, "won": comparison.won,
            "same answer": comparison.agreement, "cosine": comparison.cosine,
        }  # fmt: skip
    return pd.DataFrame(rows).T
