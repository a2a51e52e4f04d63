"""What the network looks at: first filters, feature maps and Grad-CAM, as arrays ready to draw; and whether it does."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from resnet18_lab.preprocessing.transform import Batch

_STRIDES = (4, 8, 16, 32)
"""How much smaller than the picture the maps are that are looked into: of 224×224, 56×56 to 7×7."""
_HIDDEN = 0.25
"""Share of the picture that is greyed at a time."""


def first_filters(module: nn.Module) -> NDArray[np.float32]:
    """The first convolution's filters as RGB pictures, float32 N×H×W×3 (ResNet: 64×7×7×3), each stretched to 0..1."""
    first = next(layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    weight = first.weight.detach().permute(0, 2, 3, 1).numpy()
    low = weight.min(axis=(1, 2, 3), keepdims=True)
    high = weight.max(axis=(1, 2, 3), keepdims=True)
    return np.asarray((weight - low) / np.maximum(high - low, 1e-12), dtype=np.float32)


def feature_maps(module: nn.Module, batch: Batch, layers: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """What each named layer puts out for the first picture of the batch: float32 C×H×W by layer name."""
    maps = dict(_outputs(module, batch, layers))
    return {name: maps[name][0].detach().numpy().copy() for name in layers}


def _outputs(module: nn.Module, batch: Batch, layers: Iterable[str]) -> list[tuple[str, torch.Tensor]]:
    """What the layers put out for the first picture of the batch, in the order in which they do."""
    seen: list[tuple[str, torch.Tensor]] = []

    def keep(name: str, _module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        seen.append((name, output))

    handles = [module.get_submodule(name).register_forward_hook(partial(keep, name)) for name in layers]
    try:
        with torch.inference_mode():
            module(torch.from_numpy(batch[:1]))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def stages_of(module: nn.Module, batch: Batch) -> list[str]:
    """The layer that ends each stage: the last one with maps of a 4th, 8th, 16th and 32nd of the picture's side.

    Of layers within each other the outer one is taken; those of a ResNet are layer1 to layer4. The last one is the
    usual place for Grad-CAM.
    """
    sides: dict[str, int] = {}  # of a layer's last output, in the order of the network
    for name, output in _outputs(module, batch, [name for name, _ in module.named_modules() if name]):
        sides.pop(name, None)
        if output.ndim == 4:
            sides[name] = output.shape[-1]
    wanted = [-(-batch.shape[-1] // stride) for stride in _STRIDES]
    of_side = {side: [name for name in sides if sides[name] == side] for side in wanted}
    return [min(reversed(names), key=lambda name: name.count(".")) for names in of_side.values() if names]


def strongest(maps: Mapping[str, NDArray[np.float32]], count: int = 8) -> NDArray[np.float32]:
    """The strongest maps of each layer, enlarged to the first one's size and stretched to 0..1; layer after layer."""
    side = next(iter(maps.values())).shape[-1]
    tiles = []
    for stage in maps.values():
        chosen = stage[np.argsort(-stage.mean(axis=(1, 2)), kind="stable")[:count]]
        nearest = np.arange(side) * stage.shape[-1] // side
        tiles.append(chosen[:, nearest][:, :, nearest])
    every = np.concatenate(tiles)
    low = np.minimum(every.min(axis=(1, 2), keepdims=True), 0)  # activations other than ReLU's go below zero
    high = every.max(axis=(1, 2), keepdims=True)
    return np.asarray((every - low) / np.maximum(high - low, 1e-12), dtype=np.float32)


def grad_cam(module: nn.Module, batch: Batch, class_index: int) -> NDArray[np.float32]:
    """Where the evidence for a class lies in the first picture: float32 of the batch's height and width, 0..1.

    Grad-CAM (Selvaraju et al., ICCV 2017): the last stage's maps, weighted by the mean gradient of the
    class's logit, summed, cut at zero, and stretched. All zeros when nothing speaks for the class.
    """
    stage: list[torch.Tensor] = []
    last = module.get_submodule(stages_of(module, batch)[-1])
    handle = last.register_forward_hook(lambda _m, _i, output: stage.append(output))
    try:
        with torch.enable_grad():
            logits = module(torch.from_numpy(batch[:1]).requires_grad_(True))
            (gradient,) = torch.autograd.grad(logits[0, class_index], stage[-1])
    finally:
        handle.remove()
    heat = torch.relu((gradient.mean(dim=(2, 3), keepdim=True) * stage[-1].detach()).sum(dim=1, keepdim=True))
    heat = nn.functional.interpolate(heat, size=batch.shape[2:], mode="bilinear", align_corners=False)[0, 0]
    return np.asarray((heat / heat.max().clamp_min(1e-12)).detach().numpy(), dtype=np.float32)


def occlusion(module: nn.Module, batch: Batch, class_index: int, heat: NDArray[np.float32]) -> dict[str, float]:
    """How far the class's logit falls when the ``hot`` and when the ``cold`` quarter of the first picture is greyed.

    ``heat`` (of the batch's height and width) tells the two apart, so this is a test of ``grad_cam`` that asks the
    network alone: evidence that is hidden is missed. Grey is the mean that ``normalise`` takes off, 0 after it. Where
    many pixels are equally hot or cold, all of them are greyed, also beyond a quarter: a map that is the same
    everywhere has no hot side.
    """
    low, high = np.quantile(heat, [_HIDDEN, 1 - _HIDDEN])
    pictures = np.repeat(batch[:1], 3, axis=0)
    pictures[1][:, heat >= high] = 0
    pictures[2][:, heat <= low] = 0
    with torch.inference_mode():
        whole, without_hot, without_cold = module(torch.from_numpy(pictures))[:, class_index].tolist()
    return {"hot": whole - without_hot, "cold": whole - without_cold}
