"""The container's image: its labels, its layers, and its bill of materials."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.deployed import DEPLOY
from support.project import ROOT


def test_the_image_s_labels_are_the_project_s_own():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="(.*)"', text))
    assert labels["title"] == project["name"]
    assert labels["description"] == project["description"]
    assert labels["licenses"] == project["license"]
    for name in ("version", "revision", "created"):
        assert labels[name] == f"${{{name.upper()}}}"
        assert f"ARG {name.upper()}=" in text


def test_both_stages_stand_on_the_base_that_may_be_named_by_its_digest():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}", "${BASE}"]
    assert "\nARG BASE=python:3.11-slim\n" in text.split("FROM")[0]


def test_packages_are_installed_before_the_source_is_copied():
    for stage in (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[1:]:
        source = re.search(r"^COPY (?:\. \.|resnet18_lab resnet18_lab)$", stage, re.MULTILINE).start()
        assert (
            re.search(r"RUN (?:python3 -m resnet18_lab setup|sh deploy/install_packages\.sh)", stage).start() < source
        )


@pytest.fixture(scope="module")
def bill(tmp_path_factory):
    """The bill of materials, made by the script that the image is built with."""
    venv = Path(sys.executable).parent.parent
    if os.name == "nt" or not (venv / "bin" / "cyclonedx-py").exists():
        pytest.skip("needs the test extra, cyclonedx-bom, in a Linux environment")
    path = tmp_path_factory.mktemp("bill") / "sbom.cdx.json"
    done = subprocess.run(
        ["sh", "deploy/bill_of_materials.sh", str(path), str(venv)], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return path.read_text(encoding="utf-8")


def test_the_bill_of_materials_is_valid(bill):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    version = SchemaVersion.from_version(json.loads(bill)["specVersion"])
    assert JsonStrictValidator(version).validate_str(bill) is None


def test_the_bill_of_materials_names_what_the_runtime_has_at_the_lock_s_versions(bill):
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    named = {one["name"]: one["version"] for one in json.loads(bill)["components"]}
    for name in ("onnxruntime", "pillow", "numpy", "fastapi"):
        assert f"{name}=={named[name]}" in lock
    assert {f"{name}=={version}" for name, version in named.items()} <= set(lock)
    assert not {"torch", "torchvision", "onnx", "openvino", "jupyterlab", "pytest"} & set(named)


def test_a_bill_that_differs_from_the_runtime_is_noticed(bill, tmp_path):
    wrong = tmp_path / "sbom.json"
    wrong.write_text(bill.replace("pillow", "pillar"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, DEPLOY / "check_bill.py", wrong], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "pillar" in done.stderr
    assert "torch" in done.stderr  # this environment has more than the runtime


def test_the_image_keeps_its_bill_of_materials():
    second = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[2]
    assert "COPY --from=workshop /sbom.cdx.json /usr/share/doc/resnet18-lab/sbom.cdx.json" in second
