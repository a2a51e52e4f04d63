"""Figures of a record; each function returns a matplotlib Figure, or None when the record lacks the suite."""

from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resnet18_lab.benchmark.configuration import Configuration
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.tables import intervals
from resnet18_lab.notebook_display import use_in_notebook

use_in_notebook()

GFLOP_PER_PICTURE = 3.628
"""2 × 1.814 GMACs, published for ResNet-18 at 224×224."""
PARAMETER_BYTES = 46.76e6
"""11,689,512 parameters in float32: read once for each run."""
_COLOURS = ("#0b6e99", "#c2571a", "#1b7f3b", "#7a4fa3", "#8a6d00", "#b3261e", "#5d6a7a", "#2a9d8f")


def _axes(title: str, x: str, y: str, size: tuple[float, float] = (8, 4.2)) -> tuple[Figure, Axes]:
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
    figure, axes = _axes("One picture: time by threads", "threads", "ms (95 % interval)")
    for colour, name in zip(_COLOURS, dict.fromkeys(row.configuration.backend for row in rows), strict=False):
        own = [row for row in rows if row.configuration.backend == name]
        threads = [row.configuration.threads for row in own]
        spans = [found[row.configuration.key()] for row in own]
        values = [span.value * 1e3 for span in spans]
        errors = [
            [(span.value - max(span.low, 0)) * 1e3 for span in spans],
            [(min(span.high, 3 * span.value) - span.value) * 1e3 for span in spans],
        ]
        axes.errorbar(threads, values, yerr=errors, color=colour, capsize=3, label=name)
        over = [row.oversubscribed for row in own]
        axes.scatter(
            threads, values, color=["white" if hollow else colour for hollow in over], edgecolor=colour, zorder=3
        )
    axes.set_xticks(sorted({row.configuration.threads for row in rows}))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, title="hollow: more threads than cores")
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
    figure, axes = _axes(f"Pictures a second, {backend}, best batch", "threads in use", "img/s")
    single = best[_WAYS[0]].get(1)
    if single:
        best[_WAYS[1]].setdefault(1, single)
        top = max(row.configuration.threads * row.configuration.workers for row in rows)
        axes.plot([1, top], [single, single * top], color="#9aa5b1", linestyle="--", label="ideal: N times one thread")
    for colour, (kind, points) in zip(_COLOURS, best.items(), strict=False):
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
    figure, axes = _axes(
        f"One picture, stage by stage ({rows[0].configuration.backend})", "ms since the file is opened", "", (8, 3)
    )
    start = 0.0
    for name, value in values.items():
        axes.barh(name, value, left=start, color=_COLOURS[0] if name == "run" else "#9fb3c1")
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
    figure, axes = _axes("Memory of a process that classifies", "MB", "", (8, 0.7 * len(rows) + 1.6))
    names = [row.configuration.backend for row in rows]
    for shift, (field, label, colour) in enumerate(
        (
            ("peak", "largest so far (VmHWM)", _COLOURS[0]),
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


def roofline(record: Record) -> Figure | None:
    """Achieved GFLOP/s of each engine beside what this CPU was measured to do at most."""
    peaks = {row.configuration.threads: row.results for row in record.of("peak") if row.results}
    found = intervals(record, "latency")
    rows = [
        row for row in record.of("latency")
        if row.configuration.key() in found and row.configuration.threads in peaks and not row.configuration.twin
    ]  # fmt: skip
    if not rows:
        return None
    figure, axes = _axes("Roofline: float32 work against this CPU's measured peak", "FLOP a byte of weights", "GFLOP/s")
    intensity = GFLOP_PER_PICTURE * 1e9 / PARAMETER_BYTES
    span = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 400.0]
    for colour, (threads, results) in zip(_COLOURS, sorted(peaks.items()), strict=False):
        top = max(result["gflops"] for result in results)
        traffic = max(result["gbytes_per_second"] for result in results)
        axes.plot(
            span,
            [min(top, traffic * x) for x in span],
            color=colour,
            label=f"peak, {threads} thread(s): {top:.0f} GFLOP/s, {traffic:.0f} GB/s",
        )
        own = [row for row in rows if row.configuration.threads == threads]
        for place, row in enumerate(own):
            achieved = GFLOP_PER_PICTURE / found[row.configuration.key()].value
            axes.scatter([intensity], [achieved], color=colour, zorder=3)
            axes.annotate(
                row.configuration.backend,
                (intensity, achieved),
                xytext=(8, -3 + 9 * (place % 2)),
                textcoords="offset points",
                fontsize=8,
            )
    axes.set(xscale="log", yscale="log", xlim=(1, 1000), ylim=(10, 1000))
    axes.legend(frameon=False, loc="upper left")
    return figure
