"""What each format is, what it costs to load, hold and run, and which one fits which need: from one record."""

from collections.abc import Mapping
from statistics import median
from typing import Any

import pandas as pd

from resnet18_lab import artifacts
from resnet18_lab.backends.registry import spec_of
from resnet18_lab.benchmark.configuration import usable_backends
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.benchmark.runner import run
from resnet18_lab.benchmark.tables import NOT_AVAILABLE, intervals, shown, warnings_of

_MB = 1e6
ABOUT = {
    "onnx-fp32": ("the network as a graph of standard operators", "any ONNX runtime"),
    "onnx-int8-static": ("the same graph in 8 bits", "any ONNX runtime; VNNI or AMX to be fast"),
    "torchscript-traced": ("torch's older program format, as recorded (deprecated)", "torch"),
    "torchscript": ("the same, frozen: weights inlined, batch norms folded (deprecated)", "torch"),
    "torch-export": ("torch.export compiled ahead of time to machine code", "torch, this CPU type; C++ to build"),
    "eager": ("the Python module itself, from the weights file", "torch, this package"),
}
"""Format -> (what it is, what it needs to run)."""


def about() -> pd.DataFrame:
    """What each format is and needs."""
    return pd.DataFrame(
        {name: {"what it is": what, "needs to run": needs} for name, (what, needs) in ABOUT.items()}
    ).T.rename_axis("format")


def measure(weights: str, profile: str) -> Record:
    """Every engine that can run here, each in processes of its own, one thread, one picture."""
    return run(["memory"], profile=profile, backends=usable_backends(weights), threads=[1], weights=weights)


def measured(record: Record) -> pd.DataFrame:
    """File size, load time, first call, steady time, peak memory and PSS of each engine, and its parity with eager."""
    seconds = intervals(record, "memory")
    rows = {}
    for row in record.of("memory"):
        name = row.configuration.backend
        if not row.results:
            rows[name] = {"note": warnings_of(row)}
            continue
        rows[name] = {
            "file MB": _size(name, record.weights["asked"]),
            "load ms": f"{_median(row, 'load') * 1e3:.0f}",
            "first call ms": f"{_median(row, 'first') * 1e3:.0f}",
            "then ms": shown(seconds[row.configuration.key()]),
            "peak MB": _megabytes(row, "peak"),
            "PSS MB": _megabytes(row, "pss"),
            "max |Δlogit| / max |logit|": _parity(name, record.weights["asked"]),
            "note": warnings_of(row),
        }
    return pd.DataFrame(rows).T.fillna("").rename_axis("engine")


def decisions(record: Record) -> pd.DataFrame:
    """For each need the engine that the record says is best, and by what figure."""
    seconds = {
        row.configuration.backend: intervals(record, "memory")[row.configuration.key()].value
        for row in record.of("memory")
        if row.results
    }
    rows = {row.configuration.backend: row for row in record.of("memory") if row.results}
    exact = [name for name in rows if spec_of(name).precision == "fp32"]
    portable = [name for name in rows if spec_of(name).extra != "torch"]
    start = {name: _median(row, "load") + _median(row, "first") for name, row in rows.items()}
    peak = {name: _median(row, "peak") / _MB for name, row in rows.items() if row.results[0].get("peak")}
    needs: dict[str, tuple[Mapping[str, float], list[str], str, float]] = {
        "quickest answer, once loaded": (seconds, list(rows), "ms", 1e3),
        "quickest with float32 answers": (seconds, exact, "ms", 1e3),
        "quickest without torch": (seconds, portable, "ms", 1e3),
        "soonest ready (load and first call)": (start, list(rows), "ms", 1e3),
        "least memory": (peak, list(rows), "MB", 1.0),
    }
    found = {}
    for need, (figures, names, unit, scale) in needs.items():
        known = {name: figures[name] for name in names if name in figures}
        if known:
            best = min(known, key=lambda name, known=known: known[name])  # type: ignore[misc]
            found[need] = {"take": best, "because": f"{known[best] * scale:.3g} {unit}"}
    return pd.DataFrame(found).T.rename_axis("need")


def _median(row: Row, what: str) -> float:
    return float(median(result[what] for result in row.results))


def _megabytes(row: Row, what: str) -> str:
    known = [result[what] for result in row.results if result.get(what) is not None]
    return f"{median(known) / _MB:.0f}" if known else NOT_AVAILABLE


def _entry(name: str, weights: str) -> dict[str, Any]:
    kind = spec_of(name).artifact
    return artifacts.load(artifacts.KINDS[kind], weights).entry if kind else {}


def _size(name: str, weights: str) -> str:
    size = _entry(name, weights).get("bytes")
    return f"{size / _MB:.1f}" if size else "weights file"


def _parity(name: str, weights: str) -> str:
    if name.startswith("openvino"):
        return "as its file's"
    parity = _entry(name, weights).get("parity")
    return f"{parity['relative']:.1e}" if parity else "is the reference"
