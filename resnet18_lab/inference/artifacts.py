"""The artifact folder: what ``build`` made from which weights, and whether it is still valid.

``artifacts/<weights>-<first 8 of their SHA-256>/`` holds the files and a ``manifest.json``. An entry
whose recipe or tool versions differ from today's is stale: it is rebuilt, never used.
"""

import hashlib
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.errors import ArtifactError, ParameterError, WeightsNotFoundError, unknown_name
from resnet18_lab.base.machine import cpu_model, needs_reduced_range
from resnet18_lab.base.networks import RESNET18, Network
from resnet18_lab.inference import labels
from resnet18_lab.inference.manifest import LABELS, MANIFEST, add_entry, installed_versions, network_in, read_manifest
from resnet18_lab.weights.catalogue import entries_of
from resnet18_lab.weights.find import VARIABLE, WeightsFile, find_weights
from resnet18_lab.weights.names import AUTO, split_name
from resnet18_lab.weights.own import FEATURES


@dataclass(frozen=True)
class ArtifactKind:
    """A format ``build`` can make: its file, the recipe that makes it, and the packages that shape it.

    A ``native`` file holds machine code for one CPU type and is stale on another. What it ``gives`` for one picture
    are logits or features.
    """

    name: str
    suffix: str
    recipe: dict[str, Any]
    made_with: tuple[str, ...]
    native: bool = False
    gives: str = "logits"

    def filename(self, network: Network = RESNET18) -> str:
        """Name of the file in the artifact folder of a network."""
        return f"{network.name}-{self.suffix}"

    def width(self, network: Network = RESNET18) -> int:
        """Length of its output for one picture."""
        return network.classes if self.gives == "logits" else network.features


INT8 = "onnx-int8-static"
KINDS = {
    "onnx-fp32": ArtifactKind(
        name="onnx-fp32",
        suffix="fp32.onnx",
        recipe={"exporter": "dynamo", "opset": 20, "batch": "dynamic", "format": 2},
        made_with=("torch", "onnx", "onnxscript"),
    ),
    INT8: ArtifactKind(
        name=INT8,
        suffix="int8-static.onnx",
        recipe={"activations": "uint8, per tensor", "weights": "int8, per channel", "logits": "float32", "format": 2},
        made_with=("torch", "onnx", "onnxscript"),
    ),
    "onnx-embedding": ArtifactKind(
        name="onnx-embedding",
        suffix="embedding.onnx",
        recipe={"exporter": "dynamo", "opset": 20, "batch": "dynamic", "output": "before the last layer", "format": 2},
        made_with=("torch", "onnx", "onnxscript"),
        gives="features",
    ),
    "torchscript-traced": ArtifactKind(
        name="torchscript-traced",
        suffix="traced.pt",
        recipe={"method": "trace", "format": 1},
        made_with=("torch",),
    ),
    "torchscript": ArtifactKind(
        name="torchscript",
        suffix="torchscript.pt",
        recipe={"method": "trace and freeze", "format": 1},
        made_with=("torch",),
    ),
    "torch-export": ArtifactKind(
        name="torch-export",
        suffix="torch-export.pt2",
        recipe={"method": "torch.export, AOTInductor with freezing", "batch": "dynamic", "format": 1},
        made_with=("torch",),
        native=True,
    ),
}


@dataclass(frozen=True)
class Artifact:
    """A verified file of the artifact folder with its manifest entry."""

    path: Path
    sha256: str
    weights_name: str
    weights_sha256: str
    entry: dict[str, Any]
    network: Network = RESNET18
    labels_path: Path | None = None
    """The class names it was made with; None for those of this package."""
    familiar_path: Path | None = None
    """The features of its training pictures; None where they are not known."""


def kind_of(name: str) -> ArtifactKind:
    """The kind of a format's name; ParameterError names the nearest one."""
    if name in KINDS:
        return KINDS[name]
    raise ParameterError(unknown_name("format", name, KINDS))


def folder_of(file: WeightsFile) -> Path:
    """Folder of the artifacts made from these weights (it may not exist yet)."""
    return paths.artifacts_dir() / f"{file.name}-{file.sha256[:8]}"


def formats_of(network: Network) -> list[str]:
    """Names of the formats that the network can be built in on this CPU.

    INT8 by ONNX Runtime's own quantizer is none where weights must have 7 bits (x86 without VNNI): the Lites then keep
    half of their answers (a mean cosine of logits of 0.94, measured), and whole 8-bit products overflow there.
    """
    fits = network.int8 == "ours" or not needs_reduced_range()
    return [name for name in KINDS if fits or name != INT8]


def find_folder(weights_name: str = "auto") -> Path:
    """Folder of the artifacts for a weights name; found by the folder's name when the weights file is gone.

    Raises WeightsNotFoundError when there are neither weights nor artifacts made from them.
    """
    try:
        return folder_of(find_weights(weights_name))
    except WeightsNotFoundError:
        if weights_name == "auto" and os.environ.get(VARIABLE):
            raise  # the weights that the user chose are missing: do not replace them by others
        network, name = split_name(weights_name)
        names = [entry.name for entry in entries_of(network.name)] if name == AUTO else [name]
        for name in names:
            folders = [folder for folder in folders_named(name) if (folder / MANIFEST).is_file()]
            if len(folders) == 1:
                return folders[0]
        raise


def folders_named(weights_name: str) -> list[Path]:
    """The folders of artifacts made from weights of that name, whichever they were."""
    is_plain = re.fullmatch("[a-z0-9-]+", weights_name)
    return sorted(paths.artifacts_dir().glob(f"{weights_name}-{'[0-9a-f]' * 8}")) if is_plain else []


