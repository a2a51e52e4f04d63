"""INT8 layer by layer: each layer is rounded so that its INT8 inputs give what the float network gave.

The float graph is walked once, in its order, with all calibration crops: beside the exact value of every
tensor stands what the INT8 graph makes of it, so that later layers see, and can make up for, the errors
of the earlier ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor
from torch.nn import functional

from resnet18_lab.base.errors import BuildError
from resnet18_lab.preprocessing.transform import Batch
from resnet18_lab.quantization import rounding
from resnet18_lab.quantization.ranges import Range, closest_range, minmax_range, percentile_range, sample_of
from resnet18_lab.quantization.rounding import Layer, Rounder


@dataclass(frozen=True)
class Method:
    """How a graph is quantized; the default is what the study of all methods chose.

    ``ranges`` of activations: ``minmax``; ``percentile``; ``closest`` (least mean square error); ``closest after the
    sum``: for the branches of an addition the error is taken after it and its ReLU. ``compensate``:
    strength of the ridge that holds weights back while they are refitted to the INT8 inputs, None for no
    refitting; a layer with fewer positions than ``positions_per_input`` times its inputs is not refitted: it
    would learn these pictures by heart.
    """

    rounder: Rounder = rounding.gptq
    ranges: Literal["minmax", "percentile", "closest", "closest after the sum"] = "closest after the sum"
    correct_bias: bool = True
    compensate: float | None = 0.03
    positions_per_input: int = 10
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """The fields for a record, the rounding by its name."""
        return {
            "rounding": self.rounder.__name__,
            **{key: value for key, value in vars(self).items() if key != "rounder"},
        }


@dataclass(frozen=True)
class Constant:
    """Integer codes of a weight or bias, and a scale per output channel, float32."""

    codes: NDArray[np.int8] | NDArray[np.int32]
    scales: NDArray[np.float32]


@dataclass(frozen=True)
class Integers:
    """What turns the float graph into an INT8 one: ranges of tensors and codes of weights, by name."""

    ranges: dict[str, Range]
    constants: dict[str, Constant]


@dataclass
class _Signal:
    """A tensor for all crops: exact, and as INT8 computes it (codes, or floats until its range is chosen)."""

    exact: Tensor
    int8: Tensor
    range: Range | None = None

    def values(self, part: slice = slice(None)) -> Tensor:
        return self.int8[part] if self.range is None else self.range.decode(self.int8[part])

    def fix(self, tensor_range: Range) -> None:
        self.int8, self.range = tensor_range.encode(self.int8), tensor_range


def quantize(proto: onnx.ModelProto, batch: Batch, method: Method, largest: int) -> Integers:
    """Ranges and codes for every tensor of a float ResNet graph with folded batch norms.

    ``batch``: preprocessed calibration crops; ``largest``: the largest code of a weight (127, or 63 for
    CPUs without VNNI). Raises BuildError for an operator that a ResNet does not have.
    """
    walk = _Walk(proto, method, largest)
    with torch.inference_mode():
        walk.start(proto.graph.input[0].name, torch.from_numpy(batch))
        for node in proto.graph.node:
            walk.step(node)
    return Integers(walk.ranges, walk.constants)


class _Walk:
    """State of one pass over the graph."""

    def __init__(self, proto: onnx.ModelProto, method: Method, largest: int) -> None:
        nodes = list(proto.graph.node)
        self.method, self.largest = method, largest
        self.ranges: dict[str, Range] = {}
        self.constants: dict[str, Constant] = {}
        self._initializers = {
            entry.name: torch.tensor(numpy_helper.to_array(entry)) for entry in proto.graph.initializer
        }
        self._after_relu = {node.input[0]: node.output[0] for node in nodes if node.op_type == "Relu"}
        self._summands = {name for node in nodes if node.op_type == "Add" for name in node.input}
        self._last = {name: node.output[0] for node in nodes for name in node.input}
        self._signals: dict[str, _Signal] = {}
        self._random = torch.Generator().manual_seed(method.seed)

    def start(self, name: str, batch: Tensor) -> None:
        self._signals[name] = _Signal(batch, batch)
        self._fix(name, minmax_range(batch))  # pixels: nothing to clip

    def step(self, node: onnx.NodeProto) -> None:
        """Compute one node; a ReLU is part of the node before it."""
        source, name = self._signals.get(node.input[0]), node.output[0]
        if node.op_type == "Relu":
            return
        if source is None or node.op_type not in self._STEPS:
            raise BuildError(f"INT8 is for the graph of a ResNet, which has no {node.op_type} at {node.name!r}.")
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        self._STEPS[node.op_type](self, node, source, attributes)
        for tensor in [tensor for tensor in node.input if self._last[tensor] == name]:
            self._signals.pop(tensor, None)  # no later node reads it: its memory is free

    def _convolve(self, node: onnx.NodeProto, source: _Signal, attributes: dict[str, Any]) -> None:
        weight, bias = self._initializers[node.input[1]], self._initializers[node.input[2]]
        if (groups := attributes.get("group", 1)) != 1:
            raise BuildError(f"INT8 is for convolutions over all channels; {node.name!r} has {groups} groups.")
        layer = Layer(weight, bias, attributes["strides"][0], attributes["pads"][0])
        int8_layer = self._integers(layer, source, node.input[1], node.input[2])
        count = len(source.exact)
        self._put(
            node.output[0],
            layer.output(lambda part: source.exact[part], count),
            int8_layer.output(source.values, count),
        )

    def _connect(self, node: onnx.NodeProto, source: _Signal, _attributes: dict[str, Any]) -> None:
        weight, bias = self._initializers[node.input[1]], self._initializers[node.input[2]]
        self._integers(Layer(weight[:, :, None, None], bias, 1, 0), source, node.input[1], node.input[2])

    def _integers(self, layer: Layer, source: _Signal, weight_name: str, bias_name: str) -> Layer:
        """The layer with its weight and bias rounded; stores their codes and scales."""
        assert source.range is not None  # noqa: S101 - only branches of a sum wait for their range
        matrix, method = layer.weight.flatten(1), self.method
        parts = [slice(index, index + 1) for index in range(len(source.exact))]
        enough = rounding.sampled_positions(layer, source.exact) >= method.positions_per_input * matrix.shape[1]
        pairs = ((source.values(part), source.exact[part]) for part in parts)
        moments = rounding.measure(layer, pairs, self._random, crossed=enough and method.compensate is not None)
        goal = matrix
        if moments.cross is not None and method.compensate is not None:
            goal = rounding.refitted(matrix, moments, method.compensate)
        scales = rounding.channel_scales(goal, layer.bias, source.range.scale, self.largest)
        codes = method.rounder(goal, moments.gram, scales, self.largest)
        rounded, bias = codes * scales[:, None], layer.bias
        if method.correct_bias:  # so that the mean output stays the float network's
            bias = bias + matrix @ moments.exact_mean - rounded @ moments.mean
        # an integer layer adds its bias to products of codes, whose unit is the product of both scales
        bias_scales = scales * source.range.scale
        bias_codes = torch.round(bias.double() / bias_scales.double())
        shape = self._initializers[weight_name].shape
        self.constants[weight_name] = Constant(codes.to(torch.int8).reshape(shape).numpy(), scales.numpy())
        self.constants[bias_name] = Constant(bias_codes.to(torch.int32).numpy(), bias_scales.numpy())
        return replace(
            layer, weight=rounded.reshape(layer.weight.shape), bias=(bias_codes * bias_scales.double()).float()
        )

    def _add(self, node: onnx.NodeProto, source: _Signal, _attributes: dict[str, Any]) -> None:
        other = self._signals[node.input[1]]
        for name, branch, beside in ((node.input[0], source, other), (node.input[1], other, source)):
            if branch.range is None:
                values, added = sample_of(branch.int8, beside.values())
                self._fix(name, closest_range(values, partial(_sum_after_relu, added)))
        self._put(node.output[0], source.exact + other.exact, source.values() + other.values())

    def _max_pool(self, node: onnx.NodeProto, source: _Signal, attributes: dict[str, Any]) -> None:
        shape = attributes["kernel_shape"][0], attributes["strides"][0], attributes["pads"][0]
        assert source.range is not None  # noqa: S101 - only branches of a sum wait for their range
        codes = functional.max_pool2d(source.int8.float(), *shape).to(torch.uint8)  # larger codes, larger values
        self._signals[node.output[0]] = _Signal(functional.max_pool2d(source.exact, *shape), codes, source.range)
        self.ranges[node.output[0]] = source.range

    def _mean(self, node: onnx.NodeProto, source: _Signal, _attributes: dict[str, Any]) -> None:
        over = (2, 3)
        self._put(node.output[0], source.exact.mean(over, keepdim=True), source.values().mean(over, keepdim=True))

    def _reshape(self, node: onnx.NodeProto, source: _Signal, _attributes: dict[str, Any]) -> None:
        self._signals[node.output[0]] = source
        self.ranges[node.output[0]] = self.ranges[node.input[0]]

    _STEPS: ClassVar[dict[str, Callable[["_Walk", onnx.NodeProto, _Signal, dict[str, Any]], None]]] = {
        "Conv": _convolve,
        "Gemm": _connect,
        "Add": _add,
        "MaxPool": _max_pool,
        "ReduceMean": _mean,
        "Reshape": _reshape,
    }

    def _put(self, name: str, exact: Tensor, int8: Tensor) -> None:
        """Keep a node's output, after its ReLU if it has one, and choose its range unless a sum will."""
        if (after := self._after_relu.get(name)) is not None:
            exact, int8 = exact.relu_(), int8.relu_()
        self._signals[after or name] = _Signal(exact, int8)
        if after is None and name in self._summands and self.method.ranges == "closest after the sum":
            return
        if self.method.ranges == "minmax":
            self._fix(after or name, minmax_range(int8))
        elif self.method.ranges == "percentile":
            self._fix(after or name, percentile_range(sample_of(int8)[0]))
        else:
            self._fix(after or name, closest_range(sample_of(int8)[0]))

    def _fix(self, name: str, tensor_range: Range) -> None:
        self._signals[name].fix(tensor_range)
        self.ranges[name] = tensor_range


def _sum_after_relu(added: Tensor, values: Tensor) -> Tensor:
    return (values + added).relu_()
