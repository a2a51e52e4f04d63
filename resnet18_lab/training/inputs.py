"""What a deep fine-tuning learns from, prepared once and read from disk: squares of pictures, or a stage's outputs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import torch
from numpy.lib.format import write_array_header_2_0
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from resnet18_lab.base.files import replacing
from resnet18_lab.base.networks import Preprocessing
from resnet18_lab.inference.classify import prepare
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.prepare import InProcess
from resnet18_lab.training.material import Progress
from resnet18_lab.training.views import Choice

_SMALLEST_AREA = 0.35
"""Share of the square that a random view shows at least."""
_CHUNK = 16


class Inputs(Protocol):
    """Batches of a network's inputs, or of a later stage's, float32 N×C×H×W."""

    def batch(self, choice: Choice, random: np.random.Generator) -> torch.Tensor:
        """Views to learn from: mirrored as chosen, and cut at random where the pictures themselves are there."""

    def plain(self, positions: Sequence[int]) -> torch.Tensor:
        """The service's own view of each."""


@contextmanager
def _written(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> Iterator[IO[bytes]]:
    """A file that will be an array of that shape, whose rows are appended: a full disk is an error, not a crash."""
    with replacing(path) as target, target.open("wb") as file:
        told = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
        write_array_header_2_0(file, told)
        yield file


class Squares:
    """The centre squares of pictures, a little larger than what the network sees, uint8 N×S×S×3 in a file."""

    def __init__(self, path: Path, files: Sequence[Path], steps: Preprocessing, progress: Progress) -> None:
        self._steps = steps
        side = steps.resize
        whole = Preprocessing(side, side, steps.interpolation, steps.mean, steps.std)
        if not path.is_file():
            with _written(path, np.uint8, (len(files), side, side, 3)) as rows:
                for done, file in enumerate(files, start=1):
                    rows.write(_crop(file, whole).tobytes())
                    progress(done, len(files))
        self._pixels = np.load(path, mmap_mode="r")

    def batch(self, choice: Choice, random: np.random.Generator) -> torch.Tensor:
        """Random views, of ``_SMALLEST_AREA`` of the square to all of it."""
        sides = np.sqrt(random.uniform(_SMALLEST_AREA, 1.0, len(choice.pictures))) * self._steps.resize
        places = random.random((len(choice.pictures), 2)) * (self._steps.resize - sides)[:, None]
        crops = [
            self._cut(position, (left, top, left + side, top + side), mirrored)
            for position, (left, top), side, mirrored in zip(
                choice.pictures, places, sides, choice.mirrored, strict=True
            )
        ]
        return self._tensor(np.stack(crops))

    def _cut(self, position: int, box: tuple[float, float, float, float], mirrored: bool) -> NDArray[np.uint8]:
        side, resampling = self._steps.crop, Image.Resampling[self._steps.interpolation.upper()]
        view = Image.fromarray(self._pixels[position]).resize((side, side), resampling, box=box)
        return np.asarray(view)[:, ::-1] if mirrored else np.asarray(view)

    def plain(self, positions: Sequence[int]) -> torch.Tensor:
        """The centre of each square, which is what the network is shown later."""
        start = (self._steps.resize - self._steps.crop) // 2
        middle = slice(start, start + self._steps.crop)
        return self._tensor(self._pixels[list(positions), middle, middle])

    def _tensor(self, crops: NDArray[np.uint8]) -> torch.Tensor:
        return _as_input(transform.normalise(crops, self._steps))


def _as_input(batch: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(batch).contiguous(memory_format=torch.channels_last)


class StoredStage:
    """Outputs of the frozen first stages for each picture and its mirror image, float16 N×2×C×H×W in a file."""

    def __init__(
        self, path: Path, files: Sequence[Path], trunk: nn.Module, steps: Preprocessing, progress: Progress
    ) -> None:
        if not path.is_file():
            shape = _shape_of(trunk, steps)
            with _written(path, np.float16, (len(files), 2, *shape)) as rows:
                for start in range(0, len(files), _CHUNK):
                    chunk = files[start : start + _CHUNK]
                    rows.write(_both_views(chunk, trunk, steps).tobytes())
                    progress(start + len(chunk), len(files))
        self._outputs = np.load(path, mmap_mode="r")

    def batch(self, choice: Choice, random: np.random.Generator) -> torch.Tensor:  # noqa: ARG002 - nothing is cut here
        """The stored outputs, of the mirror image where chosen."""
        return self._read(choice.pictures, choice.mirrored.astype(np.int64))

    def plain(self, positions: Sequence[int]) -> torch.Tensor:
        """The stored outputs of the pictures as they are."""
        return self._read(np.asarray(positions), np.zeros(len(positions), np.int64))

    def _read(self, pictures: NDArray[np.int64], views: NDArray[np.int64]) -> torch.Tensor:
        return _as_input(self._outputs[pictures, views].astype(np.float32))


def _crop(file: Path, steps: Preprocessing) -> transform.Crop:
    """What the service would cut from the file."""
    return prepare(file, preparer=InProcess(preprocessing=steps)).crop


@torch.inference_mode()
def _shape_of(trunk: nn.Module, steps: Preprocessing) -> tuple[int, ...]:
    """C×H×W of what the trunk makes of one picture."""
    return tuple(trunk(torch.zeros(1, *steps.shape)).shape[1:])


@torch.inference_mode()
def _both_views(files: Sequence[Path], trunk: nn.Module, steps: Preprocessing) -> NDArray[np.float16]:
    """The trunk's outputs of each picture and of its mirror image, float16 N×2×C×H×W."""
    batch = transform.normalise(np.stack([_crop(file, steps) for file in files]), steps)
    views = (batch, np.ascontiguousarray(batch[..., ::-1]))
    return np.stack([trunk(_as_input(view)).numpy() for view in views], axis=1).astype(np.float16)
