"""Batch norms whose running statistics were folded into weight and bias, made trainable again."""

from collections.abc import Iterable

import torch
from torch import nn

_Sums = dict[nn.BatchNorm2d, list[torch.Tensor]]


def batch_norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    """All in the module, in its order."""
    return [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]


def are_folded(module: nn.Module) -> bool:
    """True where no batch norm keeps statistics of its own: all means are 0, all variances the same.

    Weights for inference are published so. In training mode such layers normalise once more, and what the network had
    learned is lost.
    """
    norms = batch_norms(module)
    return bool(norms) and all(
        not _of(norm, "running_mean").any() and float(_of(norm, "running_var").std(correction=0)) < norm.eps
        for norm in norms
    )


@torch.no_grad()
def restore_statistics(module: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Measure what stands before each batch norm, and split its weight and bias into statistics and the rest.

    Outputs in evaluation mode stay the same but for rounding: with mean μ and variance v of a channel, measured on
    these inputs (float32 N×C×H×W), ``running_mean`` = μ, ``running_var`` = v, ``weight`` · √(v + ε) and ``bias`` +
    ``weight`` · μ of what was folded.
    """
    norms = batch_norms(module)
    sums: _Sums = {norm: [] for norm in norms}
    hooks = [norm.register_forward_pre_hook(lambda norm, values: _add(sums[norm], values[0])) for norm in norms]
    was_training = module.training
    module.eval()
    try:
        for batch in batches:
            module(batch)
    finally:
        for hook in hooks:
            hook.remove()
        module.train(was_training)
    for norm in norms:
        _split(norm, *_mean_and_variance(sums[norm]))


def _add(sums: list[torch.Tensor], values: torch.Tensor) -> None:
    """Count, sum and sum of squares of each channel, in float64."""
    rows = values.detach().double().transpose(0, 1).flatten(1)
    parts = [torch.tensor(float(rows.shape[1]), dtype=torch.float64), rows.sum(1), rows.square().sum(1)]
    sums[:] = [old + new for old, new in zip(sums, parts, strict=True)] if sums else parts


def _mean_and_variance(sums: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    count, total, squares = sums
    mean = total / count
    return mean, (squares / count - mean.square()).clamp_min(0)


def _split(norm: nn.BatchNorm2d, mean: torch.Tensor, variance: torch.Tensor) -> None:
    """The same line through each channel, written with these statistics."""
    old = torch.sqrt(_of(norm, "running_var").double() + norm.eps)
    slope = norm.weight.double() / old
    offset = norm.bias.double() - slope * _of(norm, "running_mean").double()
    norm.weight.copy_(slope * torch.sqrt(variance + norm.eps))
    norm.bias.copy_(offset + slope * mean)
    _of(norm, "running_mean").copy_(mean)
    _of(norm, "running_var").copy_(variance)


def _of(norm: nn.BatchNorm2d, name: str) -> torch.Tensor:
    found = getattr(norm, name)
    assert isinstance(found, torch.Tensor)  # noqa: S101 - the networks here all track statistics
    return found
