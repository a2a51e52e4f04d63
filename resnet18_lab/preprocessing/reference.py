"""The pictures on which engines are compared and timed."""

import numpy as np

from resnet18_lab.base.resnet18 import CROP
from resnet18_lab.base.samples import load_samples
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.preprocessing.transform import Batch

BATCHES = (1, 2, 7)
"""Batch sizes over which parity is measured."""


def reference_batch() -> tuple[Batch, str]:
    """At least seven preprocessed pictures, float32 N×3×224×224, and a description of their source.

    The project's own photographs, or seeded noise where the project is installed without them.
    """
    samples = load_samples()
    if samples:
        crops = np.stack([transform.crop(decode(sample.path)) for sample in samples])
        return transform.normalise(crops), "data/samples"
    noise = np.random.default_rng(0).integers(0, 256, size=(max(BATCHES), CROP, CROP, 3), dtype=np.uint8)
    return transform.normalise(noise), "seeded noise (installed without data/samples)"
