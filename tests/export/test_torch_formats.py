"""TorchScript and torch.export packages: parity, reloading, staleness, and what happens without a compiler."""

import json
import shutil

import numpy as np
import pytest
from support.built_homes import built_home, few_pictures
from support.project import run_cli, samples_dir

from resnet18_lab.base.errors import ArtifactError, BuildError
from resnet18_lab.export import torch_export
from resnet18_lab.export.build import build
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.preprocessing.reference import reference_batch

pytestmark = pytest.mark.slow
SCRIPTS = ["torchscript-traced", "torchscript"]
COMPILER = pytest.param(
    "torch-export", marks=pytest.mark.skipif(torch_export.find_compiler() is None, reason="needs a C++ compiler (g++)")
)


@pytest.fixture(scope="session")
def formats_home(tmp_path_factory):
    """A home with every format that torch runs and this machine can make."""
    compiled = ["torch-export"] if torch_export.find_compiler() else []
    return built_home(tmp_path_factory, "untrained", "onnx-fp32", *SCRIPTS, *compiled)


@pytest.fixture
def home(formats_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(formats_home))
    return formats_home


@pytest.mark.parametrize("name", [*SCRIPTS, COMPILER])
def test_a_format_agrees_with_eager_over_batches_of_real_pictures(name, home):
    pictures, _ = reference_batch()
    with open_engine(name, weights="untrained") as engine, open_engine("eager", weights="untrained") as eager:
        assert engine.engine.sha256 == artifacts.load(name, "untrained").sha256
        for size in (1, 2, 7):
            expected = eager.run(pictures[:size])
            assert np.abs(engine.run(pictures[:size]) - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", [*SCRIPTS, COMPILER])
@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_read_back(name, threads, home):
    with open_engine(name, weights="untrained", threads=threads) as engine:
        assert engine.threads == threads


@pytest.mark.parametrize("name", [*SCRIPTS, COMPILER])
def test_a_format_runs_in_a_fresh_process(name, home):
    done = run_cli(
        "classify", samples_dir() / "cat.jpg", "--weights", "untrained", "--backend", name, "-f", "json", home=home
    )
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    assert answer["engine"]["backend"] == name
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("name", [*SCRIPTS, COMPILER])
def test_a_foreign_file_with_a_right_manifest_is_an_artifact_error(name, home, monkeypatch, tmp_path):
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(copy))
    folder = artifacts.find_folder("untrained")
    (folder / artifacts.KINDS[name].filename()).write_bytes(b"not a model" * 100)
    with pytest.raises(ArtifactError, match="damaged"):
        open_engine(name, weights="untrained")


def test_a_compiled_package_is_stale_on_another_cpu(home, monkeypatch):
    if torch_export.find_compiler() is None:
        pytest.skip("needs a C++ compiler (g++)")
    monkeypatch.setattr(artifacts, "cpu_model", lambda: "another CPU")
    with pytest.raises(ArtifactError, match="another CPU"):
        open_engine("torch-export", weights="untrained")


def test_without_a_compiler_the_package_is_left_out_with_a_clear_line(home, monkeypatch, tmp_path_factory):
    monkeypatch.setattr(torch_export.shutil, "which", lambda _name: None)
    said = []
    rows = build("untrained", notify=said.append, calibrate=few_pictures(tmp_path_factory))
    assert "torch-export" not in [row.kind.name for row in rows]
    assert "C++ compiler" in said[0]
    with pytest.raises(BuildError, match="g\\+\\+"):
        build("untrained", only=["torch-export"], force=True)
