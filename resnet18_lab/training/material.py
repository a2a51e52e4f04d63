"""What a fine-tuning run is asked for, and what it has in hand."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base import paths
from resnet18_lab.training.split import Example

Progress = Callable[[int, int], None]
"""Called with how many are done, and of how many."""
HEAD, LAYER4, ALL, AUTO = "head", "layer4", "all", "auto"
CHECKPOINT = "checkpoint.pt"
"""What an unfinished run left in its folder."""
DEPTHS = (HEAD, LAYER4, ALL, AUTO)
"""What is learned: the last layer; the last stage as well; everything; or whichever of the first two is better."""


@dataclass(frozen=True)
class Recipe:
    """What a run was asked for; ``share`` of the pictures are judged where their owner set none aside."""

    name: str
    weights: str = "auto"
    share: float = 0.2
    series: str = ""
    balance: bool = False
    seed: int = 0
    depth: str = HEAD
    size: int | None = None
    """Side in pixels of the pictures that ``all`` learns from; the network's own if not given."""
    epochs: int | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class Material:
    """The pictures that could be read with their features, float32 N×D, in one order; ``broken`` names the others."""

    paths: list[Path]
    examples: list[Example]
    features: NDArray[np.float32]
    broken: dict[str, str]

    @property
    def sha256(self) -> str:
        """Of the pictures in their order, with their classes."""
        told = "\n".join(f"{example.sha256} {example.label}" for example in self.examples)
        return hashlib.sha256(told.encode()).hexdigest()

    def labels(self, positions: Sequence[int]) -> NDArray[np.int64]:
        """Classes of the pictures at those positions."""
        return np.array([self.examples[position].label for position in positions], np.int64)


def runs_folder(name: str) -> Path:
    """Where a run that takes long keeps what it must not lose: under the home, beside those of ``distill``."""
    return paths.home() / "runs" / f"finetune-{name}"
