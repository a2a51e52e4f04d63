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


LARGEST_REDUCED_WEIGHT = 63


def quantized(proto: onnx.ModelProto, batch: Batch, method: Method, *, reduce_range: bool = False) -> onnx.ModelProto:
    """The INT8 form of a float graph, calibrated on preprocessed crops; ``proto`` stays as it is."""
    largest = LARGEST_REDUCED_WEIGHT if reduce_range else LARGEST_WEIGHT
    return with_integers(proto, reconstruction.quantize(proto, batch, method, largest))


def with_integers(proto: onnx.ModelProto, integers: Integers) -> onnx.ModelProto:
    """A copy of a float graph in quantize-dequantize form.

    Weights and biases become integers behind a DequantizeLinear; every tensor with a range takes a trip
    through its codes. A ReLU goes where its output has a range: those codes start at zero, so clipping does
    its work. What has no integers stays float, which shows what one layer alone costs.
    """
    graph = proto.graph
    parts = _Parts()
    for name, constant in integers.constants.items():
        parts.constant(name, constant.codes, constant.scales)
    first = graph.input[0].name
    if first in integers.ranges:
        parts.round_trip(first, first, integers.ranges[first])
    after_relu = {node.input[0]: node.output[0] for node in graph.node if node.op_type == "Relu"}
    for node in graph.node:
        if node.op_type == "Relu" and node.output[0] in integers.ranges:
            parts.renamed[node.output[0]] = parts.renamed[node.input[0]]
            continue
        parts.copy(node)
        name = node.output[0]
        if (chosen := integers.ranges.get(after_relu.get(name, name))) is not None:
            parts.round_trip(name, after_relu.get(name, name), chosen)
    kept = [tensor for tensor in graph.initializer if tensor.name not in integers.constants]
    body = helper.make_graph(parts.nodes, graph.name, graph.input, graph.output, [*kept, *parts.tensors])
    made = helper.make_model(body, opset_imports=proto.opset_import, ir_version=proto.ir_version)
    onnx.checker.check_model(made, full_check=True)
    return made


class _Parts:
    """Nodes and tensors of a graph in the making; ``renamed``: what a float tensor's readers read now."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.renamed: dict[str, str] = {}

    def copy(self, node: onnx.NodeProto) -> None:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        del copied.input[:]
        copied.input.extend([self.renamed.get(name, name) for name in node.input])
        self.nodes.append(copied)

    def constant(self, name: str, codes: NDArray[Any], scales: NDArray[np.float32]) -> None:
        self._store(f"{name}_quantized", codes)
        self._dequantize(name, scales, np.zeros(len(scales), codes.dtype), axis=0)

    def round_trip(self, source: str, name: str, chosen: Range) -> None:
        """Quantize ``source`` and dequantize it again for its readers."""
        inputs = [source, f"{name}_scale", f"{name}_zero_point"]
        self.nodes.append(helper.make_node("QuantizeLinear", inputs, [f"{name}_quantized"], f"{name}_QuantizeLinear"))
        self._dequantize(name, np.float32(chosen.scale), np.uint8(chosen.zero_point))
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
