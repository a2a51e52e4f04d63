"""Let the 1,000 classes tell what is none of them: features of photographs beside the ONNX files of some weights."""

import copy
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from filelock import FileLock

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.files import replacing
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.bulk.inputs import walk
from resnet18_lab.export.last_layer import add_features
from resnet18_lab.inference import artifacts, unknown
from resnet18_lab.inference.artifacts import ArtifactFolder
from resnet18_lab.inference.classify import outputs_of
from resnet18_lab.inference.manifest import write_manifest
from resnet18_lab.inference.registry import open_embedding
from resnet18_lab.training.material import Progress
from resnet18_lab.training.split import Example, groups_of
from resnet18_lab.weights.find import find_weights
from resnet18_lab.weights.own import FEATURES

_FEWEST = 20
"""Pictures: fewer give no threshold that keeps 95 % of others like them."""
_BATCH = 8
_FORMATS = ("onnx-fp32", artifacts.INT8)


@dataclass(frozen=True)
class Index:
    """What was made: the folder, how many pictures are known, which could not be read, and the threshold."""

    folder: Path
    pictures: int
    broken: list[str]
    threshold: float


def index(photos: Path, weights: str = "auto", *, progress: Progress = lambda _done, _of: None) -> Index:
    """Keep the features of a folder's pictures beside the weights' ONNX files, which give features from then on.

    Without torch. ParameterError for too few pictures or for a model of one's own, which has its features already;
    ArtifactError where the ONNX files are not built.
    """
    file = find_weights(weights)
    if file.labels_path is not None:
        raise ParameterError(f"{file.name} has the features of its training pictures already; `finetune` makes them.")
    folder = artifacts.open_folder(weights)
    kinds = [artifacts.kind_of(name) for name in _FORMATS]
    built = [folder.artifact(kind) for kind in kinds if folder.problem(kind) is None] or [folder.artifact(kinds[0])]
    files = [entry.file for entry in walk([photos]) if entry.error is None]
    rows, examples, broken = [], [], []
    with open_embedding(weights=weights, threads=usable_cores()) as engine:
        for done, one in enumerate(outputs_of(files, engine, batch_size=_BATCH), start=1):
            progress(done, len(files))
            if one.row is None:
                broken.append(one.file)
                continue
            rows.append(one.row)
            examples.append(Example(one.file, hashing.sha256(Path(one.file), remember=False), 0))
    if len(rows) < _FEWEST:
        raise ParameterError(f"{photos} holds {len(rows)} pictures that can be read; give at least {_FEWEST}.")
    features = np.stack(rows)
    threshold = unknown.threshold_for(features, groups_of(examples, features))
    familiar = unknown.Familiar(unknown.unit(features), threshold)
    with FileLock(folder.path / ".lock"):
        _write(folder, [artifact.path for artifact in built], familiar)
    return Index(folder.path, len(rows), broken, threshold)


def _write(folder: ArtifactFolder, paths: list[Path], familiar: unknown.Familiar) -> None:
    """The features, the files that give them, and the manifest last: ended between, `build` makes the files anew.

    Each file names the features that belong to it, so that answers by other ones are answers of another file.
    """
    manifest = copy.deepcopy(folder.manifest)
    if manifest.pop("familiar", None):
        write_manifest(folder.path, manifest)
    with replacing(folder.path / FEATURES) as target:
        unknown.save(target, familiar)
    digest = hashing.sha256(folder.path / FEATURES, remember=False)
    for path in paths:
        proto = onnx.load(path)
        add_features(proto, folder.network.features)
        told = {entry.key: entry.value for entry in proto.metadata_props}
        onnx.helper.set_model_props(proto, {**told, "familiar_sha256": digest})
        content = proto.SerializeToString(deterministic=True)
        with replacing(path) as target:
            target.write_bytes(content)
        entry = manifest["files"][path.name]
        entry["sha256"], entry["bytes"] = hashlib.sha256(content).hexdigest(), len(content)
    manifest["familiar"] = {"file": FEATURES, "sha256": digest}
    write_manifest(folder.path, manifest)
