"""The roofline: what each engine achieves beside what this CPU was measured to do at most."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from resnet18_lab.base.networks import RESNET18
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.results.formatting import intervals
from resnet18_lab.benchmark.style import (
    COLOURS,
    Figure,
    chart,
    styled,
)

_GFLOP_PER_PICTURE = 2 * RESNET18.gmacs
"""A multiplication and an addition each; as many operations whatever the numbers' width."""
_BYTES = {"fp32": 4, "bf16": 2, "int8": 1}
"""Bytes of one weight as the engine stores it: every run reads all weights once."""
_MARKERS = {"fp32": "o", "bf16": "^", "int8": "s"}
_ROOFS = {"fp32": ("gflops", "-", "GFLOP/s in float32"), "int8": ("int8_gops", "--", "GOP/s in INT8")}
_GREYS = ("#9aa5b1", "#4a5663", "#1f2933")


def _precision_of(backend: str) -> str:
    """Width of the numbers that an engine computes with, as its name says."""
    return next((kind for kind in _BYTES if backend.endswith(kind)), "fp32")


def intensity(precision: str) -> float:
    """Operations for each byte of weights that a run of one picture reads."""
    return _GFLOP_PER_PICTURE * 1e9 / (RESNET18.parameters * _BYTES[precision])


@styled
def roofline(record: Record) -> Figure | None:
    """Achieved GFLOP/s (GOP/s in INT8) by operations a byte of weights, under the measured peaks.

    A roof is drawn for float32, and for INT8 where the record has its peak; BF16 has none, and lies between.
    """
    peaks = {
        row.configuration.threads: {
            name: max(result[name] for result in row.results)
            for name in ("gflops", "int8_gops", "gbytes_per_second")
            if all(name in result for result in row.results)
        }
        for row in record.of("peak")
        if row.results
    }
    if not peaks or not record.plain("latency"):
        return None
    title, below = "Roofline: work done against this CPU's measured peaks", "operations a byte of weights"
    figure, axes = chart(
        title,
        f"{below} (points are moved aside to be told apart)",
        "GFLOP/s, INT8: GOP/s",
        record.weights["name"],
        (9, 5),
    )
    for grey, (threads, peak) in zip(_GREYS, sorted(peaks.items()), strict=False):
        _roofs(axes, threads, peak, grey)
    roofs = {kind for kind, (field, *_) in _ROOFS.items() if any(field in peak for peak in peaks.values())}
    _points(axes, record, list(peaks), roofs)
    axes.set(xscale="log", yscale="log", xlim=(5, 1000))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    legend = "circle float32, triangle BF16, square INT8" + (
        "\nhollow 1 thread, full all cores" if len(peaks) > 1 else ""
    )
    figure.legend(frameon=False, loc="outside right upper", fontsize=9, title=legend)
    return figure


def _roofs(axes: Axes, threads: int, peak: dict[str, float], colour: str) -> None:
    span = np.geomspace(5, 1000, 200)
    count = f"{threads} thread{'s' if threads > 1 else ''}"
    traffic = peak["gbytes_per_second"]
    for field, line, unit in _ROOFS.values():
        if field in peak:
            name = f"{count}: {peak[field]:.0f} {unit}, {traffic:.0f} GB/s"
            axes.plot(span, np.minimum(peak[field], traffic * span), line, color=colour, label=name)


def _points(axes: Axes, record: Record, counts: list[int], roofs: set[str]) -> None:
    """One colour an engine, moved aside a little so that none hides another."""
    seconds = intervals(record, "latency")
    rows = [row.configuration for row in record.plain("latency") if row.configuration.threads in counts]
    names = list(dict.fromkeys(configuration.backend for configuration in rows))
    kinds = {name: [other for other in names if _precision_of(other) == _precision_of(name)] for name in names}
    for colour, name in zip(COLOURS, names, strict=False):
        precision, peers = _precision_of(name), kinds[name]
        shift = 1.07 ** (peers.index(name) - (len(peers) - 1) / 2)
        label = name if precision in roofs else f"{name} (no roof measured)"
        for configuration in (c for c in rows if c.backend == name):
            interval = seconds[configuration.key()]
            axes.scatter(
                [intensity(precision) * shift], [_GFLOP_PER_PICTURE / interval.value], marker=_MARKERS[precision],
                facecolor="white" if configuration.threads == min(counts) else colour, edgecolor=colour, zorder=3,
                label=label if configuration.threads == max(counts) else None,
            )  # fmt: skip
