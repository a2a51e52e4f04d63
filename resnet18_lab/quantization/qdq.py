"""A float ONNX graph in quantize-dequantize form."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from resnet18_lab.preprocessing.transform import Batch
from resnet18_lab.quantization import reconstruction
from resnet18_lab.quantization.ranges import Range
from resnet18_lab.quantization.reconstruction import Integers, Method

LARGEST_WEIGHT = 127
"""Largest code of a weight (int8)."""
_LARGEST_REDUCED_WEIGHT = 63
"""The same with 7 bits, for CPUs on which sums of two 8-bit products could overflow."""


def largest_weight(*, reduce_range: bool) -> int:
    """The largest code that a weight may have."""
    return _LARGEST_REDUCED_WEIGHT if reduce_range else LARGEST_WEIGHT


def quantized(proto: onnx.ModelProto, batch: Batch, method: Method, *, reduce_range: bool = False) -> onnx.ModelProto:
    """The INT8 form of a float graph, calibrated on preprocessed crops; ``proto`` stays as it is."""
    largest = largest_weight(reduce_range=reduce_range)
    return with_integers(proto, reconstruction.quantize(proto, batch, method, largest))


def with_integers(proto: onnx.ModelProto, integers: Integers) -> onnx.ModelProto:
    """A copy of a float graph in quantize-dequantize form.

    Weights and biases become integers behind a DequantizeLinear; every tensor with a range is quantized and
    dequantized again. The operators stay float in the file: a runtime fuses each one with the pairs around
    it into an integer operator. A ReLU whose output has a range is left out: those codes start at zero, so
    clipping does its work. What ``integers`` does not name stays float, which shows what one layer alone costs.
    """
    graph = proto.graph
    parts = _Parts()
    for name, constant in integers.constants.items():
        parts.constant(name, constant.codes, constant.scales)
    first = graph.input[0].name
    if first in integers.ranges:
        parts.round_trip(first, first, integers.ranges[first])
    # a ReLU's input is rounded with the range of the ReLU's output, so both are looked up by that name
    after_relu = {node.input[0]: node.output[0] for node in graph.node if node.op_type == "Relu"}
    for node in graph.node:
        if node.op_type == "Relu" and node.output[0] in integers.ranges:
            parts.renamed[node.output[0]] = parts.renamed[node.input[0]]  # clipped already by the codes of its input
            continue
        parts.copy(node)
        name = node.output[0]
        if (tensor_range := integers.ranges.get(after_relu.get(name, name))) is not None:
            parts.round_trip(name, after_relu.get(name, name), tensor_range)
    floats = [tensor for tensor in graph.initializer if tensor.name not in integers.constants]
    body = helper.make_graph(parts.nodes, graph.name, graph.input, graph.output, [*floats, *parts.tensors])
    model = helper.make_model(body, opset_imports=proto.opset_import, ir_version=proto.ir_version)
    onnx.checker.check_model(model, full_check=True)
    return model


class _Parts:
    """Nodes and tensors of a graph under construction; ``renamed``: what a float tensor's readers read instead."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.renamed: dict[str, str] = {}

    def copy(self, node: onnx.NodeProto) -> None:
        duplicate = onnx.NodeProto()
        duplicate.CopyFrom(node)
        del duplicate.input[:]
        duplicate.input.extend([self.renamed.get(name, name) for name in node.input])
        self.nodes.append(duplicate)

    def constant(self, name: str, codes: NDArray[Any], scales: NDArray[np.float32]) -> None:
        self._store(f"{name}_quantized", codes)
        # output channels are the first axis of weights and biases; symmetric codes have zero point 0
        self._dequantize(name, scales, np.zeros(len(scales), codes.dtype), axis=0)

    def round_trip(self, source: str, name: str, tensor_range: Range) -> None:
        """Quantize ``source`` and dequantize it again for its readers."""
        inputs = [source, f"{name}_scale", f"{name}_zero_point"]
        self.nodes.append(helper.make_node("QuantizeLinear", inputs, [f"{name}_quantized"], f"{name}_QuantizeLinear"))
        self._dequantize(name, np.float32(tensor_range.scale), np.uint8(tensor_range.zero_point))
        self.renamed[source] = self.renamed[name]

    def _dequantize(self, name: str, scale: Any, zero_point: Any, axis: int | None = None) -> None:  # noqa: ANN401 - scalar or array
        self._store(f"{name}_scale", scale)
        self._store(f"{name}_zero_point", zero_point)
        inputs = [f"{name}_quantized", f"{name}_scale", f"{name}_zero_point"]
        output = f"{name}_dequantized"
        node = helper.make_node("DequantizeLinear", inputs, [output], f"{name}_DequantizeLinear")
        if axis is not None:
            node.attribute.append(helper.make_attribute("axis", axis))
        self.nodes.append(node)
        self.renamed[name] = output

    def _store(self, name: str, values: Any) -> None:  # noqa: ANN401 - scalar or array
        self.tensors.append(numpy_helper.from_array(np.asarray(values), name))
