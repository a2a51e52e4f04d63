"""Accuracy on a labelled folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from resnet18_lab import images, labels, preprocess
from resnet18_lab.backends.protocol import Backend
from resnet18_lab.errors import ImageError, ParameterError

_BATCH = 8


@dataclass(frozen=True)
class Accuracy:
    """How many of ``pictures`` have their class first (``top1``) or among the first five (``top5``)."""

    pictures: int
    top1: int
    top5: int
    unreadable: int


def labelled_pictures(folder: Path) -> list[tuple[Path, int]]:
    """Files of ``folder/<wnid>/`` with the class index of their wnid, sorted by wnid and name."""
    if not folder.is_dir():
        raise ParameterError(f"{folder} is no folder; give one with a sub-folder per wnid (n02123045/...).")
    wnids = {label.wnid: label.index for label in labels.all_labels()}
    found = [
        (file, wnids[sub.name])
        for sub in sorted(folder.iterdir())
        if sub.is_dir() and sub.name in wnids
        for file in sorted(sub.iterdir())
        if file.is_file()
    ]
    if not found:
        raise ParameterError(f"{folder} holds no pictures in sub-folders named by wnid (n02123045/...).")
    return found


def accuracy(
    backend: Backend,
    pictures: list[tuple[Path, int]],
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Accuracy:
    """Top-1 and top-5 counts; a file that cannot be read is counted apart and is no answer.

    ``progress`` is told how many pictures are done.
    """
    top1 = top5 = answered = done = 0
    for crops, truth, seen in _batches(pictures):
        done += seen
        if crops:
            logits = backend.run(preprocess.normalise(np.stack(crops)))
            best = np.argsort(-logits, axis=1, kind="stable")[:, :5]
            hits = best == np.asarray(truth)[:, None]
            top1 += int(hits[:, 0].sum())
            top5 += int(hits.any(axis=1).sum())
            answered += len(truth)
        progress(done)
    return Accuracy(answered, top1, top5, len(pictures) - answered)


def _batches(pictures: list[tuple[Path, int]]) -> Iterator[tuple[list[preprocess.Crop], list[int], int]]:
    remaining = iter(pictures)
    while chunk := list(islice(remaining, _BATCH)):
        crops, truth = [], []
        for path, index in chunk:
            try:
                crops.append(preprocess.crop(images.decode(path)))
            except ImageError:
                continue
            truth.append(index)
        yield crops, truth, len(chunk)
