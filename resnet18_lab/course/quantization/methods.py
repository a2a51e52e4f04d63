"""Which way of making INT8 loses least: methods compared on labelled pictures, and where the loss arises."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from resnet18_lab.base.machine import needs_reduced_range
from resnet18_lab.base.notify import Notify
from resnet18_lab.course.quantization.equalization import equalized
from resnet18_lab.export import onnx_graph
from resnet18_lab.inference import metrics
from resnet18_lab.inference.engine import Logits
from resnet18_lab.inference.predictions import softmax
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.transform import Batch, Crop
from resnet18_lab.quantization import qdq, reconstruction, rounding
from resnet18_lab.quantization.qdq import largest_weight, with_integers
from resnet18_lab.quantization.reconstruction import Integers, Method

_KEPT = "GPTQ, weights refitted to INT8 inputs (kept)"
METHODS: dict[str, tuple[Method, float]] = {
    "nearest code, MinMax": (Method(rounding.nearest, "minmax", correct_bias=False, compensate=None), 0.0),
    "nearest code, percentile ranges": (
        Method(rounding.nearest, "percentile", correct_bias=False, compensate=None),
        0.0,
    ),
    "nearest code, closest ranges": (Method(rounding.nearest, "closest", correct_bias=False, compensate=None), 0.0),
    "nearest code, closest ranges after the sum": (Method(rounding.nearest, correct_bias=False, compensate=None), 0.0),
    "the same, biases corrected": (Method(rounding.nearest, compensate=None), 0.0),
    "GPTQ, biases corrected": (Method(compensate=None), 0.0),
    _KEPT: (Method(), 0.0),
    "the same on an equalized network": (Method(), 0.5),
}
"""Each method with the strength of the equalization before it (0: none)."""


@dataclass(frozen=True)
class Labelled:
    """Pictures with their truth: crops uint8 N×224×224×3, float logits N×1000, acceptable classes N×1000."""

    crops: Crop
    logits: Logits
    right: NDArray[np.bool_]

    def part(self, index: NDArray[np.int64]) -> "Labelled":
        """Those at the positions of ``index``."""
        return Labelled(self.crops[index], self.logits[index], self.right[index])


def halves(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of every other picture, and of the rest."""
    return np.arange(0, count, 2), np.arange(1, count, 2)


def _int8_logits(proto: onnx.ModelProto, fit: Crop, unseen: Crop, method: Method, strength: float = 0.0) -> Logits:
    """Logits for the ``unseen`` crops by ONNX Runtime, of the float graph made INT8 on the ``fit`` crops."""
    batch = transform.normalise(fit)
    source = equalized(proto, batch, strength) if strength else proto
    return run_graph(qdq.quantized(source, batch, method, reduce_range=needs_reduced_range()), unseen)


def run_graph(proto: onnx.ModelProto, crops: Crop) -> Logits:
    """Logits of a graph for crops, one at a time."""
    return _whole(proto, [proto.graph.output[0].name], transform.normalise(crops))[0]


def divergences(expected: Logits, logits: Logits) -> NDArray[np.float64]:
    """Kullback-Leibler divergence, in nats, of each answer's shares from those expected."""
    shares = softmax(expected)
    difference = np.log(shares + 1e-30) - np.log(softmax(logits) + 1e-30)
    return np.asarray((shares * difference).sum(axis=1), dtype=np.float64)


def divergence(expected: Logits, logits: Logits) -> float:
    """The mean of ``divergences``."""
    return float(divergences(expected, logits).mean())


def _selection_score(proto: onnx.ModelProto, pictures: Labelled, method: Method, strength: float) -> dict[str, float]:
    """How closely INT8 and float agree within each calibration half: calibrated on one part, judged on the other.

    What is chosen by this has never seen the half it is evaluated on.
    """
    expected, answers = [], []
    for half in halves(len(pictures.crops)):
        fit, unseen = (pictures.part(half[index]) for index in halves(len(half)))
        answers.append(_int8_logits(proto, fit.crops, unseen.crops, method, strength))
        expected.append(unseen.logits)
    reference, logits = np.concatenate(expected), np.concatenate(answers)
    return {"cosine": float(metrics.cosines(reference, logits).mean()), "kl": divergence(reference, logits)}


