"""Batch norms folded into the convolutions before them, by hand: what every converter does first."""

import copy
from itertools import pairwise

import torch
from torch import nn


def fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that does the work of both in eval mode.

    A batch norm multiplies each channel by γ / sqrt(variance + ε) and adds β - mean · γ / sqrt(variance
    + ε). Both are known after training: the factor goes into the filters, the rest becomes a bias.
    """
    assert norm.running_mean is not None and norm.running_var is not None  # noqa: S101 - torchvision's track them
    with torch.no_grad():
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        folded = copy.deepcopy(convolution)
        folded.weight = nn.Parameter(convolution.weight * factor[:, None, None, None])
        folded.bias = nn.Parameter(norm.bias - norm.running_mean * factor)
    return folded


def without_batch_norms(module: nn.Module) -> nn.Module:
    """A copy in eval mode whose convolutions hold what the batch norms did; these are gone (Identity)."""
    folded = copy.deepcopy(module).eval()
    for parent in list(folded.modules()):
        for (name, layer), (next_name, following) in pairwise(list(parent.named_children())):
            if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                setattr(parent, name, fold(layer, following))
                setattr(parent, next_name, nn.Identity())
    return folded
