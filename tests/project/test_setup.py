"""`make setup` with real pip: other Pythons, twice, interrupted, a cache that may not be written, a full disk.

Torch is gigabytes, so the packages here are empty ones of the same names, from a folder; `make pythons` takes the real.
"""

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from support.project import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="signals and mounts of Linux")]
PINS = {"torch": "2.13.0", "torchvision": "0.28.0", "numpy": "2.4.6"}
COPIED = (
    "resnet18_lab",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "weights/resnet18-distilled.LICENSE.txt",
    "data/samples",
    "tools/ipython_kernel_config.py",
)


def empty_wheel(folder, name, version):
    """A package with nothing in it."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "", f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }  # fmt: skip
    lines = [f"{path},sha256={digest(text)},{len(text)}" for path, text in files.items()]
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,"]) + "\n")


def digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def repacked(folder, name):
    """The wheel that an installed package came from."""
    package = distribution(name)
    with zipfile.ZipFile(folder / f"{name}-{package.version}-py3-none-any.whl", "w") as wheel:
        for file in package.files:
            place = Path(str(package.locate_file(file)))
            if ".." not in file.parts and "__pycache__" not in file.parts and place.is_file():
                wheel.write(place, str(file))
    return package.version


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    for name, version in PINS.items():
        empty_wheel(folder, name, version)
    PINS["setuptools"] = repacked(folder, "setuptools")
    return folder


def clone(place):
    """What set-up needs of a clone, with pins that the folder of wheels has."""
    for name in COPIED:
        source, target = ROOT / name, place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns("__pycache__", "static", "*.ttf")
        shutil.copytree(source, target, ignore=ignored) if source.is_dir() else shutil.copy(source, target)
    (place / "requirements.txt").write_text("".join(f"{name}=={version}\n" for name, version in PINS.items()))
    return place


def setup_in(place, wheels, python=sys.executable, prefix=(), **environment):
    line = [*prefix, python, "-m", "resnet18_lab", "setup"]
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    given |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull, **environment}
    return subprocess.Popen(line, cwd=place, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process):
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def is_ready(place, wheels, **options):
    status, said = ended(setup_in(place, wheels, **options))
    return status == 0 and (place / ".venv" / "bin" / "resnet18-lab").exists(), said


def interpreter(version):
    """That Python, found by its name or beside this one; skips where there is none that starts."""
    beside = sorted(Path(sys.base_prefix).parent.glob(f"{version}*/bin/python{version}"))
    for python in filter(None, [shutil.which(f"python{version}"), *map(str, beside)]):
        if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return python
    pytest.skip(f"needs python{version}")


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_it_is_made_on_other_pythons(tmp_path, wheels, version):
    python = interpreter(version)
    ready, said = is_ready(clone(tmp_path), wheels, python=python)
    assert ready, said
    assert "setup: ready" in said
    (site,) = (tmp_path / ".venv" / "lib").glob(f"python{version}/site-packages")
    assert (site / "torch.py").exists()


def test_an_old_python_is_told_what_is_needed(tmp_path):
    status, said = ended(setup_in(clone(tmp_path), tmp_path, python=interpreter("3.10")))
    assert status == 2
    assert "Python 3.11 or newer is needed" in said
    assert "Traceback" not in said


def test_what_is_missing_is_named(tmp_path, wheels):
    place = clone(tmp_path)
    with (place / "requirements.txt").open("a") as file:
        file.write("onnxruntime==1.99.0\n")
    status, said = ended(setup_in(place, wheels))
    assert status == 2
    assert "onnxruntime==1.99.0" in said
    assert "run the same command again" in said
    assert "Traceback" not in said


def test_interrupted_it_goes_on_the_next_time_and_the_third_time_does_nothing(tmp_path, wheels):
    place = clone(tmp_path)
    process = setup_in(place, wheels)
    while process.poll() is None and not list((place / ".venv" / "lib").glob("python*/site-packages/pip")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    status, said = ended(process)
    assert status == 130, said
    assert "run the same command again to go on" in said
    assert "Traceback (most recent call last)" not in said.split("setup: ")[-1]
    ready, said = is_ready(place, wheels)
    assert ready, said
    began = time.monotonic()
    assert ended(setup_in(place, wheels)) == (0, "")
    assert time.monotonic() - began < 5


def test_a_cache_that_may_not_be_written_is_done_without(tmp_path, wheels):
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o500)
    place = clone(tmp_path / "clone")
    prefix = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write anywhere, and setpriv, which takes that right away, is missing")
        prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    ready, said = is_ready(place, wheels, prefix=prefix, PIP_CACHE_DIR=str(cache))
    assert ready, said


def test_a_full_disk_is_said(tmp_path, wheels):
    place = tmp_path / "small"
    place.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(place)]
    if subprocess.run(line, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    try:
        status, said = ended(setup_in(clone(place), wheels))
        assert status == 2, said
        assert "No space left on device" in said
        assert said.rstrip().splitlines()[-1].startswith("setup: ")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
