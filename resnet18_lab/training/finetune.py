"""A network with classes of one's own from a folder of pictures: a new last layer, or more of it learned anew."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.errors import ArtifactError, ParameterError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.base.notify import Notify
from resnet18_lab.bulk.journal import locked
from resnet18_lab.inference import artifacts, unknown
from resnet18_lab.inference.classify import outputs_of
from resnet18_lab.inference.registry import open_embedding
from resnet18_lab.training import card, own_files, shelves
from resnet18_lab.training.depths import Learned, check_depth, learn
from resnet18_lab.training.material import CHECKPOINT, HEAD, Material, Progress, Recipe, runs_folder
from resnet18_lab.training.photos import Photos, read_photos, refuse_few
from resnet18_lab.training.split import Example, Split, groups_of, split
from resnet18_lab.weights.find import WeightsFile, find_weights
from resnet18_lab.weights.names import check_own_name
from resnet18_lab.weights.own import FEATURES, OwnModel, read_model, with_classes

_BATCH = 8
_CALIBRATED_ON = 96
"""Training pictures that the INT8 file is calibrated on."""


def finetune(
    folder: Path,
    recipe: Recipe,
    *,
    force: bool = False,
    resume: bool = False,
    notify: Notify = lambda _: None,
    progress: Progress = lambda _done, _of: None,
) -> OwnModel:
    """The model learned from the labelled pictures of a folder, written to ``models/NAME`` with its ONNX files.

    torch is imported only where more than the last layer is learned, or the parent's ONNX files are missing. Ctrl-C
    while torch learns leaves the best so far, and ``resume`` goes on from there. Raises ParameterError for pictures
    that cannot be learned from or a name that is taken (unless ``force``).
    """
    check_own_name(recipe.name)
    if not 0 < recipe.share < 1:
        raise ParameterError(
            f"--validation {recipe.share:g} is not allowed; give a share between 0 and 1, such as 0.2."
        )
    with locked(runs_folder(recipe.name)):
        _refuse_taken(recipe, force=force, resume=resume)
        return _learned(folder, recipe, resume=resume, notify=notify, progress=progress)


def _learned(folder: Path, recipe: Recipe, *, resume: bool, notify: Notify, progress: Progress) -> OwnModel:
    photos = read_photos(folder)
    parent = find_weights(recipe.weights)
    if parent.labels_path is not None or parent.path is None:
        raise ParameterError(f"{parent.name} cannot be a parent; give trained weights of ImageNet's classes.")
    check_depth(recipe, parent)
    _ensure_built(parent, notify)
    material = _material(photos, parent, progress)
    _refuse_lost(photos, material)
    groups = groups_of(material.examples, material.features, recipe.series)
    parts = split(material.examples, groups, recipe.share, recipe.seed)
    _refuse_unequal(photos, material, parts)
    learned = learn(recipe, parent, material, parts, resume=resume, notify=notify, progress=progress)
    model = _written(photos, recipe, parent, parts, learned, notify)
    run = learned.deep or learned.tried
    if run is None or run.finished:
        shutil.rmtree(runs_folder(recipe.name), ignore_errors=True)
    return model


def _refuse_taken(recipe: Recipe, *, force: bool, resume: bool) -> None:
    """Raise ParameterError where a model or an unfinished run would be lost, or there is no run to resume."""
    has_run = (runs_folder(recipe.name) / CHECKPOINT).is_file()
    if resume and (recipe.depth == HEAD or not has_run):
        raise ParameterError(
            f"There is no run of {recipe.name} to resume with --depth {recipe.depth}; give the command that began it, "
            "or leave --resume out."
        )
    if has_run and not (force or resume):
        raise ParameterError(f"There is an unfinished run of {recipe.name}; add --resume, or --force to begin anew.")
    if (paths.models_dir() / recipe.name).exists() and not (force or resume):
        raise ParameterError(f"There is a model {recipe.name} already; give another --name, or --force to replace it.")


def _refuse_unequal(photos: Photos, material: Material, parts: Split) -> None:
    """Raise ParameterError where a class cannot be learned, or nothing judged, once what is alike is together."""
    if photos.judged_on and not any(example.held for example in material.examples):
        raise ParameterError(
            f"None of the {photos.judged_on} pictures can be read; mend them or leave that folder out."
        )
    if not parts.judged:
        raise ParameterError("Every picture is alike to another one: none is left to be judged on; give more pictures.")
    labels, groups = material.labels(parts.learned), parts.groups[parts.learned]
    for label, name in enumerate(photos.classes):
        apart = len(np.unique(groups[labels == label]))
        if apart < 2:
            raise ParameterError(
                f"Of {name} {apart} of the pictures to learn from is unlike the others and the judged ones; two are "
                "needed: give more, or a smaller --validation."
            )


def _ensure_built(parent: WeightsFile, notify: Notify) -> None:
    """Build the parent's ONNX files that are missing (this alone needs torch)."""
    folder = artifacts.folder_at(artifacts.folder_of(parent))
    if all(folder.problem(artifacts.kind_of(name)) is None for name in own_files.formats_of(parent.network)):
        return
    try:
        from resnet18_lab.export.build import build
    except ImportError as error:
        raise ArtifactError(
            f"The ONNX files of {parent.name} are not built in {folder.path}, and building needs torch: run "
            "`resnet18-lab build` where it is installed, or pip install 'resnet18-lab[torch]'."
        ) from error
    build(parent, only=own_files.formats_of(parent.network), notify=notify)


