"""State dicts in the forms in which people save them; what cannot be one is said by its name."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from resnet18_lab.base.errors import WeightsError
from resnet18_lab.base.files import is_lfs_pointer
from resnet18_lab.base.networks import RESNET18

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")
"""Keys under which training scripts keep the state dict beside the optimizer's and the epoch."""
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.")
"""What DataParallel, torch.compile and wrapping modules put before each name."""
_KINDS = (
    (b"<!DOCTYPE", "a web page; download the file itself"),
    (b"<html", "a web page; download the file itself"),
    (b"\x08", "an ONNX file; `resnet18-lab bench --file` times one, and `build` makes others from a state dict"),
    (b"\x89HDF", "an HDF5 file; save the state dict with torch.save"),
)
_SAFETENSORS = re.compile(rb'.{8}\{"', re.DOTALL)
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_FIRST_BYTES = 64


def read(path: Path) -> Mapping[str, Any]:
    """What torch.save wrote, read with ``weights_only``; WeightsError says what the file is instead."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError) as error:
        raise WeightsError(f"{path} is {_kind_of(path, error)}.") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not isinstance(content, Mapping):
        raise WeightsError(
            f"{path} holds a {type(content).__name__}, not a dictionary of weights; save `model.state_dict()`."
        )
    return content


def _kind_of(path: Path, error: Exception) -> str:
    if is_lfs_pointer(path):
        return "a pointer of Git LFS, not the file; run `git lfs pull` where it lies"
    with path.open("rb") as file:
        first = file.read(_FIRST_BYTES)
    for start, words in _KINDS:
        if first.startswith(start):
            return words
    if _SAFETENSORS.match(first):
        return "a safetensors file; load it with that library and save the state dict with torch.save"
    if "TorchScript" in str(error):
        return "a TorchScript program; save the state dict of the model it was made from"
    if found := _GLOBAL.search(str(error)):
        return (
            f"a whole pickled model or object ({found[1]}), which cannot be read safely: code in it would run; save "
            "`model.state_dict()` instead, where the model's class is at hand"
        )
    return "no weights file that can be read safely: it is damaged, or torch.save did not write it"


def unwrapped(content: Mapping[str, Any]) -> dict[str, Any]:
    """The state dict within wrappers, its names without the prefixes that all of them have."""
    for name in _WRAPPERS:
        inner = content.get(name)
        if isinstance(inner, Mapping) and any(isinstance(value, torch.Tensor) for value in inner.values()):
            return unwrapped(inner)
    state = {str(name): value for name, value in content.items()}
    for prefix in _PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            return unwrapped({name.removeprefix(prefix): value for name, value in state.items()})
    return state


def refuse_another(path: Path, state: Mapping[str, Any], expected: Mapping[str, torch.Tensor], whose: str) -> None:
    """WeightsError that names the difference, unless the state dict is that of ``whose`` network (for the message)."""
    last = state.get("fc.weight")
    if isinstance(last, torch.Tensor) and last.ndim == 2 and last.shape[0] != RESNET18.classes:
        raise WeightsError(
            f"{path} has {last.shape[0]} classes; the engines here are for the {RESNET18.classes:,} of ImageNet."
        )
    missing = [name for name in expected if name not in state and not name.endswith("num_batches_tracked")]
    unknown = [name for name in state if name not in expected]
    if missing or unknown:
        said = [f"{words} {_shortened(names)}" for words, names in (("lacks", missing), ("has", unknown)) if names]
        raise WeightsError(f"{path} is of another network than {whose}: it {' and '.join(said)}.")
    for name, value in state.items():
        shape = getattr(value, "shape", None)
        if shape != expected[name].shape:
            raise WeightsError(
                f"{path} is of another network than {whose}: {name} is {_shape(shape)}, not "
                f"{_shape(expected[name].shape)}."
            )


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(name[:60] for name in names[:3]) + more


def _shape(shape: object) -> str:
    return "×".join(map(str, shape)) or "a number" if isinstance(shape, torch.Size) else "no tensor"
