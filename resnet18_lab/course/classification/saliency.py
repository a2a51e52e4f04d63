"""What the network looks at: first filters, feature maps and Grad-CAM, as arrays ready to draw; and whether it does."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from resnet18_lab.base.networks import RESNET18
from resnet18_lab.preprocessing.transform import Batch

_GRAD_CAM_LAYER = "layer4"
"""The last convolutional stage: 512 maps of 7×7, the usual place for Grad-CAM."""
_HIDDEN = 0.25
"""Share of the picture that is greyed at a time."""


def first_filters(module: nn.Module) -> NDArray[np.float32]:
    """The 64 filters of the first convolution as RGB pictures, float32 64×7×7×3, each stretched to 0..1."""
    weight = module.get_parameter("conv1.weight").detach().permute(0, 2, 3, 1).numpy()
    low = weight.min(axis=(1, 2, 3), keepdims=True)
    high = weight.max(axis=(1, 2, 3), keepdims=True)
    return np.asarray((weight - low) / np.maximum(high - low, 1e-12), dtype=np.float32)


def feature_maps(module: nn.Module, batch: Batch, layers: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """What each named layer puts out for the first picture of the batch: float32 C×H×W by layer name."""
    maps: dict[str, NDArray[np.float32]] = {}

    def keep(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            maps[name] = output[0].detach().numpy().copy()

        return module.get_submodule(name).register_forward_hook(hook)

    handles = [keep(name) for name in layers]
    try:
        with torch.inference_mode():
            module(torch.from_numpy(batch[:1]))
    finally:
        for handle in handles:
            handle.remove()
    return maps


def grad_cam(module: nn.Module, batch: Batch, class_index: int) -> NDArray[np.float32]:
    """Where the evidence for a class lies in the first picture: float32 224×224, 0..1.

    Grad-CAM (Selvaraju et al., ICCV 2017): the last stage's maps, weighted by the mean gradient of the
    class's logit, summed, cut at zero, and stretched. All zeros when nothing speaks for the class.
    """
    stage: list[torch.Tensor] = []
    handle = module.get_submodule(_GRAD_CAM_LAYER).register_forward_hook(lambda _m, _i, output: stage.append(output))
    try:
        with torch.enable_grad():
            logits = module(torch.from_numpy(batch[:1]).requires_grad_(True))
            (gradient,) = torch.autograd.grad(logits[0, class_index], stage[0])
    finally:
        handle.remove()
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    heat = torch.relu((weights * stage[0].detach()).sum(dim=1, keepdim=True))
    heat = nn.functional.interpolate(heat, size=(RESNET18.crop, RESNET18.crop), mode="bilinear", align_corners=False)[
        0, 0
    ]
    return np.asarray((heat / heat.max().clamp_min(1e-12)).detach().numpy(), dtype=np.float32)


def occlusion(module: nn.Module, batch: Batch, class_index: int, heat: NDArray[np.float32]) -> dict[str, float]:
    """How far the class's logit falls when the ``hot`` and when the ``cold`` quarter of the first picture is greyed.

    ``heat`` (224×224) tells the two apart, so this is a test of ``grad_cam`` that asks the network alone: evidence that
    is hidden is missed. Grey is the mean of ImageNet, 0 after ``normalise``. Where many pixels are equally hot or cold,
    all of them are greyed, also beyond a quarter: a map that is the same everywhere has no hot side.
    """
    low, high = np.quantile(heat, [_HIDDEN, 1 - _HIDDEN])
    pictures = np.repeat(batch[:1], 3, axis=0)
    pictures[1][:, heat >= high] = 0
    pictures[2][:, heat <= low] = 0
    with torch.inference_mode():
        whole, without_hot, without_cold = module(torch.from_numpy(pictures))[:, class_index].tolist()
    return {"hot": whole - without_hot, "cold": whole - without_cold}
