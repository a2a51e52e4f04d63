"""Statements about time and memory."""

from collections.abc import Callable
from dataclasses import replace
from statistics import median

from claim_checks.evidence import ELSEWHERE, HOLDS, PART, Answer, Evidence, megabytes, of_parts, of_range, verdict
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.benchmark.record import Row
from resnet18_lab.benchmark.results.formatting import intervals
from resnet18_lab.benchmark.statistics import Interval

_ALIKE = 0.25
"""Share by which a rate may differ on another machine and still be the one stated."""
_SERVICE_RATE, _SERVICE_USERS, _SERVICE_MS = 19.5, 10, 51.2
_THREADS = 4
_SIZES = ("224×224", "480×480", "800×600")


def _latency_band(e: Evidence) -> Answer:
    one, two = e.ms("eager", 1), e.ms("eager", 2)
    inside = any(15 <= value <= 30 for value in (one, two))
    return Answer(f"eager {one:.0f} ms with 1 thread, {two:.0f} ms with 2", HOLDS if inside else ELSEWHERE)


def _int8(e: Evidence) -> Answer:
    rows = e.variants["variants"]
    saving = 1 - rows["this project's INT8"]["bytes"] / rows["float32"]["bytes"]
    speed = e.ms("onnxruntime-fp32") / e.ms("onnxruntime-int8")
    text = f"size -{saving:.0%}; {speed:.1f} × as fast as float32 in the same runtime, 1 thread"
    where = "is above the range stated" if speed > 2 else "is below the range stated"
    answer = of_parts(text, {"the size": abs(saving - 0.75) < 0.02, "the speed": 1.5 <= speed <= 2})
    return answer if 1.5 <= speed <= 2 else Answer(text, answer.verdict, f"{answer.why} The speed {where}.".strip())


def _gain(e: Evidence, engine: str) -> float:
    """Share by which an engine is faster than eager, one thread each."""
    return e.ms("eager") / e.ms(engine) - 1


def _onnx_at_least(e: Evidence) -> Answer:
    gain = _gain(e, "onnxruntime-fp32")
    return Answer(f"{gain:.0%} faster, 1 thread", verdict(gain > 0.2))


def _onnx_about(e: Evidence) -> Answer:
    gain = _gain(e, "onnxruntime-fp32")
    return of_range(f"{gain:.0%} faster, 1 thread", gain, 0.15, 0.25)


def _memory(e: Evidence) -> Answer:
    """A service is never smaller than the engine in it, so an engine above the limit decides."""
    names = ("onnxruntime-int8", "onnxruntime-fp32", "eager")
    peaks = {name: e.peak(name) for name in names}
    service = e.serving["ours"]["memory_mb"]
    alone = ", ".join(f"{name} {peak:.0f} MB" for name, peak in peaks.items())
    parts = {"a service on the INT8 file": service < 200, "one with torch in it": peaks["eager"] < 200}
    return of_parts(f"this project's service with INT8 {service:.0f} MB; engines alone: {alone}", parts)


def _startup(e: Evidence) -> Answer:
    names = ("eager", "torchscript", "onnxruntime-fp32", "onnxruntime-int8")
    times = {name: e.seconds("cold-start", name) for name in names}
    gain = 1 - times["torchscript"] / times["eager"]
    text = ", ".join(f"{name} {value:.2f} s" for name, value in times.items())
    return of_range(f"{text}; TorchScript saves {gain:.0%}", gain, 0.3, 0.5)


def _threads(e: Evidence) -> Answer:
    counts = {row.configuration.threads for row in e.bench.plain("latency") if row.configuration.backend == "eager"}
    times = {count: e.ms("eager", count) for count in sorted(counts)}
    if len(times) < 2:
        raise ParameterError("no rows of eager with several numbers of threads")
    best = min(times, key=lambda count: times[count])
    cores = e.bench.rows[0].cores
    milliseconds = "/".join(f"{value:.0f}" for value in times.values())
    rates = "/".join(f"{1e3 / value:.1f}" for value in times.values())
    text = f"{milliseconds} ms, {rates} img/s with {'/'.join(map(str, times))} threads on {cores} cores; best {best}"
    parts = {"four are best": best == _THREADS, "one to two times the cores": cores <= best <= 2 * cores}
    return of_parts(text, parts, ELSEWHERE)


def _service(e: Evidence) -> Answer:
    tutorial = e.serving["tutorial"]
    text = (
        f"such a service: {tutorial['rate']:.1f} requests/s, p50 {tutorial['p50']:.0f} ms, {tutorial['failed']} of "
        f"{tutorial['requests']} failed; {_SERVICE_USERS / _SERVICE_RATE * 1e3:.0f} ms follow from the rate stated"
    )
    parts = {
        "the rate, or more": tutorial["rate"] >= _SERVICE_RATE * (1 - _ALIKE),
        "all answered": tutorial["failed"] == 0,
        "the time": abs(tutorial["p50"] / _SERVICE_MS - 1) <= _ALIKE,
    }
    return of_parts(text, parts)


