"""A network with classes of one's own as a torch module: the parent's body with another last layer, or all of it."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from resnet18_lab.base.errors import WeightsError
from resnet18_lab.base.networks import Network
from resnet18_lab.weights.own import TOLD

HEAD_ONLY = "head"
WEIGHT, BIAS = "head.weight", "head.bias"
PARENT, PARENT_SHA256, DEPTH = "parent", "parent_sha256", "depth"


def head_of(path: Path, network: Network) -> tuple[nn.Linear, str, str]:
    """The last layer in the weights of a model, and its parent: text that names it, SHA-256. WeightsError otherwise."""
    try:
        with safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {})[TOLD])
            if told[DEPTH] != HEAD_ONLY:
                raise WeightsError(f"{path} was learned to the depth {told[DEPTH]!r}, which this version cannot read.")
            parent, digest = str(told[PARENT]), str(told[PARENT_SHA256])
            weight, bias = file.get_tensor(WEIGHT), file.get_tensor(BIAS)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} holds no weights ({error}); make the model anew or import it.") from error
    return _layer(path, network, weight, bias), parent, digest


def _layer(path: Path, network: Network, weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    if weight.shape != (network.classes, network.features) or bias.shape != (network.classes,):
        raise WeightsError(
            f"{path} has a last layer of {tuple(weight.shape)}, its card another; import the model anew."
        )
    layer = nn.Linear(network.features, network.classes)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer
