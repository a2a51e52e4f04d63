"""The figures of the notebooks; each function returns a matplotlib Figure."""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.font_manager
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from resnet18_lab.classify import Prediction, Result
from resnet18_lab.notebook_display import PHOTOGRAPH, use_in_notebook
from resnet18_lab.paths import package_data
from resnet18_lab.samples import Sample

COLOURS = {"right": "#1b7f3b", "wrong": "#b3261e", "no such class": "#8a6d00"}
_ACCENT = "#0b6e99"
_REST = "#9fb3c1"
Picture = NDArray[np.uint8] | NDArray[np.float32]

mpl.font_manager.fontManager.addfont(package_data("resnet18_lab_sans_sc.otf"))
CHINESE_FONT = "Resnet18 Lab Sans SC"
mpl.rcParams.update(
    {
        "font.size": 12.0,
        "axes.titlesize": 12.0,
        "font.family": ["DejaVu Sans", CHINESE_FONT],
    }  # the second where the first lacks a glyph
)
use_in_notebook()


def _figure(width: float, height: float, weights: str, label: str = PHOTOGRAPH) -> Figure:
    """A figure that says at its top when the weights are untrained."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.set_label(label)
    if weights == "untrained":
        figure.suptitle("UNTRAINED weights: the answers mean nothing", color="#b3261e", fontsize=10)
    return figure


def _show(axes: Axes, picture: Picture, title: str, colour: str = "black") -> None:
    axes.imshow(picture)
    axes.set_title(title, color=colour)
    axes.set_axis_off()


def steps(pictures: Sequence[tuple[str, Picture]], weights: str) -> Figure:
    """Pictures side by side, each under its title."""
    figure = _figure(3.1 * len(pictures), 3.2, weights)
    for axes, (title, picture) in zip(figure.subplots(1, len(pictures)), pictures, strict=True):
        _show(axes, picture, title)
    return figure


def top_k(crop: Picture, predictions: Sequence[Prediction], weights: str) -> Figure:
    """The crop the model saw beside its best classes as bars."""
    figure = _figure(9, 0.35 * len(predictions) + 2.0, weights)
    left, right = figure.subplots(1, 2, width_ratios=[1, 2])
    _show(left, crop, "what the model saw")
    names = [f"{prediction.en} {prediction.zh} ({prediction.index})" for prediction in predictions]
    scores = [prediction.score for prediction in predictions]
    bars = right.barh(names, scores, color=[_ACCENT] + [_REST] * (len(names) - 1))
    right.bar_label(bars, [f"{score:.1%}" for score in scores], padding=3)
    right.set(xlim=(0, 1.12), xlabel="share of the softmax")
    right.invert_yaxis()
    right.spines[["top", "right"]].set_visible(False)
    return figure


def gallery(samples: Sequence[Sample], crops: Sequence[Picture], results: Sequence[Result], weights: str) -> Figure:
    """Every sample with its best class, coloured by verdict."""
    columns = 4
    rows = -(-len(samples) // columns)
    figure = _figure(11.5, 3.3 * rows, weights)
    grid = figure.subplots(rows, columns).ravel()
    for axes in grid[len(samples) :]:
        axes.set_axis_off()
    for axes, sample, crop, result in zip(grid, samples, crops, results, strict=False):
        best = result.predictions[0]
        verdict = sample.verdict(best.index)
        _show(axes, crop, f"{sample.path.name}\n{best.en} {best.score:.2f}: {verdict}", COLOURS[verdict])
    return figure


def variants(rows: Sequence[tuple[str, Sequence[tuple[str, Picture, Prediction]]]], weights: str) -> Figure:
    """A row a picture, a column a preparation, each with the model's best class."""
    columns = max(len(row) for _, row in rows)
    figure = _figure(2.05 * columns, 2.75 * len(rows), weights)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes_row, (name, row) in zip(grid, rows, strict=True):
        reference = row[0][2].index
        for axes, (title, picture, best) in zip(axes_row, row, strict=True):
            colour = COLOURS["right"] if best.index == reference else COLOURS["wrong"]
            _show(axes, picture, f"{title}\n{best.en[:16]} {best.score:.2f}", colour)
        axes_row[0].text(-0.08, 0.5, name, rotation=90, va="center", ha="right", transform=axes_row[0].transAxes)
    return figure


def tiles(tile_list: NDArray[np.float32], columns: int, title: str, weights: str, cmap: str = "viridis") -> Figure:
    """Small pictures in a grid: RGB when the last axis is 3, else single maps in false colours."""
    rows = -(-len(tile_list) // columns)
    figure = _figure(0.7 * columns, 0.7 * rows + 0.6, weights)
    for axes, tile in zip(figure.subplots(rows, columns).ravel(), tile_list, strict=False):
        axes.imshow(tile, cmap=cmap)
        axes.set_axis_off()
    figure.supxlabel(title)
    return figure


def overlays(crop: Picture, heats: Sequence[tuple[str, NDArray[np.float32]]], weights: str) -> Figure:
    """The crop, then the crop under each heat map (0..1)."""
    figure = _figure(3.0 * (len(heats) + 1), 3.2, weights)
    panels = figure.subplots(1, len(heats) + 1)
    _show(panels[0], crop, "what the model saw")
    for axes, (title, heat) in zip(panels[1:], heats, strict=True):
        _show(axes, crop, title)
        axes.imshow(heat, cmap="inferno", alpha=0.55, vmin=0, vmax=1)
    return figure
