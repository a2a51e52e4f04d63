"""Product-quantized weights (Stock et al., ICLR 2020) as a state dict of float32 tensors."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


def is_compact(content: Mapping[str, Any]) -> bool:
    """True for a file of product-quantized layers: each name leads to a dictionary of parts."""
    return isinstance(content.get("conv1"), dict)


def decode_compact(content: dict[str, Any], module: nn.Module) -> dict[str, torch.Tensor]:
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
            weight = packed.get("weight")
            state[f"{name}.weight"] = weight.float() if weight is not None else _decode_blocks(packed, layer)
    state["fc.bias"] = content["fc_bias"]["bias"].float()
    return state


def _decode_blocks(packed: dict[str, Any], layer: nn.Conv2d | nn.Linear) -> torch.Tensor:
    """One layer's weight: a row of the codebook for every block of ``d`` inputs of every output."""
    codebook = packed["centroids"].float()
    blocks = codebook[packed["assignments"].long()]
    chunks = blocks.t().chunk(int(packed["n_blocks"]), dim=1)
    matrix = torch.cat(chunks, dim=0)  # inputs × outputs
    return matrix.t().reshape(layer.weight.shape)