def _crossed_over(proto: onnx.ModelProto, pictures: Labelled, method: Method, strength: float = 0.0) -> dict[str, Any]:
    """INT8 against float on all pictures, each answered by the graph that was calibrated on the other half."""
    first, second = halves(len(pictures.crops))
    logits = np.empty_like(pictures.logits)
    for fit, unseen in ((first, second), (second, first)):
        logits[unseen] = _int8_logits(proto, pictures.crops[fit], pictures.crops[unseen], method, strength)
    return compared(pictures, logits)


def compared(pictures: Labelled, logits: Logits) -> dict[str, Any]:
    """Same answers, cosine, lost and won answers with McNemar's p, and top-1, of logits against float."""
    comparison = metrics.paired(pictures.logits, logits, pictures.right)
    same = int((pictures.logits.argmax(axis=1) == logits.argmax(axis=1)).sum())
    interval = metrics.wilson(same, len(logits))
    hits = int(pictures.right[np.arange(len(logits)), logits.argmax(axis=1)].sum())
    return {
        "same": same, "of": len(logits), "same_low": interval.low, "same_high": interval.high,
        "cosine": comparison.cosine, "lost": comparison.lost, "won": comparison.won, "p": comparison.p, "top1": hits,
    }  # fmt: skip


def layer_noise(proto: onnx.ModelProto, integers: Integers, batch: Batch) -> dict[str, float]:
    """Signal to quantization noise, in dB, of each convolution's and the last layer's output (with its ReLU)."""
    quantized = with_integers(proto, integers)
    after = {node.input[0]: node.output[0] for node in proto.graph.node if node.op_type == "Relu"}
    names = {}
    for node in proto.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            output = after.get(node.output[0], node.output[0])
            names[node.input[1].removesuffix(".weight")] = output
    exact = _whole(proto, list(names.values()), batch)
    int8 = _whole(
        quantized, [f"{name}_dequantized" if name in integers.ranges else name for name in names.values()], batch
    )
    return {
        layer: float(10 * np.log10(np.square(a).sum() / np.square(a - b).sum()))
        for layer, a, b in zip(names, exact, int8, strict=True)
    }


def sensitivity(
    proto: onnx.ModelProto, integers: Integers, batch: Batch, expected: Logits, notify: Notify = lambda _: None
) -> dict[str, float]:
    """Divergence in nats when one layer alone has INT8 weights and all else stays float, by layer."""
    divergences = {}
    for node in proto.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            name = node.input[1]
            notify(name.removesuffix(".weight"))
            alone = Integers({}, {name: integers.constants[name]})
            (logits,) = _whole(with_integers(proto, alone), [proto.graph.output[0].name], batch)
            divergences[name.removesuffix(".weight")] = divergence(expected, logits)
    return divergences


def _whole(proto: onnx.ModelProto, names: list[str], batch: Batch) -> list[NDArray[np.float32]]:
    """The tensors of those names for all pictures together."""
    return [np.concatenate(parts) for parts in zip(*onnx_graph.outputs(proto, names, batch), strict=True)]


def study(proto: onnx.ModelProto, pictures: Labelled, *, notify: Notify = lambda _: None) -> dict[str, Any]:
    """All methods: their selection score, and what each would give when evaluated."""
    rows = []
    for name, (method, strength) in METHODS.items():
        notify(name)
        row: dict[str, Any] = {"method": name, **_selection_score(proto, pictures, method, strength)}
        rows.append({**row, "evaluation": _crossed_over(proto, pictures, method, strength)})
    return {"rows": rows, "pictures": len(pictures.crops), "kept": _KEPT}


def integers_of(proto: onnx.ModelProto, crops: Crop, method: Method | None = None) -> Integers:
    """Ranges and codes of a method on crops; weights to 127, or to 63 where sums would overflow on this CPU."""
    largest = largest_weight(reduce_range=needs_reduced_range())
    return reconstruction.quantize(proto, transform.normalise(crops), method or Method(), largest)
