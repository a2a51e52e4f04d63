"""PyTorch as it comes: the module called directly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from resnet18_lab import model
from resnet18_lab.backends.protocol import Batch, Closing, Engine, Logits

if TYPE_CHECKING:
    from resnet18_lab.backends.registry import BackendSpec


class EagerBackend(Closing):
    """The module in inference mode; torch's intra-op pool is the process's, so it is set before each run."""

    def __init__(self, spec: BackendSpec, weights: str, threads: int) -> None:
        loaded = model.load(weights)
        self._module = loaded.module
        torch.set_num_threads(threads)
        self.name = spec.name
        self.precision = spec.precision
        self.threads = torch.get_num_threads()
        file = loaded.weights
        self.engine = Engine(
            spec.name,
            spec.precision,
            self.threads,
            file.name,
            file.path.name if file.path else "untrained",
            file.sha256,
        )

    def run(self, batch: Batch) -> Logits:
        """Logits, float32 N×1000, of a float32 batch N×3×224×224."""
        if torch.get_num_threads() != self.threads:  # another engine of this process set its own
            torch.set_num_threads(self.threads)
        with torch.inference_mode():
            logits: Logits = self._module(torch.from_numpy(batch)).numpy()
        return logits

    def close(self) -> None:
        """Free the module."""
        del self._module


def open_backend(spec: BackendSpec, weights: str, threads: int) -> EagerBackend:
    """The engine on the weights themselves."""
    return EagerBackend(spec, weights, threads)
