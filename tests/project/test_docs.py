"""The API reference is built from docstrings without a warning."""

import subprocess
import sys

import pytest
from support.project import ROOT


@pytest.mark.slow
def test_the_reference_is_built_without_warnings(tmp_path):
    command = [sys.executable, str(ROOT / "tools" / "make" / "docs.py"), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr.lower(), done.stderr
    for page in (
        "index.html",
        "resnet18_lab/preprocessing/decode.html",
        "resnet18_lab/inference/registry.html",
        "resnet18_lab/model/network.html",
    ):
        assert (tmp_path / page).is_file(), page


def test_readme_names_only_commands_that_exist():
    import re

    from resnet18_lab.cli.main import app

    names = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in re.findall(r"resnet18-lab ([a-z]+)", text):
        assert command in names, command


def test_readme_links_lead_to_files():
    import re

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target
