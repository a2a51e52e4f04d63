"""Fill the artifact folder: make every format, check it against eager, and record it in the manifest."""

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import torch
from filelock import FileLock

from resnet18_lab.base.errors import BuildError, LabError
from resnet18_lab.base.files import replacing
from resnet18_lab.base.notify import Notify
from resnet18_lab.export import onnx_graph, torch_export, torchscript
from resnet18_lab.export.int8 import build_int8
from resnet18_lab.export.last_layer import add_features
from resnet18_lab.export.onnx import export_onnx
from resnet18_lab.export.parity import FP32_TOLERANCE, measure
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.artifacts import ArtifactKind
from resnet18_lab.inference.engine import Logits
from resnet18_lab.inference.manifest import MANIFEST, read_manifest
from resnet18_lab.model.network import LoadedModel, load_model
from resnet18_lab.preprocessing.reference import BATCHES
from resnet18_lab.preprocessing.transform import Batch
from resnet18_lab.quantization import calibration
from resnet18_lab.quantization.calibration import Calibration
from resnet18_lab.weights.find import WeightsFile, find_weights

_Maker = Callable[[LoadedModel, Path], dict[str, Any]]


@dataclass(frozen=True)
class Built:
    """One row of the summary; ``seconds`` is 0.0 for a file that was already there and still good."""

    kind: ArtifactKind
    path: Path
    bytes: int
    seconds: float
    details: dict[str, Any]


def _check(run: Callable[[Batch], Logits], loaded: LoadedModel, what: str, batches: tuple[int, ...]) -> dict[str, Any]:
    """Parity with eager for the manifest; BuildError when a float32 engine is further off than rounding."""
    agreement = measure(run, loaded.module, batches, loaded.weights.network.preprocessing)
    if agreement.relative > FP32_TOLERANCE:
        raise BuildError(
            f"The {what} file does not agree with eager: max |Δlogit| is {agreement.relative:.1e} of max |logit|, "
            f"allowed is {FP32_TOLERANCE:.0e}."
        )
    return agreement.as_json()


def _make_onnx_fp32(loaded: LoadedModel, target: Path) -> dict[str, Any]:
    counts = export_onnx(loaded, target)
    if loaded.weights.labels_path is not None:
        proto = onnx.load(target)
        add_features(proto, loaded.weights.network.features)
        target.write_bytes(proto.SerializeToString(deterministic=True))
    as_run = onnx_graph.optimised_operators(target)  # what this CPU's runtime makes of them
    return {
        "operators": counts,
        "operators_as_run": as_run,
        "parity": _check(onnx_graph.runner(target), loaded, "ONNX", BATCHES),
    }


def _make_onnx_embedding(loaded: LoadedModel, target: Path) -> dict[str, Any]:
    trunk = copy.deepcopy(loaded.module)
    setattr(trunk, loaded.weights.network.head, torch.nn.Identity())
    headless = LoadedModel(trunk, loaded.weights)
    counts = export_onnx(headless, target, output_name="embedding")
    return {"operators": counts, "parity": _check(onnx_graph.runner(target), headless, "embedding", BATCHES)}


def _make_torchscript(loaded: LoadedModel, target: Path, *, freeze: bool) -> dict[str, Any]:
    torchscript.trace(loaded.module, target, shape=loaded.weights.network.shape, freeze=freeze)
    program = torchscript.load_torchscript(target)
    return {"parity": _check(_calling(program), loaded, "TorchScript", BATCHES)}


def _make_torch_export(loaded: LoadedModel, target: Path) -> dict[str, Any]:
    torch_export.compile_package(loaded.module, target, shape=loaded.weights.network.shape)
    return {"parity": _check(_calling(torch_export.load_package(target)), loaded, "torch.export", _COMPILED_BATCHES)}


def _calling(program: Callable[..., Any]) -> Callable[[Batch], Logits]:
    def run(batch: Batch) -> Logits:
        with torch.inference_mode():
            logits: Logits = program(torch.from_numpy(batch)).numpy()
        return logits

    return run


_COMPILED_BATCHES = (1, 7)
MAKERS: dict[str, _Maker] = {
    "onnx-fp32": _make_onnx_fp32,
    artifacts.INT8: build_int8,
    "onnx-embedding": _make_onnx_embedding,
    "torchscript-traced": partial(_make_torchscript, freeze=False),
    "torchscript": partial(_make_torchscript, freeze=True),
    "torch-export": _make_torch_export,
}


