"""A network with classes of one's own as a torch module: the parent's body with another last layer, or all of it."""

import json
from dataclasses import dataclass
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


@dataclass(frozen=True)
class OwnWeights:
    """The tensors in a model's file: its last layer as ``head.weight`` and ``head.bias``, or the whole state dict.

    ``parent`` names the weights it was made of, ``parent_sha256`` is theirs.
    """

    path: Path
    depth: str
    parent: str
    parent_sha256: str
    tensors: dict[str, torch.Tensor]

    def put_into(self, module: nn.Module, network: Network) -> nn.Module:
        """The network with these weights, in eval mode; ``module`` has the parent's body where only a layer is here.

        WeightsError for tensors that are not those of the network.
        """
        if self.depth == HEAD_ONLY:
            weight, bias = (self.tensors.get(name, torch.empty(0)) for name in (WEIGHT, BIAS))
            setattr(module, network.head, _layer(self.path, network, weight, bias))
            return module.eval()
        setattr(module, network.head, nn.Linear(network.features, network.classes))
        try:
            module.load_state_dict(self.tensors)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:500]
            raise WeightsError(f"{self.path} holds no {network.title} ({reason}); import the model anew.") from error
        return module.eval()


def own_weights(path: Path) -> OwnWeights:
    """The weights of a model of one's own; WeightsError for another file."""
    try:
        with safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {})[TOLD])
            depth, parent, digest = (str(told[name]) for name in (DEPTH, PARENT, PARENT_SHA256))
            names = file.keys()  # of no mapping: it cannot be iterated over itself
            return OwnWeights(path, depth, parent, digest, {name: file.get_tensor(name) for name in names})
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(f"{path} holds no weights ({error}); make the model anew or import it.") from error


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
