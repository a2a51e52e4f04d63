import importlib.metadata
import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from support.project import run_cli, trained_or_skip

from resnet18_lab.base.errors import ArtifactError, BuildError, ParameterError
from resnet18_lab.export import parity
from resnet18_lab.export.build import build
from resnet18_lab.export.onnx import OPSET
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.manifest import MANIFEST, installed_versions, read_manifest
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.model.network import load_model
from resnet18_lab.preprocessing.reference import reference_batch

FP32 = artifacts.KINDS["onnx-fp32"]
ONLY = ["onnx-fp32"]  # the other formats take long and have tests of their own


@pytest.fixture
def home(untrained_home, tmp_path, monkeypatch):
    """A copy of the built home that a test may damage."""
    copy = tmp_path / "home"
    shutil.copytree(untrained_home, copy)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(copy))
    return copy


def folder():
    return artifacts.find_folder("untrained")


def test_the_onnx_file_is_one_file_of_opset_20_with_a_dynamic_batch(home):
    path = folder() / FP32.filename()
    proto = onnx.load(path)
    assert [entry.version for entry in proto.opset_import if entry.domain == ""] == [OPSET] == [20]
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {file.name for file in path.parent.iterdir()} - {".lock"} == {"labels.csv", "manifest.json", FP32.filename()}


def test_batch_norms_are_folded_into_twenty_convolutions(home):
    entry = read_manifest(folder())["files"][FP32.filename()]
    assert entry["operators"]["Conv"] == 20
    assert entry["operators"]["Add"] == 8
    assert "BatchNormalization" not in entry["operators"]


def test_the_onnx_file_holds_no_local_path(home):
    content = (folder() / FP32.filename()).read_bytes()
    assert sys.prefix.encode() not in content
    assert b"site-packages" not in content


@pytest.mark.slow
def test_the_same_weights_give_the_same_file(home):
    first = artifacts.load(FP32.name, "untrained").sha256
    build("untrained", only=ONLY, force=True)
    assert artifacts.load(FP32.name, "untrained").sha256 == first


@pytest.mark.slow
def test_trained_weights_agree_with_eager_over_batches_of_real_pictures(trained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(trained_home))
    name = trained_or_skip().name
    entry = artifacts.load(FP32.name, name).entry
    assert entry["parity"]["batches"] == [1, 2, 7]
    assert entry["parity"]["pictures"] == "data/samples"
    assert entry["parity"]["relative"] <= 1e-4
    pictures, _ = reference_batch()
    with (
        open_engine("onnxruntime-fp32", weights=name) as onnx_engine,
        open_engine("eager", weights=name) as eager,
    ):
        for size in (1, 2, 7):
            expected = eager.run(pictures[:size])
            assert np.abs(onnx_engine.run(pictures[:size]) - expected).max() <= 1e-4 * np.abs(expected).max()


def test_parity_notices_another_network():
    module = load_model("untrained").module
    measured = parity.measure(lambda batch: np.zeros((len(batch), 1000), dtype=np.float32), module)
    assert measured.relative > 0.5


def test_parity_refuses_logits_of_another_shape():
    module = load_model("untrained").module
    with pytest.raises(BuildError, match="shape"):
        parity.measure(lambda batch: np.zeros((1, 1000), dtype=np.float32), module)


def test_a_good_file_is_kept_not_made_again(home):
    path = folder() / FP32.filename()
    before = path.stat().st_mtime_ns
    (row,) = build("untrained", only=ONLY)
    assert row.seconds == 0.0
    assert path.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_damaged_file_is_refused_and_then_made_anew(home):
    path = folder() / FP32.filename()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"damaged.*resnet18-lab build"):
        artifacts.load(FP32.name, "untrained")
    build("untrained", only=ONLY)
    assert artifacts.problem(folder(), FP32) is None


@pytest.mark.parametrize(("field", "value"), [("recipe", {"exporter": "older"}), ("versions", {"onnx": "1.0.0"})])
def test_an_artifact_of_another_recipe_or_version_is_stale(home, field, value):
    path = folder() / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"][FP32.filename()][field] = value
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ArtifactError, match="stale"):
        artifacts.load(FP32.name, "untrained")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"weights": 1, "files": 2}'])
def test_a_damaged_manifest_is_an_error_and_build_starts_it_anew(home, content):
    (folder() / MANIFEST).write_text(content, encoding="utf-8")
    with pytest.raises(ArtifactError, match="damaged"):
        artifacts.load(FP32.name, "untrained")


def test_a_missing_artifact_names_the_command_that_makes_it(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    with pytest.raises(ArtifactError, match="resnet18-lab build --weights untrained"):
        open_engine("onnxruntime-fp32", weights="untrained")
    with pytest.raises(ArtifactError, match="resnet18-lab build"):
        open_engine("auto", weights="untrained")


def test_an_unknown_format_is_refused_with_the_nearest_name():
    with pytest.raises(ParameterError, match="Did you mean onnx-fp32"):
        build("untrained", only=["onnx-fp23"])


def test_no_format_named_builds_none(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    assert build("untrained", only=[]) == []
    assert not list(tmp_path.rglob("resnet18-*"))


@pytest.mark.slow
def test_a_build_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    monkeypatch.setattr("resnet18_lab.export.build.FP32_TOLERANCE", -1.0)
    with pytest.raises(BuildError, match="does not agree"):
        build("untrained", only=ONLY)
    (made,) = (tmp_path / "artifacts").iterdir()
    assert [file.name for file in made.iterdir()] == [".lock"]


@pytest.mark.slow
def test_two_builds_at_once_make_one_good_file(tmp_path):
    import os

    environment = {**os.environ, "RESNET18_LAB_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "resnet18_lab", "build", "--weights", "untrained", "--only", "onnx-fp32"]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in "12"]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    said = b"".join(process.communicate()[1] for process in both)
    assert said.count(b"building") == 1


def test_artifacts_stay_usable_when_the_weights_are_gone(trained_home, tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(trained_home))
    name = trained_or_skip().name
    monkeypatch.setattr("resnet18_lab.weights.find.search_places", list)
    monkeypatch.delenv("RESNET18_LAB_WEIGHTS", raising=False)
    with open_engine("auto", weights=name) as engine:
        assert engine.engine.weights == name


@pytest.mark.slow
def test_build_prints_a_table_with_the_parity(tmp_path):
    done = run_cli("build", "--weights", "untrained", "--only", "onnx-fp32", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "onnx-fp32" in done.stdout
    assert "of max |logit|" in done.stdout.replace("\n", " ")


def test_versions_are_those_the_packages_have():
    packages = ("torch", "onnx", "onnxscript", "numpy")
    assert installed_versions(packages) == {name: importlib.metadata.version(name) for name in packages}
    assert installed_versions(("no-such-package",)) == {}
