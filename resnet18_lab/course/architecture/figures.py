"""The figures of the architecture notebook; each function returns a matplotlib Figure."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle
from numpy.typing import NDArray
from torch import nn

from resnet18_lab.benchmark.style import (
    ACCENT,
    CHART,
    REST,
    Figure,
    Picture,
    new_figure,
    show,
    styled,
)
from resnet18_lab.model.receptive_field import field_of_centre

_WITH = ACCENT
_CUT = "#b3261e"
_SKIP = "#b85c00"
_LAYER = "#dcebf2"
_STEP = 1.0
"""Height from one box of the drawing to the next."""


def _convolution_text(layer: nn.Conv2d) -> str:
    stride = f", stride {layer.stride[0]}" if layer.stride[0] != 1 else ""
    return f"conv {layer.kernel_size[0]}×{layer.kernel_size[1]}, {layer.in_channels} → {layer.out_channels}{stride}"


def _box(axes: Axes, text: str, x: float, y: float, width: float, colour: str = _LAYER) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - 0.27), width, 0.54, boxstyle="round,pad=0.02", facecolor=colour, edgecolor="#33505e"
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=10)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = "#33505e") -> None:
    axes.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.8})


def _draw_block(axes: Axes, block: nn.Module, name: str) -> None:
    """The branch as boxes from top to bottom, the skip connection at its right."""
    convolutions = [block.get_submodule(part) for part in ("conv1", "conv2")]
    texts = [_convolution_text(layer) for layer in convolutions if isinstance(layer, nn.Conv2d)]
    steps = [texts[0], "batch norm", "ReLU", texts[1], "batch norm"]
    heights = [-_STEP * number for number in range(1, len(steps) + 1)]
    joint = heights[-1] - _STEP
    for text, height in zip(steps, heights, strict=True):
        _box(axes, text, 0, height, 3.9)
    for top, bottom in zip([0.35 - 0.27, *heights], [*heights, joint], strict=True):
        _arrow(axes, (0, top - 0.29), (0, bottom + 0.29))
    _box(axes, "+", 0, joint, 0.6, "#f7d9b8")
    _box(axes, "ReLU", 0, joint - _STEP, 3.9)
    _arrow(axes, (0, joint - 0.29), (0, joint - _STEP + 0.29))
    axes.text(0, 0.05, "input x", ha="center", va="center")
    skip, side = (joint - 0.2) / 2, 4.15
    axes.plot([0.75, side, side], [0.05, 0.05, joint], color=_SKIP, linewidth=2.2)
    _arrow(axes, (side, joint), (0.32, joint), _SKIP)
    way = block.get_submodule("downsample")[0] if getattr(block, "downsample", None) is not None else None  # type: ignore[index]
    text = f"{_convolution_text(way)}\nbatch norm" if isinstance(way, nn.Conv2d) else "x as it is"
    axes.text(side, skip, text, ha="center", va="center", color=_SKIP, fontsize=10,
              bbox={"facecolor": "white", "edgecolor": _SKIP if way else "white"})  # fmt: skip
    axes.set_title(name)
    axes.set(xlim=(-2.2, 6.1), ylim=(joint - 1.5 * _STEP, 0.5))
    axes.set_axis_off()


@styled
def residual_blocks(module: nn.Module, names: Sequence[str], weights: str) -> Figure:
    """The named residual blocks side by side, drawn from their own layers."""
    figure = new_figure(4.6 * len(names), 4.4, weights, CHART)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        _draw_block(axes, module.get_submodule(name), name)
    return figure


@styled
def stage_shares(stages: pd.DataFrame, weights: str) -> Figure:
    """Each stage's share of the MACs and of the time, as bars; ``stages`` comes from ``inspection.stage_table``."""
    figure = new_figure(7.0, 3.0, weights, CHART)
    axes = figure.subplots()
    places = np.arange(len(stages))
    kinds = (("macs_share", "MACs", REST, -0.2), ("time_share", "time measured here", ACCENT, 0.2))
    for column, name, colour, offset in kinds:
        bars = axes.bar(places + offset, stages[column].to_numpy(), 0.4, color=colour, label=name)
        axes.bar_label(bars, [f"{share:.0%}" for share in stages[column]], padding=2, fontsize=10)
    axes.set_xticks(places, [str(stage) for stage in stages.index])
    axes.set(ylabel="share of the network", ylim=(0, 1.35 * float(stages[["macs_share", "time_share"]].max().max())))
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(frameon=False, ncols=2, loc="upper right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


@styled
def fields_seen(
    crop: Picture, fields: pd.DataFrame, gradients: Mapping[str, NDArray[np.float32]], weights: str
) -> Figure:
    """For each layer: what its middle unit can see (frame) and what moves it most (bright), on the crop."""
    figure = new_figure(2.2 * len(gradients), 2.6, weights)
    for axes, (name, gradient) in zip(figure.subplots(1, len(gradients)), gradients.items(), strict=True):
        field = fields.T[name]
        show(axes, crop, f"{name}: {field['size']} pixels")
        strength = np.sqrt(gradient / max(float(gradient.max()), 1e-30))  # the weak rim stays visible
        axes.imshow(strength, cmap="inferno", alpha=0.3 + 0.7 * strength)
        low, high = field_of_centre(field)
        side = high - low - 1
        axes.add_patch(Rectangle((low, low), side, side, fill=False, edgecolor="#00e5ff", linewidth=2))
    return figure


@styled
def with_and_without(panels: Sequence[tuple[str, pd.Series, pd.Series, bool]], weights: str) -> Figure:
    """A panel for each (title, with skip connections, cut, logarithmic axis), block by block."""
    figure = new_figure(4.0 * len(panels), 3.2, weights, CHART)
    for axes, (title, whole, cut, logarithmic) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        axes.plot(whole.index, whole.to_numpy(), "o-", color=_WITH, label="with skip connections")
        axes.plot(cut.index, cut.to_numpy(), "s--", color=_CUT, label="all cut")
        if logarithmic:
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, None)
        axes.set_title(title)
        axes.tick_params(axis="x", rotation=60)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure
