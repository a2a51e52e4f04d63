"""How far an engine's logits are from the eager model's, on real pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resnet18_lab.base.errors import BuildError
from resnet18_lab.base.networks import RESNET18, Preprocessing
from resnet18_lab.inference.engine import Logits
from resnet18_lab.preprocessing.reference import BATCHES, reference_batch
from resnet18_lab.preprocessing.transform import Batch

if TYPE_CHECKING:
    from torch import nn

FP32_TOLERANCE = 1e-4
"""Largest allowed max |Δlogit| as a share of max |logit| for an engine that computes in float32."""


@dataclass(frozen=True)
class Parity:
    """Largest difference of logits over some batches, and the largest logit it is set against."""

    max_abs_difference: float
    max_abs_logit: float
    batches: tuple[int, ...]
    pictures: str

    @property
    def relative(self) -> float:
        """Max |Δlogit| / max |logit|."""
        return self.max_abs_difference / self.max_abs_logit

    def as_json(self) -> dict[str, Any]:
        """The fields and the ratio, for the manifest."""
        return {**vars(self), "batches": list(self.batches), "relative": self.relative}


def measure(
    run: Callable[[Batch], Logits],
    module: nn.Module,
    batches: tuple[int, ...] = BATCHES,
    preprocessing: Preprocessing = RESNET18.preprocessing,
) -> Parity:
    """Parity of ``run`` with the eager module over batches of real pictures."""
    import torch  # what is measured in other ways needs none of it

    pictures, origin = reference_batch(preprocessing)
    difference = largest = 0.0
    for size in batches:
        batch = np.ascontiguousarray(pictures[:size])
        with torch.inference_mode():
            expected = module(torch.from_numpy(batch)).numpy()
        logits = run(batch)
        if logits.shape != expected.shape or not np.isfinite(logits).all():
            raise BuildError(f"A batch of {size} gave logits of shape {logits.shape} or not finite ones.")
        difference = max(difference, float(np.abs(logits - expected).max()))
        largest = max(largest, float(np.abs(expected).max()))
    return Parity(difference, largest, batches, origin)
