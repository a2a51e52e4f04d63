"""What the quantization notebook shows: all variants built, answered and timed, and tables of the kept records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from resnet18_lab.base.errors import EngineError
from resnet18_lab.base.notify import Notify
from resnet18_lab.benchmark.configuration import Effort
from resnet18_lab.benchmark.measure.loops import sample
from resnet18_lab.benchmark.measure.runner import run
from resnet18_lab.benchmark.results.conclusions import noise_of
from resnet18_lab.benchmark.results.tables import intervals, shown
from resnet18_lab.benchmark.statistics import Interval
from resnet18_lab.course.quantization import rivals
from resnet18_lab.course.quantization.ours import this_project
from resnet18_lab.course.quantization.rivals import Rival
from resnet18_lab.inference import artifacts, evaluate, metrics
from resnet18_lab.inference.engine import Logits
from resnet18_lab.inference.evaluate import Evaluation
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.model.network import LoadedModel
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.preprocessing.transform import Crop
from resnet18_lab.quantization.calibration import Calibration

OURS = "this project's INT8"
FLOAT = "float32"
PLAIN = "plain U8S8, MinMax"
_PLAIN_FILE = "plain-u8s8.onnx"
_MB = 1e6
_WARMUP = 5


def variants(
    loaded: LoadedModel,
    weights: str,
    folder: Path,
    fit: Crop,
    *,
    compiled: bool = False,
    notify: Notify = lambda _: None,
    progress: Notify = lambda _: None,
) -> dict[str, Rival]:
    """Every way of quantizing, made into ``folder`` on the ``fit`` crops; one whose package is missing is left out.

    Float is the artifact, which must have been built. ``compiled`` adds what torch's compiler makes, a minute of work.
    ``notify`` is told what is left out, ``progress`` what is being made.
    """
    source = artifacts.load("onnx-fp32", weights).path
    makers: dict[str, Callable[[], Rival]] = {
        FLOAT: lambda: rivals.of_file(source, 0.0),
        OURS: lambda: this_project(loaded, folder / "ours.onnx", fit),
        PLAIN: lambda: rivals.plain_u8s8(source, folder / _PLAIN_FILE, fit),
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
        makers |= _compiled(loaded, fit)
    by_name = {}
    for name, make in makers.items():
        progress(name)
        try:
            by_name[name] = make()
        except EngineError as error:
            notify(f"{name} is left out. {error}")
    return by_name


def _compiled(loaded: LoadedModel, fit: Crop) -> dict[str, Callable[[], Rival]]:
    """What makes the variants of torch's compiler."""
    return {
        "PT2E, torchao, compiled": lambda: rivals.torchao_pt2e(loaded, fit),
        "optimize_for_inference, float32": lambda: rivals.torch_optimized(loaded),
        "torch.compile, float32": lambda: rivals.torch_compiled(loaded, torch.float32),
        "torch.compile, BF16": lambda: rivals.torch_compiled(loaded, torch.bfloat16),
    }


def made(by_name: Mapping[str, Rival]) -> pd.DataFrame:
    """Size and operators of each variant: what it really computes in."""
    rows = {
        name: {
            "MB": f"{rival.bytes / _MB:.1f}" if rival.bytes else "in memory",
            "made in s": f"{rival.seconds:.1f}" if rival.seconds else "by build",
            "computes in": ", ".join(f"{count} {operator}" for operator, count in rival.operators.items()),
        }
        for name, rival in by_name.items()
    }
    return pd.DataFrame(rows).T


def apart(pictures: Calibration) -> tuple[Crop, Crop, list[str]]:
    """Half of the crops of every other photograph, to calibrate on; those of the rest, to compare answers on; names.

    The names are of the photographs that the crops of the rest come from, one a crop.
    """
    first = list(dict.fromkeys(source.sha256 for source in pictures.sources))[::2]
    is_first = np.asarray([source.sha256 in first for source in pictures.sources])
    names = [source.name for source in pictures.sources if source.sha256 not in first]
    return pictures.crops[is_first][::2], pictures.crops[~is_first], names


def by_photograph(values: NDArray[np.float64], names: list[str]) -> NDArray[np.float64]:
    """The mean of the values of each photograph's crops."""
    return np.asarray(pd.Series(values).groupby(names, sort=False).mean(), dtype=np.float64)


def answered(by_name: Mapping[str, Rival], crops: Crop) -> pd.DataFrame:
    """How each variant's answers agree with float's on some crops."""
    expected = by_name[FLOAT].run(crops)
    rows = {name: _agreement(expected, rival.run(crops)) for name, rival in by_name.items() if name != FLOAT}
    return pd.DataFrame(rows).T


def _agreement(expected: Logits, logits: Logits) -> dict[str, str]:
    same = int((expected.argmax(axis=1) == logits.argmax(axis=1)).sum())
    return {
        "same answer": f"{same} of {len(logits)}",
        "mean cosine": f"{metrics.cosines(expected, logits).mean():.4f}",
        "worst cosine": f"{metrics.cosines(expected, logits).min():.4f}",
    }


def timed(
    by_name: Mapping[str, Rival], weights: str, profile: str, notify: Notify = lambda _: None
) -> tuple[dict[str, Interval], str]:
    """Milliseconds for one picture with one thread, each ONNX file in processes of its own; and the run's noise."""
    files = {rival.file.name: name for name, rival in by_name.items() if rival.file is not None}
    paths_of = [rival.file for rival in by_name.values() if rival.file is not None]
    record = run(["latency"], profile=profile, backends=[], threads=[1], files=paths_of, weights=weights, notify=notify)
    seconds = intervals(record, "latency")
    times = {
        files[row.configuration.engine]: seconds[row.configuration.key()].times(1e3)
        for row in record.of("latency")
        if row.results
    }
    return times, noise_of(record)


def times_column(times: Mapping[str, Interval]) -> pd.Series:
    """The times as a column of text."""
    return pd.Series({name: shown(span, 1.0) for name, span in times.items()}, name="ms, one thread")


def milliseconds_here(rival: Rival, crop: Crop, calls: int = 20) -> float:
    """Median milliseconds for one picture in this process, one thread: for variants that are not a file."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        samples = sample(lambda: rival.run(crop[None]), Effort(1, _WARMUP, 0.0, 0.0, calls, calls, inf))["samples"]
    finally:
        torch.set_num_threads(threads)
    return float(np.median(samples)) * 1e3


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
    pictures = evaluate.labelled_pictures(folder)
    with (
        open_engine("onnxruntime-fp32", weights=weights) as exact,
        open_engine("onnxruntime-int8", weights=weights) as int8,
    ):
        expected, positions = evaluate.logits_of(exact, pictures)
        logits, _ = evaluate.logits_of(int8, pictures)
        engines = exact.engine, int8.engine
    right = evaluate.right_classes(pictures, positions)
    evaluations = [
        evaluate.evaluation_of(engines[0], expected, right),
        evaluate.evaluation_of(engines[1], logits, right, expected),
    ]
    answers = np.stack([expected.argmax(axis=1), logits.argmax(axis=1)], axis=1)
    return evaluations, [
        Flip(
            pictures[positions[row]][0].name, transform.crop(decode(pictures[positions[row]][0])),
            int(one), int(other), bool(right[row, one]), bool(right[row, other]),
        )
        for row, (one, other) in enumerate(answers)
        if one != other
    ]  # fmt: skip
