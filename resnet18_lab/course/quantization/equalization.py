"""Cross-layer equalization: the same network with the ranges of its channels made alike.

A channel may be divided by any positive number where it is made and multiplied by it where it is read
(Nagel et al., ICCV 2019): ReLU, addition and pooling in between are not affected. Channels that are joined by an
addition share their number.
"""

from collections.abc import Collection

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from resnet18_lab.export import onnx_graph
from resnet18_lab.preprocessing.transform import Batch

_SMALLEST = 0.02
"""No channel is enlarged by more than the inverse of this: rare channels would be blown up to noise."""
_PASSING = ("Relu", "Add", "MaxPool", "ReduceMean", "Reshape")
_WEIGHTED = ("Conv", "Gemm")


def equalized(proto: onnx.ModelProto, batch: Batch, strength: float = 0.5) -> onnx.ModelProto:
    """A copy of a float ResNet graph with folded batch norms that computes the same.

    Each channel is divided by its largest activation on ``batch`` (as a share of the tensor's largest) to
    the power ``strength``: 0 changes nothing, 1 makes all ranges alike.
    """
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    constants = {tensor.name: numpy_helper.to_array(tensor).copy() for tensor in result.graph.initializer}
    largest = _largest_by_channel(proto, batch)
    weighted = [node for node in result.graph.node if node.op_type in _WEIGHTED]
    group_of = _groups(result, constants.keys())
    for group in sorted({group_of[node.output[0]] for node in weighted if node.op_type == "Conv"}):
        peaks = np.max([peak for name, peak in largest.items() if group_of.get(name) == group], axis=0)
        factors = np.maximum(peaks / peaks.max(), _SMALLEST) ** np.float32(strength)
        for node in weighted:
            if group_of.get(node.output[0]) == group:
                constants[node.input[1]] /= factors[:, None, None, None]
                constants[node.input[2]] /= factors
            if group_of.get(node.input[0]) == group:
                weight = constants[node.input[1]]
                weight *= factors.reshape(1, -1, *[1] * (weight.ndim - 2))
    for tensor in result.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(constants[tensor.name], tensor.name))
    return result


def _groups(proto: onnx.ModelProto, constants: Collection[str]) -> dict[str, str]:
    """For each tensor a name shared by all whose channels must be scaled alike."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for node in proto.graph.node:
        root(node.output[0])
        if node.op_type in _PASSING:
            for name in node.input:
                if name not in constants:
                    parent[root(name)] = root(node.output[0])
    return {name: root(name) for name in list(parent)}


def _largest_by_channel(proto: onnx.ModelProto, batch: Batch) -> dict[str, NDArray[np.float32]]:
    """Largest magnitude of each channel over the batch, of every feature map that another layer reads."""
    before_relu = {node.input[0] for node in proto.graph.node if node.op_type == "Relu"}
    names = [node.output[0] for node in proto.graph.node if node.op_type in ("Conv", "Add", "Relu")]
    names = [name for name in names if name not in before_relu]
    peaks: dict[str, NDArray[np.float32]] = {}
    for tensors in onnx_graph.outputs(proto, names, batch):
        for name, values in zip(names, tensors, strict=True):
            peak = np.abs(values[0]).max(axis=(1, 2))
            peaks[name] = np.maximum(peaks.get(name, peak), peak)
    return peaks
