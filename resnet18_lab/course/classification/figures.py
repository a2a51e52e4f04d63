"""The figures of the notebooks; each function returns a matplotlib Figure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.samples import Sample
from resnet18_lab.benchmark.style import (
    ACCENT,
    CHART,
    PHOTOGRAPH,
    REST,
    VERDICT_COLOURS,
    Figure,
    Picture,
    new_figure,
    show,
    styled,
)
from resnet18_lab.inference.predictions import Prediction, Result


@styled
def steps(pictures: Sequence[tuple[str, Picture]], weights: str) -> Figure:
    """Pictures side by side, each under its title."""
    figure = new_figure(2.1 * len(pictures), 2.5, weights)
    for axes, (title, picture) in zip(figure.subplots(1, len(pictures)), pictures, strict=True):
        show(axes, picture, title)
    return figure


@styled
def top_k(crop: Picture, predictions: Sequence[Prediction], weights: str) -> Figure:
    """The crop the model saw beside its best classes as bars."""
    figure = new_figure(8, 0.32 * len(predictions) + 1.2, weights)
    left, right = figure.subplots(1, 2, width_ratios=[1, 2])
    show(left, crop, "what the model saw")
    names = [f"{prediction.en} {prediction.zh} ({prediction.index})" for prediction in predictions]
    scores = [prediction.score for prediction in predictions]
    bars = right.barh(names, scores, color=[ACCENT] + [REST] * (len(names) - 1))
    right.bar_label(bars, [f"{score:.1%}" for score in scores], padding=3)
    right.set(xlim=(0, 1.12), xlabel="share of the softmax")
    right.invert_yaxis()
    right.spines[["top", "right"]].set_visible(False)
    return figure


@styled
def gallery(samples: Sequence[Sample], crops: Sequence[Picture], results: Sequence[Result], weights: str) -> Figure:
    """Every sample with its best class, coloured by verdict."""
    columns = 4
    rows = -(-len(samples) // columns)
    figure = new_figure(7.2, 2.5 * rows, weights)
    grid = figure.subplots(rows, columns).ravel()
    for axes in grid[len(samples) :]:
        axes.set_axis_off()
    for axes, sample, crop, result in zip(grid, samples, crops, results, strict=False):
        best = result.predictions[0]
        verdict = sample.verdict(best.index)
        show(axes, crop, f"{sample.path.name}\n{best.en} {best.score:.2f}\n{verdict}", VERDICT_COLOURS[verdict])
    return figure


@styled
def variants(rows: Sequence[tuple[str, Sequence[tuple[str, Picture, Prediction]]]], weights: str) -> Figure:
    """A row a picture, a column a preparation, each with the model's best class."""
    columns = max(len(row) for _, row in rows)
    figure = new_figure(1.15 * columns, 1.75 * len(rows), weights)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes_row, (name, row) in zip(grid, rows, strict=True):
        reference = row[0][2].index
        for axes, (title, picture, best) in zip(axes_row, row, strict=True):
            colour = VERDICT_COLOURS["right"] if best.index == reference else VERDICT_COLOURS["wrong"]
            show(axes, picture, f"{title}\n{best.en} {best.score:.2f}", colour)
        axes_row[0].text(
            -0.08, 0.5, name, rotation=90, va="center", ha="right", fontsize=9, transform=axes_row[0].transAxes
        )
    return figure


@styled
def tiles(tile_list: NDArray[np.float32], columns: int, title: str, weights: str, cmap: str = "viridis") -> Figure:
    """Small pictures in a grid: RGB when the last axis is 3, else single maps in false colours."""
    rows = -(-len(tile_list) // columns)
    label = CHART if tile_list.ndim == 4 else PHOTOGRAPH  # JPEG would blur the few squares of a filter
    figure = new_figure(0.48 * columns, 0.48 * rows + 0.5, weights, label)
    for axes, tile in zip(figure.subplots(rows, columns).ravel(), tile_list, strict=False):
        axes.imshow(tile, cmap=cmap)
        axes.set_axis_off()
    figure.supxlabel(title)
    return figure


@styled
def overlays(crop: Picture, heats: Sequence[tuple[str, NDArray[np.float32]]], weights: str) -> Figure:
    """The crop, then the crop under each heat map (0..1)."""
    figure = new_figure(2.1 * (len(heats) + 1), 2.5, weights)
    panels = figure.subplots(1, len(heats) + 1)
    show(panels[0], crop, "what the model saw")
    for axes, (title, heat) in zip(panels[1:], heats, strict=True):
        show(axes, crop, title)
        axes.imshow(heat, cmap="inferno", alpha=0.55, vmin=0, vmax=1)
    return figure
