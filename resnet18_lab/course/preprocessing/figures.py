"""Figures about the ways from a file to the network's input."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resnet18_lab.benchmark.style import (
    COLOURS,
    Figure,
    chart,
    new_figure,
    show,
    styled,
)


@styled
def side_by_side(views: Mapping[str, NDArray[np.float64]]) -> Figure:
    """What the network is shown by each way, and how far each is from the first in grey levels."""
    figure = new_figure(2 * len(views), 2.7, None)
    first = next(iter(views.values()))
    for axes, (name, view) in zip(np.atleast_1d(figure.subplots(1, len(views))), views.items(), strict=True):
        distance = np.abs(view - first).mean() * 255
        show(axes, view.astype(np.float32), name if view is first else f"{name}\n{distance:.1f} grey levels apart")
    return figure


@styled
def by_size(times: pd.DataFrame) -> Figure:
    """Milliseconds by megapixels, a line a way."""
    figure, axes = chart("Preparing one picture, by its size", "megapixels of the JPEG", "ms to prepare", None, (9, 4))
    for colour, name in zip(COLOURS, times.columns, strict=False):
        axes.plot(times.index, times[name], marker="o", color=colour, label=name)
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    figure.legend(frameon=False, loc="outside right upper")
    return figure


@styled
def accuracy_against_time(times: pd.DataFrame, accuracy: pd.DataFrame, weights: str) -> Figure:
    """Top-1 with its interval against milliseconds a picture, a point a way."""
    figure, axes = chart(
        "What each way costs and what it answers", "ms to prepare a picture", "top-1 in percent (95 % interval)",
        weights, (9, 4),
    )  # fmt: skip
    for colour, name in zip(COLOURS, accuracy.index, strict=False):
        row = accuracy.loc[name]
        ends = (row["top-1"] - row["from"], row["to"] - row["top-1"])
        around = [[100 * max(0.0, length)] for length in ends]  # at 0 or all right, rounding would make it negative
        point = (times.loc[name, "ms"], 100 * row["top-1"])
        axes.errorbar(*point, yerr=around, fmt="o", color=colour, capsize=3, label=name)
    axes.set_xlim(left=0)
    figure.legend(frameon=False, loc="outside right upper")
    return figure
