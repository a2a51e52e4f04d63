"""Models in a ZIP file: packed with all that a machine needs to answer, and unpacked without believing it anything."""

import json
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from filelock import FileLock

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.errors import ArtifactError, ParameterError, WeightsError
from resnet18_lab.base.files import replacing, write_text
from resnet18_lab.inference import artifacts, unknown
from resnet18_lab.inference.labels import labels_in
from resnet18_lab.inference.manifest import MANIFEST, read_manifest, write_manifest
from resnet18_lab.training.card_text import text_of
from resnet18_lab.training.material import runs_folder
from resnet18_lab.training.photos import refuse_names
from resnet18_lab.training.shelves import put, remove_artifacts, undone_on_failure
from resnet18_lab.weights.find import WeightsFile, weights_of
from resnet18_lab.weights.names import check_own_name
from resnet18_lab.weights.own import CARD, CARD_TEXT, FEATURES, HASHED, LABELS, SPLIT, OwnModel, read_model

_MODEL, _ARTIFACTS = "model", "artifacts"
_TEXTS = (CARD, CARD_TEXT, SPLIT)
LARGEST = 1_000_000_000
"""Bytes that an archive may hold unpacked: ten times a large model with its ONNX files."""
_MOST_FILES = 100
_RATIO = 50
"""Times its size that a file may unpack to; features and weights hardly shrink, texts shrink tenfold."""
_LEAST = 1_024
"""Bytes under which a packed file counts as that long: next to nothing may unpack to a page."""
_CHUNK = 1_000_000


