"""What a fine-tuning run is asked for, and what it has in hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.training.split import Example


@dataclass(frozen=True)
class Recipe:
    """What a run was asked for; ``share`` of the pictures are judged where their owner set none aside."""

    name: str
    weights: str = "auto"
    share: float = 0.2
    series: str = ""
    balance: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Material:
    """The pictures that could be read with their features, float32 N×D, in one order; ``broken`` names the others."""

    paths: list[Path]
    examples: list[Example]
    features: NDArray[np.float32]
    broken: dict[str, str]

    def labels(self, positions: Sequence[int]) -> NDArray[np.int64]:
        """Classes of the pictures at those positions."""
        return np.array([self.examples[position].label for position in positions], np.int64)
