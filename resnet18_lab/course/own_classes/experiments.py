"""A last layer by hand, how much it gains from more pictures, and what a leak makes of its accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import ImageOps

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.base.hashing import sha256
from resnet18_lab.base.notify import Notify
from resnet18_lab.benchmark.statistics import mean_half_width
from resnet18_lab.inference import metrics
from resnet18_lab.inference.classify import outputs, outputs_of
from resnet18_lab.inference.engine import Engine
from resnet18_lab.inference.predictions import softmax
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.training import head
from resnet18_lab.training.photos import read_photos
from resnet18_lab.training.split import Example, groups_of, split

_BATCH = 8
_SHARE = 0.25
"""Of the pictures that are judged."""


@dataclass(frozen=True)
class Data:
    """Pictures with classes and features (float32 N×D), and which of them are learned from and judged."""

    classes: tuple[str, ...]
    paths: list[Path]
    labels: NDArray[np.int64]
    features: NDArray[np.float32]
    groups: NDArray[np.int64]
    learned: list[int]
    judged: list[int]


def gathered(folder: Path, engine: Engine, most_each: int, seed: int = 0, notify: Notify = lambda _: None) -> Data:
    """The labelled pictures of a folder, at most so many of a class, with features by the embedding engine."""
    photos = read_photos(folder)
    random, chosen = np.random.default_rng(seed), []
    for label in range(len(photos.classes)):
        of_class = [photo for photo in photos.photos if photo.label == label]
        chosen += [of_class[at] for at in sorted(random.permutation(len(of_class))[:most_each])]
    rows, kept = [], []
    found = outputs_of([photo.path for photo in chosen], engine, batch_size=_BATCH)
    for number, (photo, one) in enumerate(zip(chosen, found, strict=True), start=1):
        notify(f"{number} of {len(chosen)} pictures")
        if one.row is not None:
            rows.append(one.row)
            kept.append(photo)
    features = np.stack(rows)
    examples = [Example(photo.path.name, sha256(photo.path, remember=False), photo.label) for photo in kept]
    groups = groups_of(examples, features)
    parts = split(examples, groups, _SHARE, seed)
    labels = np.array([photo.label for photo in kept], np.int64)
    return Data(photos.classes, [photo.path for photo in kept], labels, features, groups, parts.learned, parts.judged)


def by_hand(
    features: NDArray[np.float32], labels: NDArray[np.int64], steps: int = 300, rate: float = 0.5, ridge: float = 0.01
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[float]]:
    """Weight D×C and bias C of softmax regression by gradient descent on features of mean 0, variance 1; the losses.

    The gradient of the mean cross-entropy by the logits is (softmax - one-hot) / N: everything else is the chain rule.
    """
    targets = np.eye(labels.max() + 1)[labels]
    weight, bias = np.zeros((features.shape[1], targets.shape[1])), np.zeros(targets.shape[1])
    losses = []
    for _ in range(steps):
        shares = softmax((features @ weight + bias).astype(np.float32))
        losses.append(float(-np.log(np.maximum(shares[targets == 1], 1e-12)).mean()))
        slope = (shares - targets) / len(features)
        weight -= rate * (features.T @ slope + ridge * weight)
        bias -= rate * slope.sum(axis=0)
    return weight, bias, losses


def right(layer: head.Head, data: Data, positions: Sequence[int]) -> NDArray[np.bool_]:
    """Whether the layer's best class is the true one, for each of the positions."""
    at = list(positions)
    return np.asarray(layer.logits(data.features[at]).argmax(axis=1) == data.labels[at])


def fitted(data: Data, positions: Sequence[int]) -> head.Head:
    """The project's own last layer for those pictures."""
    at = list(positions)
    return head.fit(data.features[at], data.labels[at], data.groups[at])


