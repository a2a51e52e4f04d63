"""The figures of the bulk notebook."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from resnet18_lab.base.networks import RESNET18
from resnet18_lab.benchmark.style import (
    CHART,
    Figure,
    chart,
    new_figure,
    show,
    styled,
)
from resnet18_lab.course.bulk.experiments import Likeness


@styled
def against_bound(table: pd.DataFrame, weights: str) -> Figure:
    """Rates by workers, with the bound above them."""
    figure, axes = chart("A folder of pictures, by workers", "worker processes", "img/s", weights, (8, 3.8))
    places = list(map(str, table.index))
    bars = axes.bar(places, table["img/s"], color="#0b6e99", width=0.5, label="measured")
    axes.bar_label(bars, [f"{rate:.0f}" for rate in table["img/s"]], label_type="center", color="white")
    axes.plot(places, table["bound"], color="#c2571a", marker="_", markersize=40, linestyle="none", label="bound")
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    return figure


@styled
def matrix(likeness: Likeness) -> Figure:
    """The cosines as a picture."""
    names = [Path(file).stem for file in likeness.files]
    figure = new_figure(8, 7, likeness.weights, CHART)
    axes = figure.subplots()
    image = axes.imshow(likeness.cosines, cmap="viridis", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=9)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_title(f"How alike: cosine of the {RESNET18.features} features before the last layer")
    figure.colorbar(image, ax=axes, shrink=0.7)
    return figure


@styled
def alike(query: Path, likeness: Likeness, most: int = 5) -> Figure:
    """A picture and those most like it."""
    place = likeness.files.index(str(query))
    order = np.argsort(-likeness.cosines[place], kind="stable")[: most + 1]
    figure = new_figure(1.7 * len(order), 2.4, likeness.weights)
    for axes, other in zip(figure.subplots(1, len(order)), order, strict=True):
        with Image.open(likeness.files[other]) as picture:
            crop = np.asarray(ImageOps.fit(picture.convert("RGB"), (RESNET18.crop, RESNET18.crop)))
        words = Path(likeness.files[other]).stem.replace(", ", "\n")
        show(axes, crop, words if other == place else f"{words}\n{likeness.cosines[place, other]:.2f}")
    return figure
