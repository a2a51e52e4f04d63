"""The pictures on which engines are compared and timed."""

import numpy as np

from resnet18_lab import images, preprocess, samples
from resnet18_lab.backends.protocol import Batch

BATCHES = (1, 2, 7)
"""Batch sizes over which parity is measured."""


def real_pictures() -> tuple[Batch, str]:
    """At least seven preprocessed pictures, float32 N×3×224×224, and what they are.

    The project's own photographs; where it is installed without them, seeded noise, and said so.
    """
    found = samples.load()
    if found:
        crops = np.stack([preprocess.crop(images.decode(sample.path)) for sample in found])
        return preprocess.normalise(crops), "data/samples"
    noise = np.random.default_rng(0).integers(0, 256, size=(max(BATCHES), 224, 224, 3), dtype=np.uint8)
    return preprocess.normalise(noise), "seeded noise (installed without data/samples)"
