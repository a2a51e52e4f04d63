"""The files of a model with classes of one's own: weights, class names, split, and ONNX files made of its parent's."""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from filelock import FileLock
from safetensors.numpy import save_file

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import BuildError
from resnet18_lab.base.files import replacing
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.base.networks import Network
from resnet18_lab.base.text import as_cell
from resnet18_lab.export import onnx_graph
from resnet18_lab.export.last_layer import with_last_layer
from resnet18_lab.export.parity import FP32_TOLERANCE, Parity
from resnet18_lab.export.stamp import stamp
from resnet18_lab.inference import artifacts, registry
from resnet18_lab.inference.engine import Engine, Logits
from resnet18_lab.preprocessing.reference import BATCHES, reference_batch
from resnet18_lab.training.depths import Learned
from resnet18_lab.training.head import Head
from resnet18_lab.training.split import Split
from resnet18_lab.weights.catalogue import catalogue
from resnet18_lab.weights.find import WeightsFile
from resnet18_lab.weights.own import LABELS, SPLIT, TOLD, WEIGHTS, identity

_FORMATS = ("onnx-fp32", artifacts.INT8, "onnx-embedding")


def formats_of(network: Network) -> list[str]:
    """The ONNX files of a model, the float one first; INT8 where the network has it on this CPU."""
    possible = artifacts.formats_of(network)
    return [name for name in _FORMATS if name in possible]


_OF_PARENT = ("calibration", "reduce_range", "method", "parity")
"""What a manifest's entry has from the parent's, whose body the file has."""


def write_weights(folder: Path, learned: Learned, parent: WeightsFile) -> None:
    """The last layer alone, whose body is that of the parent, named by its SHA-256; or the whole network."""
    told = {"depth": learned.depth, "parent": _text_of(parent), "parent_sha256": parent.sha256}
    layer = {
        "head.weight": np.ascontiguousarray(learned.head.weight),
        "head.bias": np.ascontiguousarray(learned.head.bias),
    }
    # one entry: several are written in an order that changes from run to run, and rows of another layout as they lie
    save_file(
        learned.deep.state if learned.deep else layer, folder / WEIGHTS,
        metadata={TOLD: json.dumps(told, sort_keys=True)},
    )  # fmt: skip


def _text_of(parent: WeightsFile) -> str:
    """What names the parent on any machine; the path of a file that no catalogue knows, which is of this machine."""
    known = {entry.name for entry in catalogue()}
    return parent.name if parent.name in known else parent.text


def write_labels(folder: Path, classes: Sequence[str]) -> None:
    """The class names by index, which is written down here once and derived nowhere again."""
    with (folder / LABELS).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("index", "key", "en", "zh"))
        writer.writerows((index, name, name, name) for index, name in enumerate(classes))


def write_split(folder: Path, learned: Learned, parts: Split, classes: Sequence[str]) -> None:
    """Each picture's part, by name and hash."""
    part_of = dict.fromkeys(parts.learned, "learned") | dict.fromkeys(learned.chosen_by, "chosen by")
    part_of |= dict.fromkeys(parts.judged, "judged") | parts.left_out
    with (folder / SPLIT).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "sha256", "class", "part", "group"))
        for position, example in enumerate(learned.material.examples):
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
    batch = np.ascontiguousarray(reference_batch(file.network.preprocessing)[0][: max(BATCHES)])
    expected: Logits | None = None
    with FileLock(target / ".lock"):
        for name in formats_of(file.network):
            kind = artifacts.kind_of(name)
            parents = source.artifact(kind)
            path = target / kind.filename(file.network)
            _exchange(parents.path, path, file, learned if kind.gives == "logits" else None)
            details = {key: parents.entry[key] for key in _OF_PARENT if key in parents.entry}
            details["operators"] = onnx_graph.optimised_operators(path)
            if kind.gives == "logits":
                logits, features = onnx_graph.both(path, batch)
                expected = learned.logits(features) if expected is None else expected
                details["parity"] = _parity(name, logits, expected)
            artifacts.record(target, file, kind, {**details, "parent": parents.sha256})
    return target


def _exchange(source: Path, target: Path, file: WeightsFile, learned: Head | None) -> None:
    """The parent's file with the model's last layer, or as it is but for what it says of itself."""
    proto = onnx.load(source)
    if learned is not None:
        proto = with_last_layer(proto, learned.weight, learned.bias)
    stamp(proto, file)
    with replacing(target) as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))


def _parity(name: str, logits: Logits, expected: Logits) -> dict[str, Any]:
    """For the manifest: how far the logits are from the layer on the float file's features."""
    difference, largest = (float(np.abs(values).max()) for values in (logits - expected, expected))
    parity = Parity(difference, largest, (len(logits),), "data/samples")
    if name == _FORMATS[0] and parity.relative > FP32_TOLERANCE:
        raise BuildError("The file's logits are not those of its last layer; build the parent's ONNX files anew.")
    return parity.as_json()


def int8_of(file: WeightsFile) -> Engine:
    """The engine on the INT8 file just built; its distances are to the training features beside it."""
    folder = artifacts.folder_at(artifacts.folder_of(file))
    spec = registry.spec_of("onnxruntime-int8")
    artifact = folder.artifact(artifacts.kind_of(artifacts.INT8))
    return registry.opened(registry.Choice(spec, artifact, None, usable_cores()))


def list_sha256(digests: Sequence[str]) -> str:
    """One hash for a set of pictures, whatever their order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
