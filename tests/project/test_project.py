"""The files at the top level keep what they promise."""

import csv
import hashlib
import re
import subprocess
import tomllib

import pytest
from PIL import Image
from support.project import ROOT, samples_dir, tool

from resnet18_lab.base import paths
from resnet18_lab.base.samples import load_samples
from resnet18_lab.inference.evaluate import labelled_pictures
from resnet18_lab.preprocessing.decode import decode

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

BOTH = ("requirements.txt", "requirements-test.txt")


def pins(*names):
    lines = [line for name in names for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if not line.startswith("#")]


def test_what_only_tests_need_is_not_in_the_everyday_environment():
    everyday, beyond = ({line.split("==")[0] for line in pins(name)} for name in BOTH)
    assert not everyday & beyond
    assert {"ray", "playwright", "flask", "schemathesis", "tritonclient"} <= beyond


@pytest.mark.parametrize("name", BOTH)
def test_requirements_hold_pinned_versions_and_nothing_else(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# Generated")
    for line in lines[1:]:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.!]*", line), line


def test_every_direct_requirement_is_pinned():
    pinned = {line.split("==")[0] for line in pins(*BOTH)}
    project = PYPROJECT["project"]
    direct = list(project["dependencies"])
    for extra in (*tool("lock").EXTRAS, *tool("lock").TEST_EXTRAS):
        direct += project["optional-dependencies"][extra]
    for requirement in direct:
        name = re.match(r"[A-Za-z0-9_.-]+", requirement).group().lower().replace("_", "-")
        assert name in pinned, name


def test_environment_yml_is_what_the_lock_tool_writes():
    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == tool("lock").conda_environment()


def test_environment_yml_names_cpu_torch():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert "pytorch-cpu==2.13.0" in text
    assert "python=3.11" in text


def test_no_tracked_file_is_a_model_or_a_picture_of_others():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("needs a git clone: this is a plain folder")
    for name in listed.stdout.splitlines():
        assert not name.endswith((".pth", ".pt", ".pt2", ".onnx", ".JPEG")), name
        if name.endswith((".jpg", ".png")):
            assert name.startswith(("data/samples/", "data/labelled/", "docs/")), name


def test_samples_are_small_decodable_and_labelled():
    every = load_samples()
    assert len(every) == 11
    for sample in every:
        assert sample.path.stat().st_size <= 60_000
        assert decode(sample.path).mode == "RGB"
        assert all(0 <= index < 1000 for index in sample.acceptable)


def test_labelled_photographs_are_many_small_and_none_of_the_samples():
    pictures, digests = labelled_pictures(paths.labelled_dir()), set()
    files = sorted(paths.labelled_dir().glob("*.jpg"))
    assert len(pictures) > 50
    for file in files:
        assert file.stat().st_size <= 46_000
        assert min(decode(file).size) >= 200
        digests.add(hashlib.sha256(file.read_bytes()).hexdigest())
    assert len(digests) == len(files)
    assert digests.isdisjoint(hashlib.sha256(sample.path.read_bytes()).hexdigest() for sample in load_samples())
    assert sum(file.stat().st_size for file in files) < 3_000_000


@pytest.mark.parametrize("folder", [samples_dir(), paths.labelled_dir()], ids=lambda folder: folder.name)
def test_every_picture_of_the_folder_is_in_labels_and_attribution(folder):
    files = {file.name for file in folder.iterdir() if file.suffix in (".jpg", ".png")}
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as table:
        assert {row["file"] for row in csv.DictReader(table)} == files
    attribution = (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for file in files:
        row = next(line for line in attribution.splitlines() if line.startswith(f"| {file} |"))
        assert re.search(r"`[0-9a-f]{64}`", row)


def test_one_sample_is_a_portrait_by_its_exif_orientation_only():
    path = samples_dir() / "coffee_portrait.jpg"
    with Image.open(path) as stored:
        assert stored.getexif()[0x0112] == 6
        assert stored.width > stored.height
    upright = decode(path)
    assert upright.height > upright.width


def test_samples_are_not_copies_of_each_other():
    digests = [hashlib.sha256(sample.path.read_bytes()).hexdigest() for sample in load_samples()]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(("index", "verdict"), [(967, "right"), (1, "wrong")])
def test_a_verdict_follows_the_acceptable_classes(index, verdict):
    coffee = next(sample for sample in load_samples() if sample.path.name == "coffee.jpg")
    assert coffee.verdict(index) == verdict


def test_a_picture_of_no_class_is_neither_right_nor_wrong():
    coins = next(sample for sample in load_samples() if sample.path.name == "coins.jpg")
    assert coins.verdict(574) == "no such class"


def test_the_project_speaks_of_itself_alone():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("needs a git clone: this is a plain folder")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if (
            path.suffix in (".jpg", ".png", ".otf", ".ttf", ".npz")
            or not path.is_file()
            or path.name == "test_project.py"
        ):
            continue
        text = path.read_text(encoding="utf-8")
        for word in ("shared/reference", "/opt/wheels", "pythonhosted"):
            assert word not in text, (name, word)
