"""Figures of a record; each function returns a matplotlib Figure, or None when the record lacks the suite."""

from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resnet18_lab.benchmark.configuration import OURS, Configuration
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.tables import bound_of, intervals
from resnet18_lab.notebook_display import use_in_notebook

use_in_notebook()

GFLOP_PER_PICTURE = 3.628
"""2 × 1.814 GMACs, published for ResNet-18 at 224×224."""
PARAMETER_BYTES = 46.76e6
"""11,689,512 parameters in float32: read once for each run."""
_LINES = ("-", "--", ":")
COLOURS = ("#0b6e99", "#c2571a", "#1b7f3b", "#7a4fa3", "#8a6d00", "#b3261e", "#5d6a7a", "#2a9d8f")


def chart(title: str, x: str, y: str, size: tuple[float, float] = (8, 4.2)) -> tuple[Figure, Axes]:
    """An empty chart in the form that all figures of this project share."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def latency_by_threads(record: Record) -> Figure | None:
    """Milliseconds a picture by threads, with 95 % intervals; hollow where threads outnumber cores."""
    found = intervals(record, "latency")
    rows = [row for row in record.of("latency") if row.configuration.key() in found and not row.configuration.twin]
    if not rows:
        return None
    figure, axes = chart("One picture: time by threads", "threads", "ms (95 % interval)")
    for place, name in enumerate(dict.fromkeys(row.configuration.backend for row in rows)):
        colour = COLOURS[place % len(COLOURS)]
        own = [row for row in rows if row.configuration.backend == name]
        threads = [row.configuration.threads for row in own]
        spans = [found[row.configuration.key()] for row in own]
        values = [span.value * 1e3 for span in spans]
        errors = [
            [(span.value - max(span.low, 0)) * 1e3 for span in spans],
            [(min(span.high, 3 * span.value) - span.value) * 1e3 for span in spans],
        ]
        axes.errorbar(
            threads, values, yerr=errors, color=colour, capsize=3, label=name, linestyle=_LINES[place // len(COLOURS)]
        )
        over = [row.oversubscribed for row in own]
        axes.scatter(
            threads, values, color=["white" if hollow else colour for hollow in over], edgecolor=colour, zorder=3
        )
    axes.set_xscale("log", base=2)
    ticks = sorted({row.configuration.threads for row in rows})
    axes.set_xticks(ticks, list(map(str, ticks)))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8, title="hollow: more threads than cores")
    return figure


_WAYS = ("one session, N threads", "N sessions, one thread", "sessions that fight for the cores")


def _way(configuration: Configuration) -> str:
    if configuration.workers == 1:
        return _WAYS[0]
    return _WAYS[1] if configuration.threads == 1 else _WAYS[2]


def throughput(record: Record) -> Figure | None:
    """Pictures a second by threads in use: one session with N threads, N sessions with one, and the ideal."""
    found = intervals(record, "throughput")
    rows = [row for row in record.of("throughput") if row.configuration.key() in found]
    if not rows:
        return None
    backend = rows[0].configuration.backend
    best: dict[str, dict[int, float]] = {name: {} for name in _WAYS}
    for row in rows:
        configuration = row.configuration
        if configuration.backend == backend and not configuration.affinity:
            used = configuration.threads * configuration.workers
            rate = configuration.batch * configuration.workers / found[configuration.key()].value
            way = best[_way(configuration)]
            way[used] = max(rate, way.get(used, 0.0))
    figure, axes = chart(f"Pictures a second, {backend}, best batch", "threads in use", "img/s")
    single = best[_WAYS[0]].get(1)
    if single:
        best[_WAYS[1]].setdefault(1, single)
        top = max(row.configuration.threads * row.configuration.workers for row in rows)
        axes.plot([1, top], [single, single * top], color="#9aa5b1", linestyle="--", label="ideal: N times one thread")
    for colour, (kind, points) in zip(COLOURS, best.items(), strict=False):
        axes.plot(sorted(points), [points[count] for count in sorted(points)], marker="o", color=colour, label=kind)
    axes.set_xticks(sorted({count for points in best.values() for count in points}))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def waterfall(record: Record) -> Figure | None:
    """Where the time of one picture goes, stage after stage."""
    rows = [row for row in record.of("stages") if row.results]
    if not rows:
        return None
    parts = rows[0].results[0]["parts"]
    values = {name: median([v for result in rows[0].results for v in result["parts"][name]]) * 1e3 for name in parts}
    figure, axes = chart(
        f"One picture, stage by stage ({rows[0].configuration.backend})", "ms since the file is opened", "", (8, 3)
    )
    start = 0.0
    for name, value in values.items():
        axes.barh(name, value, left=start, color=COLOURS[0] if name == "run" else "#9fb3c1")
        axes.text(start + value, name, f" {value:.2f}", va="center")
        start += value
    axes.invert_yaxis()
    axes.set_xlim(0, start * 1.12)
    return figure


def memory(record: Record) -> Figure | None:
    """Peak and proportional memory of each engine's process, and what its imports alone take."""
    rows = [row for row in record.of("memory") if row.results and row.results[0]["peak"] is not None]
    if not rows:
        return None
    figure, axes = chart("Memory of a process that classifies", "MB", "", (8, 0.7 * len(rows) + 1.6))
    names = [row.configuration.backend for row in rows]
    for shift, (field, label, colour) in enumerate(
        (
            ("peak", "largest so far (VmHWM)", COLOURS[0]),
            ("pss", "now (PSS)", "#6fa8c7"),
            ("import_peak", "imports alone (VmHWM)", "#c9d3dc"),
        )
    ):
        values = [median(result[field] for result in row.results) / 1e6 for row in rows]
        bars = axes.barh([place + 0.27 * shift for place in range(len(rows))], values, 0.25, color=colour, label=label)
        axes.bar_label(bars, [f"{value:.0f}" for value in values], padding=3)
    axes.set_yticks([place + 0.27 for place in range(len(rows))], names)
    axes.invert_yaxis()
    axes.legend(frameon=False, loc="lower right")
    return figure