def build(
    weights: str | WeightsFile = "auto",
    *,
    only: list[str] | None = None,
    force: bool = False,
    calibrate: Path | None = None,
    pictures: Calibration | None = None,
    notify: Notify = lambda _: None,
) -> list[Built]:
    """Rows for every format, each made from the weights unless a good one is there already.

    ``only`` names the formats wanted instead (an empty list: none). ``calibrate`` is a folder of photographs for
    INT8, ``pictures`` are its crops already made (the project's own if neither is given; a file calibrated on others is
    then kept). ``notify`` is told what is being made. Two builds at once do not clash: the second waits, then finds
    the files. Raises WeightsNotFoundError, BuildError, or ParameterError for an unknown format.
    """
    file = weights if isinstance(weights, WeightsFile) else find_weights(weights)
    kinds = [artifacts.kind_of(name) for name in (_possible(file, notify) if only is None else only)]
    steps = file.network.preprocessing
    pictures = calibration.from_folder(calibrate, preprocessing=steps) if calibrate else pictures
    folder = artifacts.folder_of(file)
    if not force and _all_good(kinds, folder, pictures):  # an installation that others only read takes no lock
        return [_built(kind, folder / kind.filename(file.network), 0.0) for kind in kinds]
    loaded = load_model(file)
    with _alone_in(folder):
        for abandoned in folder.glob(".*.tmp.*"):
            abandoned.unlink()  # left by a killed build: whoever holds the lock is alone here
        return [_ensure(kind, loaded, folder, force, pictures, notify) for kind in kinds]


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Made if need be, and locked; BuildError where the caller may only read."""
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except PermissionError as error:
        raise BuildError(
            f"Not all formats asked for are in {folder}, and you may not write there; ask its owner to run "
            "`resnet18-lab build`, or set RESNET18_LAB_HOME to a folder of your own."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _possible(file: WeightsFile, notify: Notify) -> list[str]:
    """Names of the formats this machine can make; ``notify`` is told which are left out."""
    names = artifacts.formats_of(file.network)
    if artifacts.INT8 not in names:
        notify(f"{artifacts.INT8} is left out: this CPU has no VNNI, and {file.network.title} needs 8 bits")
    if torch_export.find_compiler() is None:
        names.remove("torch-export")
        notify("torch-export is left out: it needs a C++ compiler (Debian: apt install g++)")
    return names


def _ensure(
    kind: ArtifactKind,
    loaded: LoadedModel,
    folder: Path,
    force: bool,
    pictures: Calibration | None,
    notify: Notify,
) -> Built:
    path = folder / kind.filename(loaded.weights.network)
    try:
        good = not force and _is_good(kind, folder, pictures)
    except LabError:  # a damaged manifest vouches for nothing: start it anew
        (folder / MANIFEST).unlink()
        good = False
    started = time.perf_counter()
    if not good:
        notify(f"building {path}")
        with replacing(path) as temporary:
            make = partial(build_int8, pictures=pictures) if kind.name == artifacts.INT8 else MAKERS[kind.name]
            details = make(loaded, temporary)
        artifacts.record(folder, loaded.weights, kind, details)
    return _built(kind, path, 0.0 if good else time.perf_counter() - started)


def _built(kind: ArtifactKind, path: Path, seconds: float) -> Built:
    entry = read_manifest(path.parent)["files"][path.name]
    return Built(kind, path, entry["bytes"], seconds, entry)


def _all_good(kinds: list[ArtifactKind], folder: Path, pictures: Calibration | None) -> bool:
    try:
        return all(_is_good(kind, folder, pictures) for kind in kinds)
    except LabError:
        return False


def _is_good(kind: ArtifactKind, folder: Path, pictures: Calibration | None) -> bool:
    """True for a file that the manifest vouches for; LabError for a damaged manifest."""
    return artifacts.problem(folder, kind) is None and _calibrated_on(pictures, folder, kind)


def _calibrated_on(pictures: Calibration | None, folder: Path, kind: ArtifactKind) -> bool:
    """False for an INT8 file made with other pictures than those asked for."""
    if pictures is None or kind.name != artifacts.INT8:
        return True
    there = artifacts.folder_at(folder)
    entry = there.manifest["files"][kind.filename(there.network)]
    return bool(entry["calibration"]["list_sha256"] == pictures.list_sha256)
