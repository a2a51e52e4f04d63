"""The pictures on which engines are compared and timed."""

import numpy as np

from resnet18_lab.base.networks import RESNET18, Preprocessing
from resnet18_lab.base.samples import load_samples
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.preprocessing.transform import Batch

BATCHES = (1, 2, 7)
"""Batch sizes over which parity is measured."""


def reference_batch(preprocessing: Preprocessing = RESNET18.preprocessing) -> tuple[Batch, str]:
    """At least seven preprocessed pictures, float32 N×3×H×W, and a description of their source.

    The project's own photographs, or seeded noise where the project is installed without them.
    """
    samples = load_samples()
    if samples:
        crops = np.stack([transform.crop(decode(sample.path), preprocessing) for sample in samples])
        return transform.normalise(crops, preprocessing), "data/samples"
    shape = (max(BATCHES), preprocessing.crop, preprocessing.crop, 3)
    noise = np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)
    return transform.normalise(noise, preprocessing), "seeded noise (installed without data/samples)"
