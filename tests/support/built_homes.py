"""Homes with built artifacts. Each file is made once in a run of the tests, by the worker that first needs it; tests get copies."""

import json
import os
import shutil
from pathlib import Path

import pytest

from resnet18_lab.base.files import write_text
from resnet18_lab.export.build import build
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.manifest import LABELS, MANIFEST, read_manifest
from resnet18_lab.weights.find import WeightsFile, find_weights
from support.project import samples_dir

FEW = ("cat.jpg", "china.jpg")
"""Photographs that INT8 is calibrated on where a test asks for little more than a good file: a quarter of the time."""


def few_pictures(factory: pytest.TempPathFactory) -> Path:
    """A folder with the ``FEW`` photographs, the same one for all workers."""
    folder = _of_the_run(factory) / "few-pictures"
    folder.mkdir(exist_ok=True)
    for name in FEW:
        if not (folder / name).exists():
            shutil.copy(samples_dir() / name, folder / name)
    return folder


def built_home(factory: pytest.TempPathFactory, weights: str | WeightsFile, *kinds: str, few: bool = False) -> Path:
    """A home of the asker's own that holds these artifacts and no others; with ``few`` INT8 is calibrated on two pictures."""
    file = weights if isinstance(weights, WeightsFile) else find_weights(weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESNET18_LAB_HOME", str(_of_the_run(factory) / ("built-on-few" if few else "built")))
        build(file, only=list(kinds), calibrate=few_pictures(factory) if few else None)
        store = artifacts.folder_of(file)
    home = factory.mktemp(f"home-{file.name}")
    folder = home / "artifacts" / store.name
    folder.mkdir(parents=True)
    manifest, names = read_manifest(store), {artifacts.kind_of(kind).filename(file.network) for kind in kinds}
    for name in [*names, LABELS]:
        shutil.copy2(store / name, folder)
    manifest["files"] = {name: entry for name, entry in manifest["files"].items() if name in names}
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return home


def _of_the_run(factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of a run share."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
