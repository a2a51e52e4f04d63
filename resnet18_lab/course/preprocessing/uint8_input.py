"""The INT8 graph without its first step: pixels go in as the codes that step would make, by a table."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.networks import RESNET18, Preprocessing
from resnet18_lab.inference.engine import Logits
from resnet18_lab.preprocessing import transform


def _code_table(scale: float, zero: int, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Codes uint8 3×256: what ``normalise`` and QuantizeLinear make of each grey level of each channel."""
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)  # 1×256×3: a crop one pixel high
    normalised = transform.normalise(levels, preprocessing)[0, :, 0, :]
    codes: NDArray[np.uint8] = np.clip(np.rint(normalised / np.float32(scale)) + zero, 0, 255).astype(np.uint8)
    return codes


class Uint8Network:
    """ONNX Runtime on the INT8 file with its first QuantizeLinear left out."""

    def __init__(self, path: Path, threads: int = 1, preprocessing: Preprocessing = RESNET18.preprocessing) -> None:
        proto = onnx.load(path)
        scale, zero = _without_first_step(proto, preprocessing.shape)
        self.table = _code_table(scale, zero, preprocessing)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def codes(self, crops: transform.Crop) -> NDArray[np.uint8]:
        """Codes uint8 N×3×H×W of crops uint8 N×H×W×3."""
        planes = np.empty((len(crops), 3, *crops.shape[1:3]), np.uint8)
        for channel in range(3):
            np.take(self.table[channel], crops[..., channel], out=planes[:, channel])
        return planes

    def run(self, codes: NDArray[np.uint8]) -> Logits:
        """Logits, float32 N×1000."""
        logits: Logits = self._session.run(None, {self._input: codes})[0]
        return logits


def _without_first_step(proto: onnx.ModelProto, shape: tuple[int, int, int]) -> tuple[float, int]:
    """Make the first QuantizeLinear's output the input of the graph; returns its scale and zero point."""
    graph: Any = proto.graph
    input_name = graph.input[0].name
    takers = [node for node in graph.node if input_name in node.input]
    if len(takers) != 1 or takers[0].op_type != "QuantizeLinear":
        raise ParameterError("This graph does not begin by quantizing its input.")
    (first,) = takers
    values = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    scale, zero = (values[name] for name in first.input[1:3])
    codes = helper.make_tensor_value_info(first.output[0], TensorProto.UINT8, ["N", *shape])
    graph.node.remove(first)
    del graph.input[0]
    graph.input.insert(0, codes)
    for entry in [value for value in graph.value_info if value.name == first.output[0]]:
        graph.value_info.remove(entry)
    return float(scale), int(zero)
