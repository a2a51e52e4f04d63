"""PyTorch as it comes: the module called directly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resnet18_lab import model
from resnet18_lab.backends.protocol import Engine
from resnet18_lab.torch_backends.calling import TorchBackend

if TYPE_CHECKING:
    from resnet18_lab.backends.registry import BackendSpec


def open_backend(spec: BackendSpec, weights: str, threads: int, _spinning: bool = True) -> TorchBackend:
    """The engine on the weights themselves."""
    loaded = model.load(weights)
    file = loaded.weights
    source = file.path.name if file.path else file.name
    engine = Engine(spec.name, spec.precision, threads, file.name, source, file.sha256)
    return TorchBackend(loaded.module, engine, threads)
