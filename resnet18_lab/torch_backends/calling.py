"""What all engines of torch share: a callable on tensors, run with the process's intra-op threads."""

from collections.abc import Callable
from typing import Any, cast

import torch

from resnet18_lab.backends.protocol import Batch, Closing, Engine, Logits


class TorchBackend(Closing):
    """A callable from tensor to tensor behind the protocol.

    torch's intra-op pool belongs to the process, so its size is set again before a run when another
    engine changed it.
    """

    def __init__(self, function: Callable[[torch.Tensor], Any], engine: Engine, threads: int) -> None:
        torch.set_num_threads(threads)
        self._function = function
        self.name = engine.backend
        self.precision = engine.precision
        self.threads = torch.get_num_threads()
        self.engine = engine

    def run(self, batch: Batch) -> Logits:
        """Logits, float32 N×1000, of a float32 batch N×3×224×224."""
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        with torch.inference_mode():
            return cast(Logits, self._function(torch.from_numpy(batch)).numpy())

    def close(self) -> None:
        """Free the model."""
        del self._function
