"""From float32 to 8-bit weights: one scale for each output channel, and which way to round each weight."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_DAMPING = 0.01
"""Share of its mean that is added to the Gram matrix's diagonal (Frantar et al., ICLR 2023, take 1 %)."""
_BLOCK = 128
_LARGEST_BIAS_CODE = 2.0**30  # of an int32: the other half is left to the sum of products
_CHUNK = 8
_POSITIONS = 1000
"""Positions of a feature map, drawn at random, whose inputs enter a layer's Gram matrix."""


def channel_scales(matrix: Tensor, bias: Tensor, input_scale: float, largest: int) -> Tensor:
    """One positive scale per output channel (row), float32, so that ``largest`` is the largest code.

    An all-zero channel gets the median of the others (its bias still needs a scale), and no scale is so
    small that the bias would not fit 32 bits.
    """
    scales = matrix.abs().amax(dim=1) / largest
    positive = scales > 0
    typical = scales[positive].median() if bool(positive.any()) else torch.tensor(1.0)
    return torch.maximum(torch.where(positive, scales, typical), bias.abs() / (input_scale * _LARGEST_BIAS_CODE))


Rounder = Callable[[Tensor, Tensor, Tensor, int], Tensor]
"""(matrix outputs×inputs, Gram matrix of the inputs, scales per output, largest code) -> codes, float."""


def nearest(matrix: Tensor, gram: Tensor, scales: Tensor, largest: int) -> Tensor:  # noqa: ARG001 - a Rounder
    """Each weight to its nearest code, as every library does by default."""
    return torch.clamp(torch.round(matrix / scales[:, None]), -largest - 1, largest)


def gptq(matrix: Tensor, gram: Tensor, scales: Tensor, largest: int) -> Tensor:
    """Codes that keep the layer's output: inputs are rounded in turn, and later ones make up for the error.

    GPTQ (Frantar et al., ICLR 2023), an ordered and blocked form of Optimal Brain Quantization. It lowers
    what AdaRound (Nagel et al., ICML 2020) descends on, ``tr(Δ·gram·Δᵀ)``, without gradients. Inputs of
    the largest power come first; ties keep their order.
    """
    # errors of the strongest inputs cost most, so they are rounded while most others can still make up for them
    order = torch.argsort(gram.diagonal(), descending=True, stable=True)
    # its row k says how the weights after k must change to make up for an error at weight k
    upper = _inverse_factor(gram[order][:, order])
    weights, codes = matrix[:, order], torch.empty_like(matrix)
    column = scales[:, None]
    for start in range(0, matrix.shape[1], _BLOCK):
        stop = min(start + _BLOCK, matrix.shape[1])
        errors = torch.empty(matrix.shape[0], stop - start)
        for k in range(start, stop):
            here = weights[:, k : k + 1]
            code = torch.clamp(torch.round(here / column), -largest - 1, largest)
            error = (here - code * column) / upper[k, k]
            # at once within the block only: one large product for all later columns is faster than many small ones
            weights[:, k:stop] -= error @ upper[k : k + 1, k:stop]
            codes[:, k : k + 1], errors[:, k - start : k - start + 1] = code, error
        weights[:, stop:] -= errors @ upper[start:stop, stop:]
    return codes[:, torch.argsort(order)]  # back in the inputs' own order


def _inverse_factor(gram: Tensor) -> Tensor:
    """Upper Cholesky factor of the Gram matrix's inverse; damped, since inputs that depend on others have none."""
    damped = _with_ridge(gram, _DAMPING)
    factor: Tensor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)
    return factor


def _with_ridge(gram: Tensor, share: float) -> Tensor:
    """The Gram matrix plus ``share`` of its mean diagonal (1 where that is 0) on the diagonal."""
    level = float(gram.diagonal().mean()) or 1.0
    return gram + share * level * torch.eye(len(gram))


@dataclass(frozen=True)
class Layer:
    """A convolution; a fully connected layer is one of 1×1 on a map of 1×1."""

    weight: Tensor
    bias: Tensor
    stride: int
    padding: int

    def output(self, values: Callable[[slice], Tensor], count: int) -> Tensor:
        """The output for ``count`` pictures, computed a few at a time; ``values`` gives the inputs of a slice."""
        parts = [slice(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
        return torch.cat(
            [functional.conv2d(values(part), self.weight, self.bias, self.stride, self.padding) for part in parts]
        )

    def columns(self, picture: Tensor) -> Tensor:
        """What each output position reads: inputs×positions of a picture 1×C×H×W."""
        return functional.unfold(picture, self.weight.shape[2], padding=self.padding, stride=self.stride)[0]


@dataclass(frozen=True)
class Moments:
    """Of a layer's inputs: mean and covariance as INT8 computes them, exact mean, covariance of exact and INT8."""

    mean: Tensor
    exact_mean: Tensor
    gram: Tensor
    cross: Tensor | None


def sampled_positions(layer: Layer, pictures: Tensor) -> int:
    """How many positions of these pictures N×C×H×W ``measure`` draws for the covariances."""
    kernel = layer.weight.shape[2]
    across, down = ((side + 2 * layer.padding - kernel) // layer.stride + 1 for side in pictures.shape[2:])
    return len(pictures) * min(_POSITIONS, across * down)


def measure(
    layer: Layer, pairs: Iterable[tuple[Tensor, Tensor]], random: torch.Generator, *, crossed: bool = True
) -> Moments:
    """Moments over pictures 1×C×H×W, each as INT8 makes it and exact.

    Means are over all positions of the map, covariances over some, drawn at random for each picture. ``crossed`` False
    leaves out the covariance of exact and INT8, which costs as much as the other.
    """
    inputs = layer.weight[0].numel()
    sums, sample_sums = torch.zeros(2, inputs), torch.zeros(2, inputs)
    gram, cross = torch.zeros(inputs, inputs), torch.zeros(inputs, inputs) if crossed else None
    count = 0
    for pair in pairs:
        columns = torch.stack([layer.columns(picture) for picture in pair])
        sums += columns.mean(dim=2)
        sample = columns[:, :, torch.randperm(columns.shape[2], generator=random)[:_POSITIONS]]
        sample_sums += sample.mean(dim=2)
        gram.addmm_(sample[0], sample[0].T, alpha=1.0 / sample.shape[2])
        if cross is not None:
            cross.addmm_(sample[1], sample[0].T, alpha=1.0 / sample.shape[2])
        count += 1
    means, sample_means = sums / count, sample_sums / count
    gram = gram / count - torch.outer(sample_means[0], sample_means[0])
    if cross is not None:
        cross = cross / count - torch.outer(sample_means[1], sample_means[0])
    return Moments(means[0], means[1], gram, cross)


def refitted(matrix: Tensor, moments: Moments, strength: float) -> Tensor:
    """Weights that give, from the INT8 inputs, what the float inputs gave: a ridge regression.

    ``strength`` holds them near the weights as they were.
    """
    assert moments.cross is not None  # noqa: S101 - whoever refits has measured it
    # (matrix + change) @ gram = matrix @ cross, solved for the change, which a ridge keeps small
    difference = matrix @ (moments.cross - moments.gram)
    change: Tensor = torch.linalg.solve(_with_ridge(moments.gram, strength), difference.T).T
    return matrix + change
