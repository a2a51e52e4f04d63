"""The figures of the quantization notebook; each function returns a matplotlib Figure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.benchmark.style import (
    ACCENT,
    CHART,
    REST,
    VERDICT_COLOURS,
    Figure,
    new_figure,
    show,
    styled,
)
from resnet18_lab.inference import labels

if TYPE_CHECKING:
    from resnet18_lab.course.quantization.variants import Flip

_WRONG = VERDICT_COLOURS["wrong"]


@styled
def histograms(tensors: Mapping[str, NDArray[np.float32]], weights: str) -> Figure:
    """How the values of each tensor are spread, on a logarithmic scale, with its extremes marked."""
    figure = new_figure(4.0 * len(tensors), 3.2, weights, CHART)
    for axes, (title, values) in zip(np.atleast_1d(figure.subplots(1, len(tensors))), tensors.items(), strict=True):
        axes.hist(values.ravel(), bins=120, color=ACCENT)
        axes.set_yscale("log")
        for end in (float(values.min()), float(values.max())):
            axes.axvline(end, color=_WRONG, linewidth=1, linestyle="--")
        axes.set_title(title)
    return figure


@styled
def codes(values: NDArray[np.float32], scale: float, weights: str) -> Figure:
    """A few values as they are, and the grid of codes that INT8 must move them to."""
    figure = new_figure(9, 2.2, weights, CHART)
    axes = figure.subplots()
    low, high = float(values.min()), float(values.max())
    for code in range(int(np.floor(low / scale)), int(np.ceil(high / scale)) + 1):
        axes.axvline(code * scale, color=REST, linewidth=0.8)
    rounded = np.round(values / scale) * scale
    axes.plot(values, np.full_like(values, 1.0), "o", color=ACCENT, label="float")
    axes.plot(rounded, np.zeros_like(values), "s", color=_WRONG, label="INT8")
    for value, target in zip(values, rounded, strict=True):
        axes.plot([value, target], [1, 0], color="#33505e", linewidth=0.6)
    axes.set_yticks([0, 1], ["INT8", "float"])
    axes.set_ylim(-0.4, 1.4)
    axes.set_xlabel("value of the weight; grey lines: what 8 bits can hold")
    return figure


@styled
def channel_ranges(matrix: NDArray[np.float32], title: str, weights: str) -> Figure:
    """Largest magnitude of each output channel, sorted: one scale for all must fit the largest."""
    figure = new_figure(9, 3.2, weights, CHART)
    axes = figure.subplots()
    peaks = np.sort(np.abs(matrix).max(axis=1))[::-1]
    axes.bar(np.arange(len(peaks)), peaks, color=ACCENT, width=1.0)
    axes.axhline(float(peaks[0]), color=_WRONG, linestyle="--", label="what one scale for all must reach")
    axes.set_xlabel("output channel, sorted")
    axes.set_ylabel("largest |weight|")
    axes.set_title(title)
    figure.legend(frameon=False, loc="outside lower center")
    return figure


@styled
def bars_by_layer(series: Mapping[str, Mapping[str, float]], label: str, weights: str) -> Figure:
    """A group of bars for every layer, one colour a series."""
    names = list(next(iter(series.values())))
    figure = new_figure(10, 0.28 * len(names) * max(1.0, len(series) / 1.5) + 1.0, weights, CHART)
    axes = figure.subplots()
    height = 0.8 / len(series)
    colours = (REST, ACCENT, _WRONG)
    for number, (title, values) in enumerate(series.items()):
        places = np.arange(len(names)) + (number - (len(series) - 1) / 2) * height
        axes.barh(places, [values[name] for name in names], height, label=title, color=colours[number % 3])
    axes.set_yticks(np.arange(len(names)), names, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    if len(series) > 1:
        figure.legend(frameon=False, loc="outside upper center", ncols=len(series))
    return figure


@styled
def sizes(megabytes: Mapping[str, float], weights: str) -> Figure:
    """Megabytes (10⁶ bytes) of each form as bars, on a logarithmic scale."""
    figure = new_figure(9, 0.45 * len(megabytes) + 1.0, weights, CHART)
    axes = figure.subplots()
    names = list(megabytes)
    bars = axes.barh(names, list(megabytes.values()), color=ACCENT)
    axes.bar_label(bars, [f" {value:.1f} MB" for value in megabytes.values()])
    axes.set_xscale("log")
    axes.set_xlim(0.5, 120)
    axes.invert_yaxis()
    axes.set_xlabel("MB (10⁶ bytes), logarithmic")
    return figure


@styled
def flips(changes: "Sequence[Flip]", weights: str, most: int = 12) -> Figure:
    """Pictures that float and INT8 answer differently, with both answers; green where right."""
    selection = list(changes)[:most]
    columns = min(4, max(1, len(selection)))
    rows = max(1, -(-len(selection) // columns))
    figure = new_figure(2.2 * columns, 2.8 * rows, weights)
    for axes, flip in zip(np.ravel(figure.subplots(rows, columns, squeeze=False)), selection, strict=False):
        words = [
            f"{name}: {labels.by_index(index).en}{' (right)' if good else ''}"
            for name, index, good in (("float", flip.exact, flip.exact_right), ("INT8", flip.made, flip.made_right))
        ]
        show(axes, flip.crop, "\n".join(words), VERDICT_COLOURS["right"] if flip.made_right else _WRONG)
    for axes in figure.axes:
        axes.set_axis_off()
    return figure
