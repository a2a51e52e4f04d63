"""The receptive field by the gradient of a layer's middle unit."""

import copy
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from resnet18_lab.base.networks import RESNET18
from resnet18_lab.model.receptive_field import STAGE_ENDS
from resnet18_lab.preprocessing.transform import Batch

WITHIN = 0.95


def gradient_maps(module: nn.Module, batch: Batch, layers: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """|d middle unit of the layer / d pixel| of the first picture by layer, colours and channels summed: 224×224."""
    outputs: list[torch.Tensor] = []
    handles = [
        module.get_submodule(name).register_forward_hook(lambda _m, _i, output: outputs.append(output))
        for name in layers
    ]
    picture = torch.from_numpy(batch[:1]).to(next(module.parameters()).dtype).requires_grad_(True)
    maps = {}
    try:
        with torch.enable_grad():
            module(picture)
            for name, output in zip(layers, outputs, strict=True):
                middle = output.shape[-1] // 2
                (gradient,) = torch.autograd.grad(output[0, :, middle, middle].sum(), picture, retain_graph=True)
                maps[name] = np.asarray(gradient[0].abs().sum(dim=0).numpy(), dtype=np.float32)
    finally:
        for handle in handles:
            handle.remove()
    return maps


def _all_positive(module: nn.Module) -> nn.Module:
    """A copy in which every weight is positive and no norm or maximum acts: nothing cancels out."""
    positive = copy.deepcopy(module)
    for layer in positive.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1.0 / layer.weight[0].numel())
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
    positive.maxpool = nn.AvgPool2d(3, stride=2, padding=1)  # a maximum passes the gradient to one pixel only
    return positive.double()  # float32 convolutions may leave rounding where zeros belong


def proved_fields(module: nn.Module, layers: Sequence[str] = STAGE_ENDS) -> dict[str, tuple[int, int]]:
    """First and last pixel + 1 that the gradient of a layer's middle unit reaches when nothing cancels out, by layer.

    ``layers`` stand in the order they run.
    """
    ones = np.ones((1, 3, RESNET18.crop, RESNET18.crop), dtype=np.float32)
    maps = gradient_maps(_all_positive(module), ones, layers)
    columns = {name: np.flatnonzero(gradient.any(axis=0)) for name, gradient in maps.items()}
    return {name: (int(pixels[0]), int(pixels[-1]) + 1) for name, pixels in columns.items()}


def side_holding(gradient: NDArray[np.float32], field: pd.Series, share: float = WITHIN) -> int:
    """Side in pixels of the smallest square around the field's middle that holds that share of the gradient."""
    middle = int(field["units"] // 2 * field["step"] - field["before"] + field["size"] // 2)
    whole = float(gradient.sum())
    for half in range(RESNET18.crop):
        low, high = max(middle - half, 0), middle + half + 1
        if float(gradient[low:high, low:high].sum()) >= share * whole:
            return min(high, RESNET18.crop) - low
    return RESNET18.crop
