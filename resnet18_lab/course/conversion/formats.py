"""What each format is, what it costs to load, hold and run, and which one fits which need: from one record."""

from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from resnet18_lab.base.errors import ParameterError, unknown_name
from resnet18_lab.base.notify import Notify
from resnet18_lab.benchmark.configuration import EFFORTS, WITH_ANSWERS, Configuration
from resnet18_lab.benchmark.measure.runner import run_configurations
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.benchmark.results.tables import NOT_AVAILABLE, intervals, megabytes, shown, warnings_of
from resnet18_lab.benchmark.suites import usable_backends
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.registry import spec_of

MB = 1e6
REFERENCE = "eager"
_UNITS = {
    "load": "seconds",
    "first": "seconds",
    "peak": "bytes",
    "pss": "bytes",
    "import_peak": "bytes",
    "parity": "share",
}
_ABOUT = {
    "onnx-fp32": ("the network as a graph of standard operators", "any ONNX runtime"),
    "onnx-int8-static": ("the same graph in 8 bits", "any ONNX runtime; quickest with VNNI or AMX"),
    "torchscript-traced": ("torch's older program format, as recorded (deprecated)", "torch"),
    "torchscript": ("the same, frozen: weights inlined, batch norms folded (deprecated)", "torch"),
    "torch-export": ("torch.export compiled ahead of time to machine code", "torch, this CPU type; C++ to build"),
    "eager": ("the Python module itself, from the weights file", "torch, this package"),
}
"""Format -> (what it is, what it needs to run)."""


def about() -> pd.DataFrame:
    """What each format is and needs."""
    return pd.DataFrame(
        {name: {"what it is": what, "needs to run": needs} for name, (what, needs) in _ABOUT.items()}
    ).T.rename_axis("format")


def measure(weights: str, profile: str, notify: Notify = lambda _: None) -> Record:
    """Every engine that can run here, each in processes of its own, one thread, one picture.

    Raises ParameterError for an unknown profile.
    """
    if profile not in EFFORTS:
        raise ParameterError(unknown_name("profile", profile, EFFORTS))
    rows = [Configuration("memory", name, variant=WITH_ANSWERS) for name in usable_backends(weights)]
    return compared(run_configurations(rows, profile, EFFORTS[profile], weights=weights, notify=notify))


def compared(record: Record) -> Record:
    """The record with each engine's logits replaced by how far they are from eager's: ``parity``, a share.

    Every engine answered in a process of its own, so the parity is that of what was measured.
    """
    answers = {row.configuration.backend: row.results[0]["answers"] for row in record.of("memory") if row.results}
    expected = np.asarray(answers.get(REFERENCE, []))
    for row in record.of("memory"):
        for result in row.results:
            logits = np.asarray(result.pop("answers"))
            if expected.size:
                result["parity"] = float(np.abs(logits - expected).max() / np.abs(expected).max())
    return record


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
            "peak MB": megabytes([result.get("peak") for result in row.results]),
            "PSS MB": megabytes([result.get("pss") for result in row.results]),
            "imports MB": megabytes([result.get("import_peak") for result in row.results]),
            "max |Δlogit| / max |logit|": _parity(row),
            "torch": "in the process" if row.results[0]["torch"] else "none",
            "note": warnings_of(row),
        }
    return pd.DataFrame(rows).T.fillna("").rename_axis("engine")


def numbers(record: Record) -> dict[str, dict[str, Any]]:
    """The same as numbers, by engine: a picture's time with its interval, and medians over the process starts."""
    seconds = intervals(record, "memory")
    found = {}
    for row in record.of("memory"):
        if row.results:
            medians = {f"{what}_{unit}": _median(row, what) for what, unit in _UNITS.items() if what in row.results[0]}
            own = {"ms": vars(seconds[row.configuration.key()].times(1e3)), **medians}
            found[row.configuration.backend] = {**own, "torch": bool(row.results[0]["torch"])}
    return found


def _median(row: Row, what: str) -> float:
    return float(median(result[what] for result in row.results))


def _entry(name: str, weights: str) -> dict[str, Any]:
    kind = spec_of(name).artifact
    return artifacts.load(kind, weights).entry if kind else {}


def bytes_of(name: str, weights: str) -> int | None:
    """Size of the engine's artifact in bytes; None where it runs the weights file."""
    size: int | None = _entry(name, weights).get("bytes")
    return size


def _size(name: str, weights: str) -> str:
    size = bytes_of(name, weights)
    return f"{size / MB:.1f}" if size else "weights file"


def _parity(row: Row) -> str:
    if row.configuration.backend == REFERENCE:
        return "is the reference"
    return f"{_median(row, 'parity'):.1e}" if "parity" in row.results[0] else NOT_AVAILABLE
