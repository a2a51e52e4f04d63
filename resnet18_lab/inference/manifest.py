"""The manifest of an artifact folder: what its files hold, how they were made, and from which weights."""

import hashlib
import json
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from resnet18_lab.base.errors import ArtifactError
from resnet18_lab.base.files import replacing, write_text
from resnet18_lab.base.networks import RESNET18, Network
from resnet18_lab.inference import labels
from resnet18_lab.weights.find import WeightsFile
from resnet18_lab.weights.own import FEATURES

MANIFEST = "manifest.json"
LABELS = "labels.csv"


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
    """The manifest of an artifact folder: ``{"weights": {...}, "network": {...}, "labels": {...}, "files": {...}}``.

    ``files`` has an entry by file name. ArtifactError for one that is damaged.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if _is_valid_manifest(content["weights"], content["files"]):
            network_in(content)
            return dict(content)
    except FileNotFoundError:
        return {"weights": {}, "files": {}}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise ArtifactError(f"{path} is damaged; delete that folder and run `resnet18-lab build`.")


def network_in(manifest: dict[str, Any]) -> Network:
    """The network that a manifest describes: ResNet-18 where it was written before there were others."""
    return Network.from_json(manifest["network"]) if manifest.get("network") else RESNET18


def _is_valid_manifest(source: object, files: object) -> bool:
    """True when the parts of a manifest have the form that ``record`` writes."""
    if not isinstance(source, dict) or not isinstance(files, dict):
        return False
    is_named = all(isinstance(source.get(field), str) for field in ("name", "sha256")) or not files
    return is_named and all(
        isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and isinstance(entry.get("versions"), dict)
        for entry in files.values()
    )


def add_entry(folder: Path, file: WeightsFile, filename: str, entry: dict[str, Any]) -> None:
    """Write the entry of a file just built, and the class names beside it (the caller holds the folder's lock)."""
    manifest = read_manifest(folder)
    if manifest["weights"].get("sha256") != file.sha256:
        manifest["files"] = {}  # its entries belong to files made from other weights
    manifest["weights"] = {"name": file.name, "sha256": file.sha256}
    manifest["network"] = file.network.as_json()
    manifest["labels"] = {
        "file": LABELS,
        "sha256": _write_labels(folder, labels.content_of(file)),
        "own": file.labels_path is not None,
    }
    if file.labels_path is not None:
        manifest["familiar"] = _copied_features(folder, file.labels_path.parent / FEATURES)
    elif not _has_features(folder, manifest.get("familiar")):
        manifest.pop("familiar", None)  # of an index that was not finished, or is gone
    manifest["files"][filename] = entry
    write_manifest(folder, manifest)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Replace the folder's manifest, whole or not at all (the caller holds the folder's lock)."""
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _copied_features(folder: Path, source: Path) -> dict[str, str]:
    """Name and SHA-256 of the folder's own copy of the training features, by which a picture of none is told."""
    content = source.read_bytes()
    if not (folder / FEATURES).is_file() or (folder / FEATURES).read_bytes() != content:
        with replacing(folder / FEATURES) as target:
            target.write_bytes(content)
    return {"file": FEATURES, "sha256": hashlib.sha256(content).hexdigest()}


def _has_features(folder: Path, told: dict[str, str] | None) -> bool:
    """True where the features beside the files are those that the manifest names."""
    path = folder / FEATURES
    if told is None or not path.is_file():
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == told.get("sha256")


def _write_labels(folder: Path, content: bytes) -> str:
    """SHA-256 of the folder's own copy of the class names: a machine with the folder alone can name its answers."""
    if not (folder / LABELS).is_file() or (folder / LABELS).read_bytes() != content:
        with replacing(folder / LABELS) as target:
            target.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
