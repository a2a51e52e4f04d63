"""What all engines of torch share: a callable on tensors, run with the process's intra-op threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import torch

from resnet18_lab.inference.engine import BaseEngine, EngineInfo, Logits
from resnet18_lab.model.network import load_model
from resnet18_lab.preprocessing.transform import Batch

if TYPE_CHECKING:
    from resnet18_lab.inference.registry import Choice


class TorchEngine(BaseEngine):
    """A callable from tensor to tensor, wrapped in the engine protocol.

    torch's intra-op pool belongs to the process, so its size is set again before a run when another
    engine changed it.
    """

    def __init__(self, function: Callable[[torch.Tensor], Any], engine: EngineInfo, threads: int) -> None:
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


def open_engine(choice: Choice, _spinning: bool = True) -> TorchEngine:
    """The engine on the weights themselves."""
    file, spec = choice.weights, choice.spec
    assert file is not None  # noqa: S101 - an engine without an artifact is chosen with its weights
    source = file.path.name if file.path else file.name
    engine = EngineInfo(spec.name, spec.precision, choice.threads, file.name, source, file.sha256)
    return TorchEngine(load_model(file).module, engine, choice.threads)
