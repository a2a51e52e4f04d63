"""Artifacts in other processes, and artifacts that are wrong, damaged, foreign or half made: a clear line each."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.built_homes import built_home
from support.project import run_cli, samples_dir

from resnet18_lab.base.errors import ArtifactError
from resnet18_lab.export import torch_export
from resnet18_lab.export.build import build
from resnet18_lab.inference import artifacts, registry
from resnet18_lab.inference.manifest import MANIFEST, read_manifest
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.preprocessing.reference import reference_batch

pytestmark = pytest.mark.slow

FP32, INT8 = (artifacts.KINDS[name] for name in ("onnx-fp32", "onnx-int8-static"))
TORCH_FREE = ["onnxruntime-fp32", "onnxruntime-int8", "openvino-fp32", "openvino-int8"]
SCRIPTS = ["torchscript", "torchscript-traced"]
CAT = samples_dir() / "cat.jpg"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A home with the formats that take seconds."""
    return built_home(tmp_path_factory, "untrained", FP32.name, INT8.name, *SCRIPTS, few=True)


@pytest.fixture
def folder(built, tmp_path, monkeypatch):
    """The artifact folder of a copy that a test may damage."""
    shutil.copytree(built, tmp_path / "home")
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path / "home"))
    return artifacts.find_folder("untrained")


def installed(name):
    if not all(registry.is_installed(spec) for spec in registry.SPECS if spec.name == name):
        pytest.skip(f"needs the packages of {name}")
    return name


def change_manifest(folder, change):
    path = folder / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def put(folder, kind, content):
    """Other content under an artifact's name, with a manifest that vouches for it."""
    (folder / kind.filename()).write_bytes(content)

    def vouch(manifest):
        manifest["files"][kind.filename()]["sha256"] = hashlib.sha256(content).hexdigest()
        manifest["files"][kind.filename()]["bytes"] = len(content)

    change_manifest(folder, vouch)


def one_line(done, words):
    said = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert said[-1].startswith("resnet18-lab: ")
    assert words in said[-1]
    assert done.stdout == ""


