"""A network compiled ahead of time: torch.export, then AOTInductor into one ``.pt2`` package.

The package holds machine code for the CPU type it was built on; it needs a C++ compiler to build and
none to run.
"""

import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resnet18_lab.base.errors import BuildError
from resnet18_lab.base.networks import RESNET18

_COMPILERS = ("g++", "c++", "clang++")
MAX_BATCH = 64
"""Largest batch the package takes; the exported program needs a bound for its batch axis."""


def find_compiler() -> str | None:
    """Path of the C++ compiler, or None."""
    return next((path for name in _COMPILERS if (path := shutil.which(name))), None)


def compile_package(module: nn.Module, target: Path, *, shape: tuple[int, int, int] = RESNET18.shape) -> None:
    """Write the package to a path that ends in .pt2; ``freezing`` folds batch norms and lays out the weights.

    ``shape`` is that of one picture.
    """
    if find_compiler() is None:
        raise BuildError("torch.export packages need a C++ compiler to build; install g++ (Debian: apt install g++).")
    from torch._inductor import aoti_compile_and_package

    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (torch.zeros(2, *shape),), dynamic_shapes=({0: batch},))
        try:
            aoti_compile_and_package(program, package_path=str(target), inductor_configs={"freezing": True})
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # a full disk and its like speak for themselves
            raise BuildError(
                f"The C++ compiler could not make the torch.export package: {_complaint(error)}"
            ) from error


def _complaint(error: BaseException) -> str:
    """The line of a compiler's long output that says what was wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    error_lines = [line for line in lines if re.search(r"\berror: |No space left", line)]
    return (error_lines or lines or [type(error).__name__])[0][:200]


def load_package(path: Path) -> Callable[[torch.Tensor], Any]:
    """The compiled program; RuntimeError when the file is no package or was made for another CPU type."""
    from torch._inductor import aoti_load_package

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program: Callable[[torch.Tensor], Any] = aoti_load_package(str(path))
    return program
