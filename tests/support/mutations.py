"""Mistakes put into a copy of the package on purpose, and the run of a notebook on such a copy."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet18_lab.benchmark.kept_records import read_record
from support.notebook_checks import check_architecture, check_classification
from support.project import ROOT, samples_dir

PACKAGE = "resnet18_lab"
ARCHITECTURE, CLASSIFICATION = "01_architecture", "02_classification"
CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    ARCHITECTURE: check_architecture,
    CLASSIFICATION: check_classification,
}
_QUICK = {ARCHITECTURE: {"repeats": "1"}, CLASSIFICATION: {}}
"""Parameters under which a notebook computes all it does otherwise, and times less."""
_SECONDS = 900


@dataclass(frozen=True)
class Mutation:
    """One text put in the place of another; the ``notebook``'s checks must refuse it, saying ``because``.

    With ``always`` it is tried in every test run; without, by ``make notebooks-hard``.
    """

    name: str
    file: str
    old: str
    new: str
    notebook: str
    because: str
    always: bool = False

    def apply(self, package: Path) -> None:
        """Change the package's copy; AssertionError where the text to change is not there exactly once."""
        path = package / self.file
        text = path.read_text(encoding="utf-8")
        found = text.count(self.old)
        assert found == 1, f"{self.name}: its text stands {found} times in {self.file}; adapt the mutation"
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


MUTATIONS = [
    Mutation(
        "colours in BGR", "preprocessing/transform.py",
        "batch[...] = crops.transpose(0, 3, 1, 2)", "batch[...] = crops[..., ::-1].transpose(0, 3, 1, 2)",
        CLASSIFICATION, "scores", always=True,
    ),
    Mutation(
        "labels off by one", "inference/labels.py",
        "tuple(Label(int(index), None", "tuple(Label((int(index) + 1) % 1000, None",
        CLASSIFICATION, "names",
    ),
    Mutation(
        "logits times 3", "inference/predictions.py",
        "shifted = logits.astype(np.float64)", "shifted = 3 * logits.astype(np.float64)",
        CLASSIFICATION, "scores",
    ),
    Mutation(
        "softmax too sharp", "inference/predictions.py",
        "exponentials = np.exp(shifted)", "exponentials = np.exp(3 * shifted)",
        CLASSIFICATION, "scores", always=True,
    ),
    Mutation(
        "Grad-CAM with its sign turned", "course/classification/saliency.py",
        "heat = torch.relu((gradient", "heat = torch.relu((-gradient",
        CLASSIFICATION, "grad-cam", always=True,
    ),
    Mutation(
        "crop from the left edge", "preprocessing/transform.py",
        "left = round((new_width - preprocessing.crop) / 2.0)", "left = 0",
        CLASSIFICATION, "scores",
    ),
    Mutation(
        "nearest pixel instead of all of them", "preprocessing/transform.py",
        "preprocessing.crop), resampling, box=box", "preprocessing.crop), Image.Resampling.NEAREST, box=box",
        CLASSIFICATION, "scores",
    ),
    Mutation(
        "network left in training mode", "model/network.py",
        "return LoadedModel(module.eval(), file)", "return LoadedModel(module.train(), file)",
        CLASSIFICATION, "scores",
    ),
    Mutation(
        "skip connections not cut", "course/architecture/skip_connections.py",
        "= PlainBlock(network.get_submodule(name))", "= network.get_submodule(name)",
        ARCHITECTURE, "cut: nothing",
    ),
    Mutation(
        "steps of the receptive field added", "model/receptive_field.py",
        'step *= row["stride"]', 'step += row["stride"]',
        ARCHITECTURE, "fields",
    ),
    Mutation(
        "batch norms folded without epsilon", "course/architecture/folding.py",
        "torch.sqrt(norm.running_var + norm.eps)", "torch.sqrt(norm.running_var)",
        ARCHITECTURE, "folding",
    ),
    Mutation(
        "a MAC more for each sum", "model/inspection.py",
        "return output.numel() * layer.weight[0].numel()", "return output.numel() * (layer.weight[0].numel() + 1)",
        ARCHITECTURE, r'totals\["equal"\]',
    ),
]  # fmt: skip


def copy_of_the_project(folder: Path) -> Path:
    """A copy of the package, with all else that a notebook reads beside it by reference."""
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("data", "docs", "notebooks", "pyproject.toml", "weights"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def refusal(project: Path, notebook: str, weights: str) -> str:
    """Why the notebook's run on that copy is refused, by a cell of its own or by its results; empty if it is not."""
    results = project / "results"
    parameters = {"weights": weights, "results_dir": str(results), **_QUICK[notebook]}
    command = [sys.executable, "-m", "papermill", f"notebooks/{notebook}.ipynb", str(project / "run.ipynb"),
               "--no-progress-bar"]  # fmt: skip
    command += [part for name, value in parameters.items() for part in ("-p", name, value)]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))},
        "PYTHONPATH": str(project),
        "RESNET18_LAB_HOME": str(project / "home"),
        "RESNET18_LAB_IMAGES": str(samples_dir()),  # few: a mistake shows, or not, in a minute less
        "OMP_WAIT_POLICY": "passive",  # torch in two runs side by side would spin on the other's cores
    }
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if done.returncode != 0:
        return done.stderr
    try:
        CHECKS[notebook](read_record(results / f"{notebook}.json"))
    except AssertionError as error:
        return str(error)
    return ""
