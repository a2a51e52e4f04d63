"""What the quantization notebook tells: all variants built, answered and timed, and tables of the kept records."""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from resnet18_lab import artifacts, evaluate, images, metrics, paths, preprocess
from resnet18_lab import quantization_rivals as rivals
from resnet18_lab.backends.protocol import Logits
from resnet18_lab.backends.registry import open_backend
from resnet18_lab.benchmark.configuration import Effort
from resnet18_lab.benchmark.loops import sample
from resnet18_lab.benchmark.runner import run
from resnet18_lab.benchmark.tables import intervals, shown
from resnet18_lab.errors import BackendError, ParameterError
from resnet18_lab.evaluate import Evaluation
from resnet18_lab.model import LoadedModel
from resnet18_lab.preprocess import Crop
from resnet18_lab.quantization_rivals import Rival

OURS = "this project's INT8"
FLOAT = "float32"
PLAIN = "plain U8S8, MinMax"
PLAIN_FILE = "plain-u8s8.onnx"
_MB = 1e6
_WARMUP = 5


def variants(
    loaded: LoadedModel,
    weights: str,
    folder: Path,
    fit: Crop,
    *,
    compiled: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> dict[str, Rival]:
    """Every way of quantizing, made into ``folder`` on the ``fit`` crops; one whose package is missing is left out.

    Float and this project's INT8 are the artifacts, which must have been built. ``compiled`` adds what
    torch's compiler makes, a minute of work.
    """
    source, ours = (artifacts.load(artifacts.KINDS[name], weights).path for name in _ARTIFACTS)
    makers: dict[str, Callable[[], Rival]] = {
        FLOAT: lambda: rivals.of_file(source, 0.0),
        OURS: lambda: rivals.of_file(ours, 0.0),
        PLAIN: lambda: rivals.plain_u8s8(source, folder / PLAIN_FILE, fit),
        "library defaults (S8S8)": lambda: rivals.onnxruntime_static(source, folder / "library-defaults.onnx", fit),
        "moving average": lambda: rivals.plain_u8s8(
            source, folder / "moving-average.onnx", fit, CalibMovingAverage=True
        ),
        "one calibration picture": lambda: rivals.plain_u8s8(source, folder / "one-picture.onnx", fit[:1]),
        "NNCF": lambda: rivals.nncf_static(source, folder / "nncf.onnx", fit),
        "dynamic, ONNX Runtime": lambda: rivals.onnxruntime_dynamic(source, folder / "dynamic.onnx"),
        "dynamic, torch (fc only)": lambda: rivals.torch_dynamic(loaded),
    }
    if compiled:
        makers |= {
            "PT2E, torchao, compiled": lambda: rivals.torchao_pt2e(loaded, fit),
            "optimize_for_inference, float32": lambda: rivals.torch_optimized(loaded),
            "torch.compile, float32": lambda: rivals.torch_compiled(loaded, torch.float32),
            "torch.compile, BF16": lambda: rivals.torch_compiled(loaded, torch.bfloat16),
        }
    found = {}
    for name, make in makers.items():
        try:
            found[name] = make()
        except BackendError as error:
            notify(f"{name} is left out. {error}")
    return found


_ARTIFACTS = ("onnx-fp32", "onnx-int8-static")


def made(found: Mapping[str, Rival]) -> pd.DataFrame:
    """Size and operators of each variant: what it really computes in."""
    rows = {
        name: {
            "MB": f"{rival.bytes / _MB:.1f}" if rival.bytes else "in memory",
            "made in s": f"{rival.seconds:.1f}" if rival.seconds else "by build",
            "computes in": ", ".join(f"{count} {operator}" for operator, count in rival.operators.items()),
        }
        for name, rival in found.items()
    }
    return pd.DataFrame(rows).T


def answered(found: Mapping[str, Rival], crops: Crop) -> pd.DataFrame:
    """How each variant's answers agree with float's on some crops."""
    expected = found[FLOAT].run(crops)
    rows = {name: _agreement(expected, rival.run(crops)) for name, rival in found.items() if name != FLOAT}
    return pd.DataFrame(rows).T


def _agreement(expected: Logits, got: Logits) -> dict[str, str]:
    same = int((expected.argmax(axis=1) == got.argmax(axis=1)).sum())
    return {
        "same answer": f"{same} of {len(got)}",
        "mean cosine": f"{metrics.cosines(expected, got).mean():.4f}",
        "worst cosine": f"{metrics.cosines(expected, got).min():.4f}",
    }


def timed(found: Mapping[str, Rival], weights: str, profile: str) -> pd.Series:
    """Milliseconds for one picture with one thread, each ONNX file in processes of its own, in one run."""
    files = {rival.file.name: name for name, rival in found.items() if rival.file is not None}
    paths_of = [rival.file for rival in found.values() if rival.file is not None]
    record = run(["latency"], profile=profile, backends=[], threads=[1], files=paths_of, weights=weights)
    seconds = intervals(record, "latency")
    return pd.Series(
        {
            files[row.configuration.engine]: shown(seconds[row.configuration.key()])
            for row in record.of("latency")
            if row.results
        },
        name="ms, one thread",
    )


def milliseconds_here(rival: Rival, crop: Crop, calls: int = 20) -> float:
    """Median milliseconds for one picture in this process, one thread: for what is no file to start afresh."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        samples = sample(lambda: rival.run(crop[None]), Effort(1, _WARMUP, 0.0, 0.0, calls, calls, inf))["samples"]
    finally:
        torch.set_num_threads(threads)
    return float(np.median(samples)) * 1e3


def kept_record(name: str) -> dict[str, Any]:
    """A record of docs/records; ParameterError where the project is installed without it."""
    path = paths.records_dir() / f"{name}.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ParameterError(f"{path} cannot be read; it is part of a clone.") from error
    return content


def methods_table(record: Mapping[str, Any]) -> pd.DataFrame:
    """All methods tried: the scores they were chosen by, and what each gives on pictures it never saw."""
    rows = {}
    for row in record["rows"]:
        evaluation = row["evaluation"]
        rows[row["method"]] = {
            "KL, within halves": f"{row['kl'] * 1e3:.2f}e-3",
            "cosine, within halves": f"{row['cosine']:.5f}",
            "same answer, crossed over": f"{evaluation['same']} of {evaluation['of']}",
            "95 %": f"{evaluation['same_low']:.1%}-{evaluation['same_high']:.1%}",
            "cosine": f"{evaluation['cosine']:.5f}",
            "lost/won": f"{evaluation['lost']}/{evaluation['won']}",
            "p": f"{evaluation['p']:.2f}",
        }
    return pd.DataFrame(rows).T


def variants_table(record: Mapping[str, Any], times: "pd.Series | None" = None) -> pd.DataFrame:
    """Size, time and accuracy of every variant from the kept record, with times measured here where there are any.

    ``ms there``: one thread, in the process that made the record; whole table, one run.
    """
    rows = {}
    for name, row in record["variants"].items():
        rows[name] = {
            "MB": f"{row['bytes'] / _MB:.1f}" if row["bytes"] else "in memory",
            "ms there": f"{row['ms']:.1f}",
            "top-1": f"{row['top1']} of {row['of']}",
            "same answer as float": f"{row['same']} of {row['of']}",
            "cosine": f"{row['cosine']:.4f}",
            "lost/won": f"{row['lost']}/{row['won']}",
            "p": f"{row['p']:.2f}",
        }
    table = pd.DataFrame(rows).T
    if times is not None:
        table.insert(1, times.name, times.reindex(table.index).fillna("not as a file"))
    return table


def scales_by_hand(matrix: "np.ndarray[Any, np.dtype[np.float32]]") -> pd.DataFrame:
    """Error of INT8 weights (signal to noise in dB) with one scale for all channels, and with one for each."""
    rows = {}
    for name, peak in (
        ("one scale for the tensor", np.abs(matrix).max()),
        ("one scale for each channel", np.abs(matrix).max(axis=1, keepdims=True)),
    ):
        scale = np.where(peak > 0, peak, 1.0) / 127
        error = np.round(matrix / scale) * scale - matrix
        noise = 10 * np.log10(np.square(matrix).sum() / np.square(error).sum())
        rows[name] = {"signal to noise, dB": round(float(noise), 1), "scales": int(np.size(scale))}
    return pd.DataFrame(rows).T


@dataclass(frozen=True)
class Flip:
    """A picture that float and INT8 answer differently: its crop, both answers, and what each was worth."""

    name: str
    crop: Crop
    exact: int
    made: int
    exact_right: bool
    made_right: bool


def flips(folder: Path, weights: str) -> tuple[list[Evaluation], list[Flip]]:
    """Both ONNX Runtime engines on a labelled folder, and the pictures they answer differently."""
    listed = evaluate.labelled_pictures(folder)
    with (
        open_backend("onnxruntime-fp32", weights=weights) as exact,
        open_backend("onnxruntime-int8", weights=weights) as made,
    ):
        expected, positions = evaluate.logits_of(exact, listed)
        got, _ = evaluate.logits_of(made, listed)
        engines = exact.engine, made.engine
    right = evaluate.right_classes(listed, positions)
    found = [evaluate.evaluate(engines[0], expected, right), evaluate.evaluate(engines[1], got, right, expected)]
    answers = np.stack([expected.argmax(axis=1), got.argmax(axis=1)], axis=1)
    return found, [
        Flip(
            listed[positions[row]][0].name, preprocess.crop(images.decode(listed[positions[row]][0])),
            int(one), int(other), bool(right[row, one]), bool(right[row, other]),
        )
        for row, (one, other) in enumerate(answers)
        if one != other
    ]  # fmt: skip


def scratch_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder for files that are built to be compared and then thrown away."""
    return tempfile.TemporaryDirectory(prefix="resnet18-lab-")
