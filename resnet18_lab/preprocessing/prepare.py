"""From a picture's file to the crop that the network sees, with what there is to say of the file."""

import time
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from resnet18_lab.base.networks import RESNET18, Preprocessing
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.cost import foretold
from resnet18_lab.preprocessing.decode import decode, file_size, pixels_of, structure_of
from resnet18_lab.preprocessing.defaults import DECODE_SECONDS
from resnet18_lab.preprocessing.source import DEFAULT_LIMITS, Limits
from resnet18_lab.preprocessing.structure import Structure

_DEAR_SECONDS = 0.5
"""Foretold seconds from which a picture gets a process with a deadline, which takes 0.15 s to start."""


@dataclass(frozen=True)
class Prepared:
    """A picture ready for the network: its crop (uint8 H×W×3), and facts about its file."""

    crop: transform.Crop
    size: tuple[int, int]
    """Width and height of the picture in the file, upright."""
    animated: bool
    warnings: tuple[str, ...]
    decode_seconds: float
    resize_seconds: float


def prepare(
    source: Structure | Image.Image,
    *,
    limits: Limits = DEFAULT_LIMITS,
    draft_for: int | None = None,
    preprocessing: Preprocessing = RESNET18.preprocessing,
) -> Prepared:
    """The crop of a Pillow picture, or of the picture behind a structure; raises ImageError."""
    began = time.perf_counter()
    if isinstance(source, Structure):
        picture = pixels_of(source, limits=limits, draft_for=draft_for)
    else:
        picture = decode(source, limits=limits)
    decoded = time.perf_counter()
    crop = transform.crop(picture, preprocessing)
    size, animated = file_size(picture), bool(picture.info.get("animated"))
    warnings = (*transform.warnings_for(size, preprocessing), *picture.info.get("warnings", ()))
    picture.close()
    return Prepared(crop, size, animated, warnings, decoded - began, time.perf_counter() - decoded)


class Preparer(Protocol):
    """What turns the bytes of pictures into crops: ``InProcess``, or the processes of ``Decoders``."""

    @property
    def limits(self) -> Limits:
        """What pictures are held to."""

    @property
    def preprocessing(self) -> Preprocessing:
        """The steps behind its crops: those of the network that will see them."""

    def prepare(self, data: bytes) -> Prepared:
        """The crop of a picture from its file's bytes; raises ImageError."""


@dataclass(frozen=True)
class InProcess:
    """Decodes here, for a few pictures; one that its structure foretells to be dear gets a process with a deadline."""

    limits: Limits = DEFAULT_LIMITS
    draft_for: int | None = None
    decode_seconds: float = DECODE_SECONDS
    preprocessing: Preprocessing = RESNET18.preprocessing

    def prepare(self, data: bytes) -> Prepared:
        """The crop of a picture from its file's bytes; raises ImageError."""
        told = structure_of(data, self.limits)
        if foretold(told, self.draft_for).seconds <= _DEAR_SECONDS:
            return prepare(told, limits=self.limits, draft_for=self.draft_for, preprocessing=self.preprocessing)
        from resnet18_lab.preprocessing.decoders import Decoders

        with Decoders(
            seconds=self.decode_seconds, limits=self.limits, draft_for=self.draft_for, preprocessing=self.preprocessing
        ) as alone:
            return alone.prepare(data)
