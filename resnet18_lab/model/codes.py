"""Trained weights as 8-bit codes: small enough for a repository, in a file that holds arrays and nothing else.

An ``.npz`` holds for each convolution and linear layer ``NAME.codes`` (int8) and ``NAME.scale`` (float32, one an output
channel), everything else as float32; weight = codes × scale. ``num_batches_tracked`` is left out.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from resnet18_lab.base.errors import WeightsError
from resnet18_lab.base.files import replacing

_LARGEST_CODE = 127
_SIGNATURE = b"PK\x03\x04"
_LARGEST_FILE = 64_000_000  # bytes unpacked: more than five times what the network has as codes
_DATE = (1980, 1, 1, 0, 0, 0)  # of every member: the same weights give the same file
_COUNTER = "num_batches_tracked"


def is_codes(path: Path) -> bool:
    """True for a file that begins like an ``.npz`` and is named like one (``.pth`` files of torch are archives too)."""
    with path.open("rb") as file:
        return path.suffix == ".npz" and file.read(len(_SIGNATURE)) == _SIGNATURE


def write_codes(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a state dict as codes; the same one always gives the same bytes."""
    members: dict[str, NDArray[Any]] = {}
    for name, tensor in state.items():
        if name.endswith(_COUNTER):
            continue
        values = tensor.detach().float().cpu().numpy()
        if values.ndim < 2:  # biases and norms
            members[name] = values
            continue
        scale = _scale_of(values)
        members[f"{name}.codes"] = np.round(values / _column(scale, values.ndim)).astype(np.int8)
        members[f"{name}.scale"] = scale
    with replacing(path) as target, zipfile.ZipFile(target, "w") as archive:
        for name, array in members.items():
            out = io.BytesIO()
            np.save(out, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), out.getvalue(), zipfile.ZIP_DEFLATED, 9)


def read_codes(path: Path, counters: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict of float32 tensors; ``counters`` is one of the network, for what the file leaves out.

    Raises WeightsError for a file that is damaged, too large, or holds anything but arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _LARGEST_FILE:
                raise ValueError("unpacked it is larger than the network")
        with np.load(path, allow_pickle=False) as file:
            members = {name: np.asarray(file[name]) for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise WeightsError(f"{path} cannot be read as weights in 8-bit codes ({error}).") from error
    state = {name: torch.zeros_like(tensor) for name, tensor in counters.items() if name.endswith(_COUNTER)}
    for name, array in members.items():
        if name.endswith(".codes"):
            plain = name.removesuffix(".codes")
            scale = _column(members[f"{plain}.scale"].astype(np.float32), array.ndim)
            state[plain] = torch.from_numpy(array.astype(np.float32) * scale)
        elif not name.endswith(".scale"):
            state[name] = torch.from_numpy(array.astype(np.float32))
    return state


def _scale_of(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """One scale an output channel, so that its largest weight gets the largest code; 1 for a channel of zeros."""
    peaks = np.abs(values).reshape(len(values), -1).max(axis=1)
    return np.where(peaks > 0, peaks / _LARGEST_CODE, 1.0).astype(np.float32)


def _column(scale: NDArray[np.float32], axes: int) -> NDArray[np.float32]:
    return scale.reshape(-1, *[1] * (axes - 1))