def record(folder: Path, file: WeightsFile, kind: ArtifactKind, details: dict[str, Any]) -> None:
    """Write the manifest entry of a file just built (the caller holds the folder's lock)."""
    path = folder / kind.filename(file.network)
    entry = {
        "sha256": hashing.sha256(path, remember=False),
        "bytes": path.stat().st_size,
        "recipe": kind.recipe,
        "versions": installed_versions(kind.made_with),
        **({"cpu": cpu_model()} if kind.native else {}),
        **details,
    }
    add_entry(folder, file, path.name, entry)


def _staleness(entry: dict[str, Any], kind: ArtifactKind) -> str | None:
    """How the file differs from one that would be built here now; None when it does not."""
    if entry.get("recipe") != kind.recipe:
        return "made by another recipe"
    if kind.native and entry.get("cpu") != cpu_model():
        return f"made for another CPU, {entry.get('cpu')}"
    recorded_versions, current_versions = entry["versions"], installed_versions(kind.made_with)
    changes = [
        f"{name} {recorded_versions[name]} -> {current_versions[name]}"
        for name in recorded_versions
        if name in current_versions and recorded_versions[name] != current_versions[name]
    ]
    return ", ".join(changes) or None


@dataclass(frozen=True)
class ArtifactFolder:
    """An artifact folder and its manifest, read once for choosing and opening an engine."""

    path: Path
    weights_name: str
    """The weights name that the caller used; error messages repeat it in the commands they suggest."""
    manifest: dict[str, Any]

    @property
    def network(self) -> Network:
        """The network that its files hold, or would hold."""
        return network_in(self.manifest) if self.manifest["files"] else split_name(self.weights_name)[0]

    @property
    def labels_path(self) -> Path | None:
        """Its own file of class names; None in a folder from before there was one."""
        return self.path / LABELS if self.manifest.get("labels") else None

    def problem(self, kind: ArtifactKind) -> str | None:
        """Why the artifact cannot be used (missing, stale, damaged), or None when it can."""
        filename, source = kind.filename(self.network), self.manifest["weights"]
        path, entry = self.path / filename, self.manifest["files"].get(filename)
        if not path.is_file() or entry is None:
            return "is not built"
        if not self.path.name.endswith(f"-{source['sha256'][:8]}"):
            return f"is of other weights ({source['name']}), says its manifest"
        if reason := _staleness(entry, kind):
            return f"is stale ({reason})"
        if reason := self._labels_problem() or self._familiar_problem():
            return reason
        if path.stat().st_size != entry.get("bytes") or hashing.sha256(path) != entry.get("sha256"):
            return "is damaged (its SHA-256 is not the manifest's)"
        return None

    def _labels_problem(self) -> str | None:
        """Why the class names beside the files are not those that they were made with."""
        if self.labels_path is None:
            return None
        try:
            digest = hashlib.sha256(self.labels_path.read_bytes()).hexdigest()
        except OSError:
            return f"has no {LABELS} beside it that can be read"
        if digest != self.manifest["labels"].get("sha256"):
            return f"has another {LABELS} beside it than the one it was made with"
        if not self.manifest["labels"].get("own") and digest != labels.packaged_sha256():
            return "is stale (made with other class names)"
        return None

    def _familiar_problem(self) -> str | None:
        """Why the training features beside the files are not those that the manifest names."""
        if self.familiar_path is None:
            return None
        try:
            digest = hashing.sha256(self.familiar_path)
        except OSError:
            return f"has no {FEATURES} beside it that can be read"
        same = digest == self.manifest["familiar"].get("sha256")
        return None if same else f"has another {FEATURES} beside it than the one it was made with"

    @property
    def familiar_path(self) -> Path | None:
        """Its file of training features; None where there is none."""
        return self.path / FEATURES if self.manifest.get("familiar") else None

    def artifact(self, kind: ArtifactKind, *, verified: bool = False) -> Artifact:
        """The artifact of that kind; ArtifactError names the command that makes it.

        With ``verified`` the caller has just checked that ``problem`` is None, and it is not checked again.
        """
        path = self.path / kind.filename(self.network)
        if not verified and (reason := self.problem(kind)):
            option = "" if self.weights_name == "auto" else f" --weights {shlex.quote(self.weights_name)}"
            raise ArtifactError(
                f"{path} {reason}; run `resnet18-lab build{option}` (or `classify --build`) to make it."
            )
        entry, source = self.manifest["files"][path.name], self.manifest["weights"]
        return Artifact(
            path, entry["sha256"], source["name"], source["sha256"], entry, self.network, self.labels_path,
            self.familiar_path,
        )  # fmt: skip


def folder_at(path: Path) -> ArtifactFolder:
    """The artifact folder at a path; ArtifactError where its manifest is damaged."""
    return ArtifactFolder(path, "auto", read_manifest(path))


def open_folder(weights_name: str = "auto") -> ArtifactFolder:
    """The artifact folder of a weights name with its manifest; raises what the two functions it calls raise."""
    path = find_folder(weights_name)
    return ArtifactFolder(path, weights_name, read_manifest(path))


def problem(folder: Path, kind: ArtifactKind) -> str | None:
    """Why the artifact of a folder cannot be used (missing, stale, damaged), or None when it can."""
    return folder_at(folder).problem(kind)


def load(name: str, weights_name: str = "auto") -> Artifact:
    """The verified artifact of a format's name; ArtifactError names the command that makes it."""
    return open_folder(weights_name).artifact(kind_of(name))
