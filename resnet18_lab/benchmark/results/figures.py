"""Figures of a record; each function returns a matplotlib Figure, or None when the record lacks the suite."""

from statistics import median

from matplotlib.axes import Axes

from resnet18_lab.benchmark.configuration import OURS, Configuration
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.benchmark.results.formatting import folder_rates, intervals, names_of, rates, supported
from resnet18_lab.benchmark.results.tables import bound_of
from resnet18_lab.benchmark.statistics import Interval
from resnet18_lab.benchmark.style import CHART, COLOURS, Figure, chart, new_figure, styled

_LINES = ("-", "--", ":")


@styled
def latency_by_threads(record: Record) -> Figure | None:
    """Milliseconds a picture by threads, with 95 % intervals; hollow where threads outnumber cores.

    A line an engine or file; rows whose engine ran fewer threads than it was asked for are left out, since
    they repeat another point.
    """
    lines = _lines(record)
    if not lines:
        return None
    figure, axes = chart(
        "One picture: time by threads", "threads", "ms (95 % interval)", record.weights["name"], (9, 4.2)
    )
    seconds = intervals(record, "latency")
    for place, (name, own) in enumerate(lines.items()):
        colour = COLOURS[place % len(COLOURS)]
        shift = 2 ** (0.025 * (place - (len(lines) - 1) / 2))  # so that no interval hides another
        threads = [row.configuration.threads * shift for row in own]
        spans = [seconds[row.configuration.key()].times(1e3) for row in own]
        axes.errorbar(
            threads, [span.value for span in spans], yerr=_around(spans), color=colour, capsize=3, label=name,
            linestyle=_LINES[place // len(COLOURS) % len(_LINES)],
        )  # fmt: skip
        axes.scatter(
            threads, [span.value for span in spans], edgecolor=colour, zorder=3,
            color=["white" if row.oversubscribed else colour for row in own],
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    ticks = sorted({row.configuration.threads for own in lines.values() for row in own})
    axes.set_xticks(ticks, list(map(str, ticks)))
    axes.set_ylim(bottom=0)
    figure.legend(frameon=False, fontsize=10, title="hollow: more threads than cores", loc="outside right upper")
    return figure


def _lines(record: Record) -> dict[str, list[Row]]:
    """Rows of ``latency`` by engine or file, fewest threads first."""
    rows = [
        row for row in record.of("latency")
        if row.results and row.as_asked and not row.configuration.twin and not row.configuration.settings
    ]  # fmt: skip
    names = names_of(rows)
    groups: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.configuration.threads):
        groups.setdefault(names[row.configuration.backend, row.configuration.file], []).append(row)
    return {name: groups[name] for name in names.values()}


def _around(spans: list[Interval]) -> list[list[float]]:
    """Lengths of error bars below and above; one that is not known is cut off at three times the value."""
    return [
        [span.value - span.low for span in spans],
        [min(span.high, 3 * span.value) - span.value for span in spans],
    ]


_WAYS = ("one session, N threads", "N sessions, one thread", "sessions that fight for the cores")


def _way(configuration: Configuration) -> str:
    if configuration.workers == 1:
        return _WAYS[0]
    return _WAYS[1] if configuration.threads == 1 else _WAYS[2]


@styled
def throughput(record: Record) -> Figure | None:
    """Pictures a second by threads in use, a panel an engine: one session, several, and the ideal; 95 % intervals."""
    rows = [row.configuration for row in record.plain("throughput")]
    if not rows:
        return None
    engines = list(dict.fromkeys(configuration.backend for configuration in rows))
    figure = new_figure(4.2 * len(engines) + 3, 4.2, record.weights["name"], CHART)
    speeds = rates(record)
    for axes, name in zip(figure.subplots(1, len(engines), squeeze=False)[0], engines, strict=True):
        own = [configuration for configuration in rows if configuration.backend == name]
        several = len({configuration.batch for configuration in own}) > 1
        axes.set(title=f"{name}, best batch" if several else name, xlabel="threads in use")
        axes.set_ylabel("img/s (95 % interval)")
        axes.spines[["top", "right"]].set_visible(False)
        _ways(axes, own, speeds)
    named = {name: line for axes in figure.axes for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named, frameon=False, fontsize=10, loc="outside right upper")
    return figure


def _ways(axes: Axes, own: list[Configuration], speeds: dict[str, Interval]) -> None:
    best: dict[str, dict[int, Interval]] = {name: {} for name in _WAYS}
    for configuration in own:
        rate, way = speeds[configuration.key()], best[_way(configuration)]
        threads = configuration.threads * configuration.workers
        way[threads] = max(rate, way.get(threads, rate), key=lambda interval: interval.value)
    counts = sorted({count for points in best.values() for count in points})
    if single := best[_WAYS[0]].get(1):
        best[_WAYS[1]].setdefault(1, single)
        ideal = [single.value, single.value * counts[-1]]
        axes.plot([1, counts[-1]], ideal, color="#9aa5b1", linestyle="--", label="ideal: N times one thread")
    for place, (kind, points) in enumerate(best.items()):
        if set(points) - {1}:
            spans = [points[count] for count in sorted(points)]
            aside = [count + 0.015 * counts[-1] * (place - 1) for count in sorted(points)]  # or one hides another
            axes.errorbar(
                aside, [span.value for span in spans], yerr=_around(spans), marker="o", capsize=3,
                color=COLOURS[place], linestyle=_LINES[place], label=kind,
            )  # fmt: skip
    axes.set_xticks(counts)
    axes.set_ylim(bottom=0)


@styled
def waterfall(record: Record) -> Figure | None:
    """Where the time of one picture goes, stage after stage."""
    rows = [row for row in record.of("stages") if row.results]
    if not rows:
        return None
    parts = rows[0].results[0]["parts"]
    values = {name: median([v for result in rows[0].results for v in result["parts"][name]]) * 1e3 for name in parts}
    figure, axes = chart(
        f"One picture, stage by stage ({rows[0].configuration.backend})", "ms since the file is opened", "",
        record.weights["name"], (8, 3),
    )  # fmt: skip
    start = 0.0
    for name, value in values.items():
        axes.barh(name, value, left=start, color=COLOURS[0] if name == "run" else "#9fb3c1")
        axes.text(start + value, name, f" {value:.2f}", va="center")
        start += value
    axes.invert_yaxis()
    axes.set_xlim(0, start * 1.12)
    return figure


@styled
def memory(record: Record) -> Figure | None:
    """Peak and proportional memory of each engine's process, and what its imports alone take."""
    rows = [row for row in record.of("memory") if row.results and row.results[0]["peak"] is not None]
    if not rows:
        return None
    figure, axes = chart(
        "Memory of a process that classifies", "MB", "", record.weights["name"], (8, 0.7 * len(rows) + 1.6)
    )
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
    figure.legend(frameon=False, loc="outside lower center", ncols=3)
    return figure


@styled
def end_to_end(record: Record) -> Figure | None:
    """Pictures a second from a folder to answers, with the bound of the cores marked where it is known."""
    rows = [row for row in record.of("end-to-end") if row.results]
    if not rows:
        return None
    figure, axes = chart(
        "A folder of pictures to answers", "img/s", "", record.weights["name"], (8, 0.5 * len(rows) + 1.2)
    )
    names = [f"{row.configuration.variant}, {row.configuration.backend}" for row in rows]
    speeds = folder_rates(record)
    spans = [speeds[row.configuration.key()] for row in rows]
    is_ours = [row.configuration.variant == OURS for row in rows]
    bars = axes.barh(names, [span.value for span in spans], color=[COLOURS[0] if own else "#c9d3dc" for own in is_ours])
    axes.bar_label(bars, [supported(span) for span in spans], padding=-24)
    for text, own in zip(axes.texts, is_ours, strict=True):
        text.set_color("white" if own else "black")
    for place, row in enumerate(rows):
        if bound := bound_of(row):
            axes.plot([bound, bound], [place - 0.4, place + 0.4], color=COLOURS[1], label="bound of the cores")
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles[:1], labels[:1], frameon=False, loc="outside lower center")
    axes.invert_yaxis()
    return figure
