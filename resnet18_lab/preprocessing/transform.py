"""From an RGB picture to the network's input, as torchvision's weights require it.

Constants and rounding follow ``ResNet18_Weights.IMAGENET1K_V1.transforms()``: short side to 256 by
antialiased bilinear resampling, centre crop of 224, mean and standard deviation of ImageNet. Resizing
and cropping are one resampling step here: only the box of source pixels behind the crop is read.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.base.resnet18 import CROP, MEAN, RESIZE, STD

Batch = NDArray[np.float32]


Crop = NDArray[np.uint8]


def _resized_size(width: int, height: int) -> tuple[int, int]:
    """Width and height after ``Resize(256)``: the short side 256, the long one rounded down."""
    if width <= height:
        return RESIZE, int(RESIZE * height / width)
    return int(RESIZE * width / height), RESIZE


def crop_box(width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the source pixels behind the centre crop, as fractions of pixels."""
    new_width, new_height = _resized_size(width, height)
    left = round((new_width - CROP) / 2.0)  # torchvision rounds half to even, as Python does
    top = round((new_height - CROP) / 2.0)
    across, down = width / new_width, height / new_height
    return left * across, top * down, (left + CROP) * across, (top + CROP) * down


def crop(picture: Image.Image) -> Crop:
    """The crop the network sees, uint8 224×224×3, of an RGB picture; within one grey level of torchvision."""
    # Resizing everything and then cropping would compute pixels that the crop throws away: one resampling of the
    # box behind the crop gives the same picture, up to rounding, in less time.
    box = crop_box(picture.width, picture.height)
    return np.asarray(picture.resize((CROP, CROP), Image.Resampling.BILINEAR, box=box))


_SCALE = (1.0 / (255.0 * np.asarray(STD))).astype(np.float32)[:, None, None]
_SHIFT = (-np.asarray(MEAN) / np.asarray(STD)).astype(np.float32)[:, None, None]


def normalise(crops: Crop) -> NDArray[np.float32]:
    """Float32 N×3×224×224, contiguous, of uint8 crops N×224×224×3 or one crop 224×224×3.

    One multiplication and one addition per value; within 1e-6 of torchvision's two steps.
    """
    pictures = crops[None] if crops.ndim == 3 else crops
    count, height, width, channels = pictures.shape
    return normalise_into(np.empty((count, channels, height, width), np.float32), pictures)


def normalise_into(batch: NDArray[np.float32], crops: Crop) -> NDArray[np.float32]:
    """``normalise`` into an existing ``batch``, which is returned: reused memory causes no page faults."""
    batch[...] = crops.transpose(0, 3, 1, 2)
    batch *= _SCALE
    batch += _SHIFT
    return batch


def preprocess(picture: Image.Image) -> NDArray[np.float32]:
    """Float32 1×3×224×224 of an RGB picture."""
    return normalise(crop(picture))


def warnings_for(size: tuple[int, int]) -> list[str]:
    """``["upscaled"]`` when a side is under 224 pixels, so that detail was invented; else an empty list."""
    return ["upscaled"] if min(size) < CROP else []


def preprocess_id(draft_for: int | None = None) -> str:
    """Name of all steps applied to the pixels; results with different ids are not comparable bit by bit."""
    return "resize256-bilinear-antialias-crop224-v2" + (f"-draft{draft_for}" if draft_for else "")
