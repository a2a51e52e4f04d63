"""What tutorials about this model state, each beside what was measured here, with a verdict: from kept records."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from resnet18_lab import paths
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.tables import intervals
from resnet18_lab.errors import ParameterError

HOLDS, ELSEWHERE, WRONG, UNCHECKED = "holds", "holds elsewhere", "wrong", "cannot be checked"
VERDICTS = (HOLDS, ELSEWHERE, WRONG, UNCHECKED)
_MB, _MIB = 1e6, 2**20
_STATED_RATE, _STATED_USERS = 19.5, 10
Answer = tuple[str, str]
"""(what was measured here, verdict)."""


@dataclass(frozen=True)
class Evidence:
    """The records the table is made from, and facts of the network itself.

    ``evaluation`` is what ``evaluate --json`` writes, ``samples`` the top-3 scores of each sample picture,
    ``variants`` the record of quantized variants, ``serving`` that of the service under load, ``network``
    parameters, convolutions, share of the work before ``layer2``, times of two ways to prepare a picture, and
    how many classes are named streetlight.
    """

    bench: Record
    evaluation: dict[str, Any]
    samples: list[list[float]]
    variants: dict[str, Any]
    network: dict[str, Any]
    serving: dict[str, Any]

    def seconds(self, suite: str, engine: str, threads: int = 1) -> float:
        """Typical seconds of a row; ParameterError when the record has none."""
        found = intervals(self.bench, suite)
        for row in self.bench.of(suite):
            c = row.configuration
            if row.results and not (c.twin or c.variant or c.file) and (c.backend, c.threads) == (engine, threads):
                return found[c.key()].value
        raise ParameterError(f"no row {engine} with {threads} threads in suite {suite}")

    def ms(self, engine: str, threads: int = 1) -> float:
        """Milliseconds for one picture."""
        return self.seconds("latency", engine, threads) * 1e3

    def peak(self, engine: str) -> float:
        """Peak memory of the engine's process in MB (10⁶ bytes)."""
        for row in self.bench.of("memory"):
            if row.configuration.backend == engine and row.results:
                return float(median(result["peak"] for result in row.results)) / _MB
        raise ParameterError(f"no row {engine} in suite memory")


def _verdict(holds: bool) -> str:
    return HOLDS if holds else WRONG


def _size(e: Evidence) -> Answer:
    stored = e.variants["variants"]["float32"]["bytes"]
    text = f"{e.network['parameters']:,} parameters; ONNX float32 {stored / _MB:.1f} MB = {stored / _MIB:.1f} MiB"
    return text, _verdict(round(stored / _MIB) in (44, 45))


def _layers(e: Evidence) -> Answer:
    found = e.network["convolutions"]
    return f"{found} convolutions and 1 linear layer", _verdict(found == 18)


def _latency_band(e: Evidence) -> Answer:
    one, two = e.ms("eager", 1), e.ms("eager", 2)
    inside = any(15 <= value <= 30 for value in (one, two))
    return f"eager {one:.0f} ms with 1 thread, {two:.0f} ms with 2", HOLDS if inside else ELSEWHERE


def _int8(e: Evidence) -> Answer:
    rows = e.variants["variants"]
    saved = 1 - rows["this project's INT8"]["bytes"] / rows["float32"]["bytes"]
    speed = e.ms("onnxruntime-fp32") / e.ms("onnxruntime-int8")
    text = f"size -{saved:.0%}; {speed:.1f} × as fast as float32 in the same runtime"
    return text, _verdict(saved > 0.74 and speed >= 1.5)


def _onnx(least: float) -> Callable[[Evidence], Answer]:
    def check(e: Evidence) -> Answer:
        gain = e.ms("eager") / e.ms("onnxruntime-fp32") - 1
        return f"{gain:.0%} faster, 1 thread", _verdict(gain >= least)

    return check


def _memory(e: Evidence) -> Answer:
    names = ("onnxruntime-int8", "onnxruntime-fp32", "eager")
    text = ", ".join(f"{name} {e.peak(name):.0f} MB" for name in names)
    service = e.serving["ours"]["memory_mb"]
    text = f"this project's service with INT8 {service:.0f} MB; engines alone: {text}"
    return text, HOLDS if e.peak("eager") < 200 else ELSEWHERE


def _accuracy(e: Evidence, which: str) -> str:
    row = e.evaluation["engines"][0]
    share = row[which]
    return (
        f"{share['hits']} of {share['of']} ({share['low']:.1%}-{share['high']:.1%}), weights {row['engine']['weights']}"
    )


def _top1(e: Evidence) -> Answer:
    return _accuracy(e, "top1"), UNCHECKED


def _top5(e: Evidence) -> Answer:
    low, slowest = e.evaluation["engines"][0]["top5"]["low"], e.ms("eager")
    holds = low > 0.85 and slowest < 70
    return f"{_accuracy(e, 'top5')}; eager {slowest:.0f} ms", HOLDS if holds else ELSEWHERE


def _sums(e: Evidence) -> Answer:
    return f"the largest top-3 of the samples sums to {max(map(sum, e.samples)):.1%}", WRONG


def _startup(e: Evidence) -> Answer:
    names = ("eager", "torchscript", "onnxruntime-fp32", "onnxruntime-int8")
    times = {name: e.seconds("cold-start", name) for name in names}
    gain = 1 - times["torchscript"] / times["eager"]
    text = ", ".join(f"{name} {value:.2f} s" for name, value in times.items())
    return f"{text}; TorchScript saves {gain:.0%}", _verdict(gain >= 0.3)