@pytest.mark.parametrize("name", TORCH_FREE)
def test_an_engine_gives_the_same_logits_in_a_process_that_has_no_torch(name, folder, tmp_path):
    batch = np.ascontiguousarray(reference_batch()[0][:2])
    np.save(tmp_path / "batch.npy", batch)
    code = (
        "import sys; sys.modules['torch'] = None\n"  # an import of torch would now fail
        "import numpy as np\nfrom resnet18_lab.inference.registry import open_engine\n"
        f"with open_engine({installed(name)!r}, weights='untrained', threads=1) as engine:\n"
        f"    np.save({str(tmp_path / 'logits.npy')!r}, engine.run(np.load({str(tmp_path / 'batch.npy')!r})))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    with open_engine(name, weights="untrained", threads=1) as engine:
        expected = engine.run(batch)
    assert np.allclose(np.load(tmp_path / "logits.npy"), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", [*TORCH_FREE, *SCRIPTS])
@pytest.mark.parametrize("damage", ["cut short", "empty", "one bit"])
def test_a_damaged_artifact_is_refused_before_the_engine_sees_it(name, damage, folder):
    kind = artifacts.KINDS[registry.spec_of(installed(name)).artifact]
    content = bytearray((folder / kind.filename()).read_bytes())
    content[len(content) // 3] ^= 1
    damaged = {"cut short": content[: len(content) // 2], "empty": b"", "one bit": content}[damage]
    (folder / kind.filename()).write_bytes(damaged)
    with pytest.raises(ArtifactError, match=r"damaged.*resnet18-lab build"):
        open_engine(name, weights="untrained")


@pytest.mark.parametrize("name", [*TORCH_FREE, *SCRIPTS])
def test_a_foreign_file_that_the_manifest_vouches_for_is_still_a_clear_error(name, folder):
    put(folder, artifacts.KINDS[registry.spec_of(installed(name)).artifact], b"not a model" * 100)
    with pytest.raises(ArtifactError, match=r"cannot be loaded.*resnet18-lab build --force"):
        open_engine(name, weights="untrained")


@pytest.mark.parametrize("name", ["onnxruntime-fp32", "openvino-fp32"])
def test_a_sound_onnx_file_of_another_network_is_refused_when_opened(name, folder):
    sides = [helper.make_tensor_value_info(side, TensorProto.FLOAT, ["n", 3, 32, 32]) for side in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", sides[:1], sides[1:])
    other = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(other)
    put(folder, FP32, other.SerializeToString())
    with pytest.raises(ArtifactError, match="another network: it turns N×3×32×32 into"):
        open_engine(installed(name), weights="untrained")


def test_one_artifact_under_the_name_of_another_is_refused(folder):
    shutil.copy(folder / INT8.filename(), folder / FP32.filename())
    with pytest.raises(ArtifactError, match="damaged"):
        open_engine("onnxruntime-fp32", weights="untrained")


def test_a_manifest_of_other_weights_is_refused_and_what_it_vouches_for_is_made_anew(folder):
    change_manifest(folder, lambda manifest: manifest.update(weights={"name": "official", "sha256": "f" * 64}))
    with pytest.raises(ArtifactError, match=r"other weights \(official\).*resnet18-lab build"):
        open_engine("onnxruntime-fp32", weights="untrained")
    build("untrained", only=[FP32.name])
    assert list(read_manifest(folder)["files"]) == [FP32.filename()]
    assert artifacts.problem(folder, FP32) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["files"].update({FP32.filename(): 3}),
        lambda manifest: manifest["files"].update({FP32.filename(): {}}),
        lambda manifest: manifest["files"][FP32.filename()].update(versions=[1, 2]),
        lambda manifest: manifest["files"][FP32.filename()].update(sha256=None),
        lambda manifest: manifest.update(weights={}),
        lambda manifest: manifest["weights"].update(sha256=7),
    ],
    ids=["entry 3", "entry empty", "versions a list", "no hash", "no weights", "hash a number"],
)
def test_a_manifest_of_another_form_is_one_line_and_build_starts_it_anew(change, folder, tmp_path):
    change_manifest(folder, change)
    done = run_cli("classify", CAT, "--weights", "untrained", home=tmp_path / "home")
    one_line(done, "manifest.json is damaged; delete that folder and run `resnet18-lab build`")


@pytest.mark.parametrize("name", ["torchscript", FP32.name, "torch-export"])
@pytest.mark.slow
def test_a_disk_that_fills_during_a_build_is_one_line_and_leaves_nothing(name, tmp_path):
    if name == "torch-export" and torch_export.find_compiler() is None:
        pytest.skip("needs a C++ compiler (g++)")
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000));"
        "from resnet18_lab.cli.main import main;"
        f"sys.argv[1:] = ['build', '--weights', 'untrained', '--only', {name!r}]; sys.exit(main())"
    )
    environment = {**os.environ, "RESNET18_LAB_HOME": str(tmp_path), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "c")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    one_line(done, "")
    (made,) = (tmp_path / "artifacts").iterdir()
    assert [file.name for file in made.iterdir()] == [".lock"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "words"), [(None, "install g++"), ("#!/bin/sh\nexit 1\n", "compiler could not make")]
)
@pytest.mark.skipif(os.name == "nt", reason="writes a shell script in place of the compiler")
def test_a_missing_or_broken_compiler_is_one_line_and_leaves_nothing(script, words, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    if script:
        (tools / "g++").write_text(script, encoding="utf-8")
        (tools / "g++").chmod(0o755)
    environment = {"PATH": str(tools), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "c")}
    command = ["build", "--weights", "untrained", "--only", "torch-export"]
    one_line(run_cli(*command, home=tmp_path, env=environment), words)
    (made,) = (tmp_path / "artifacts").iterdir()
    assert [file.name for file in made.iterdir()] == [".lock"]


@pytest.mark.parametrize("missing", ["torch", "onnxscript"])
def test_without_the_extra_build_names_it_and_makes_nothing(missing, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{missing!r}] = None\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run_cli("build", "--weights", "untrained", home=tmp_path / "home", env={"PYTHONPATH": path})
    one_line(done, f"`build` needs {missing}; install with `pip install 'resnet18-lab[torch]'`")
    assert not (tmp_path / "home" / "artifacts").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_what_a_killed_build_left_is_removed_by_the_next_one(tmp_path):
    command = [sys.executable, "-m", "resnet18_lab", "build", "--weights", "untrained", "--only", FP32.name]
    environment = {**os.environ, "RESNET18_LAB_HOME": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (left := list(tmp_path.glob("artifacts/*/.resnet18-*"))) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert left
    (made,) = (tmp_path / "artifacts").iterdir()
    assert not (made / FP32.filename()).exists()
    done = run_cli("build", "--weights", "untrained", "--only", FP32.name, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in made.iterdir()) == [".lock", "labels.csv", "manifest.json", FP32.filename()]


@pytest.mark.slow
def test_two_builds_of_different_formats_at_once_both_stand_in_the_manifest(tmp_path):
    environment = {**os.environ, "RESNET18_LAB_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "resnet18_lab", "build", "--weights", "untrained", "--only"]
    both = [
        subprocess.Popen([*command, name], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name in SCRIPTS
    ]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    (made,) = (tmp_path / "artifacts").iterdir()
    assert all(artifacts.problem(made, artifacts.KINDS[name]) is None for name in SCRIPTS)
