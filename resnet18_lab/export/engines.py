"""Engines of torch that run a file ``build`` made: TorchScript and torch.export packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet18_lab.base.errors import ArtifactError
from resnet18_lab.export import torch_export, torchscript
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.engine import EngineInfo
from resnet18_lab.model.engine import TorchEngine

if TYPE_CHECKING:
    from resnet18_lab.inference.registry import EngineSpec

_LOADERS: dict[str, Callable[[Path], Callable[..., Any]]] = {
    "torchscript-traced": torchscript.load_torchscript,
    "torchscript": torchscript.load_torchscript,
    "torch-export": torch_export.load_package,
}


def open_engine(spec: EngineSpec, weights: str, threads: int, _spinning: bool = True) -> TorchEngine:
    """The engine on its verified artifact; ArtifactError when that is missing, stale or damaged."""
    name = spec.artifact or ""
    artifact = artifacts.load(artifacts.KINDS[name], weights)
    try:
        program = _LOADERS[name](artifact.path)
    except RuntimeError as error:
        raise ArtifactError(f"{artifact.path} cannot be loaded; run `resnet18-lab build --force`.") from error
    engine = EngineInfo(spec.name, spec.precision, threads, artifact.weights_name, artifact.path.name, artifact.sha256)
    return TorchEngine(program, engine, threads)
