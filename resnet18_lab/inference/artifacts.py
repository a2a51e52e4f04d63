"""The artifact folder: what ``build`` made from which weights, and whether it is still valid.

``artifacts/<weights>-<first 8 of their SHA-256>/`` holds the files and a ``manifest.json``. An entry
whose recipe or tool versions differ from today's is stale: it is rebuilt, never used.
"""

import json
import os
import re
import shlex
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.errors import ArtifactError, ParameterError, WeightsNotFoundError, unknown_name
from resnet18_lab.base.files import write_text
from resnet18_lab.base.machine import cpu_model
from resnet18_lab.base.resnet18 import CLASSES, FEATURES
from resnet18_lab.weights.catalogue import catalogue
from resnet18_lab.weights.find import VARIABLE, WeightsFile, find_weights

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ArtifactKind:
    """A format ``build`` can make: its file, the recipe that makes it, and the packages that shape it.

    A ``native`` file holds machine code for one CPU type and is stale on another.
    """

    name: str
    filename: str
    recipe: dict[str, Any]
    made_with: tuple[str, ...]
    native: bool = False
    width: int = CLASSES
    """Length of its output for one picture."""


KINDS = {
    "onnx-fp32": ArtifactKind(
        name="onnx-fp32",
        filename="resnet18-fp32.onnx",
        recipe={"exporter": "dynamo", "opset": 20, "batch": "dynamic", "format": 1},
        made_with=("torch", "onnx", "onnxscript"),
    ),
    "onnx-int8-static": ArtifactKind(
        name="onnx-int8-static",
        filename="resnet18-int8-static.onnx",
        recipe={"activations": "uint8, per tensor", "weights": "int8, per channel", "logits": "float32", "format": 1},
        made_with=("torch", "onnx", "onnxscript"),
    ),
    "onnx-embedding": ArtifactKind(
        name="onnx-embedding",
        filename="resnet18-embedding.onnx",
        recipe={"exporter": "dynamo", "opset": 20, "batch": "dynamic", "output": "512 before fc", "format": 1},
        made_with=("torch", "onnx", "onnxscript"),
        width=FEATURES,
    ),
    "torchscript-traced": ArtifactKind(
        name="torchscript-traced",
        filename="resnet18-traced.pt",
        recipe={"method": "trace", "format": 1},
        made_with=("torch",),
    ),
    "torchscript": ArtifactKind(
        name="torchscript",
        filename="resnet18-torchscript.pt",
        recipe={"method": "trace and freeze", "format": 1},
        made_with=("torch",),
    ),
    "torch-export": ArtifactKind(
        name="torch-export",
        filename="resnet18-torch-export.pt2",
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


def kind_of(name: str) -> ArtifactKind:
    """The kind of a format's name; ParameterError names the nearest one."""
    if name in KINDS:
        return KINDS[name]
    raise ParameterError(unknown_name("format", name, KINDS))


def folder_of(file: WeightsFile) -> Path:
    """Folder of the artifacts made from these weights (it may not exist yet)."""
    return paths.artifacts_dir() / f"{file.name}-{file.sha256[:8]}"


def find_folder(weights_name: str = "auto") -> Path:
    """Folder of the artifacts for a weights name; found by the folder's name when the weights file is gone.

    Raises WeightsNotFoundError when there are neither weights nor artifacts made from them.
    """
    try:
        return folder_of(find_weights(weights_name))
    except WeightsNotFoundError:
        if weights_name == "auto" and os.environ.get(VARIABLE):
            raise  # the weights that the user chose are missing: do not replace them by others
        names = [entry.name for entry in catalogue()] if weights_name == "auto" else [weights_name]
        for name in names:
            is_plain = re.fullmatch("[a-z0-9-]+", name)
            manifests = sorted(paths.artifacts_dir().glob(f"{name}-{'[0-9a-f]' * 8}/{MANIFEST}")) if is_plain else []
            if len(manifests) == 1:
                return manifests[0].parent
        raise


@lru_cache(maxsize=32)
def installed_versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Version of each package that is installed here; a missing one is left out."""
    versions = {package: _version(package) for package in packages}
    return {package: version for package, version in versions.items() if version is not None}


def _version(package: str) -> str | None:
    """Read from the metadata folder's name: importing importlib.metadata takes a tenth of `classify`'s start."""
    for folder in map(Path, sys.path):
        for path in folder.glob(f"{package}-*.dist-info"):
            return path.name.removeprefix(f"{package}-").removesuffix(".dist-info")
    return None  # a machine that only runs artifacts does not need the packages that build them


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an artifact folder: ``{"weights": {...}, "files": {filename: entry}}``."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if _is_valid_manifest(content["weights"], content["files"]):
            return dict(content)
    except FileNotFoundError:
        return {"weights": {}, "files": {}}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise ArtifactError(f"{path} is damaged; delete that folder and run `resnet18-lab build`.")


def _is_valid_manifest(source: object, files: object) -> bool:
    """True when the parts of a manifest have the form that ``record`` writes."""
    if not isinstance(source, dict) or not isinstance(files, dict):
        return False
    is_named = all(isinstance(source.get(field), str) for field in ("name", "sha256")) or not files
    return is_named and all(
        isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and isinstance(entry.get("versions"), dict)
        for entry in files.values()
    )


def record(folder: Path, file: WeightsFile, kind: ArtifactKind, details: dict[str, Any]) -> None:
    """Write the manifest entry of a file just built (the caller holds the folder's lock)."""
    manifest = read_manifest(folder)
    if manifest["weights"].get("sha256") != file.sha256:
        manifest["files"] = {}  # its entries belong to files made from other weights
    manifest["weights"] = {"name": file.name, "sha256": file.sha256}
    path = folder / kind.filename
    manifest["files"][kind.filename] = {
        "sha256": hashing.sha256(path, remember=False),
        "bytes": path.stat().st_size,
        "recipe": kind.recipe,
        "versions": installed_versions(kind.made_with),
        **({"cpu": cpu_model()} if kind.native else {}),
        **details,
    }
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")


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

    def problem(self, kind: ArtifactKind) -> str | None:
        """Why the artifact cannot be used (missing, stale, damaged), or None when it can."""
        path, source = self.path / kind.filename, self.manifest["weights"]
        entry = self.manifest["files"].get(kind.filename)
        if not path.is_file() or entry is None:
            return "is not built"
        if not self.path.name.endswith(f"-{source['sha256'][:8]}"):
            return f"is of other weights ({source['name']}), says its manifest"
        if reason := _staleness(entry, kind):
            return f"is stale ({reason})"
        if path.stat().st_size != entry.get("bytes") or hashing.sha256(path) != entry.get("sha256"):
            return "is damaged (its SHA-256 is not the manifest's)"
        return None

    def artifact(self, kind: ArtifactKind, *, verified: bool = False) -> Artifact:
        """The artifact of that kind; ArtifactError names the command that makes it.

        With ``verified`` the caller has just checked that ``problem`` is None, and it is not checked again.
        """
        path = self.path / kind.filename
        if not verified and (reason := self.problem(kind)):
            option = "" if self.weights_name == "auto" else f" --weights {shlex.quote(self.weights_name)}"
            raise ArtifactError(
                f"{path} {reason}; run `resnet18-lab build{option}` (or `classify --build`) to make it."
            )
        entry, source = self.manifest["files"][kind.filename], self.manifest["weights"]
        return Artifact(path, entry["sha256"], source["name"], source["sha256"], entry)


def open_folder(weights_name: str = "auto") -> ArtifactFolder:
    """The artifact folder of a weights name with its manifest; raises what the two functions it calls raise."""
    path = find_folder(weights_name)
    return ArtifactFolder(path, weights_name, read_manifest(path))


def problem(folder: Path, kind: ArtifactKind) -> str | None:
    """Why the artifact of a folder cannot be used (missing, stale, damaged), or None when it can."""
    return ArtifactFolder(folder, "auto", read_manifest(folder)).problem(kind)


def load(name: str, weights_name: str = "auto") -> Artifact:
    """The verified artifact of a format's name; ArtifactError names the command that makes it."""
    return open_folder(weights_name).artifact(kind_of(name))
