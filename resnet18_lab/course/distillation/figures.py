"""The figures of distillation."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from resnet18_lab.benchmark.style import COLOURS, Figure, chart, styled


@styled
def learning_curve(looks: Sequence[Mapping[str, Any]], name: str) -> Figure:
    """How often a run answered as its teacher does on held-out pictures, by minutes; a line where pictures grew."""
    figure, axes = chart(f"Learning: {name}", "minutes", "as the teacher, % of held-out pictures", None, (8, 3.6))
    minutes = [look["seconds"] / 60 for look in looks]
    axes.plot(minutes, [100 * look["agreement"] for look in looks], "o-", color=COLOURS[0])
    for before, look in pairwise(looks):
        if look["side"] != before["side"]:
            axes.axvline(look["seconds"] / 60, color=COLOURS[6], linestyle="--", linewidth=1)
            axes.annotate(f"{look['side']} px", (look["seconds"] / 60, axes.get_ylim()[0]), fontsize=9, rotation=90,
                          textcoords="offset points", xytext=(3, 4))  # fmt: skip
    axes.set_ylim(bottom=0)
    return figure
