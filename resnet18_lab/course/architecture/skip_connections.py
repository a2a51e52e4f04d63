"""What the skip connections do: the same network with some of them cut, its signal and its gradient."""

import copy
from collections.abc import Iterable

import pandas as pd
import torch
from torch import nn

from resnet18_lab.model.torchvision import torchvision
from resnet18_lab.preprocessing.transform import Batch

_STEM_END = "maxpool"
"""The layer whose output the first block takes."""
_PART = 4
"""Pictures in one forward pass; larger ones cost more memory and time a picture."""


class PlainBlock(nn.Module):
    """The layers of a residual block without the addition of its input (nor the 1×1 convolution on that way)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        names = ("conv1", "bn1", "relu", "conv2", "bn2")
        self.branch = nn.Sequential(*(block.get_submodule(name) for name in names))
        self.relu = nn.ReLU()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The block's output when nothing is added before its last ReLU."""
        activations: torch.Tensor = self.relu(self.branch(inputs))
        return activations


def block_names(module: nn.Module) -> list[str]:
    """The residual blocks from front to back: ``layer1.0`` … ``layer4.1``."""
    block = torchvision.models.resnet.BasicBlock
    return [name for name, part in module.named_modules() if isinstance(part, block)]


def without_skips(module: nn.Module, blocks: Iterable[str] | None = None) -> nn.Module:
    """A copy with the skip connections of the named blocks cut, of all blocks if none is named."""
    network = copy.deepcopy(module)
    for name in block_names(module) if blocks is None else blocks:
        stage, _, number = name.rpartition(".")
        network.get_submodule(stage)._modules[number] = PlainBlock(network.get_submodule(name))
    return network.eval()


def _outputs(module: nn.Module, batch: Batch, names: list[str]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """The named layers' outputs and the logits, with a graph to go back through where gradients are on."""
    outputs: dict[str, torch.Tensor] = {}

    def keep(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            outputs[name] = output

        return module.get_submodule(name).register_forward_hook(hook)

    handles = [keep(name) for name in names]
    try:
        logits = module(torch.from_numpy(batch))
    finally:
        for handle in handles:
            handle.remove()
    return outputs, logits


def _likeness(activations: torch.Tensor) -> float:
    """Mean cosine between the pictures of a batch: 1 when each picture gives the same activations."""
    rows = nn.functional.normalize(activations.flatten(1), dim=1)
    others = rows @ rows.t() - torch.eye(len(rows))
    return float(others.sum() / (len(rows) * (len(rows) - 1)))


def signal(module: nn.Module, batch: Batch, blocks: list[str]) -> pd.DataFrame:
    """A row for the stem and each block: root mean square, share of zeros, likeness between pictures."""
    with torch.inference_mode():
        outputs, _ = _outputs(module, batch, [_STEM_END, *blocks])
        rows = {
            name: {
                "rms": float(output.square().mean().sqrt()),
                "zeros": float((output == 0).float().mean()),
                "likeness": _likeness(output),
            }
            for name, output in outputs.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename(index={_STEM_END: "stem"})


def answers(module: nn.Module, batch: Batch) -> list[int]:
    """The best class index of each picture."""
    with torch.inference_mode():
        parts = (torch.from_numpy(batch[start : start + _PART]) for start in range(0, len(batch), _PART))
        return [int(index) for part in parts for index in module(part).argmax(dim=1)]


def branch_over_skip(module: nn.Module, batch: Batch) -> pd.Series:
    """How strong each block's own result is beside what its skip connection brings: ratio of root mean squares."""
    ratios: dict[str, float] = {}

    def watch(name: str) -> list[torch.utils.hooks.RemovableHandle]:
        block = module.get_submodule(name)
        skips: list[torch.Tensor] = []

        def keep_input(_block: nn.Module, inputs: tuple[torch.Tensor]) -> None:
            way = getattr(block, "downsample", None)
            skips.append(inputs[0] if way is None else way(inputs[0]))

        def compare(_norm: nn.Module, _inputs: object, branch: torch.Tensor) -> None:
            ratios[name] = float((branch.square().mean() / skips[0].square().mean()).sqrt())

        return [block.register_forward_pre_hook(keep_input), block.bn2.register_forward_hook(compare)]  # type: ignore[union-attr]

    handles = [handle for name in block_names(module) for handle in watch(name)]
    try:
        with torch.inference_mode():
            module(torch.from_numpy(batch))
    finally:
        for handle in handles:
            handle.remove()
    return pd.Series(ratios, name="branch / skip")


def cut_one_at_a_time(module: nn.Module, batch: Batch) -> pd.Series:
    """How many pictures keep their answer when the skip connection of one block alone is cut, by block."""
    whole = answers(module, batch)
    counts = {}
    for name in block_names(module):
        cut = answers(without_skips(module, [name]), batch)
        counts[name] = sum(before == after for before, after in zip(whole, cut, strict=True))
    return pd.Series(counts, name="answers kept")


def gradient_norms(module: nn.Module, batch: Batch, blocks: list[str], classes: list[int]) -> pd.DataFrame:
    """Norm of d logit / d output, a row for each picture and a column for the stem and each block.

    The logit is that of ``classes``, one a picture. Behind the last block nothing depends on the
    skip connections, so that both networks begin with the same gradient there.
    """
    names = [_STEM_END, *blocks]
    with torch.enable_grad():
        outputs, logits = _outputs(module, batch, names)
        total = logits[torch.arange(len(classes)), torch.tensor(classes)].sum()
        gradients = torch.autograd.grad(total, [outputs[name] for name in names])
    norms = [gradient.flatten(1).norm(dim=1).numpy() for gradient in gradients]
    return pd.DataFrame(dict(zip(["stem", *blocks], norms, strict=True)))
