"""Ways to turn a picture's file into a network's input, and what each shows the network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.base.networks import RESNET18, Preprocessing
from resnet18_lab.benchmark.measure import stages
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode

Tensor = NDArray[Any]
REFERENCE = "torchvision"
NAMES = (REFERENCE, "NumPy by hand", "one resample", "one resample, buffer reused", "one resample, draft")


@dataclass(frozen=True)
class Way:
    """One way from a file to a tensor 1×3×H×W."""

    what: str
    prepare: Callable[[Path], Tensor]


Ways = Mapping[str, Way]


def ways_of(names: Sequence[str] = NAMES, right: Preprocessing = RESNET18.preprocessing) -> dict[str, Way]:
    """The ways of those names, in their order, each with the numbers of that preprocessing."""
    size = (right.crop, right.crop)
    buffer = np.empty((1, *right.shape), np.float32)

    def by_hand(path: Path) -> Tensor:
        """As tutorials print it, squashed and in float64."""
        with Image.open(path) as picture:
            values = np.array(picture.convert("RGB").resize(size)) / 255.0
        values = (values - np.array(right.mean)) / np.array(right.std)
        tensor: Tensor = values.transpose(2, 0, 1)[None]
        return tensor

    def into_buffer(path: Path) -> Tensor:
        """The same numbers, written over those of the last picture."""
        return transform.normalise_into(buffer, transform.crop(decode(path), right)[None], right)

    every = {
        REFERENCE: Way(
            f"decode, Resize({right.resize}), CenterCrop({right.crop}), ToTensor, Normalize",
            lambda path: stages.torchvision_preparation(path, right)(),
        ),
        "NumPy by hand": Way(
            f"decode, squash to {right.crop}×{right.crop}, divide, subtract, divide; float64", by_hand
        ),
        "one resample": Way(
            "checked decode, crop and resize in one step, one multiplication and addition",
            lambda path: transform.preprocess(decode(path), right),
        ),
        "one resample, buffer reused": Way("the same, into an array that exists already", into_buffer),
        "one resample, draft": Way(
            "the JPEG decoder gives 1/2, 1/4 or 1/8 of each side where enough is left",
            lambda path: transform.preprocess(decode(path, draft_for=right.resize), right),
        ),
    }  # fmt: skip
    return {name: every[name] for name in names}


def views(path: Path, ways: Ways, right: Preprocessing = RESNET18.preprocessing) -> Mapping[str, NDArray[np.float64]]:
    """What the network is shown, as colours 0..1 of H×W×3, by way."""
    mean, deviation = (np.asarray(values)[:, None, None] for values in (right.mean, right.std))
    return {
        name: np.clip(way.prepare(path)[0] * deviation + mean, 0, 1).transpose(1, 2, 0) for name, way in ways.items()
    }
