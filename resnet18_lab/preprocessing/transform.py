"""From an RGB picture to a network's input, as its weights require it.

Rounding follows torchvision's transforms (``ResNet18_Weights.IMAGENET1K_V1.transforms()``): short side to 256 by
antialiased bilinear resampling, centre crop of 224, mean and standard deviation of ImageNet; other networks' numbers
are in ``base.networks``. Resizing and cropping are one resampling step here: only the box of source pixels behind the
crop is read.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.base.networks import RESNET18, Preprocessing

Batch = NDArray[np.float32]


Crop = NDArray[np.uint8]

_DEFAULT = RESNET18.preprocessing


def _resized_size(width: int, height: int, short: int) -> tuple[int, int]:
    """Width and height after ``Resize(short)``: the long side is rounded down."""
    if width <= height:
        return short, int(short * height / width)
    return int(short * width / height), short


def crop_box(width: int, height: int, preprocessing: Preprocessing = _DEFAULT) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the source pixels behind the centre crop, as fractions of pixels."""
    new_width, new_height = _resized_size(width, height, preprocessing.resize)
    left = round((new_width - preprocessing.crop) / 2.0)  # torchvision rounds half to even, as Python does
    top = round((new_height - preprocessing.crop) / 2.0)
    across, down = width / new_width, height / new_height
    return left * across, top * down, (left + preprocessing.crop) * across, (top + preprocessing.crop) * down


def crop(picture: Image.Image, preprocessing: Preprocessing = _DEFAULT) -> Crop:
    """The crop the network sees, uint8 H×W×3, of an RGB picture; within one grey level of torchvision."""
    # Resizing everything and then cropping would compute pixels that the crop throws away: one resampling of the
    # box behind the crop gives the same picture, up to rounding, in less time.
    box = crop_box(picture.width, picture.height, preprocessing)
    resampling = Image.Resampling[preprocessing.interpolation.upper()]
    if resampling is Image.Resampling.BICUBIC:
        return _crop_in_two_passes(picture, preprocessing, box)
    return np.asarray(picture.resize((preprocessing.crop, preprocessing.crop), resampling, box=box))


_REACH = 2
"""Source pixels on each side that bicubic resampling reads for one, at full size."""


def _crop_in_two_passes(
    picture: Image.Image, preprocessing: Preprocessing, box: tuple[float, float, float, float]
) -> Crop:
    """Columns first, then rows, as Pillow resamples a whole picture.

    Bicubic resampling overshoots, and what is cut off at 0 and 255 between the passes depends on their order, which
    Pillow chooses otherwise for a box: up to 13 grey levels were seen.
    """
    side, resampling = preprocessing.crop, Image.Resampling.BICUBIC
    width, height = _resized_size(picture.width, picture.height, preprocessing.resize)
    left = round((width - side) / 2.0)
    reach = math.ceil(_REACH * max(1.0, picture.height / height)) + 1
    first, last = max(0, math.floor(box[1]) - reach), min(picture.height, math.ceil(box[3]) + reach)
    rows = picture.crop((0, first, picture.width, last)).resize((width, last - first), resampling)
    columns = rows.crop((left, 0, left + side, last - first))
    return np.asarray(columns.resize((side, side), resampling, box=(0, box[1] - first, side, box[3] - first)))


@lru_cache(maxsize=8)
def _scale_and_shift(preprocessing: Preprocessing) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    mean, std = np.asarray(preprocessing.mean), np.asarray(preprocessing.std)
    scale, shift = (1.0 / (255.0 * std)).astype(np.float32), (-mean / std).astype(np.float32)
    return scale[:, None, None], shift[:, None, None]


def normalise(crops: Crop, preprocessing: Preprocessing = _DEFAULT) -> NDArray[np.float32]:
    """Float32 N×3×H×W, contiguous, of uint8 crops N×H×W×3 or one crop H×W×3.

    One multiplication and one addition per value; within 1e-6 of torchvision's two steps.
    """
    pictures = crops[None] if crops.ndim == 3 else crops
    count, height, width, channels = pictures.shape
    return normalise_into(np.empty((count, channels, height, width), np.float32), pictures, preprocessing)


def normalise_into(
    batch: NDArray[np.float32], crops: Crop, preprocessing: Preprocessing = _DEFAULT
) -> NDArray[np.float32]:
    """``normalise`` into an existing ``batch``, which is returned: reused memory causes no page faults."""
    scale, shift = _scale_and_shift(preprocessing)
    batch[...] = crops.transpose(0, 3, 1, 2)
    batch *= scale
    batch += shift
    return batch


def preprocess(picture: Image.Image, preprocessing: Preprocessing = _DEFAULT) -> NDArray[np.float32]:
    """Float32 1×3×H×W of an RGB picture."""
    return normalise(crop(picture, preprocessing), preprocessing)


def warnings_for(size: tuple[int, int], preprocessing: Preprocessing = _DEFAULT) -> list[str]:
    """``["upscaled"]`` when a side is shorter than the crop's, so that detail was invented; else an empty list."""
    return ["upscaled"] if min(size) < preprocessing.crop else []


def preprocess_id(draft_for: int | None = None, preprocessing: Preprocessing = _DEFAULT) -> str:
    """Name of all steps applied to the pixels; results with different ids are not comparable bit by bit."""
    name = f"resize{preprocessing.resize}-{preprocessing.interpolation}-antialias-crop{preprocessing.crop}-v2"
    if (preprocessing.mean, preprocessing.std) != (_DEFAULT.mean, _DEFAULT.std):
        name += f"-mean{preprocessing.mean[0]:.3f}-std{preprocessing.std[0]:.3f}"
    return name + (f"-draft{draft_for}" if draft_for else "")
