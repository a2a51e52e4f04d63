"""A network with classes of one's own from a folder of pictures: a new last layer on features that stay as they are."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.base.networks import Network
from resnet18_lab.inference import artifacts, unknown
from resnet18_lab.inference.classify import outputs
from resnet18_lab.inference.registry import open_embedding
from resnet18_lab.training import card, head, own_files
from resnet18_lab.training.material import Material, Recipe
from resnet18_lab.training.photos import Photos, read_photos, refuse_few
from resnet18_lab.training.split import Example, Split, groups_of, split
from resnet18_lab.weights.find import WeightsFile, find_weights
from resnet18_lab.weights.names import check_own_name
from resnet18_lab.weights.own import FEATURES, OwnModel, own_model, read_model

BASE_FORMATS = ("onnx-fp32", "onnx-int8-static", "onnx-embedding")
_BATCH = 8
Notify = Callable[[str], None]
Progress = Callable[[int, int], None]


def finetune(
    folder: Path,
    recipe: Recipe,
    *,
    force: bool = False,
    notify: Notify = lambda _: None,
    progress: Progress = lambda _done, _of: None,
) -> OwnModel:
    """The model learned from the labelled pictures of a folder, written to ``models/NAME`` with its ONNX files.

    torch is imported only where the parent's ONNX files are missing and have to be built. Raises ParameterError for
    pictures that cannot be learned from or a name that is taken (unless ``force``).
    """
    check_own_name(recipe.name)
    if not 0 < recipe.share < 1:
        raise ParameterError(
            f"--validation {recipe.share:g} is not allowed; give a share between 0 and 1, such as 0.2."
        )
    if not force and own_model(recipe.name) is not None:
        raise ParameterError(f"There is a model {recipe.name} already; give another --name, or --force to replace it.")
    photos = read_photos(folder)
    parent = find_weights(recipe.weights)
    if parent.labels_path is not None or parent.path is None:
        raise ParameterError(f"{parent.name} cannot be a parent; give trained weights of ImageNet's classes.")
    _ensure_built(parent, notify)
    material = _material(photos, parent, progress)
    _refuse_lost(photos, material)
    groups = groups_of(material.examples, material.features, recipe.series)
    parts = split(material.examples, groups, recipe.share, recipe.seed)
    if not parts.judged:
        raise ParameterError("Every picture is alike to another one: none is left to be judged on; give more pictures.")
    learned = head.fit(
        material.features[parts.learned], material.labels(parts.learned), groups[parts.learned],
        balance=recipe.balance, seed=recipe.seed, notify=notify,
    )  # fmt: skip
    return _written(photos, recipe, parent, material, parts, learned)


def _ensure_built(parent: WeightsFile, notify: Notify) -> None:
    """Build the parent's ONNX files that are missing (this alone needs torch)."""
    folder = artifacts.folder_at(artifacts.folder_of(parent))
    if all(folder.problem(artifacts.kind_of(name)) is None for name in BASE_FORMATS):
        return
    from resnet18_lab.export.build import build

    build(parent, only=list(BASE_FORMATS), notify=notify)


def _material(photos: Photos, parent: WeightsFile, progress: Progress) -> Material:
    examples: list[Example] = []
    rows: list[NDArray[np.float32]] = []
    broken: dict[str, str] = {}
    with open_embedding(weights=parent.text, threads=usable_cores()) as engine:
        for start in range(0, len(photos.photos), _BATCH):
            part = photos.photos[start : start + _BATCH]
            for photo, one in zip(part, outputs([(str(each.path), each.path) for each in part], engine), strict=True):
                name = photos.name_of(photo.path)
                if one.row is None:
                    broken[name] = one.error.message if one.error else "it cannot be read"
                    continue
                examples.append(Example(name, hashing.sha256(photo.path, remember=False), photo.label, photo.held))
                rows.append(one.row)
            progress(start + len(part), len(photos.photos))
    if not rows:
        raise ParameterError(
            f"None of the {len(photos.photos)} files of {photos.folder} is a picture that can be read."
        )
    return Material(examples, np.stack(rows), broken)


def _refuse_lost(photos: Photos, material: Material) -> None:
    """Raise ParameterError where broken pictures leave a class with too few."""
    kept = {example.name for example in material.examples}
    refuse_few(photos.classes, tuple(photo for photo in photos.photos if photos.name_of(photo.path) in kept))


def network_of(parent: Network, classes: int) -> Network:
    """The parent's description with as many classes."""
    fewer = (parent.classes - classes) * (parent.features + 1)
    return replace(parent, classes=classes, parameters=parent.parameters - fewer)


def _written(
    photos: Photos, recipe: Recipe, parent: WeightsFile, material: Material, parts: Split, learned: head.Head
) -> OwnModel:
    """The folder as a whole, its ONNX files, and the card with what they answer on the judged pictures."""
    network = network_of(parent.network, len(photos.classes))
    learned_features = material.features[parts.learned]
    threshold = unknown.threshold_for(learned_features, parts.groups[parts.learned])
    target = paths.models_dir() / recipe.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f".{recipe.name}.tmp.", dir=target.parent)))
        new = place / recipe.name
        new.mkdir()
        own_files.write_weights(new, learned, parent)
        own_files.write_labels(new, photos.classes)
        unknown.save(new / FEATURES, unknown.Familiar(unknown.unit(learned_features), threshold))
        own_files.write_split(new, material.examples, parts, photos.classes)
        file = own_files.file_of(new, recipe.name, network)
        own_files.build_onnx(file, parent, learned)
        facts = card.Facts(photos, recipe, parent, network, material, parts, learned, threshold)
        told = card.content(facts, new)
        card.write(new, told)
        _replace(new, target)
    told["results"]["int8"] = card.int8_results(facts)
    card.write(target, told)
    return read_model(recipe.name, target)


def _replace(new: Path, target: Path) -> None:
    """Put the new folder in the place of an old one; at no moment is there half of one."""
    if target.exists():
        old = new.parent / "old"
        target.rename(old)
        new.rename(target)
        shutil.rmtree(old)
    else:
        new.rename(target)
