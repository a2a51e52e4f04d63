"""The moving average of a network's weights: what a run judges, and ends with."""

import torch
from torch import nn


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, steps: int, share: float) -> None:
    """Move the average a small step towards the network after so many ``steps``; a young average goes faster.

    ``share`` of an old average is kept; what is no float is copied.
    """
    keep = min(share, (1 + steps) / (10 + steps))
    for own, other in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if own.dtype.is_floating_point:
            own.lerp_(other, 1 - keep)
        else:
            own.copy_(other)
