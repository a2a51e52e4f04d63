"""How deep is learned: the last layer on features as they are, or further with torch where that is better."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.errors import EngineError, ParameterError
from resnet18_lab.base.notify import Notify
from resnet18_lab.inference import unknown
from resnet18_lab.inference.metrics import Z_95
from resnet18_lab.training import head
from resnet18_lab.training.material import AUTO, HEAD, LAYER4, Material, Progress, Recipe
from resnet18_lab.training.split import Split, drawn
from resnet18_lab.weights.find import WeightsFile

if TYPE_CHECKING:
    from resnet18_lab.training.deep import Deep

_CHOSEN_SHARE = 0.15
"""Of the pictures to learn from: those that decide when to stop, which depth is kept, and the threshold."""
_FOR_LAYER4 = 50
"""Pictures a class must have before ``auto`` tries more than the last layer."""


@dataclass(frozen=True)
class Learned:
    """What answers: a last layer on features, both those of the network as it is after learning.

    ``known`` are the positions whose features are kept to tell what is unknown by, within ``threshold``; ``chosen_by``
    those that choices were made by alone. ``deep`` is None where the parent's body stays as it is.
    """

    material: Material
    head: head.Head
    threshold: float
    known: list[int]
    chosen_by: list[int]
    depth: str = HEAD
    deep: "Deep | None" = None
    tried: "Deep | None" = None
    """What ``auto`` tried and did not keep."""


def check_depth(recipe: Recipe, parent: WeightsFile) -> None:
    """Raise ParameterError for settings that fit no depth or not the parent's network, EngineError without torch."""
    network = parent.network
    if recipe.depth == LAYER4 and LAYER4 not in network.stages:
        raise ParameterError(f"{network.title} has no {LAYER4}; give --depth head or all.")
    if recipe.depth == HEAD and (recipe.size or recipe.epochs or recipe.minutes is not None):
        raise ParameterError("--size, --epochs and --minutes are for more than the last layer; give --depth as well.")
    if recipe.size and recipe.depth in (LAYER4, AUTO):
        raise ParameterError("--size is for --depth all; the last stage learns from outputs at the network's own size.")
    if recipe.depth != HEAD:
        try:
            import torch  # noqa: F401 - asked for before anything is learned
        except ImportError as error:
            raise EngineError(
                f"--depth {recipe.depth} needs torch: pip install 'resnet18-lab[torch]', or --depth head."
            ) from error


def learn(
    recipe: Recipe, parent: WeightsFile, material: Material, parts: Split,
    *, resume: bool, notify: Notify, progress: Progress,
) -> Learned:  # fmt: skip
    """The network of the depth asked for, learned from ``parts.learned``; what is judged is not looked at."""
    depth = _possible(recipe, parent, material, parts, notify)
    if depth == HEAD:
        return _head(recipe, material, parts, notify)
    from resnet18_lab.training.deep import Task, tune

    chosen = _chosen_by(material, parts, recipe.seed)
    rest = set(chosen)
    fit = [position for position in parts.learned if position not in rest]
    _refuse_few(material, parts, fit, chosen, depth)
    begun = _fitted(recipe, material, parts, fit, notify)
    task = Task(recipe, depth, parent, material, fit, chosen, begun)
    deep = tune(task, resume=resume, notify=notify, progress=progress)
    if recipe.depth == AUTO and not is_beyond(deep.won, deep.lost, len(chosen)):
        notify(f"{depth} is right on {deep.won - deep.lost:+} of {len(chosen)}, within the interval: head is kept")
        return replace(_head(recipe, material, parts, notify), tried=deep)
    own = replace(material, features=deep.features)
    distances = unknown.distances(own.features[chosen], unknown.unit(own.features[fit]))
    return Learned(own, deep.head, unknown.threshold_at(distances), fit, chosen, depth, deep)


def is_beyond(won: int, lost: int, of: int) -> bool:
    """True where the 95 % interval of the difference between two on the same ``of`` pictures lies above zero."""
    mean = (won - lost) / of
    return mean - Z_95 * sqrt(max(0.0, (won + lost) / of - mean**2) / of) > 0


def _possible(recipe: Recipe, parent: WeightsFile, material: Material, parts: Split, notify: Notify) -> str:
    """The depth that is tried: for ``auto`` the last stage where there is one, and enough pictures."""
    if recipe.depth != AUTO:
        return recipe.depth
    fewest = int(np.bincount(material.labels(parts.learned)).min())
    if LAYER4 not in parent.network.stages:
        notify(f"{parent.network.title} has no {LAYER4}: head is learned")
        return HEAD
    if fewest < _FOR_LAYER4:
        notify(f"the smallest class has {fewest} pictures to learn from, fewer than {_FOR_LAYER4}: head is learned")
        return HEAD
    return LAYER4


def _chosen_by(material: Material, parts: Split, seed: int) -> list[int]:
    """A part of what is learned from, drawn as what is judged was, by another seed."""
    members: dict[int, list[int]] = {}
    for position in parts.learned:
        members.setdefault(int(parts.groups[position]), []).append(position)
    return drawn(material.examples, members, _CHOSEN_SHARE, seed + 1)


def _refuse_few(material: Material, parts: Split, fit: list[int], chosen: list[int], depth: str) -> None:
    """Raise ParameterError where a class has none set aside, or fewer than two left that are unlike."""
    labels, groups = material.labels(fit), parts.groups[fit]
    have_chosen = set(material.labels(chosen).tolist())
    for label in np.unique(material.labels(parts.learned)).tolist():
        if label not in have_chosen or len(np.unique(groups[labels == label])) < 2:
            example = next(example for example in material.examples if example.label == label)
            raise ParameterError(
                f"The class of {example.name} has too few pictures that are unlike to set some aside for --depth "
                f"{depth}; give more of them, or --depth head."
            )


def _fitted(
    recipe: Recipe, material: Material, parts: Split, positions: Sequence[int], notify: Notify
) -> head.Head:  # fmt: skip
    groups: NDArray[np.int64] = parts.groups[list(positions)]
    return head.fit(
        material.features[list(positions)], material.labels(positions), groups,
        balance=recipe.balance, seed=recipe.seed, notify=notify,
    )  # fmt: skip


def _head(recipe: Recipe, material: Material, parts: Split, notify: Notify) -> Learned:
    layer = _fitted(recipe, material, parts, parts.learned, notify)
    threshold = unknown.threshold_for(material.features[parts.learned], parts.groups[parts.learned])
    return Learned(material, layer, threshold, parts.learned, [])
