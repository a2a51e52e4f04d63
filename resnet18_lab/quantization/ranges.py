"""Where the ends of a range of 8-bit codes are put."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_ACTIVATION_LEVELS = 255
"""Largest code of an activation (uint8)."""


_OUTERMOST = 1e-4
"""Share of the values that a percentile range leaves out at each end."""


_SHARES = torch.linspace(1.0, 0.1, 31).tolist()
"""Shares of an extreme value that ``closest_range`` tries as the end of the range."""
_SAMPLE = 500_000
"""Values of a tensor, about, that a range is searched on."""


@dataclass(frozen=True)
class Range:
    """Affine uint8 codes of a tensor: value = (code - zero_point) · scale."""

    scale: float
    zero_point: int

    def encode(self, values: Tensor) -> Tensor:
        """Codes, uint8, of float values; what lies outside is clipped."""
        return torch.clamp(torch.round(values / self.scale) + self.zero_point, 0, _ACTIVATION_LEVELS).to(torch.uint8)

    def decode(self, codes: Tensor) -> Tensor:
        """Float values of codes."""
        return (codes.float() - self.zero_point) * self.scale

    def rounded(self, values: Tensor) -> Tensor:
        """The values after a trip through the codes."""
        return self.decode(self.encode(values))


def range_between(low: float, high: float) -> Range:
    """The range that spans ``low`` to ``high`` and holds 0 exactly; its scale is 1 when both are 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(torch.tensor((high - low) / _ACTIVATION_LEVELS, dtype=torch.float32)) or 1.0
    return Range(scale, min(_ACTIVATION_LEVELS, max(0, round(-low / scale))))


def minmax_range(values: Tensor) -> Range:
    """The range from the smallest value to the largest."""
    return range_between(float(values.min()), float(values.max()))


def percentile_range(values: Tensor) -> Range:
    """The range of all but the outermost 0.01 % at each end."""
    low, high = torch.quantile(values, torch.tensor([_OUTERMOST, 1.0 - _OUTERMOST])).tolist()
    return range_between(low, high)


def closest_range(values: Tensor, after: Callable[[Tensor], Tensor] = lambda values: values) -> Range:
    """The range whose codes change ``after(values)`` least in mean square: a few outliers may be clipped.

    ``after`` is what follows (an addition and a ReLU, say): what it cuts off needs no codes. The two ends
    are searched in turn, each as a share of the extreme value.
    """
    low, high = float(values.min()), float(values.max())
    goal = after(values)

    def error(shares: tuple[float, float]) -> float:
        difference = after(range_between(low * shares[0], high * shares[1]).rounded(values)) - goal
        return float(difference.square().mean())

    best = (1.0, 1.0)
    for _ in range(2 if low < 0 else 1):
        best = min([(best[0], share) for share in _SHARES], key=error)
        if low < 0:
            best = min([(share, best[1]) for share in _SHARES], key=error)
    return range_between(low * best[0], high * best[1])


def sample_of(*tensors: Tensor) -> list[Tensor]:
    """Evenly spaced values of tensors of one size, the same places of each: enough to search a range on."""
    step = max(1, tensors[0].numel() // _SAMPLE) | 1  # odd: an even one could fall on the same columns of a map
    return [tensor.flatten()[::step] for tensor in tensors]
