"""Which engine fits which need, as far as the intervals of one record tell them apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.benchmark.results.formatting import intervals, intervals_of
from resnet18_lab.benchmark.statistics import Interval
from resnet18_lab.course.conversion.formats import MB, bytes_of
from resnet18_lab.inference.registry import spec_of


@dataclass(frozen=True)
class _Need:
    """What one may want, the engines that give it, and a figure for each (less is better) in units of 1/scale."""

    name: str
    engines: list[str]
    figures: Mapping[str, Interval]
    unit: str
    scale: float

    def row(self) -> dict[str, str]:
        """The best engine, by what figure, and those that the intervals do not tell apart from it."""
        spans = {name: self.figures[name] for name in self.engines if name in self.figures}
        if not spans:
            return {}
        best = min(spans, key=lambda name: spans[name].value)
        ties = [name for name, span in spans.items() if name != best and span.overlaps(spans[best])]
        because = f"{spans[best].value * self.scale:.3g} {self.unit}"
        return {"take": best, "because": because, "no worse": ", ".join(ties) or "none"}


def _needs(record: Record) -> list[_Need]:
    rows = [row for row in record.of("memory") if row.results]
    names = {row.configuration.key(): row.configuration.backend for row in rows}

    def spans(what: Callable[[dict[str, Any]], float], among: list[Row]) -> dict[str, Interval]:
        return {names[key]: span for key, span in intervals_of(among, lambda result: [what(result)]).items()}

    seconds = {names[key]: span for key, span in intervals(record, "memory").items()}
    start = spans(lambda result: result["load"] + result["first"], rows)
    peak = spans(lambda result: result["peak"], [row for row in rows if row.results[0].get("peak")])
    sizes = {name: bytes_of(name, record.weights["asked"]) for name in names.values()}
    files = {name: Interval(size, size, size) for name, size in sizes.items() if size}
    everything = list(names.values())
    exact = [name for name in everything if spec_of(name).precision == "fp32"]
    portable = [name for name in everything if spec_of(name).extra != "torch"]
    return [
        _Need("quickest answer, once loaded", everything, seconds, "ms", 1e3),
        _Need("quickest with float32 answers", exact, seconds, "ms", 1e3),
        _Need("quickest without torch", portable, seconds, "ms", 1e3),
        _Need("soonest ready (load and first call)", everything, start, "ms", 1e3),
        _Need("least memory", everything, peak, "MB", 1 / MB),
        _Need("smallest file", everything, files, "MB", 1 / MB),
    ]


def decisions(record: Record, noise: str = "") -> pd.DataFrame:
    """For each need the engine that the record says is best, and by what figure; of times nothing where ``noise``."""
    needs = [need for need in _needs(record) if not (noise and need.unit == "ms")]
    table = {need.name: row for need in needs if (row := need.row())}
    return pd.DataFrame(table).T.rename_axis("need")


def choice(decided: pd.DataFrame, noise: str = "") -> Conclusion:
    """The quickest engine in a sentence."""
    if noise or decided.empty:
        return Conclusion("quickest engine", "", noise or "nothing was measured")
    first = decided.iloc[0]
    others = "" if first["no worse"] == "none" else f", and not told apart from it: {first['no worse']}"
    return Conclusion("quickest engine", f"Quickest once loaded is {first['take']} ({first['because']}){others}.")
