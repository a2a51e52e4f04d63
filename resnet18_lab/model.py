"""The network: torchvision's ResNet-18 with weights from any of the known files."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resnet18_lab import weights as weights_files
from resnet18_lab._torchvision import torchvision
from resnet18_lab.errors import WeightsError
from resnet18_lab.weights import WeightsFile

UNTRAINED_SEED = 0


@dataclass(frozen=True)
class LoadedModel:
    """A ResNet-18 in eval mode together with the weights it was made from."""

    module: nn.Module
    weights: WeightsFile


def load(weights: str | WeightsFile = "auto") -> LoadedModel:
    """ResNet-18 in eval mode (float32 N×3×224×224 -> float32 N×1000 logits) with its provenance.

    ``weights`` is a catalogue name, ``untrained``, a path, or a file already found. Nothing is
    downloaded. Raises WeightsNotFoundError or WeightsError.
    """
    file = weights if isinstance(weights, WeightsFile) else weights_files.find(weights)
    if file.path is None:
        return LoadedModel(_untrained(), file)
    module = torchvision.models.resnet18(weights=None)
    content = _read(file.path)
    try:
        state = _decode_compact(content, module) if _is_compact(content) else content
        module.load_state_dict(state)
    except (RuntimeError, KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"{file.path} holds no ResNet-18 weights ({first_line}); give a state dict of "
            "torchvision's resnet18 or one of `resnet18-lab weights list`."
        ) from error
    return LoadedModel(module.eval(), file)


def _untrained() -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(UNTRAINED_SEED)
        module: nn.Module = torchvision.models.resnet18(weights=None)
    return module.eval()


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path} is no weights file that can be read safely (torch.load with "
            "weights_only=True refuses it); delete it and fetch it again."
        ) from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} holds a {type(content).__name__}, not a dictionary of weights.")
    return content


def _is_compact(content: dict[str, Any]) -> bool:
    return isinstance(content.get("conv1"), dict)


def _decode_compact(content: dict[str, Any], module: nn.Module) -> dict[str, torch.Tensor]:
    """State dict of float32 tensors from product-quantized layers (Stock et al., ICLR 2020).

    The running statistics of the batch norms are folded into their weight and bias already, so the
    mean is 0 and the variance is what makes ``1 / sqrt(var + eps)`` equal to 1.
    """
    state = module.state_dict()
    for name, layer in module.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            state[f"{name}.weight"] = content[name]["weight"].float()
            state[f"{name}.bias"] = content[name]["bias"].float()
            state[f"{name}.running_mean"] = torch.zeros(layer.num_features)
            state[f"{name}.running_var"] = torch.full((layer.num_features,), 1.0 - layer.eps)
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            packed = content[name]
            stored = packed.get("weight")
            state[f"{name}.weight"] = stored.float() if stored is not None else _decode_blocks(packed, layer)
    state["fc.bias"] = content["fc_bias"]["bias"].float()
    return state


def _decode_blocks(packed: dict[str, Any], layer: nn.Conv2d | nn.Linear) -> torch.Tensor:
    """One layer's weight: a row of the codebook for every block of ``d`` inputs of every output."""
    codebook = packed["centroids"].float()
    blocks = codebook[packed["assignments"].long()]
    chunks = blocks.t().chunk(int(packed["n_blocks"]), dim=1)
    matrix = torch.cat(chunks, dim=0)  # inputs × outputs
    return matrix.t().reshape(layer.weight.shape)