def export(model: OwnModel, target: Path) -> int:
    """Write the model and its built ONNX files into ``target``; returns how many bytes it has.

    WeightsError for a model whose files are not what its card says.
    """
    model.verified(FEATURES, remember=False)
    folder = artifacts.folder_of(weights_of(model))
    manifest = read_manifest(folder)
    built = [name for name in manifest["files"] if name.endswith(".onnx") and (folder / name).is_file()]
    with replacing(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in (*HASHED, *_TEXTS):
            archive.write(model.folder / name, f"{_MODEL}/{name}")
        for name in built:
            archive.write(folder / name, f"{_ARTIFACTS}/{name}")
        kept = {**manifest, "files": {each: manifest["files"][each] for each in built}}
        archive.writestr(f"{_ARTIFACTS}/{MANIFEST}", json.dumps(kept, indent=1, sort_keys=True) + "\n")
    return target.stat().st_size


def import_model(source: Path, name: str | None = None, *, force: bool = False) -> OwnModel:
    """The model of an archive in ``models/`` of this home, under its own name or another.

    Nothing in it is executed. Refused, with WeightsError: names that lead elsewhere, links, files that nobody expects,
    more bytes than announced or allowed, hashes that are not the card's, and contents that are not what they are
    called. ParameterError for a name that is taken. A fault leaves what was there.
    """
    paths.models_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import.tmp.", dir=paths.models_dir()) as place:
        _unpack(source, Path(place))
        unpacked = Path(place) / _MODEL
        found = read_model("imported", unpacked)
        chosen = name or str(found.card.get("name", ""))
        check_own_name(chosen)
        target = paths.models_dir() / chosen
        if target.exists() and not force:
            raise ParameterError(f"There is a model {chosen} already; give another --name, or --force to replace it.")
        _check_contents(found)
        _check_artifacts(Path(place) / _ARTIFACTS)
        model = read_model(chosen, unpacked)
        file = weights_of(model)
        with undone_on_failure(artifacts.folder_of(file)):
            _put_artifacts(Path(place) / _ARTIFACTS, model, file)
            put(unpacked, target)
    remove_artifacts(chosen, but=artifacts.folder_of(file))
    return read_model(chosen, target)


def _check_contents(model: OwnModel) -> None:
    """Raise WeightsError unless its files are the card's, and hold what they are called; writes the card for people."""
    for file in HASHED:
        model.verified(file, remember=False)
    try:
        classes = labels_in(model.labels_path.read_bytes())
        refuse_names([label.en for label in classes])
    except (ValueError, ParameterError) as error:
        raise WeightsError(f"{LABELS} of the archive is refused: {error}") from error
    if [label.en for label in classes] != list(model.card["data"]["classes"]) or len(classes) != model.network.classes:
        raise WeightsError(f"{LABELS} of the archive names other classes than its card; it is refused.")
    try:
        unknown.load(model.folder / FEATURES, model.network.features)
    except ArtifactError as error:
        raise WeightsError(f"{FEATURES} of the archive is refused: {error}") from error
    write_text(model.folder / CARD_TEXT, text_of(model.card))


def _unpack(source: Path, place: Path) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
            _refuse_strange(source, entries)
            left = LARGEST
            for entry in entries:
                target = place / entry.filename
                target.parent.mkdir(exist_ok=True)
                with archive.open(entry) as packed, target.open("wb") as file:
                    while chunk := packed.read(_CHUNK):
                        left -= len(chunk)
                        if left < 0:
                            raise WeightsError(f"{source} unpacks to more than {LARGEST:,} bytes; it is refused.")
                        file.write(chunk)
    except (
        OSError,
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        zlib.error,
    ) as error:
        raise WeightsError(f"{source} is no archive of a model ({error}).") from error


def _refuse_strange(source: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Raise WeightsError unless every entry is a plain file of an expected name and size."""
    if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > LARGEST:
        raise WeightsError(f"{source} holds more than {_MOST_FILES} files or {LARGEST:,} bytes; it is refused.")
    seen = set()
    for entry in entries:
        if not _is_expected(entry) or entry.filename in seen:
            raise WeightsError(f"{source} holds {entry.filename[:60]!r}, which no model has; it is refused.")
        if entry.file_size > _RATIO * max(entry.compress_size, _LEAST):
            raise WeightsError(f"{source} holds {entry.filename}, packed {_RATIO} times and more; it is refused.")
        seen.add(entry.filename)


def _is_expected(entry: zipfile.ZipInfo) -> bool:
    """True for a plain file of a name that models have, packed in a way that unpacks as far as it is read."""
    path = PurePosixPath(entry.filename)
    if len(path.parts) != 2 or str(path) != entry.filename or "\\" in entry.filename or "\0" in entry.filename:
        return False
    folder, name = path.parts
    expected = {_MODEL: {*HASHED, *_TEXTS}, _ARTIFACTS: {MANIFEST, LABELS, FEATURES}}
    is_known = name in expected.get(folder, set()) or (folder == _ARTIFACTS and path.suffix == ".onnx")
    is_regular = entry.external_attr >> 28 in (0, 8)  # S_IFREG, or none given
    return is_known and is_regular and entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def _check_artifacts(source: Path) -> None:
    """Raise WeightsError for an ONNX file that is not what the manifest that came with it says."""
    for filename, entry in read_manifest(source)["files"].items():
        path = source / filename
        if path.parent != source or not path.is_file() or hashing.sha256(path, remember=False) != entry["sha256"]:
            raise WeightsError(f"The archive's {filename} is not the file that its manifest describes; it is refused.")


def _put_artifacts(source: Path, model: OwnModel, file: WeightsFile) -> None:
    """The ONNX files, which were checked, into this home's artifact folder."""
    manifest = read_manifest(source)
    if not manifest["files"]:
        return
    target = artifacts.folder_of(file)
    target.mkdir(parents=True, exist_ok=True)
    with FileLock(target / ".lock"):
        for filename in manifest["files"]:
            (source / filename).replace(target / filename)
        for name in (LABELS, FEATURES):
            shutil.copy2(model.folder / name, target / name)
        manifest["weights"] = {"name": model.name, "sha256": file.sha256}
        manifest["network"] = model.network.as_json()
        manifest["labels"] = {"file": LABELS, "sha256": model.card["files"][LABELS], "own": True}
        manifest["familiar"] = {"file": FEATURES, "sha256": model.card["files"][FEATURES]}
        write_manifest(target, manifest)


def remove(name: str) -> Path:
    """Delete the model of that name, whatever its card says, and the files made of it; returns its folder."""
    folder = paths.models_dir() / name
    shutil.rmtree(folder)
    remove_artifacts(name)
    shutil.rmtree(runs_folder(name), ignore_errors=True)
    return folder
