"""The files of a model with classes of one's own: weights, class names, split, and ONNX files made of its parent's."""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from filelock import FileLock
from safetensors.numpy import save_file

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import BuildError
from resnet18_lab.base.files import replacing
from resnet18_lab.base.networks import Network
from resnet18_lab.base.text import as_cell
from resnet18_lab.export import onnx_graph
from resnet18_lab.export.last_layer import with_last_layer
from resnet18_lab.export.stamp import stamp
from resnet18_lab.inference import artifacts
from resnet18_lab.preprocessing.reference import reference_batch
from resnet18_lab.training.head import Head
from resnet18_lab.training.split import Example, Split
from resnet18_lab.weights.find import WeightsFile
from resnet18_lab.weights.own import LABELS, TOLD, WEIGHTS, identity

SPLIT = "split.csv"
_OF_PARENT = ("calibration", "reduce_range", "method")
"""What a manifest's entry has from the parent's, whose body the file has."""
_TOLERANCE = 1e-4
"""Largest allowed max |Δlogit| as a share of max |logit| between the file and the layer's own arithmetic."""


def write_weights(folder: Path, learned: Head, parent: WeightsFile) -> None:
    """The last layer alone; the body is the parent's, which the file names by its SHA-256."""
    told = {"depth": "head", "parent": parent.text, "parent_sha256": parent.sha256}
    layer = {"head.weight": np.ascontiguousarray(learned.weight), "head.bias": np.ascontiguousarray(learned.bias)}
    # one entry: several are written in an order that changes from run to run, and rows of another layout as they lie
    save_file(layer, folder / WEIGHTS, metadata={TOLD: json.dumps(told, sort_keys=True)})


def write_labels(folder: Path, classes: Sequence[str]) -> None:
    """The class names by index, which is written down here once and derived nowhere again."""
    with (folder / LABELS).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("index", "key", "en", "zh"))
        writer.writerows((index, name, name, name) for index, name in enumerate(classes))


def write_split(folder: Path, examples: Sequence[Example], parts: Split, classes: Sequence[str]) -> None:
    """Each picture's part, by name and hash."""
    part_of = dict.fromkeys(parts.learned, "learned") | dict.fromkeys(parts.judged, "judged") | parts.left_out
    with (folder / SPLIT).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "sha256", "class", "part", "group"))
        for position, example in enumerate(examples):
            name, group = as_cell(example.name), int(parts.groups[position])
            writer.writerow((name, example.sha256, as_cell(classes[example.label]), part_of[position], group))


def file_of(folder: Path, name: str, network: Network) -> WeightsFile:
    """The model's weights as ``find_weights`` will give them."""
    digest, names = (hashing.sha256(folder / file, remember=False) for file in (WEIGHTS, LABELS))
    return WeightsFile(name, folder / WEIGHTS, identity(digest, names), "models folder", network, folder / LABELS)


def build_onnx(file: WeightsFile, parent: WeightsFile, learned: Head) -> Path:
    """The artifact folder with the parent's ONNX files, their last layer exchanged; without torch.

    BuildError where the float file's logits are not those of the layer on the features that it gives itself.
    """
    source, target = artifacts.folder_at(artifacts.folder_of(parent)), artifacts.folder_of(file)
    target.mkdir(parents=True, exist_ok=True)
    with FileLock(target / ".lock"):
        for name in ("onnx-fp32", "onnx-int8-static", "onnx-embedding"):
            kind = artifacts.kind_of(name)
            parents = source.artifact(kind)
            proto = onnx.load(parents.path)
            if kind.gives == "logits":
                proto = with_last_layer(proto, learned.weight, learned.bias)
            stamp(proto, file)
            with replacing(target / kind.filename(file.network)) as temporary:
                temporary.write_bytes(proto.SerializeToString(deterministic=True))
            path = target / kind.filename(file.network)
            details = {key: parents.entry[key] for key in _OF_PARENT if key in parents.entry}
            is_int8 = "int8" in name
            details["operators"] = (
                onnx_graph.optimised_operators(path) if is_int8 else onnx_graph.operator_counts(proto)
            )
            artifacts.record(target, file, kind, {**details, "parent": parents.sha256})
    _check(target, file, learned)
    return target


def _check(folder: Path, file: WeightsFile, learned: Head) -> None:
    path = folder / artifacts.kind_of("onnx-fp32").filename(file.network)
    batch = np.ascontiguousarray(reference_batch(file.network.preprocessing)[0][:7])
    logits, features = onnx_graph.both(path, batch)
    expected = learned.logits(features)
    if np.abs(logits - expected).max() > _TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise BuildError("The file's logits are not those of its last layer; build the parent's ONNX files anew.")


def list_sha256(digests: Sequence[str]) -> str:
    """One hash for a set of pictures, whatever their order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
