"""The figures of own classes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.benchmark.statistics import mean_half_width
from resnet18_lab.benchmark.style import ACCENT, COLOURS, REST, Figure, chart, new_figure, show, styled
from resnet18_lab.course.own_classes.experiments import Curve, Data
from resnet18_lab.preprocessing.decode import decode

_TEXT_FROM = 0.5
"""Share from which on a cell of the confusion matrix is dark, and its number light."""


@styled
def gallery(data: Data, made: bool, each: int = 2) -> Figure:
    """A few pictures of each class; those made by code are labelled so."""
    figure = new_figure(1.5 * len(data.classes), 1.7 * each, None)
    if made:
        figure.suptitle("pictures made by code, not photographs", fontsize=10)
    grid = figure.subplots(each, len(data.classes), squeeze=False)
    for label, name in enumerate(data.classes):
        of_class = [at for at in range(len(data.labels)) if data.labels[at] == label][:each]
        for row, at in enumerate(of_class):
            show(grid[row][label], np.asarray(decode(data.paths[at])), name if row == 0 else "")
    for axes in grid.flat:
        axes.set_axis_off()
    return figure


@styled
def learning_curve(curve: Curve) -> Figure:
    """Mean accuracy by pictures a class, with 95 % intervals over the draws."""
    figure, axes = chart(
        "Right, by pictures to learn from", "pictures a class", "right, % of the judged", None, (7, 3.6)
    )
    means = [100 * float(np.mean(values)) for values in curve.accuracies]
    halves = [100 * mean_half_width(values) if len(values) > 1 else 0.0 for values in curve.accuracies]
    axes.errorbar(curve.sizes, means, yerr=halves, fmt="o-", capsize=4, color=ACCENT)
    axes.set_xscale("log")
    axes.set_xticks(curve.sizes, [str(size) for size in curve.sizes])
    axes.minorticks_off()
    return figure


@styled
def confusion(data: Data, best: NDArray[np.int64]) -> Figure:
    """Judged pictures by true class (rows) and best answer (columns)."""
    count = len(data.classes)
    matrix = np.zeros((count, count), np.int64)
    np.add.at(matrix, (data.labels[data.judged], best), 1)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = chart("What is taken for what", "taken for", "is", None, (1.1 * count + 1.5, 0.6 * count + 1.6))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(count), data.classes, rotation=30, ha="right")
    axes.set_yticks(range(count), data.classes)
    for row, column in np.ndindex(count, count):
        colour = "white" if shares[row, column] > _TEXT_FROM else "black"
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=colour, fontsize=11)
    return figure


@styled
def told_apart(
    panels: Sequence[tuple[str, str, NDArray[np.float64], NDArray[np.float64]]], outside: str
) -> Figure:  # fmt: skip
    """A histogram for each (title, axis, own pictures, others): the less they overlap, the better told apart."""
    figure = new_figure(4.2 * len(panels), 3.4, None, "chart")
    for axes, (title, axis, inside, others) in zip(np.ravel(figure.subplots(1, len(panels))), panels, strict=True):
        bins = np.linspace(min(inside.min(), others.min()), max(inside.max(), others.max()), 24)
        axes.hist(inside, bins, color=REST, label="own classes, judged", density=True)
        axes.hist(others, bins, color=COLOURS[1], label=outside, density=True, alpha=0.7)
        axes.set(title=title, xlabel=axis, yticks=[])
        axes.spines[["top", "right", "left"]].set_visible(False)
    figure.axes[0].legend(fontsize=9, frameon=False)
    return figure
