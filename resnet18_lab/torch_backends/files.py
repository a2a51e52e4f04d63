"""Engines of torch that run a file ``build`` made: TorchScript and torch.export packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet18_lab import artifacts, compiled, torchscript
from resnet18_lab.backends.protocol import Engine
from resnet18_lab.errors import ArtifactError
from resnet18_lab.torch_backends.calling import TorchBackend

if TYPE_CHECKING:
    from resnet18_lab.backends.registry import BackendSpec

_LOADERS: dict[str, Callable[[Path], Callable[..., Any]]] = {
    "torchscript-traced": torchscript.load,
    "torchscript": torchscript.load,
    "torch-export": compiled.load,
}


def open_backend(spec: BackendSpec, weights: str, threads: int, _spinning: bool = True) -> TorchBackend:
    """The engine on its verified artifact; ArtifactError when that is missing, stale or damaged."""
    name = spec.artifact or ""
    artifact = artifacts.load(artifacts.KINDS[name], weights)
    try:
        program = _LOADERS[name](artifact.path)
    except RuntimeError as error:
        raise ArtifactError(f"{artifact.path} cannot be loaded; run `resnet18-lab build --force`.") from error
    engine = Engine(spec.name, spec.precision, threads, artifact.weights_name, artifact.path.name, artifact.sha256)
    return TorchBackend(program, engine, threads)