@dataclass(frozen=True)
class Curve:
    """Accuracy on the judged pictures by pictures of a class, one value for each draw."""

    sizes: list[int]
    accuracies: list[list[float]]

    def table(self) -> pd.DataFrame:
        """A row a size: the mean over draws with its 95 % interval (Student's t)."""
        rows = {
            size: {
                "accuracy": f"{np.mean(values):.1%} ± {mean_half_width(values):.1%}" if len(values) > 1 else "one draw",
                "draws": len(values),
            }
            for size, values in zip(self.sizes, self.accuracies, strict=True)
        }
        return pd.DataFrame(rows).T.rename_axis("pictures a class")

    def gain(self) -> Conclusion:
        """Whether more pictures helped, by the first and last size."""
        first, last = self.accuracies[0], self.accuracies[-1]
        half = float(np.hypot(mean_half_width(first), mean_half_width(last)))
        apart = float(np.mean(last) - np.mean(first))
        said = f"from {self.sizes[0]} to {self.sizes[-1]} pictures a class: {apart:+.1%} ± {half:.1%}"
        if abs(apart) <= half:
            return Conclusion("more pictures", said, f"{said}; more draws would be needed")
        return Conclusion("more pictures", f"{said}: more pictures {'helped' if apart > 0 else 'did harm'} here.")


def learning_curve(data: Data, sizes: Sequence[int], draws: int) -> Curve:
    """The last layer learned from so many pictures of each class, drawn anew each time."""
    accuracies = []
    for size in sizes:
        values = []
        for draw in range(draws):
            random = np.random.default_rng((size, draw))
            positions: list[int] = []
            for label in range(len(data.classes)):
                of_class = [at for at in data.learned if data.labels[at] == label]
                positions += [of_class[at] for at in random.permutation(len(of_class))[:size]]
            layer = head.fit(data.features[positions], data.labels[positions], np.arange(len(positions)))
            values.append(float(right(layer, data, data.judged).mean()))
        accuracies.append(values)
    return Curve(list(sizes), accuracies)


def leaked(data: Data, engine: Engine, share: float = 0.5) -> dict[str, metrics.Share]:
    """What is counted when near copies of judged pictures are learned from: mirrored, saved again; and without them.

    The copies' originals are judged together with all others; ``copied alone`` counts only them.
    """
    copied = data.judged[: max(1, round(share * len(data.judged)))]
    mirrored = [(str(at), ImageOps.mirror(decode(data.paths[at])).resize((200, 200))) for at in copied]
    rows = [one.row for one in outputs(mirrored, engine) if one.row is not None]
    features = np.concatenate([data.features[data.learned], np.stack(rows)])
    labels = np.concatenate([data.labels[data.learned], data.labels[copied]])
    leaking = head.fit(features, labels, np.arange(len(labels)))
    honest = fitted(data, data.learned)

    def counted(layer: head.Head, positions: Sequence[int]) -> metrics.Share:
        hits = right(layer, data, positions)
        return metrics.wilson(int(hits.sum()), len(hits))

    return {
        "nothing leaks": counted(honest, data.judged),
        "half of the judged leak": counted(leaking, data.judged),
        "copied alone, nothing leaks": counted(honest, copied),
        "copied alone, leaking": counted(leaking, copied),
    }


def auroc(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    """Chance that one from outside has the larger value than one from inside, ties counted half (Mann, Whitney)."""
    larger = (outside[:, None] > inside[None, :]).mean()
    return float(larger + (outside[:, None] == inside[None, :]).mean() / 2)


def shares_table(shares: dict[str, metrics.Share]) -> pd.DataFrame:
    """A row a count: hits, of how many, the share and its Wilson interval."""
    rows = {
        name: {
            "right": f"{one.hits} of {one.of}",
            "share": f"{one.share:.1%}",
            "95 %": f"{one.low:.1%} to {one.high:.1%}",
        }
        for name, one in shares.items()
    }
    return pd.DataFrame(rows).T


def by_score(layer: head.Head, data: Data, edges: Sequence[float] = (0, 0.5, 0.7, 0.9, 1.0)) -> pd.DataFrame:
    """Of the judged pictures: how sure the best answers are, and how often those are right."""
    scores = softmax(layer.logits(data.features[data.judged])).max(axis=1)
    hits = right(layer, data, data.judged)
    rows = {}
    for low, high in pairwise(edges):
        inside = (scores > low) & (scores <= high)
        if inside.any():
            share = metrics.wilson(int(hits[inside].sum()), int(inside.sum()))
            rows[f"{low:.0%} to {high:.0%}"] = {
                "pictures": share.of, "mean score": f"{scores[inside].mean():.1%}",
                "right": f"{share.share:.1%} ({share.low:.0%} to {share.high:.0%})",
            }  # fmt: skip
    return pd.DataFrame(rows).T.rename_axis("score of the best answer")
