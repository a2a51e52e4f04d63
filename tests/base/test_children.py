"""No child process imports from the working directory: a folder of photographs may hold Python files of strangers."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.project import samples_dir

COMMAND = Path(sys.executable).with_name("resnet18-lab")
BAIT = (
    "numpy", "PIL", "onnxruntime", "typer", "rich", "tqdm", "filelock", "platformdirs", "json", "pickle", "signal",
    "socket", "struct", "threading", "subprocess", "hashlib", "sqlite3", "triton", "torch", "torchvision", "onnx", "fastapi",
    "uvicorn", "starlette", "prometheus_client", "multiprocessing", "psutil", "pandas", "matplotlib", "papermill",
    "ipykernel", "openvino", "logging", "warnings", "random", "statistics", "encodings", "site", "queue", "select",
)  # fmt: skip
"""Every top-level module that the children import, and some of the standard library."""


@pytest.fixture
def folder(tmp_path, untrained_home, monkeypatch):
    """A folder of photographs with baits: each leaves a mark beside itself when it is executed."""
    place = tmp_path / "photographs"
    place.mkdir()
    for name in ("cat.jpg", "coffee.jpg"):
        shutil.copy(samples_dir() / name, place)
    for name in BAIT:
        mark = f"open({str(place / (name + '.executed'))!r}, 'w').close()\nraise ImportError('bait')\n"
        (place / f"{name}.py").write_text(mark, encoding="utf-8")
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", "untrained")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return place


def executed(folder):
    return sorted(path.stem for path in folder.glob("*.executed"))


@pytest.mark.skipif(not COMMAND.is_file(), reason=f"needs {COMMAND}: the project installed in this environment")
@pytest.mark.parametrize(
    "arguments",
    [
        ["classify", ".", "-o", "x.jsonl", "--workers", "2"],
        ["classify", "cat.jpg", "--format", "json"],
        ["doctor"],
        ["bench", "--suite", "latency", "--backend", "onnxruntime-fp32", "--threads", "1", "--batch", "1", "--no-tune"],
    ],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.slow
def test_nothing_of_the_folder_is_executed(folder, arguments):
    done = subprocess.run([COMMAND, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert executed(folder) == [], done.stderr
    assert "bait" not in done.stdout + done.stderr
    if arguments[0] == "classify":
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_module_itself_may_be_run_there(folder):
    """What runs before our first line (`runpy`, `importlib`) is Python's own; our imports come from elsewhere."""
    for name in ("encodings", "site", "warnings", "signal", "threading"):
        (folder / f"{name}.py").unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "resnet18_lab", "classify", "cat.jpg", "--format", "json"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert executed(folder) == []


@pytest.mark.skipif(not COMMAND.is_file(), reason=f"needs {COMMAND}: the project installed in this environment")
@pytest.mark.slow
def test_the_services_workers_execute_nothing_of_the_folder(folder):
    process = subprocess.Popen([COMMAND, "serve", "--port", "0"], cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        said = ""
        while "serving on" not in said and time.monotonic() < deadline and process.poll() is None:
            said += process.stderr.readline()
        assert "serving on" in said, said
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert executed(folder) == []
