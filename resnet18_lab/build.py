"""The artifact folder, filled: every format made, checked against eager, and written down."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from resnet18_lab import artifacts, export, model, parity
from resnet18_lab.artifacts import ArtifactKind
from resnet18_lab.atomicfile import replacing
from resnet18_lab.backends.onnxruntime import make_session
from resnet18_lab.backends.protocol import Batch, Logits
from resnet18_lab.cores import usable_cores
from resnet18_lab.errors import BuildError, LabError
from resnet18_lab.model import LoadedModel
from resnet18_lab.weights import WeightsFile

Maker = Callable[[LoadedModel, Path], dict[str, Any]]


@dataclass(frozen=True)
class Built:
    """One row of the summary; ``seconds`` is 0.0 for a file that was already there and still good."""

    kind: ArtifactKind
    path: Path
    bytes: int
    seconds: float
    details: dict[str, Any]


def _make_onnx_fp32(loaded: LoadedModel, target: Path) -> dict[str, Any]:
    counts = export.export_onnx(loaded.module, target)
    session = make_session(str(target), usable_cores())

    def run(batch: Batch) -> Logits:
        logits: Logits = session.run(None, {export.INPUT_NAME: batch})[0]
        return logits

    agreement = parity.measure(run, loaded.module)
    if agreement.relative > parity.FP32_TOLERANCE:
        raise BuildError(
            f"The ONNX file does not agree with eager: max |Δlogit| is {agreement.relative:.1e} of "
            f"max |logit|, allowed is {parity.FP32_TOLERANCE:.0e}."
        )
    return {"operators": counts, "parity": agreement.as_json()}


MAKERS: dict[str, Maker] = {"onnx-fp32": _make_onnx_fp32}


def build(
    weights: str | WeightsFile = "auto",
    *,
    only: list[str] | None = None,
    force: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> list[Built]:
    """Rows for every format, each made from the weights unless a good one is there already.

    ``notify`` is told what is being made. Two builds at once do not clash: the second waits, then finds
    the files. Raises WeightsNotFoundError, BuildError, or ParameterError for an unknown format.
    """
    kinds = [artifacts.kind_of(name) for name in (only or artifacts.KINDS)]
    loaded = model.load(weights)
    folder = artifacts.folder_of(loaded.weights)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        return [_ensure(kind, loaded, folder, force, notify) for kind in kinds]


def _ensure(kind: ArtifactKind, loaded: LoadedModel, folder: Path, force: bool, notify: Callable[[str], None]) -> Built:
    path = folder / kind.filename
    try:
        good = not force and artifacts.problem(folder, kind) is None
    except LabError:  # a damaged manifest vouches for nothing: start it anew
        (folder / artifacts.MANIFEST).unlink()
        good = False
    started = time.perf_counter()
    if not good:
        notify(f"building {path}")
        with replacing(path) as temporary:
            details = MAKERS[kind.name](loaded, temporary)
        artifacts.record(folder, loaded.weights, kind, details)
    entry = artifacts.read_manifest(folder)["files"][kind.filename]
    return Built(kind, path, entry["bytes"], 0.0 if good else time.perf_counter() - started, entry)