def end_to_end(record: Record) -> Figure | None:
    """Pictures a second from a folder to answers, with the bound of the cores marked where it is known."""
    rows = [row for row in record.of("end-to-end") if row.results]
    if not rows:
        return None
    figure, axes = chart("A folder of pictures to answers", "img/s", "", (8, 0.5 * len(rows) + 1.2))
    names = [f"{row.configuration.variant}, {row.configuration.backend}" for row in rows]
    rates = [median(result["rate"] for result in row.results) for row in rows]
    ours = [row.configuration.variant == OURS for row in rows]
    bars = axes.barh(names, rates, color=[COLOURS[0] if own else "#c9d3dc" for own in ours])
    axes.bar_label(bars, [f"{rate:.0f}" for rate in rates], padding=-24)
    for text, own in zip(axes.texts, ours, strict=True):
        text.set_color("white" if own else "black")
    for place, row in enumerate(rows):
        if bound := bound_of(row):
            axes.plot([bound, bound], [place - 0.4, place + 0.4], color=COLOURS[1], label="bound of the cores")
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles[:1], labels[:1], frameon=False)
    axes.invert_yaxis()
    return figure


def roofline(record: Record) -> Figure | None:
    """Achieved GFLOP/s of each engine beside what this CPU was measured to do at most in float32.

    Engines with narrower numbers (hollow) use quicker instructions and may lie above that roof.
    """
    peaks = {row.configuration.threads: row.results for row in record.of("peak") if row.results}
    found = intervals(record, "latency")
    rows = [
        row for row in record.of("latency")
        if row.configuration.key() in found and row.configuration.threads in peaks and not row.configuration.twin
    ]  # fmt: skip
    if not rows:
        return None
    figure, axes = chart(
        "Roofline: work done against this CPU's measured float32 peak", "FLOP a byte of weights", "GFLOP/s", (8, 5)
    )
    intensity = GFLOP_PER_PICTURE * 1e9 / PARAMETER_BYTES
    span = np.geomspace(1, 1000, 200)
    for place, (colour, (threads, results)) in enumerate(zip(COLOURS, sorted(peaks.items()), strict=False)):
        top = max(result["gflops"] for result in results)
        traffic = max(result["gbytes_per_second"] for result in results)
        name = f"{threads} thread{'s' if threads > 1 else ''}: {top:.0f} GFLOP/s, {traffic:.0f} GB/s"
        axes.plot(span, np.minimum(top, traffic * span), color=colour, label=name)
        own = [row for row in rows if row.configuration.threads == threads]
        achieved = {row.configuration.engine: GFLOP_PER_PICTURE / found[row.configuration.key()].value for row in own}
        _points(axes, achieved, intensity, colour, right=place % 2 == 1)
    axes.set(xscale="log", yscale="log", xlim=(1, 1000), ylim=(20, 1000))
    axes.legend(frameon=False, loc="upper left", title="peak; hollow: narrower numbers")
    return figure


_LEAST_APART = 1.13
"""Factor between two labels on the logarithmic axis, so that both can be read."""


def _points(axes: Axes, achieved: dict[str, float], intensity: float, colour: str, *, right: bool) -> None:
    """Points above each other, their names beside them, moved apart where they would overlap."""
    height = 0.0
    for name, value in sorted(achieved.items(), key=lambda item: item[1]):
        height = max(value, height * _LEAST_APART)
        hollow = any(kind in name for kind in ("int8", "bf16"))
        axes.scatter([intensity], [value], facecolor="white" if hollow else colour, edgecolor=colour, zorder=3)
        where = intensity * (1.25 if right else 1 / 1.25)
        axes.annotate(
            name, (intensity, value), xytext=(where, height), fontsize=8, color=colour, va="center",
            ha="left" if right else "right", arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.4},
        )  # fmt: skip
