"""This project's INT8, made beside its rivals on the same pictures."""

import time
from pathlib import Path

from resnet18_lab.base.machine import needs_reduced_range
from resnet18_lab.course.quantization.rivals import Rival, of_file
from resnet18_lab.export.int8 import float_graph
from resnet18_lab.model.network import LoadedModel
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.transform import Crop
from resnet18_lab.quantization.qdq import quantized
from resnet18_lab.quantization.reconstruction import Method


def this_project(loaded: LoadedModel, target: Path, fit: Crop) -> Rival:
    """What ``build`` makes, calibrated on ``fit`` instead of its own crops."""
    started = time.perf_counter()
    batch = transform.normalise(fit)
    proto = quantized(float_graph(loaded), batch, Method(), reduce_range=needs_reduced_range())
    target.write_bytes(proto.SerializeToString(deterministic=True))
    return of_file(target, time.perf_counter() - started)
