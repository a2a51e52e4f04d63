"""A network's ONNX file with another last layer: same body, own classes, and the features as a second output."""

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from resnet18_lab.base.errors import BuildError

FEATURES_OUTPUT = "features"
_LARGEST_CODE, _LARGEST_REDUCED_CODE = 127, 63


def with_last_layer(proto: onnx.ModelProto, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> onnx.ModelProto:
    """A copy whose logits are ``features @ weight.T + bias`` (weight float32 C×D), with the features as second output.

    ``proto`` is a float file of this project or one in quantize-dequantize form; there the new layer is rounded to
    INT8 with one scale a class. BuildError for a graph that does not end in such a layer.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    graph = changed.graph
    makers, last = _makers_and_last(graph)
    constants = {tensor.name: tensor for tensor in graph.initializer}

    def put(name: str, values: NDArray[np.generic]) -> None:
        constants[name].CopyFrom(numpy_helper.from_array(values, name))

    source, weight_name, bias_name = last.input
    if (dequantize := makers.get(weight_name)) is None:
        put(weight_name, weight)
        put(bias_name, bias)
    else:
        source_maker = makers[source]
        scale = numpy_helper.to_array(constants[source_maker.input[1]])
        _put_codes(put, constants, dequantize, makers[bias_name], (weight, bias), float(scale))
    _set_classes(graph, len(weight))
    add_features(changed, weight.shape[1])
    return changed


def add_features(proto: onnx.ModelProto, width: int) -> None:
    """Make the float features before the last layer a second output of the graph, N×width, unless they are."""
    graph = proto.graph
    if any(output.name == FEATURES_OUTPUT for output in graph.output):
        return
    makers, last = _makers_and_last(graph)
    source = last.input[0]
    if makers[source].op_type == "DequantizeLinear":
        source = makers[makers[source].input[0]].input[0]  # the float tensor before its QuantizeLinear
    batch = graph.output[0].type.tensor_type.shape.dim[0].dim_param or "batch"
    graph.node.append(helper.make_node("Identity", [source], [FEATURES_OUTPUT], FEATURES_OUTPUT))
    graph.output.append(helper.make_tensor_value_info(FEATURES_OUTPUT, onnx.TensorProto.FLOAT, [batch, width]))
    onnx.checker.check_model(proto)


def _makers_and_last(graph: onnx.GraphProto) -> tuple[dict[str, onnx.NodeProto], onnx.NodeProto]:
    """The node that makes each tensor, and the one of the logits; BuildError where that is no linear layer."""
    makers = {output: node for node in graph.node for output in node.output}
    last = makers.get(graph.output[0].name)
    if last is None or last.op_type != "Gemm" or not any(each.name == "transB" and each.i for each in last.attribute):
        raise BuildError("The graph does not end in a linear layer; build the base's ONNX files anew.")
    return makers, last


def _put_codes(
    put: Callable[[str, NDArray[np.generic]], None],
    constants: dict[str, onnx.TensorProto],
    of_weight: onnx.NodeProto,
    of_bias: onnx.NodeProto,
    layer: tuple[NDArray[np.float32], NDArray[np.float32]],
    scale: float,
) -> None:
    """Weight codes int8 with a scale a class, bias codes int32 in steps of both scales."""
    weight, bias = layer
    largest = _LARGEST_CODE
    if np.abs(numpy_helper.to_array(constants[of_weight.input[0]])).max() <= _LARGEST_REDUCED_CODE:
        largest = _LARGEST_REDUCED_CODE  # the file was made for a CPU on which 8-bit sums could overflow
    scales = (np.maximum(np.abs(weight).max(axis=1), 1e-8) / largest).astype(np.float32)
    steps = (scales * np.float32(scale)).astype(np.float32)
    put(of_weight.input[0], np.rint(weight / scales[:, None]).astype(np.int8))
    put(of_weight.input[1], scales)
    put(of_weight.input[2], np.zeros(len(scales), np.int8))
    put(of_bias.input[0], np.rint(bias / steps).astype(np.int32))
    put(of_bias.input[1], steps)
    if len(of_bias.input) > 2:
        put(of_bias.input[2], np.zeros(len(scales), np.int32))


def _set_classes(graph: onnx.GraphProto, classes: int) -> None:
    """The new width of the logits."""
    output = graph.output[0]
    output.type.tensor_type.shape.dim[1].dim_value = classes
    for value in [value for value in graph.value_info if value.name == output.name]:
        graph.value_info.remove(value)
