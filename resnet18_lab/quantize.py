"""ResNet-18 as an INT8 ONNX file: quantize-dequantize form, calibrated, with float logits.

Activations are uint8 with one scale a tensor, weights int8 with one scale an output channel (U8S8, what
x86 CPUs multiply fastest). ONNX Runtime and OpenVINO fuse the pairs of QuantizeLinear and
DequantizeLinear around an operator into one integer operator.
"""

import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from resnet18_lab import calibration, environment, export, metrics, onnx_graphs, parity, preprocess, reconstruction
from resnet18_lab.backends.protocol import Batch, Logits
from resnet18_lab.calibration import Calibration
from resnet18_lab.errors import BuildError
from resnet18_lab.model import LoadedModel
from resnet18_lab.reconstruction import Integers, Method
from resnet18_lab.rounding import Range

EXPECTED_OPERATORS = {"QLinearConv": 20, "QLinearAdd": 8, "Conv": 0}
"""What ONNX Runtime's optimised graph must hold: nothing of the body left in float."""
LARGEST_WEIGHT = 127
LARGEST_REDUCED_WEIGHT = 63
LOWEST_COSINE = 0.98
"""Mean cosine of logits under which a file is not kept: plain rounding of every weight reaches more."""
_CHUNK = 8


def build_int8(
    loaded: LoadedModel,
    target: Path,
    *,
    pictures: Calibration | None = None,
    method: Method | None = None,
    reduce_range: bool | None = None,
) -> dict[str, Any]:
    """Write the INT8 file and return what the manifest says of it.

    ``pictures`` default to the project's own photographs, ``reduce_range`` to what this CPU needs. The
    same weights, pictures and number of torch threads give the same file. Raises BuildError when ONNX
    Runtime would leave a part of the body in float.
    """
    pictures = pictures or calibration.default_crops()
    method = method or Method()
    reduced = needs_reduced_range() if reduce_range is None else reduce_range
    batch = preprocess.normalise(pictures.crops)
    proto = float_graph(loaded)
    target.write_bytes(quantized(proto, batch, method, reduce_range=reduced).SerializeToString(deterministic=True))
    operators = optimised_operators(target)
    wrong = {
        name: operators.get(name, 0) for name, count in EXPECTED_OPERATORS.items() if operators.get(name, 0) != count
    }
    if wrong:
        raise BuildError(f"ONNX Runtime's optimised INT8 graph holds {wrong} where {EXPECTED_OPERATORS} is expected.")
    run = onnx_graphs.runner(target)
    agreement = _agreement(run, loaded, batch)
    if agreement["mean_cosine"] < LOWEST_COSINE:
        raise BuildError(
            f"The INT8 file answers its own calibration pictures with a mean logit cosine of "
            f"{agreement['mean_cosine']:.3f} to eager, {LOWEST_COSINE} is the least allowed; "
            "calibrate on photographs (`build --calibrate DIR`)."
        )
    return {
        "operators": operators,
        "reduce_range": reduced,
        "method": method.as_json(),
        "calibration": {**pictures.as_json(), **agreement},
        "parity": parity.measure(run, loaded.module).as_json(),
    }


def needs_reduced_range() -> bool:
    """True where 8-bit products could overflow: on x86 without VNNI, or where the flags cannot be read.

    There two products of uint8 and int8 are added in 16 bits; weights of 7 bits keep the sum inside.
    """
    if platform.machine().lower() in ("arm64", "aarch64"):
        return False
    flags = environment.cpu_flags()
    return flags is None or not (flags["avx512_vnni"] or flags["avx_vnni"])


def float_graph(loaded: LoadedModel) -> onnx.ModelProto:
    """The network as a float32 ONNX graph with folded batch norms."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.onnx"
        export.export_onnx(loaded.module, path)
        return _with_biases(onnx.load(path))


def _with_biases(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Zeros where a convolution has no bias (the exporter drops one that is all zero): INT8 corrects into it."""
    stored = {tensor.name: tensor for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type == "Conv" and len(node.input) == 2:
            zeros = np.zeros(stored[node.input[1]].dims[0], np.float32)
            name = node.input[1].removesuffix("weight") + "bias"
            proto.graph.initializer.append(numpy_helper.from_array(zeros, name))
            node.input.append(name)
    return proto


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


def optimised_operators(path: Path) -> dict[str, int]:
    """How many nodes of each operator ONNX Runtime's optimised graph of the file has on this CPU."""
    return export.operator_counts(onnx_graphs.optimised(path))


def _agreement(run: Callable[[Batch], Logits], loaded: LoadedModel, batch: Batch) -> dict[str, float]:
    """How alike INT8 and eager answer the calibration crops themselves."""
    ours, theirs = [], []
    for start in range(0, len(batch), _CHUNK):
        part = batch[start : start + _CHUNK]
        ours.append(run(part))
        with torch.inference_mode():
            theirs.append(loaded.module(torch.from_numpy(part)).numpy())
    logits, expected = np.concatenate(ours), np.concatenate(theirs)
    same = float((logits.argmax(axis=1) == expected.argmax(axis=1)).mean())
    return {"same_top1": same, "mean_cosine": float(metrics.cosines(expected, logits).mean())}
