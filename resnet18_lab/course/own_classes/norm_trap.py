"""The trap of folded batch norms: training mode undoes what was learned, until the statistics are measured again."""

import numpy as np
import pandas as pd
import torch
from torch import nn

from resnet18_lab.inference import metrics
from resnet18_lab.model.batch_norms import are_folded, batch_norms, restore_statistics


@torch.no_grad()
def fold_statistics(module: nn.Module) -> None:
    """Put each batch norm's running statistics into its weight and bias, as files for inference have them."""
    for norm in batch_norms(module):
        assert isinstance(norm.running_mean, torch.Tensor) and isinstance(norm.running_var, torch.Tensor)  # noqa: S101
        slope = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        norm.bias.sub_(slope * norm.running_mean)
        norm.weight.copy_(slope)
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0 - norm.eps)


@torch.no_grad()
def trap(module: nn.Module, batch: torch.Tensor) -> pd.DataFrame:
    """How far each way of running the network is from its answers in evaluation mode, on one batch float32 N×3×H×W.

    The module is folded first if it is not, and left restored, in evaluation mode.
    """
    if not are_folded(module):
        fold_statistics(module)
    expected = module.eval()(batch)
    rows = {"folded, training mode": _beside(_in_training_mode(module, batch), expected)}
    restore_statistics(module, [batch])
    rows["restored, evaluation mode"] = _beside(module.eval()(batch), expected)
    rows["restored, training mode"] = _beside(_in_training_mode(module, batch), expected)
    module.eval()
    return pd.DataFrame(rows).T


def _in_training_mode(module: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """Logits with the batch's own statistics; the running ones stay as they were."""
    kept = {name: value.clone() for name, value in module.state_dict().items()}
    logits: torch.Tensor = module.train()(batch)
    module.load_state_dict(kept)
    return logits


def _beside(logits: torch.Tensor, expected: torch.Tensor) -> dict[str, str]:
    one, other = logits.numpy(), expected.numpy()
    same = float(np.mean(one.argmax(axis=1) == other.argmax(axis=1)))
    largest = float(np.abs(one - other).max() / np.abs(other).max())
    return {
        "same best class": f"{same:.0%}",
        "cosine of logits": f"{metrics.cosines(other, one).mean():.3f}",
        "largest difference": f"{largest:.1e} of the largest logit",
    }
