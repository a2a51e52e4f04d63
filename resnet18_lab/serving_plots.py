"""The table and the figure of a service under load."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from resnet18_lab.benchmark.figures import chart
from resnet18_lab.load_study import Load
from resnet18_lab.notebook_display import use_in_notebook

use_in_notebook()

_COLOURS = ("#5d6a7a", "#c2571a", "#0b6e99", "#7a4fa3")


def table(loads: Sequence[Load]) -> pd.DataFrame:
    """One row a service and load; times in ms."""
    return pd.DataFrame(
        [
            {
                "service": load.mode,
                "offered/s": round(load.offered, 1),
                "answered/s": round(load.answered, 1),
                "p50 ms": round(load.percentile(50), 1),
                "p95 ms": round(load.percentile(95), 1),
                "refused": load.refused,
                "lost": load.failed,
            }
            for load in loads
        ]
    )


def latency(loads: Sequence[Load]) -> Figure:
    """Time of an answer by offered load, a line for each service; the band reaches from p50 to p95."""
    figure, axes = chart("What waiting costs: p50, and up to p95", "pictures offered a second", "ms")
    for colour, mode in zip(_COLOURS, dict.fromkeys(load.mode for load in loads), strict=False):
        own = [load for load in loads if load.mode == mode]
        rates = [load.offered for load in own]
        low, high = ([load.percentile(share) for load in own] for share in (50, 95))
        axes.plot(rates, low, "o-", color=colour, label=mode)
        axes.fill_between(rates, low, high, color=colour, alpha=0.15)
    axes.set_yscale("log")
    axes.legend(frameon=False)
    return figure