def _torchscript(e: Evidence) -> Answer:
    gain = _gain(e, "torchscript-traced")
    return of_range(f"{gain:+.0%}, 1 thread", gain, 0.15, 0.25)


def _three_engines(e: Evidence) -> Answer:
    names = ("eager", "torchscript-traced", "onnxruntime-fp32")
    times, peaks = [e.interval("latency", name) for name in names], [e.peak(name) for name in names]
    parts = {
        "TorchScript quicker than eager": _slower(times[0], times[1]),
        "ONNX Runtime quicker than TorchScript": _slower(times[1], times[2]),
        "the order of memory": peaks[0] > peaks[1] > peaks[2],
    }
    ms, mb = "/".join(f"{span.value * 1e3:.0f}" for span in times), "/".join(f"{peak:.0f}" for peak in peaks)
    return of_parts(f"{ms} ms (1 thread); {mb} MB", parts)


def _slower(one: Interval, other: Interval) -> bool:
    """True when one takes longer beyond the noise."""
    return one.low > other.high


def _all_cores(e: Evidence) -> Answer:
    """Half of the cores to all, one interop thread, and a pinned process: each against the same without it."""
    cores = e.bench.rows[0].cores
    half = max(1, cores // 2)
    some, every = e.ms("onnxruntime-fp32", half), e.ms("onnxruntime-fp32", cores)
    text = f"ONNX Runtime {some:.0f} ms with {half} thread(s), {every:.0f} ms with {cores}"
    parts = {"all cores": every < some or cores == half}
    try:
        more, settings = _settings(e, cores)
    except ParameterError as error:
        answer = of_parts(f"{text}; the rest is not in the record ({error})", parts)
        return replace(answer, verdict=PART, why="Holds: all cores.") if parts["all cores"] else answer
    return of_parts(f"{text}; {more}", parts | settings)


def _settings(e: Evidence, cores: int) -> tuple[str, dict[str, bool]]:
    """What several interop threads and a pinned process do to eager, and whether it is what the statement expects."""
    one, alone = e.interval("latency", "eager", cores), e.interval("latency", "eager", 1)
    interop = _eager(e, cores, lambda row: row.configuration.interop_threads > 1, "several interop threads")
    pinned = _eager(e, 1, lambda row: len(row.configuration.affinity) == 1, "a pinned process")
    text = (
        f"eager with several interop threads {interop.over(one).value:.2f} × the time with one; eager pinned to its "
        f"core {pinned.over(alone).value:.2f} × the time not pinned"
    )
    return text, {
        "one interop thread is quicker": _slower(interop, one),
        "pinning is quicker": _slower(alone, pinned),
    }


def _eager(e: Evidence, threads: int, wanted: Callable[[Row], bool], what: str) -> Interval:
    row = e.row(
        "latency",
        lambda row: (row.configuration.backend, row.configuration.threads) == ("eager", threads) and wanted(row),
        f"eager, {threads} threads and {what}",
    )
    return intervals(e.bench, "latency")[row.configuration.key()]


def _sizes(e: Evidence) -> Answer:
    rows = [
        e.row("sizes", lambda row, wanted=f"{size} ours": row.configuration.variant == wanted, size)  # type: ignore[misc]
        for size in _SIZES
    ]
    first = [median(result["first"] for result in row.results) * 1e3 for row in rows]
    steady = [median(value for result in row.results for value in result["answer_samples"]) * 1e3 for row in rows]
    peaks = [megabytes(row) for row in rows]
    figures = "; ".join("/".join(f"{value:.0f}" for value in values) for values in (first, steady, peaks))
    parts = {
        "a first answer takes longer": all(early > later for early, later in zip(first, steady, strict=True)),
        "larger pictures take longer": steady[0] < steady[1] < steady[2],
        "larger pictures take more memory": peaks[2] > 1.05 * peaks[0],
    }
    return of_parts(f"{figures} ({rows[0].configuration.backend}; first without import and load)", parts, ELSEWHERE)


CHECKS: dict[str, Callable[[Evidence], Answer]] = {
    "latency_band": _latency_band, "int8": _int8, "onnx_at_least": _onnx_at_least, "onnx_about": _onnx_about,
    "memory": _memory, "startup": _startup, "threads": _threads, "service": _service, "torchscript": _torchscript,
    "three_engines": _three_engines, "all_cores": _all_cores, "sizes": _sizes,
}  # fmt: skip
