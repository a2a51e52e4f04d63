"""A network as TorchScript: traced, and traced then frozen.

TorchScript is deprecated in favour of torch.export and unsupported on Python 3.14 and newer; it is here
because most deployments of this model still use it. The warning that says so is filtered here alone.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from resnet18_lab.base.networks import RESNET18


@contextlib.contextmanager
def deprecation_known() -> Iterator[None]:
    """Silence torch's deprecation warning, which repeats this module's first lines."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        yield


def traced(module: nn.Module, *, shape: tuple[int, int, int] = RESNET18.shape, freeze: bool) -> torch.jit.ScriptModule:
    """The module traced on one picture of that ``shape``; ``freeze`` folds batch norms and makes weights constants."""
    with deprecation_known(), torch.inference_mode():
        program = torch.jit.trace(module, torch.zeros(1, *shape))
        return torch.jit.freeze(program) if freeze else program


def trace(module: nn.Module, target: Path, *, shape: tuple[int, int, int] = RESNET18.shape, freeze: bool) -> None:
    """Write the traced module."""
    content = io.BytesIO()  # on a full disk torch's own file writer ends the whole process
    with deprecation_known():
        torch.jit.save(traced(module, shape=shape, freeze=freeze), content)
    target.write_bytes(content.getbuffer())


def load_torchscript(path: Path) -> torch.jit.ScriptModule:
    """A traced module from its file, in eval mode; RuntimeError when the file holds none."""
    with deprecation_known():
        return torch.jit.load(str(path), map_location="cpu")
