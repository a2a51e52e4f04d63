"""A new engine and a new command are one file and one entry, a new notebook is one file: done here, in a copy."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from support.project import ROOT

ENGINE = '''"""An engine that answers class 7."""

import numpy as np

from resnet18_lab.inference.engine import BaseEngine, EngineInfo


class Seven(BaseEngine):
    """Answers class 7 to everything."""

    def __init__(self, choice):
        self.name, self.precision, self.threads = choice.spec.name, choice.spec.precision, 1
        self.engine = EngineInfo(self.name, self.precision, 1, *choice.source[:1], "none", choice.source[1])

    def run(self, batch):
        """Logits, float32 N×1000."""
        logits = np.zeros((len(batch), 1000), np.float32)
        logits[:, 7] = 9
        return logits


def open_engine(choice, spinning=True):
    """The engine."""
    return Seven(choice)
'''
COMMAND = '''"""``resnet18-lab hello``."""

import typer


def hello() -> int:
    """Say hello."""
    typer.echo("hello from a new command")
    return 0


COMMANDS = {"hello": (hello, "Examples:  resnet18-lab hello")}
'''


@pytest.fixture
def copy(tmp_path):
    """A copy of the package and the notebooks, as a clone has them."""
    for name in ("resnet18_lab", "notebooks", "data"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(copy, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(copy), "RESNET18_LAB_HOME": str(copy / "home")}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=copy, env=environment, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


def insert(path, before, text):
    content = path.read_text(encoding="utf-8")
    assert content.count(before) == 1
    path.write_text(content.replace(before, text + before), encoding="utf-8")


def test_an_engine_is_one_file_and_one_entry(copy):
    (copy / "resnet18_lab" / "inference" / "seven.py").write_text(ENGINE, encoding="utf-8")
    entry = (
        '    EngineSpec(name="seven", precision="fp32", module="resnet18_lab.inference.seven", artifact=None, '
        'needs=("numpy",), extra=None),\n'
    )
    insert(copy / "resnet18_lab" / "inference" / "registry.py", '    EngineSpec(\n        name="eager"', entry)
    done = run(
        copy, "-m", "resnet18_lab", "classify", copy / "data" / "samples" / "cat.jpg", "--backend", "seven",
        "--weights", "untrained", "--format", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    assert answer["predictions"][0]["index"] == 7
    assert answer["engine"]["backend"] == "seven"


def test_a_command_is_one_file_and_one_entry(copy):
    (copy / "resnet18_lab" / "cli" / "hello.py").write_text(COMMAND, encoding="utf-8")
    main = copy / "resnet18_lab" / "cli" / "main.py"
    main.write_text(
        main.read_text(encoding="utf-8").replace(
            'COMMANDS = (\n    "classify",', 'COMMANDS = (\n    "classify", "hello",'
        ),
        encoding="utf-8",
    )
    assert run(copy, "-m", "resnet18_lab", "hello").stdout == "hello from a new command\n"
    assert "hello" in run(copy, "-m", "resnet18_lab", "--help").stdout


@pytest.mark.slow
def test_a_notebook_is_one_file(copy):
    """It names what must be built; the report builds that, runs it and lists it."""
    import nbformat

    cells = [
        nbformat.v4.new_markdown_cell("# Seventy-seven"),
        nbformat.v4.new_code_cell('weights: str = "auto"  # which\nresults_dir: str = "results"  # where', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "from resnet18_lab.inference import artifacts\nprint(artifacts.load('onnx-fp32', weights).path.name)"
        ),
    ]  # fmt: skip
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata |= {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "resnet18_lab": {"artifacts": ["onnx-fp32"]},
    }
    nbformat.write(notebook, copy / "notebooks" / "77_seventy_seven.ipynb")
    done = run(
        copy, "-m", "resnet18_lab", "report", "--notebook", "77", "--weights", "untrained", "--output", copy / "out"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resnet18-fp32.onnx" in (copy / "out" / "77_seventy_seven.html").read_text(encoding="utf-8")
    assert "Seventy-seven" in (copy / "out" / "index.html").read_text(encoding="utf-8")
