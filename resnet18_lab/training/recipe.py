"""How it is learned: what changes with the time that has passed, and what is learned at all."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from resnet18_lab.base.networks import RESNET18

_SIDES_FROM_RANDOM = ((0.0, 64), (0.35, 96), (0.75, 128))
"""(share of the time from which on, side of the pictures in pixels): small pictures first, which are quick."""
_SIDES_GOING_ON = ((0.0, RESNET18.crop),)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is learned, beside pictures and targets."""

    minutes: float = 30.0
    batch: int = 64
    rate: float = 2e-3
    """Largest learning rate of AdamW."""
    weight_decay: float = 0.05
    warm_up: float = 0.05
    """Share of the time in which the rate rises."""
    sides: tuple[tuple[float, int], ...] = _SIDES_FROM_RANDOM
    clip: float = 5.0
    """Largest norm of the gradient."""
    average: float = 0.998
    """Share of the moving average that a step keeps."""
    keep_statistics: bool = False
    """Batch norms keep their running statistics: for a network that was trained before."""
    learned: tuple[str, ...] = ("",)
    """Beginnings of the names of the parameters that change; all by default."""
    temperature: float = 1.0
    """The teacher's probabilities to the power 1/temperature: above 1 softer, below 1 sharper."""
    hard: bool = False
    """Learn the teacher's best class alone instead of its probabilities."""
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """The fields as a dictionary for JSON."""
        return asdict(self)

    def side_at(self, share: float) -> int:
        """Side of the pictures when that share of the time has passed."""
        return [side for start, side in self.sides if start <= share][-1]

    def rate_at(self, share: float) -> float:
        """Learning rate when that share of the time has passed."""
        return self.rate * risen_and_fallen(share, self.warm_up)


def risen_and_fallen(share: float, warm_up: float) -> float:
    """Of the largest rate at that share of a run: it rises in a line until ``warm_up``, then falls as a cosine."""
    if share < warm_up:
        return max(share / warm_up, 0.02)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warm_up) / (1 - warm_up))))


def going_on(minutes: float, seed: int = 0) -> Recipe:
    """The recipe for a network that was trained before: a small rate for its last two stages and last layer."""
    return Recipe(
        minutes=minutes, rate=8e-5, weight_decay=0.01, sides=_SIDES_GOING_ON, keep_statistics=True,
        learned=("layer3.", "layer4.", "fc."), seed=seed,
    )  # fmt: skip


def learned_parameters(module: nn.Module, recipe: Recipe) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that change; the others are frozen."""
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name.startswith(recipe.learned))
        if parameter.requires_grad:
            yield name, parameter


def set_training(module: nn.Module, recipe: Recipe) -> None:
    """Training mode, with the batch norms in evaluation mode where they keep their statistics."""
    module.train()
    if recipe.keep_statistics:
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()


def soft_loss(
    logits: torch.Tensor, classes: torch.Tensor, probabilities: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy against a teacher's kept classes: −Σ p·log softmax, weighted mean over the batch.

    ``classes`` int64 N×K and ``probabilities`` float32 N×K; Hinton et al., 2015, at temperature 1 of the student.
    """
    likely = torch.log_softmax(logits.float(), dim=1).gather(1, classes)
    return -(likely * probabilities).sum(dim=1).mul(weights).sum() / weights.sum()
