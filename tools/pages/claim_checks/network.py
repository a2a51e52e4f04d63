"""Statements about the network, its files and its answers."""

from collections.abc import Callable
from typing import Any

from claim_checks.evidence import ELSEWHERE, MB, MIB, PART, UNCHECKED, Answer, Evidence, of_parts, of_range, verdict
from resnet18_lab.base.errors import ParameterError

_IMAGENET = 50_000
"""Pictures of ImageNet's validation set, which accuracies of ImageNet are counted on."""
_PARAMETERS, _SIZE = 11.7, 44.7
_LATTE = "coffee.jpg"


def _size(e: Evidence) -> Answer:
    size, parameters = e.variants["variants"]["float32"]["bytes"], e.network["parameters"]
    text = f"{parameters:,} parameters; ONNX float32 {size / MB:.1f} MB = {size / MIB:.1f} MiB"
    parts = {
        "the parameters": round(parameters / 1e6, 1) == _PARAMETERS,
        "the size in MiB": abs(size / MIB - _SIZE) < 0.5,
        "the size in MB": abs(size / MB - _SIZE) < 0.5,
    }
    return of_parts(text, parts)


def _layers(e: Evidence) -> Answer:
    count = e.network["convolutions"]
    return Answer(f"{count} convolutions and 1 linear layer", verdict(count == 18))


def _accuracy(e: Evidence, which: str) -> tuple[str, dict[str, Any]]:
    row = e.evaluation["engines"][0]
    share = row[which]
    return (
        f"{share['hits']} of {share['of']} ({share['low']:.1%}-{share['high']:.1%}), weights {row['engine']['weights']}"
    ), share


def _top1(e: Evidence) -> Answer:
    text, share = _accuracy(e, "top1")
    if share["of"] < _IMAGENET:
        return Answer(text, UNCHECKED)
    return Answer(text, verdict(share["share"] > 0.69))


def _top5(e: Evidence) -> Answer:
    """The accuracy is treated like top-1; the latency can be checked on any machine."""
    text, share = _accuracy(e, "top5")
    slowest = e.ms("eager")
    text = f"{text}; eager {slowest:.0f} ms, 1 thread"
    quick = slowest < 70
    if share["of"] >= _IMAGENET:
        return of_parts(text, {"the accuracy": share["share"] > 0.85, "the latency": quick})
    if quick:
        return Answer(text, PART, "Holds: the latency; the accuracy cannot be checked on these pictures.")
    return Answer(text, ELSEWHERE, "The latency is another here, and the accuracy cannot be checked.")


def _sums(e: Evidence) -> Answer:
    largest = max(map(sum, e.samples))
    return Answer(f"the largest top-3 of the samples sums to {largest:.1%}", verdict(largest > 1 + 1e-6))


def _latte(e: Evidence) -> Answer:
    """The photograph of a coffee in data/samples, with its own names."""
    top = e.answers.get(_LATTE)
    if top is None:
        raise ParameterError(f"no answers for {_LATTE}")
    total = sum(score for _, score in top)
    names = ", ".join(f"{name} {score:.2f}" for name, score in top)
    return Answer(f"{_LATTE}: {names}; they sum to {total:.1%}", verdict(total > 1 + 1e-6))


def _numpy_recipe(e: Evidence) -> Answer:
    by_hand, reference = (e.network["preparation_ms"][name] for name in ("NumPy by hand", "torchvision"))
    gain = reference / by_hand - 1
    text = f"{by_hand:.1f} ms against {reference:.1f} ms: {gain:+.0%}; dtype of its result: {e.network['numpy_dtype']}"
    return of_range(text, gain, 0.1, 0.2)


def _streetlight(e: Evidence) -> Answer:
    return Answer(f"{e.network['streetlight']} of 1,000 classes have that name", verdict(e.network["streetlight"] > 0))


def _stem(e: Evidence) -> Answer:
    stem, early = e.network["stem_share"], e.network["early_share"]
    text = f"stem {stem:.0%} of the multiplications, stem and layer1 together {early:.0%}"
    return Answer(text, verdict(early > 0.5))


def _dynamic(e: Evidence) -> Answer:
    row = e.variants["variants"]["dynamic, torch (fc only)"]
    counts = row["operators"]
    text = f"{counts['quantized Linear']} linear layer quantized, {counts['float Conv2d']} convolutions stay float"
    return Answer(f"{text}; {row['bytes'] / MB:.1f} MB", verdict(counts["float Conv2d"] == 0))


CHECKS: dict[str, Callable[[Evidence], Answer]] = {
    "size": _size, "layers": _layers, "top1": _top1, "top5": _top5, "sums": _sums, "latte": _latte,
    "numpy_recipe": _numpy_recipe, "streetlight": _streetlight, "stem": _stem, "dynamic": _dynamic,
}  # fmt: skip
