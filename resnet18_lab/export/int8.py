"""A network as an INT8 ONNX file: quantize-dequantize form, calibrated, with float logits.

Activations are uint8 with one scale a tensor, weights int8 with one scale an output channel (U8S8, what
x86 CPUs multiply fastest). ONNX Runtime and OpenVINO fuse the pairs of QuantizeLinear and
DequantizeLinear around an operator into one integer operator.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from resnet18_lab.base.errors import BuildError
from resnet18_lab.base.machine import needs_reduced_range
from resnet18_lab.export import onnx_graph
from resnet18_lab.export.last_layer import add_features
from resnet18_lab.export.onnx import export_onnx
from resnet18_lab.export.parity import measure
from resnet18_lab.export.stamp import stamp
from resnet18_lab.inference import metrics
from resnet18_lab.inference.engine import Logits
from resnet18_lab.model.network import LoadedModel
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.transform import Batch
from resnet18_lab.quantization import calibration
from resnet18_lab.quantization.calibration import Calibration
from resnet18_lab.quantization.onnxruntime_static import quantize_static, u8s8
from resnet18_lab.quantization.qdq import quantized
from resnet18_lab.quantization.reconstruction import Method
from resnet18_lab.weights.find import WeightsFile

LOWEST_COSINE = 0.98
"""Mean cosine of logits below which a file is rejected: even plain rounding of every weight reaches more."""
_OTHER_PICTURES = "calibrate on photographs (`build --calibrate DIR`)."
_SEVEN_BITS = "this CPU has no VNNI, and {} does not keep its answers with 7 bits: take onnxruntime-fp32."
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

    ``pictures`` default to the project's own photographs, ``reduce_range`` to what this CPU needs; ``method`` is for
    networks that are quantized here, not by ONNX Runtime. The same weights, pictures and number of torch threads give
    the same file. Raises BuildError when ONNX Runtime would leave a part of the body in float.
    """
    network = loaded.weights.network
    pictures = pictures or calibration.default_crops(network.preprocessing)
    reduced = needs_reduced_range() if reduce_range is None else reduce_range
    batch = transform.normalise(pictures.crops, network.preprocessing)
    proto = float_graph(loaded)
    how = (method or Method()) if network.int8 == "ours" else None
    _write(quantized(proto, batch, how, reduce_range=reduced) if how else _by_onnxruntime(proto, batch, reduced),
           loaded.weights, target)  # fmt: skip
    operators = _integer_operators(target, proto)
    run = onnx_graph.runner(target)
    agreement = _agreement(run, loaded, batch)
    if agreement["mean_cosine"] < LOWEST_COSINE:
        advice = _SEVEN_BITS.format(network.title) if reduced and how is None else _OTHER_PICTURES
        raise BuildError(
            f"The INT8 file answers its own calibration pictures with a mean logit cosine of "
            f"{agreement['mean_cosine']:.3f} to eager, {LOWEST_COSINE} is the least allowed; {advice}"
        )
    return {
        "operators": operators,
        "reduce_range": reduced,
        "method": how.as_json() if how else _BY_ONNXRUNTIME,
        "calibration": {**pictures.as_json(), **agreement},
        "parity": measure(run, loaded.module, preprocessing=network.preprocessing).as_json(),
    }


def _write(proto: onnx.ModelProto, file: WeightsFile, target: Path) -> None:
    """The file with what it says of itself; a network with own classes gives its features, too."""
    if file.labels_path is not None:
        add_features(proto, file.network.features)
    stamp(proto, file)
    target.write_bytes(proto.SerializeToString(deterministic=True))


def _integer_operators(target: Path, proto: onnx.ModelProto) -> dict[str, int]:
    """The operators of ONNX Runtime's optimised graph; BuildError where it leaves a part of the body in float."""
    operators, counts = onnx_graph.optimised_operators(target), onnx_graph.operator_counts(proto)
    expected = {"QLinearConv": counts["Conv"], "QLinearAdd": counts.get("Add", 0), "Conv": 0}
    wrong = {name: operators.get(name, 0) for name, count in expected.items() if operators.get(name, 0) != count}
    if wrong:
        raise BuildError(f"ONNX Runtime's optimised INT8 graph holds {wrong} where {expected} is expected.")
    return operators


_BY_ONNXRUNTIME = {"rounding": "nearest", "ranges": "minmax", "by": "onnxruntime"}


def _by_onnxruntime(proto: onnx.ModelProto, batch: Batch, reduced: bool) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(proto, source)
        quantize_static(source, target, batch, reduce_range=reduced, **u8s8())
        return onnx.load(target)


def float_graph(loaded: LoadedModel) -> onnx.ModelProto:
    """The network as a float32 ONNX graph with folded batch norms."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.onnx"
        export_onnx(loaded, path)
        return _with_biases(onnx.load(path))


def _with_biases(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Zeros where a convolution has no bias (the exporter drops one that is all zero): INT8 corrects into it."""
    initializers = {tensor.name: tensor for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type == "Conv" and len(node.input) == 2:
            zeros = np.zeros(initializers[node.input[1]].dims[0], np.float32)
            name = node.input[1].removesuffix("weight") + "bias"
            proto.graph.initializer.append(numpy_helper.from_array(zeros, name))
            node.input.append(name)
    return proto


def _agreement(run: Callable[[Batch], Logits], loaded: LoadedModel, batch: Batch) -> dict[str, float]:
    """How closely INT8 and eager agree on the calibration crops themselves."""
    ours, theirs = [], []
    for start in range(0, len(batch), _CHUNK):
        part = batch[start : start + _CHUNK]
        ours.append(run(part))
        with torch.inference_mode():
            theirs.append(loaded.module(torch.from_numpy(part)).numpy())
    logits, expected = np.concatenate(ours), np.concatenate(theirs)
    same = float((logits.argmax(axis=1) == expected.argmax(axis=1)).mean())
    return {"same_top1": same, "mean_cosine": float(metrics.cosines(expected, logits).mean())}
