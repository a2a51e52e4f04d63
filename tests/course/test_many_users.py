"""One installation for a class: another user runs the notebooks from a folder of their own, and writes nowhere else."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from support.notebook_lanes import NOTEBOOKS
from support.project import ROOT, samples_dir

from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.course.report import parameters
from resnet18_lab.export.build import build
from resnet18_lab.weights.find import find_weights

STUDENT = 65534  # "nobody", on every Linux
HARD = os.environ.get("RESNET18_LAB_HARD") == "1"
CHOSEN = NOTEBOOKS if HARD else [path for path in NOTEBOOKS if path.stem == "02_classification"]
AS_STUDENT = [
    "setpriv", f"--reuid={STUDENT}", f"--regid={STUDENT}", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all",
]  # fmt: skip


def need_another_user():
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv (util-linux) to become another user")
    probe = subprocess.run(
        [*AS_STUDENT, sys.executable, "-c", "import resnet18_lab"], cwd="/", capture_output=True, check=False
    )
    if probe.returncode != 0:
        pytest.skip("needs an interpreter and a clone that other users may read")


@pytest.fixture
def classroom():
    """A folder that others may enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="resnet18-lab-class-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def built_once(folder: Path, formats: list[str], monkeypatch) -> tuple[Path, str]:
    """A home with these artifacts that only its owner may write, and the weights they are of."""
    monkeypatch.setenv("RESNET18_LAB_HOME", str(folder))
    file = find_weights("auto")
    build(file, only=formats)
    return folder, file.name


def written_by_the_student(*folders: Path) -> list[str]:
    return [
        str(path)
        for folder in folders
        for path in folder.rglob("*")
        if not path.is_symlink() and path.exists() and path.stat().st_uid == STUDENT
    ]


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_another_user_runs_a_copied_notebook_on_a_read_only_installation(classroom, monkeypatch):
    need_another_user()
    formats = sorted({name for notebook in CHOSEN for name in parameters.artifacts_of(notebook)})
    home, weights = built_once(classroom / "home", formats, monkeypatch)
    own = classroom / "student"
    (own / "tmp").mkdir(parents=True)
    for notebook in CHOSEN:
        shutil.copy(notebook, own)
    for path in (own, *own.rglob("*")):
        os.chown(path, STUDENT, STUDENT)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(own), "TMPDIR": str(own / "tmp"), "RESNET18_LAB_HOME": str(home),
        "RESNET18_LAB_OFFLINE": "1", "OMP_WAIT_POLICY": "passive",
        **({} if HARD else {"RESNET18_LAB_IMAGES": str(samples_dir())}),
    }  # fmt: skip
    for notebook in CHOSEN:
        command = [*AS_STUDENT, sys.executable, "-m", "papermill", notebook.name, f"{notebook.stem}-ran.ipynb"]
        done = subprocess.run(
            [*command, "--no-progress-bar"], cwd=own, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found = read_record(own / "results" / f"{notebook.stem}.json")
        assert found.get("weights", weights) == weights
        assert found["parameters"]["weights"] == "auto"
    command = [*AS_STUDENT, sys.executable, "-m", "resnet18_lab", "build", "--weights", weights, "--only"]
    there, missing = (
        subprocess.run([*command, name], cwd=own, env=environment, capture_output=True, text=True, check=False)
        for name in ("onnx-fp32", "torch-export")
    )
    assert there.returncode == 0, there.stderr
    assert missing.returncode == 2, missing.stderr
    assert "you may not write there" in missing.stderr.splitlines()[-1]
    assert written_by_the_student(home, ROOT) == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_builds_by_itself_is_listed_in_its_metadata(notebook):
    source = "\n".join(cell["source"] for cell in nbformat.read(notebook, 4).cells if cell["cell_type"] == "code")
    named = re.search(r"build\(file, only=(\w+|\[.*?\])\)", source)
    if named and not named[1].startswith("["):
        named = re.search(rf"^{named[1]}: list = (\[.*?\])", source, re.MULTILINE)
    assert set(ast.literal_eval(named[1]) if named else []) <= set(parameters.artifacts_of(notebook))
