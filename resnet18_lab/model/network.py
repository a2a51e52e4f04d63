"""The network: torchvision's ResNet-18 with weights from any of the known files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resnet18_lab.base.errors import WeightsError
from resnet18_lab.model import state_files
from resnet18_lab.model.codes import is_codes, read_codes
from resnet18_lab.model.compact import decode_compact, is_compact
from resnet18_lab.model.torchvision import torchvision
from resnet18_lab.weights.find import WeightsFile, find_weights

_UNTRAINED_SEED = 0


@dataclass(frozen=True)
class LoadedModel:
    """A ResNet-18 in eval mode together with the weights it was made from."""

    module: nn.Module
    weights: WeightsFile


def load_model(weights: str | WeightsFile = "auto") -> LoadedModel:
    """ResNet-18 in eval mode (float32 N×3×224×224 -> float32 N×1000 logits) with its provenance.

    ``weights`` is a catalogue name, ``untrained``, a path, or a file already found. Nothing is
    downloaded. Raises WeightsNotFoundError or WeightsError.
    """
    file = weights if isinstance(weights, WeightsFile) else find_weights(weights)
    if file.path is None:
        return LoadedModel(_untrained(), file)
    module = torchvision.models.resnet18(weights=None)
    try:
        module.load_state_dict(_state_in(file.path, module))
    except (RuntimeError, KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(
            f"{file.path} holds no ResNet-18 weights ({reason[:500]}); give a state dict of "
            "torchvision's resnet18 or one of `resnet18-lab weights list`."
        ) from error
    return LoadedModel(module.eval(), file)


def _state_in(path: Path, module: nn.Module) -> dict[str, Any]:
    """The state dict in a file of any known form."""
    if is_codes(path):
        return read_codes(path, module.state_dict())
    content = state_files.read(path)
    if is_compact(content):
        return decode_compact(dict(content), module)
    state = state_files.unwrapped(content)
    state_files.refuse_another(path, state, module.state_dict())
    return state


def _untrained() -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(_UNTRAINED_SEED)
        module: nn.Module = torchvision.models.resnet18(weights=None)
    return module.eval()