def _material(photos: Photos, parent: WeightsFile, progress: Progress) -> Material:
    readable: list[Path] = []
    examples: list[Example] = []
    rows: list[NDArray[np.float32]] = []
    broken: dict[str, str] = {}
    files = [photo.path for photo in photos.photos]
    with open_embedding(weights=parent.text, threads=usable_cores()) as engine:
        found = outputs_of(files, engine, batch_size=_BATCH)
        for done, (photo, one) in enumerate(zip(photos.photos, found, strict=True), start=1):
            progress(done, len(files))
            name = photos.name_of(photo.path)
            if one.row is None:
                broken[name] = one.error.message if one.error else "it cannot be read"
                continue
            digest, series = hashing.sha256(photo.path, remember=False), photos.series_name(photo.path)
            readable.append(photo.path)
            examples.append(Example(name, digest, photo.label, photo.held, series))
            rows.append(one.row)
    if not rows:
        raise ParameterError(f"None of the {len(photos.photos)} files of {photos.folder} is a picture.")
    return Material(readable, examples, np.stack(rows), broken)


def _refuse_lost(photos: Photos, material: Material) -> None:
    """Raise ParameterError where broken pictures leave a class with too few."""
    kept = set(material.paths)
    refuse_few(photos.classes, tuple(photo for photo in photos.photos if photo.path in kept))


def _written(
    photos: Photos, recipe: Recipe, parent: WeightsFile, parts: Split, learned: Learned, notify: Notify
) -> OwnModel:
    """The folder as a whole, its ONNX files, and the card with what they answer on the judged pictures."""
    network = with_classes(parent.network, len(photos.classes))
    facts = card.Facts(photos, recipe, parent, network, parts, learned)
    target = paths.models_dir() / recipe.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{recipe.name}.tmp.", dir=target.parent) as place:
        new = Path(place) / recipe.name
        new.mkdir()
        own_files.write_weights(new, learned, parent)
        own_files.write_labels(new, photos.classes)
        known = unknown.unit(learned.material.features[learned.known])
        unknown.save(new / FEATURES, unknown.Familiar(known, learned.threshold))
        own_files.write_split(new, learned, parts, photos.classes)
        file = own_files.file_of(new, recipe.name, network)
        with shelves.undone_on_failure(artifacts.folder_of(file)):
            _build(file, photos, parent, learned, notify)
            told = card.content(facts, new)
            if artifacts.INT8 in own_files.formats_of(network):
                with own_files.int8_of(file) as engine:
                    told["results"]["int8"] = card.int8_results(facts, engine)
            card.write(new, told)
            shelves.put(new, target)
    shelves.remove_artifacts(recipe.name, but=artifacts.folder_of(file))
    return read_model(recipe.name, target)


def _build(file: WeightsFile, photos: Photos, parent: WeightsFile, learned: Learned, notify: Notify) -> None:
    """The model's ONNX files: its parent's with the last layer exchanged, or built of its own weights by torch."""
    if learned.deep is None:
        own_files.build_onnx(file, parent, learned.head)
        return
    from resnet18_lab.export.build import build
    from resnet18_lab.quantization import calibration

    shown = [learned.material.paths[position] for position in learned.deep.fit]
    pictures = calibration.from_files(shown, photos.folder, _CALIBRATED_ON, file.network.preprocessing)
    build(file, only=own_files.formats_of(file.network), pictures=pictures, notify=notify)
