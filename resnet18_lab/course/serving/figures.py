"""The table and the figure of a service under load."""

from collections.abc import Sequence

import pandas as pd

from resnet18_lab.benchmark.load import Load
from resnet18_lab.benchmark.style import (
    Figure,
    chart,
    styled,
)

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


@styled
def latency(loads: Sequence[Load], weights: str) -> Figure:
    """Time of an answer by offered load, a line for each service; the band reaches from p50 to p95."""
    figure, axes = chart("What waiting costs: p50, and up to p95", "pictures offered a second", "ms", weights)
    for colour, mode in zip(_COLOURS, dict.fromkeys(load.mode for load in loads), strict=False):
        own = [load for load in loads if load.mode == mode]
        rates = [load.offered for load in own]
        low, high = ([load.percentile(share) for load in own] for share in (50, 95))
        axes.plot(rates, low, "o-", color=colour, label=mode)
        axes.fill_between(rates, low, high, color=colour, alpha=0.15)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    figure.legend(frameon=False, loc="outside lower center", ncols=3)
    return figure
