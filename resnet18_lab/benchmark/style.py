"""The one figure style: colours, fonts, the mark of untrained weights, and how notebooks store a figure.

matplotlib's own settings stay as they are: ``styled`` applies these only while a figure is drawn or encoded.
"""

import functools
import io
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import matplotlib.figure
import matplotlib.font_manager
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from resnet18_lab.base.paths import package_data

COLOURS = ("#0b6e99", "#c2571a", "#1b7f3b", "#7a4fa3", "#8a6d00", "#b3261e", "#5d6a7a", "#2a9d8f", "#d4478c")
VERDICT_COLOURS = {"right": "#1b7f3b", "wrong": "#b3261e", "no such class": "#8a6d00"}
ACCENT, REST = "#0b6e99", "#9fb3c1"
WARNING = "#b3261e"
CHINESE_FONT = "Resnet18 Lab Sans SC"
UNTRAINED_MARK = "UNTRAINED weights: the answers mean nothing"
PHOTOGRAPH, CHART = "photograph", "chart"
"""What a figure holds, as its label."""
Picture = NDArray[np.uint8] | NDArray[np.float32]
_SETTINGS: Any = {
    "font.size": 12.0,
    "axes.titlesize": 12.0,
    "font.family": ["DejaVu Sans", CHINESE_FONT],  # the second where the first lacks a glyph
}
_DPI = {"jpeg": 56, "png": 90}
_JPEG_QUALITY = 60
_P = ParamSpec("_P")
_R = TypeVar("_R")


@functools.cache
def _add_font() -> None:
    mpl.font_manager.fontManager.addfont(package_data("resnet18_lab_sans_sc.otf"))


def styled(draw: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function, run with this project's settings in force; matplotlib's own are as before afterwards."""

    @functools.wraps(draw)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        _add_font()
        with mpl.rc_context(_SETTINGS):
            return draw(*args, **kwargs)

    return drawn


class Figure(matplotlib.figure.Figure):
    """A figure that notebooks store small: photographs as JPEG, charts as PNG."""

    def _repr_jpeg_(self) -> bytes | None:
        return self._encoded("jpeg") if self.get_label() == PHOTOGRAPH else None

    def _repr_png_(self) -> bytes | None:
        return None if self.get_label() == PHOTOGRAPH else self._encoded("png")

    @styled
    def _encoded(self, kind: str) -> bytes:
        out = io.BytesIO()
        options: Any = {"pil_kwargs": {"quality": _JPEG_QUALITY, "optimize": True}} if kind == "jpeg" else {}
        self.savefig(out, format=kind, dpi=_DPI[kind], **options)
        return out.getvalue()


def new_figure(width: float, height: float, weights: str | None, label: str = PHOTOGRAPH) -> Figure:
    """An empty figure, inches wide and high, that says at its top when the weights are untrained.

    ``weights``: their name; None for a figure that does not depend on a network.
    """
    empty = Figure(figsize=(width, height), layout="constrained")
    empty.set_label(label)
    if weights == "untrained":
        empty.suptitle(UNTRAINED_MARK, color=WARNING, fontsize=10)
    return empty


def chart(title: str, x: str, y: str, weights: str | None, size: tuple[float, float] = (8, 4.2)) -> tuple[Figure, Axes]:
    """An empty chart, inches wide and high, in the form that all charts of this project share."""
    empty = new_figure(*size, weights, CHART)
    axes = empty.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return empty, axes


def show(axes: Axes, picture: Picture, title: str, colour: str = "black") -> None:
    """A picture without axes under its title."""
    axes.imshow(picture)
    axes.set_title(title, color=colour)
    axes.set_axis_off()