def _threads(e: Evidence) -> Answer:
    counts = {row.configuration.threads for row in e.bench.of("latency") if row.configuration.backend == "eager"}
    times = {count: e.ms("eager", count) for count in sorted(counts)}
    if len(times) < 2:
        raise ParameterError("no rows of eager with several numbers of threads")
    best = min(times, key=lambda count: times[count])
    text = "/".join(f"{value:.0f}" for value in times.values())
    cores = e.bench.rows[0].cores
    asked = "/".join(map(str, times))
    return f"{text} ms with {asked} threads on {cores} cores; best {best}", HOLDS if best == 4 else ELSEWHERE


def _numpy_recipe(e: Evidence) -> Answer:
    by_hand, reference = (e.network["preparation_ms"][name] for name in ("NumPy by hand", "torchvision"))
    gain = reference / by_hand - 1
    text = f"{by_hand:.1f} ms against {reference:.1f} ms: {gain:+.0%}; dtype of its result: {e.network['numpy_dtype']}"
    return text, _verdict(gain >= 0.1)


def _streetlight(e: Evidence) -> Answer:
    return f"{e.network['streetlight']} of 1,000 classes have that name", _verdict(e.network["streetlight"] > 0)


def _service(e: Evidence) -> Answer:
    found = e.serving["tutorial"]
    text = (
        f"such a service: {found['rate']:.1f} requests/s, p50 {found['p50']:.0f} ms, {found['failed']} of "
        f"{found['requests']} failed; {_STATED_USERS / _STATED_RATE * 1e3:.0f} ms follow from the rate stated"
    )
    return text, WRONG


def _torchscript(e: Evidence) -> Answer:
    gain = e.ms("eager") / e.ms("torchscript-traced") - 1
    return f"{gain:+.0%}, 1 thread", _verdict(gain >= 0.15)


def _three_engines(e: Evidence) -> Answer:
    names = ("eager", "torchscript-traced", "onnxruntime-fp32")
    times, peaks = [e.ms(name) for name in names], [e.peak(name) for name in names]
    ordered = times[0] > times[2] and peaks[0] > peaks[1] > peaks[2]
    shown = ["/".join(f"{value:.0f}" for value in values) for values in (times, peaks)]
    return f"{shown[0]} ms (1 thread); {shown[1]} MB", HOLDS if ordered else WRONG


def _stem(e: Evidence) -> Answer:
    stem, early = e.network["stem_share"], e.network["early_share"]
    text = f"stem {stem:.0%} of the multiplications, stem and layer1 together {early:.0%}"
    return text, _verdict(early > 0.5)


def _dynamic(e: Evidence) -> Answer:
    row = e.variants["variants"]["dynamic, torch (fc only)"]
    counts = row["operators"]
    text = f"{counts['quantized Linear']} linear layer quantized, {counts['float Conv2d']} convolutions stay float"
    return f"{text}; {row['bytes'] / _MB:.1f} MB", _verdict(counts["float Conv2d"] == 0)


def _all_cores(e: Evidence) -> Answer:
    one, two = e.ms("onnxruntime-fp32", 1), e.ms("onnxruntime-fp32", 2)
    return f"ONNX Runtime {one:.0f} ms with 1 thread, {two:.0f} ms with 2 (all cores)", _verdict(two < one)


def _sizes(e: Evidence) -> Answer:
    cells: list[list[float]] = [[], [], []]
    for size in ("224×224", "480×480", "800×600"):
        row = next((r for r in e.bench.of("sizes") if r.results and r.configuration.variant == f"{size} ours"), None)
        if row is None:
            raise ParameterError(f"no row {size} in suite sizes")
        cells[0].append(median(result["first"] for result in row.results) * 1e3)
        cells[1].append(median(value for result in row.results for value in result["answer_samples"]) * 1e3)
        cells[2].append(median(result["peak"] for result in row.results) / _MB)
    engine = e.bench.of("sizes")[0].configuration.backend
    return "; ".join("/".join(f"{value:.0f}" for value in row) for row in cells) + f" ({engine})", ELSEWHERE


CHECKS: dict[str, Callable[[Evidence], Answer]] = {
    "size": _size, "layers": _layers, "latency_band": _latency_band, "int8": _int8,
    "onnx_by_a_fifth": _onnx(0.20), "onnx_by_a_seventh": _onnx(0.15), "memory": _memory, "top1": _top1,
    "top5": _top5, "sums": _sums, "startup": _startup, "threads": _threads, "numpy_recipe": _numpy_recipe,
    "streetlight": _streetlight, "service": _service, "torchscript": _torchscript,
    "three_engines": _three_engines, "stem": _stem, "dynamic": _dynamic, "all_cores": _all_cores, "sizes": _sizes,
}  # fmt: skip


def stated() -> list[dict[str, str]]:
    """All statements, as data/claims.toml has them."""
    content = tomllib.loads(paths.package_data("claims.toml").read_text(encoding="utf-8"))
    claims: list[dict[str, str]] = content["claim"]
    return claims


def table(evidence: Evidence) -> list[dict[str, str]]:
    """One row a statement, none dropped: one that the records cannot answer says so."""
    found = []
    for claim in stated():
        try:
            measured, verdict = CHECKS[claim["check"]](evidence)
        except ParameterError as error:
            measured, verdict = f"not in the record ({error})", UNCHECKED
        found.append(
            {
                "by": claim["by"], "statement": claim["statement"], "stated": claim["stated"],
                "measured here": measured, "command": claim["command"], "verdict": verdict, "why": claim["why"],
            }
        )  # fmt: skip
    return found
