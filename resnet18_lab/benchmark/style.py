"""The one figure style: colours, fonts, the mark of untrained weights, and how notebooks store a figure or a table.

matplotlib's own settings stay as they are: ``styled`` applies these only while a figure is drawn or encoded.
"""

import base64
import functools
import io
import os
import textwrap
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import matplotlib.figure
import matplotlib.font_manager
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.base.paths import package_data
from resnet18_lab.benchmark.alt_text import alt_text
from resnet18_lab.weights.names import is_untrained

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
PROJECTOR_VARIABLE = "RESNET18_LAB_PROJECTOR"
"""Set to anything, figures are made for a room: larger on the screen, in the same proportions."""
_DPI, _PROJECTOR_DPI = 110, 160
"""Browsers show 96 pixels as an inch: so text of 10 points is read at 11, or at 17 from the back of a room."""
_JPEG_QUALITY = 40
_CHART_COLOURS = 256
_TITLE_SIZE = 10
"""Points of the words above a picture."""
_LETTER = 0.6
"""Width of an average letter, in heights."""
_P = ParamSpec("_P")
_R = TypeVar("_R")

pd.set_option("display.max_colwidth", None)  # every notebook imports this module; a cut cell keeps its point to itself


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
    """A figure that notebooks store small and with its description: photographs as JPEG, charts as PNG."""

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """The picture, and as its metadata what it shows: ``{"image/png": {"alt": ...}}``."""
        kind = "jpeg" if self.get_label() == PHOTOGRAPH else "png"
        encoded = base64.b64encode(self._encoded(kind)).decode("ascii")
        return {f"image/{kind}": encoded}, {f"image/{kind}": {"alt": alt_text(self)}}

    def _repr_jpeg_(self) -> bytes | None:
        return self._encoded("jpeg") if self.get_label() == PHOTOGRAPH else None

    def _repr_png_(self) -> bytes | None:
        return None if self.get_label() == PHOTOGRAPH else self._encoded("png")

    @styled
    def _encoded(self, kind: str) -> bytes:
        drawn, out = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png", dpi=_PROJECTOR_DPI if os.environ.get(PROJECTOR_VARIABLE) else _DPI)
        picture = Image.open(drawn).convert("RGB")
        if kind == "jpeg":
            picture.save(out, "JPEG", quality=_JPEG_QUALITY, optimize=True, progressive=True)
        else:  # a chart has few colours: with a palette it takes a third of the bytes
            picture.quantize(_CHART_COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        return out.getvalue()


def new_figure(width: float, height: float, weights: str | None, label: str = PHOTOGRAPH) -> Figure:
    """An empty figure, inches wide and high, that says at its top when the weights are untrained.

    ``weights``: their name; None for a figure that does not depend on a network.
    """
    empty = Figure(figsize=(width, height), layout="constrained")
    empty.set_label(label)
    if weights is not None and is_untrained(weights):
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
    """A picture without axes under its title, whose lines are broken where the next picture begins."""
    axes.imshow(picture)
    grid, figure = axes.get_gridspec(), axes.get_figure(root=True)
    width = figure.get_figwidth() / (grid.ncols if grid else 1) if figure else 1.0
    letters = max(8, int(width * 72 / (_TITLE_SIZE * _LETTER)))
    lines = [part for line in title.splitlines() for part in textwrap.wrap(line, letters)]
    axes.set_title("\n".join(lines), color=colour, fontsize=_TITLE_SIZE)
    axes.set_axis_off()
