"""Engines of torch that run a file ``build`` made: TorchScript and torch.export packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet18_lab.base.errors import ArtifactError
from resnet18_lab.export import torch_export, torchscript
from resnet18_lab.inference.engine import EngineInfo
from resnet18_lab.model.engine import TorchEngine

if TYPE_CHECKING:
    from resnet18_lab.inference.registry import Choice

_LOADERS: dict[str, Callable[[Path], Callable[..., Any]]] = {
    "torchscript-traced": torchscript.load_torchscript,
    "torchscript": torchscript.load_torchscript,
    "torch-export": torch_export.load_package,
}


def open_engine(choice: Choice, _spinning: bool = True) -> TorchEngine:
    """The engine on its verified artifact; ArtifactError when it cannot be loaded."""
    spec, artifact = choice.spec, choice.artifact
    assert artifact is not None  # noqa: S101 - every entry of this module names one
    try:
        program = _LOADERS[str(spec.artifact)](artifact.path)
    except RuntimeError as error:
        raise ArtifactError(f"{artifact.path} cannot be loaded; run `resnet18-lab build --force`.") from error
    engine = EngineInfo(
        spec.name, spec.precision, choice.threads, artifact.weights_name, artifact.path.name, artifact.sha256
    )
    return TorchEngine(program, engine, choice.threads)
